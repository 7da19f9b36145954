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
        pairs = distances[np.triu_indices(len(distances), 1)]
        pairs = pairs[pairs != 0]
        return _mean_of_smallest(pairs, _taken(rho, len(pairs)), 0.0)
    stored = _stored_twice(graph)
    absent = len(graph) * (len(graph) - 1) // 2 - (graph.matrix.nnz - len(graph)) // 2
    least = graph.least_absent()
    taken = _taken(rho, len(stored) // 2 + absent)
    if 2 * taken <= int((stored <= least).sum()) or (graph.offset is None and graph.max_distance == 1.0):
        return _mean_of_smallest(stored, 2 * taken, float(least))
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


def _stored_twice(graph: JaccardGraph) -> np.ndarray:
    """The non-zero distances of stored pairs, in no order; each pair counts twice, as it stands in the matrix."""
    matrix = graph.matrix
    if not matrix.diagonal().any():
        return matrix.data[matrix.data != 0]
    rows = np.repeat(np.arange(len(graph), dtype=matrix.indices.dtype), np.diff(matrix.indptr))
    return matrix.data[(matrix.indices != rows) & (matrix.data != 0)]


def _taken(rho: float, pairs: int) -> int:
    """How many of the pairs the rule takes."""
    if pairs == 0:
        raise LabelsError("All pairs have distance 0.", rule="The rule needs a pair of different images.", action="Give eps.")
    return max(1, round(rho * pairs))


def _mean_of_smallest(distances: np.ndarray, count: int, beyond: float) -> float:
    """Mean of the `count` smallest distances; where there are fewer, the missing ones are `beyond`."""
    if count < len(distances):
        distances = np.partition(distances, count - 1)[:count]
    return float((distances.sum(dtype=np.float64) + (count - len(distances)) * beyond) / count)
