"""DBSCAN from a graph, and the rule that finds its radius."""

from __future__ import annotations

import numpy as np

from reidkit.errors import LabelsError
from reidkit.jaccard.graph import JaccardGraph


def dbscan(graph: JaccardGraph | np.ndarray, eps: float, min_samples: int = 4) -> np.ndarray:
    """int64 labels (N,), -1 = outlier; equal to scikit-learn's DBSCAN on ``graph.toarray()``, numbering included."""
    from sklearn.cluster import DBSCAN

    distances = graph.toarray() if isinstance(graph, JaccardGraph) else np.asarray(graph)
    if isinstance(graph, JaccardGraph) and graph.max_distance < 1 and eps > graph.max_distance:
        raise LabelsError(
            f"eps = {eps}, but the graph stores pairs up to {graph.max_distance} only.",
            rule="eps <= max_distance.",
            action="Build the graph with a larger max_distance.",
        )
    return DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed").fit(distances).labels_.astype(np.int64)


def eps_from_closest_pairs(graph: JaccardGraph | np.ndarray, rho: float = 1.6e-3) -> float:
    """Mean of the closest pairs: the smallest round(rho * L) (at least 1) of the L non-zero distances of pairs i < j."""
    distances = graph.toarray() if isinstance(graph, JaccardGraph) else np.asarray(graph)
    pairs = distances[np.triu_indices(len(distances), 1)].astype(np.float64)
    pairs = np.sort(pairs[pairs != 0])
    if not len(pairs):
        raise LabelsError("All pairs have distance 0.", rule="The rule needs a pair of different images.", action="Give eps.")
    return float(pairs[: max(1, round(rho * len(pairs)))].mean())
