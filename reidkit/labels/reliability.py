"""Which clusters and which of their members to believe: three runs of DBSCAN compared.

Source: "Self-paced Contrastive Learning with Hybrid Memory for Domain Adaptive Object Re-ID" (2020), section 3.3 and
the published code's thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reidkit.errors import LabelsError
from reidkit.jaccard.graph import JaccardGraph
from reidkit.labels.density import dbscan
from reidkit.labels.pseudo import OUTLIER, PseudoLabels, relabelled

PASSING = 0.9


@dataclass(frozen=True, eq=False)
class SelfPaced:
    """Labels that passed both tests, and what they were measured by.

    Attributes:
        labels: int64 (N,); an image that left its cluster, or whose cluster failed, is -1 (SpCL makes it its own class).
        independence, compactness: float64 (N,) in 0..1, of each image: overlap of its cluster with the loose run's, and
            with the tight run's. SpCL's code stores 1 minus these.
        threshold: the largest 1 - independence that a cluster may have; keep that of the first epoch.
    """

    labels: PseudoLabels
    independence: np.ndarray
    compactness: np.ndarray
    threshold: float


def self_paced(
    graph: JaccardGraph, eps: float = 0.6, *, gap: float = 0.02, min_samples: int = 4, threshold: float | None = None
) -> SelfPaced:
    """Cluster at eps, and keep what a tighter and a looser radius agree with.

    Args:
        graph: distances that reach to ``eps + gap``.
        eps, gap: the runs are at eps - gap (tight), eps, and eps + gap (loose). SpCL: 0.6, 0.02.
        min_samples: of a core point.
        threshold: of the first epoch; None to set it now, so that about nine clusters of ten pass.
    """
    if not 0 < gap < eps:
        raise LabelsError(f"gap = {gap} at eps = {eps}.", rule="0 < gap < eps.", action="Use 0.02.")
    normal, tight, loose = (dbscan(graph, radius, min_samples) for radius in (eps, eps - gap, eps + gap))
    independence, compactness = overlap(normal, loose), overlap(normal, tight)
    threshold = independence_threshold(normal, independence) if threshold is None else threshold
    kept = reliable(normal, independence, compactness, threshold)
    history: dict[str, object] = {"clustering": "self-paced dbscan", "eps": eps, "gap": gap, "min_samples": min_samples}
    made = PseudoLabels(relabelled(np.where(kept, normal, OUTLIER)), history | {"independence": threshold}, graph=graph)
    return SelfPaced(made, independence, compactness, threshold)


def overlap(labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """float64 (N,): |A and B| / |A or B| of each image's two clusters. An outlier is a cluster of its own.

    Two label vectors are a contingency table: nothing needs all pairs.
    """
    a, b = singled_out(labels), singled_out(others)
    width = int(b.max(initial=0)) + 1
    _, cell, counts = np.unique(a * width + b, return_inverse=True, return_counts=True)
    both = counts[cell]
    return both / (np.bincount(a)[a] + np.bincount(b)[b] - both)


def singled_out(labels: np.ndarray) -> np.ndarray:
    """int64 labels in which every outlier has a number of its own, after those of the clusters."""
    labels = np.asarray(labels, dtype=np.int64)
    outliers = np.flatnonzero(labels == OUTLIER)
    result = labels.copy()
    result[outliers] = labels.max(initial=OUTLIER) + 1 + np.arange(len(outliers))
    return result


def independence_threshold(labels: np.ndarray, independence: np.ndarray) -> float:
    """The value at place min(n - 1, round(0.9 n)) of 1 - independence of the n clusters with more than one image, ascending.

    A cluster has the value of its best member.
    """
    apart = np.sort(_best(labels, 1 - independence)[np.bincount(labels[labels != OUTLIER]) > 1])
    return float(apart[min(len(apart) - 1, round(PASSING * len(apart)))]) if len(apart) else 0.0


def reliable(labels: np.ndarray, independence: np.ndarray, compactness: np.ndarray, threshold: float) -> np.ndarray:
    """bool (N,): members of independent clusters that are as compact as the best member of their cluster."""
    member = labels != OUTLIER
    apart, loose = _best(labels, 1 - independence), _best(labels, 1 - compactness)
    kept = member.copy()
    kept[member] = (apart[labels[member]] <= threshold) & ((1 - compactness)[member] <= loose[labels[member]])
    return kept


def _best(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """float64 (M,): the smallest value in each cluster."""
    result = np.full(int(labels.max(initial=OUTLIER)) + 1, np.inf)
    np.minimum.at(result, labels[labels != OUTLIER], values[labels != OUTLIER])
    return result
