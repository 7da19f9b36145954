"""DBSCAN from a graph, and the rule that finds its radius."""

from __future__ import annotations

import numpy as np

from reidkit.errors import LabelsError
from reidkit.jaccard.graph import JaccardGraph

DENSE_IMAGES = 8192


def dbscan(graph: JaccardGraph | np.ndarray, eps: float, min_samples: int = 4) -> np.ndarray:
    """Clusters of density: int64 labels (N,), -1 = outlier.

    Equal to scikit-learn's DBSCAN on ``graph.toarray()``, numbering and border points included: eps is inclusive and
    compared in float32, a point counts itself, clusters are numbered by their first core point, and a border point
    belongs to the first of the clusters that reach it.

    Args:
        graph: a `JaccardGraph`, or distances (N, N).
        eps: radius, > 0, at most the graph's ``max_distance`` when that is below 1.
        min_samples: neighbours within eps, the point itself counted, that make a core point.

    Source: "A Density-Based Algorithm for Discovering Clusters in Large Spatial Databases with Noise" (1996).
    """
    check_radius(eps, min_samples)
    if not isinstance(graph, JaccardGraph):
        from sklearn.cluster import DBSCAN

        model = DBSCAN(eps=float(eps), min_samples=min_samples, metric="precomputed")
        return model.fit(np.asarray(graph)).labels_.astype(np.int64)
    refuse_unstored(graph, eps)
    if np.float32(eps) >= graph.least_absent():
        from reidkit.labels.unstored import dbscan_with_unstored

        return dbscan_with_unstored(graph, np.float32(eps), min_samples)
    from reidkit.labels import kernels

    indptr, indices, data, radius = graph.matrix.indptr, graph.matrix.indices, graph.matrix.data, np.float32(eps)
    core = kernels.count_close(indptr, data, radius) >= min_samples
    parent = np.arange(len(core))
    kernels.join_close(indptr, indices, data, radius, core, parent)
    labels = kernels.number_clusters(core, parent)
    kernels.claim_borders(indptr, indices, data, radius, core, labels)
    return labels


def eps_from_closest_pairs(graph: JaccardGraph | np.ndarray, rho: float = 1.6e-3) -> float:
    """Mean of the closest pairs: the smallest round(rho * L) (at least 1) of the L non-zero distances of pairs i < j.

    Source: "Unsupervised Domain Adaptive Re-Identification: Theory and Practice" (2018), selftraining.py
    (rho 1.6e-3, first round only); ABMT and GCL: rho 2e-3, every epoch. Halves are rounded to even.
    """
    if not 0.0 < rho <= 1.0:
        raise LabelsError(f"rho = {rho}.", rule="0 < rho <= 1, a share of pairs.", action="Use 1.6e-3 or 2e-3.")
    if not isinstance(graph, JaccardGraph):
        distances = np.asarray(graph)
        return _mean_of_closest(distances[np.triu_indices(len(distances), 1)], 0, 0.0, rho)
    matrix = graph.matrix
    rows = np.repeat(np.arange(len(graph), dtype=matrix.indices.dtype), np.diff(matrix.indptr))
    stored = matrix.data[matrix.indices > rows]
    absent = len(graph) * (len(graph) - 1) // 2 - len(stored)
    least = graph.least_absent()
    taken = max(1, round(rho * (int((stored != 0).sum()) + absent)))
    if taken <= int(((stored != 0) & (stored <= least)).sum()) or (graph.offset is None and graph.max_distance == 1.0):
        return _mean_of_closest(stored, absent, float(least), rho)
    if graph.max_distance < 1.0 or len(graph) > DENSE_IMAGES:
        raise LabelsError(
            f"rho = {rho} asks for the {taken} closest pairs of {len(graph)} images, more than the graph orders.",
            rule="The closest pairs must be stored.",
            action="Lower rho, or build the graph with max_distance=1.0.",
        )
    return eps_from_closest_pairs(graph.toarray(), rho)


def check_radius(eps: float, min_samples: int) -> None:
    """Refuse settings that DBSCAN has not."""
    if not eps > 0 or min_samples < 1:
        raise LabelsError(
            f"eps = {eps}, min_samples = {min_samples}.", rule="eps > 0 and min_samples >= 1.", action="Raise them."
        )


def refuse_unstored(graph: JaccardGraph, eps: float) -> None:
    """Refuse a radius beyond what the graph stores."""
    if graph.max_distance < 1.0 and np.float32(eps) > np.float32(graph.max_distance):
        raise LabelsError(
            f"eps = {eps}, but the graph stores pairs up to {graph.max_distance} only.",
            rule="eps <= max_distance.",
            action="Build the graph with a larger max_distance.",
        )


def _mean_of_closest(stored: np.ndarray, absent: int, at: float, rho: float) -> float:
    """Mean of the smallest pairs; `absent` more pairs have the distance `at`, larger than all that are stored."""
    pairs = stored[stored != 0]
    taken = max(1, round(rho * (len(pairs) + absent)))
    if len(pairs) + absent == 0:
        raise LabelsError("All pairs have distance 0.", rule="The rule needs a pair of different images.", action="Give eps.")
    if taken < len(pairs):
        pairs = np.partition(pairs, taken - 1)[:taken]
    return float((pairs.sum(dtype=np.float64) + (taken - len(pairs)) * at) / taken)
