"""Pairs of images: how many are in one cluster, of one identity, or both; for all pairs, one camera, and across cameras.

Pairs across cameras are what retrieval is graded on; pairs of one camera are easy and flatter an ordinary F score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int

from reidkit.diagnose.counts import cells, pairs, table
from reidkit.diagnose.inputs import Names

KINDS = ("all", "same-camera", "cross-camera")


@dataclass(frozen=True)
class PairCounts:
    """Unordered pairs of images.

    Attributes:
        correct: in one cluster and of one identity.
        clustered: in one cluster.
        true: of one identity.
        total: all pairs of this kind.
    """

    correct: int
    clustered: int
    true: int
    total: int

    def __sub__(self, other: PairCounts) -> PairCounts:
        return PairCounts(
            self.correct - other.correct, self.clustered - other.clustered, self.true - other.true, self.total - other.total
        )

    @property
    def precision(self) -> float:
        """Share of clustered pairs that are of one identity; NaN when no pair is clustered."""
        return _ratio(self.correct, self.clustered)

    @property
    def recall(self) -> float:
        """Share of the pairs of one identity that are clustered; NaN when no pair is of one identity."""
        return _ratio(self.correct, self.true)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 2 correct / (clustered + true); NaN when both are empty."""
        return _ratio(2 * self.correct, self.clustered + self.true)

    @property
    def ari(self) -> float:
        """Adjusted Rand index from the pair confusion matrix of this kind of pairs; NaN without pairs."""
        if not self.total:
            return float("nan")
        missed, wrong = self.true - self.correct, self.clustered - self.correct
        rejected = self.total - self.correct - missed - wrong
        if not missed and not wrong:
            return 1.0
        above = 2 * (self.correct * rejected - missed * wrong)
        return above / (self.true * (missed + rejected) + self.clustered * (wrong + rejected))


def count_pairs(
    cluster: Int[np.ndarray, " n"], identity: Int[np.ndarray, " n"], camera: Int[np.ndarray, " n"]
) -> dict[str, PairCounts]:
    """Pair counts of a partition against the truth.

    Args:
        cluster: (N,) without outliers: drop them first, or make them singletons (`counts.as_singletons`).
        identity: (N,) true identities, all known.
        camera: (N,).

    Returns:
        One `PairCounts` for each of `KINDS`.
    """
    whole = PairCounts(
        pairs(cells(cluster, identity)[1]), pairs(cells(cluster)[1]), pairs(cells(identity)[1]), pairs(np.array([len(cluster)]))
    )
    same = PairCounts(
        pairs(cells(cluster, identity, camera)[1]),
        pairs(cells(cluster, camera)[1]),
        pairs(cells(identity, camera)[1]),
        pairs(cells(camera)[1]),
    )
    return {"all": whole, "same-camera": same, "cross-camera": whole - same}


def camera_pair_counts(group: Int[np.ndarray, " n"], camera: Int[np.ndarray, " n"], cameras: int) -> Int[np.ndarray, "c c"]:
    """For each two cameras (a, b), unordered pairs of images, one in a and one in b, that share a group."""
    if not len(group):
        return np.zeros((cameras, cameras), np.int64)
    counts = table(group, camera, (int(group.max()) + 1, cameras))
    product = np.asarray((counts.T @ counts).todense(), np.int64)
    images = np.asarray(counts.sum(axis=0)).ravel().astype(np.int64)
    product[np.diag_indices(cameras)] = (product.diagonal() - images) // 2
    return product


def camera_pair_table(
    label: Int[np.ndarray, " n"], camera: Int[np.ndarray, " n"], identity: np.ndarray | None, names: Names
) -> pd.DataFrame:
    """One row for each two cameras a <= b: shared clusters, pairs clustered, and with truth their precision and recall.

    Outliers count as unclustered; images of unknown identity do not enter `true_pairs`, `correct_pairs` and the scores.
    `precision`, `recall`, `f1` take all images (outliers as singletons); `recall_kept` only those with a cluster.
    """
    cameras, kept = len(names), label >= 0
    first, second = np.triu_indices(cameras)
    present = table(label[kept], camera[kept], (int(label.max(initial=-1)) + 1, cameras)) if kept.any() else None
    shared = np.asarray(((present > 0).astype(np.int64).T @ (present > 0)).todense()) if present is not None else None
    frame = pd.DataFrame({"camera_a": [names[a] for a in first], "camera_b": [names[b] for b in second]})
    frame["shared_clusters"] = 0 if shared is None else shared[first, second].astype(np.int64)
    frame["clustered_pairs"] = camera_pair_counts(label[kept], camera[kept], cameras)[first, second]
    if identity is None:
        return frame
    known = identity >= 0
    both = known & kept
    joint = label[both] * (int(identity.max(initial=0)) + 1) + identity[both]
    counted = {
        "judged_pairs": camera_pair_counts(label[both], camera[both], cameras),
        "true_pairs": camera_pair_counts(identity[known], camera[known], cameras),
        "true_pairs_kept": camera_pair_counts(identity[both], camera[both], cameras),
        "correct_pairs": camera_pair_counts(np.unique(joint, return_inverse=True)[1].astype(np.int64), camera[both], cameras),
    }
    for name, matrix in counted.items():
        frame[name] = matrix[first, second]
    correct = frame["correct_pairs"]
    frame["precision"] = correct / frame["judged_pairs"].replace(0, np.nan)
    frame["recall"] = correct / frame["true_pairs"].replace(0, np.nan)
    frame["recall_kept"] = correct / frame["true_pairs_kept"].replace(0, np.nan)
    frame["f1"] = 2 * correct / (frame["judged_pairs"] + frame["true_pairs"]).replace(0, np.nan)
    return frame


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
