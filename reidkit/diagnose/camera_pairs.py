"""How well images are put together across each two cameras."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Int
from scipy import sparse

from reidkit.diagnose.columns import Names
from reidkit.diagnose.counts import as_singletons, cells, table
from reidkit.diagnose.pairwise import PairCounts
from reidkit.diagnose.rescue import entries

COLUMNS = {
    "camera_a": "one camera, as given",
    "camera_b": "the other; the same one for pairs within a camera",
    "shared_clusters": "clusters that hold images of both",
    "clustered_pairs": "pairs, one image in each, in one cluster",
    "judged_pairs": "those of them with both identities known",
    "true_pairs": "pairs of one identity",
    "true_pairs_kept": "those of them with both images in some cluster",
    "correct_pairs": "pairs in one cluster and of one identity",
    "precision": "correct_pairs / judged_pairs, 0 to 1",
    "recall": "correct_pairs / true_pairs (outliers as singletons), 0 to 1",
    "recall_kept": "correct_pairs / true_pairs_kept (outliers dropped), 0 to 1",
    "f1": "harmonic mean of precision and recall, 0 to 1",
    "ari": "adjusted Rand index from the confusion of these pairs, outliers as singletons, -1 to 1",
    "bcubed_precision": "mean over images of either camera: share of its cluster's images in the other that have its identity",
    "bcubed_recall": "mean over images of either camera: share of its identity's images in the other that are in its cluster",
    "bcubed_f1": "harmonic mean of the two, outliers as singletons, 0 to 1",
}


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
    """One row for each two cameras a <= b; see `COLUMNS` (from `judged_pairs` on only with truth)."""
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
    seen = np.bincount(camera[known], minlength=cameras)
    total = np.where(first == second, seen[first] * (seen[first] - 1) // 2, seen[first] * seen[second])
    four = zip(correct, frame["judged_pairs"], frame["true_pairs"], total)
    frame["ari"] = [PairCounts(*map(int, counts)).ari for counts in four]
    precision, recall = _bcubed(as_singletons(label)[known], identity[known], camera[known], cameras)
    frame["bcubed_precision"], frame["bcubed_recall"] = precision[first, second], recall[first, second]
    both_ways = (frame["bcubed_precision"] + frame["bcubed_recall"]).replace(0, 1)
    frame["bcubed_f1"] = 2 * frame["bcubed_precision"] * frame["bcubed_recall"] / both_ways
    return frame


def _bcubed(label: np.ndarray, identity: np.ndarray, camera: np.ndarray, cameras: int) -> tuple[np.ndarray, np.ndarray]:
    """(C, C) BCubed precision and recall for each two cameras; NaN where no image has a share."""
    (cluster, who), counts = cells(label, identity)
    place = np.repeat(np.arange(len(cluster)), counts)
    held = table(place, camera[np.lexsort((identity, label))], (len(cluster), cameras))
    return tuple(  # type: ignore[return-value]
        _mean_share(held, of, table(group, camera, (int(group.max(initial=-1)) + 1, cameras)))
        for of, group in ((cluster, label), (who, identity))
    )


def _mean_share(held: sparse.csr_array, of: np.ndarray, whole: sparse.csr_array) -> np.ndarray:
    """Mean over the images of cameras a and b of held[cell, the other camera] / whole[of[cell], the other camera]."""
    part = sparse.coo_array(held)
    cell, other = part.coords
    share = sparse.csr_array((part.data / entries(whole, of[cell], other), (cell, other)), shape=held.shape)
    above = np.asarray((held.T @ share).todense(), np.float64)
    there = np.asarray((whole.T @ (whole > 0).astype(np.int64)).todense(), np.float64)
    return np.divide(above + above.T, there + there.T, out=np.full(above.shape, np.nan), where=there + there.T > 0)
