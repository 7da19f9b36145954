"""Pairs of images: how many are in one cluster, of one identity, or both; for all pairs, one camera, and across cameras.

Pairs across cameras are what retrieval is graded on; pairs of one camera are easy and flatter an ordinary F score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from reidkit.diagnose.counts import cells, pairs

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


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
