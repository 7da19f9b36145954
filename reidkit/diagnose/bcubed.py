"""BCubed and purity: how right the cluster is *from each image's place*, averaged over images.

For image j: precision is the share of its cluster that has its identity, recall the share of its identity that is in its
cluster, both counting j itself (Bagga and Baldwin 1998). Restricted to one camera, both shares are taken among the images
of j's camera; across cameras, among the images of other cameras (j itself is never one), and averaged over the
images for which such a share exists.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from reidkit.diagnose.counts import cells, together
from reidkit.diagnose.pairwise import KINDS


def bcubed(
    cluster: Int[np.ndarray, " n"], identity: Int[np.ndarray, " n"], camera: Int[np.ndarray, " n"]
) -> dict[str, tuple[float, float, float]]:
    """(precision, recall, F) for each kind of pairs; NaN where no image has a share.

    Args:
        cluster: (N,) without outliers: drop them first, or make them singletons (`counts.as_singletons`).
        identity, camera: (N,).
    """
    both, of_cluster, of_identity = together(cluster, identity), together(cluster), together(identity)
    same = together(cluster, identity, camera), together(cluster, camera), together(identity, camera)
    found = {
        "all": (_mean(both, of_cluster), _mean(both, of_identity)),
        "same-camera": (_mean(same[0], same[1]), _mean(same[0], same[2])),
        "cross-camera": (_mean(both - same[0], of_cluster - same[1]), _mean(both - same[0], of_identity - same[2])),
    }
    return {kind: (*found[kind], harmonic(*found[kind])) for kind in KINDS}


def purity(rows: Int[np.ndarray, " n"], columns: Int[np.ndarray, " n"]) -> float:
    """Share of images that belong to the most frequent column of their row; NaN without images.

    ``purity(cluster, identity)`` is purity; ``purity(identity, cluster)`` is inverse purity.
    """
    if not len(rows):
        return float("nan")
    (row, _), counts = cells(rows, columns)
    starts = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    return float(np.maximum.reduceat(counts, starts).sum() / counts.sum())


def harmonic(precision: float, recall: float) -> float:
    """Harmonic mean; 0 when both are 0, NaN when one is undefined."""
    return 2 * precision * recall / (precision + recall) if precision + recall else precision + recall


def _mean(part: np.ndarray, whole: np.ndarray) -> float:
    exists = whole > 0
    return float((part[exists] / whole[exists]).mean()) if exists.any() else float("nan")
