"""DBSCAN where pairs that the graph does not store can be within eps: with a source term, or from eps = 1 on.

Such a pair is close when ``absent + offset[i] + offset[j] <= eps``: with the images sorted by offset, those close to one
image are the first of the list, so nothing needs all pairs.
"""

from __future__ import annotations

import numpy as np

from reidkit.jaccard.graph import JaccardGraph
from reidkit.labels import kernels


def dbscan_with_unstored(graph: JaccardGraph, eps: np.float32, min_samples: int) -> np.ndarray:
    """int64 labels (N,), equal to scikit-learn's on ``graph.toarray()``. O(N log N) beside the stored pairs."""
    images, matrix = len(graph), graph.matrix
    indptr, indices, data = matrix.indptr, matrix.indices, matrix.data
    order = np.argsort(np.zeros(images) if graph.offset is None else graph.offset, kind="stable")
    reach = _reach(graph, order, eps)
    rows = np.repeat(np.arange(images), np.diff(indptr))
    both = (graph.absent_distance(rows, indices) <= eps) & (rows != indices)
    itself = graph.absent_distance(np.arange(images), np.arange(images)) <= eps
    counts = kernels.count_close(indptr, data, eps) + reach - itself - np.bincount(rows[both], minlength=images)
    core = counts >= min_samples
    parent = np.arange(images)
    kernels.join_close(indptr, indices, data, eps, core, parent)
    cores = order[core[order]]
    for i in cores[1:]:
        if graph.absent_distance(cores[:1], np.array([i]))[0] > eps:
            break
        kernels.join(parent, int(i), int(cores[0]))
    labels = kernels.number_clusters(core, parent)
    kernels.claim_borders(indptr, indices, data, eps, core, labels)
    lowest = np.minimum.accumulate(labels[cores]) if len(cores) else labels[:0]
    reached = np.searchsorted(np.flatnonzero(core[order]), reach)
    for i in np.flatnonzero(~core & (reached > 0)):
        claim = lowest[reached[i] - 1]
        labels[i] = claim if labels[i] < 0 else min(labels[i], claim)
    return labels


def _reach(graph: JaccardGraph, order: np.ndarray, eps: np.float32) -> np.ndarray:
    """int64 (N,): how many images, taken by offset, an image would reach if no pair with it were stored; by bisection."""
    everyone = np.arange(len(graph))
    low, high = np.zeros(len(graph), np.int64), np.full(len(graph), len(graph), np.int64)
    while (low < high).any():
        middle = (low + high) // 2
        close = graph.absent_distance(everyone, order[np.minimum(middle, len(graph) - 1)]) <= eps
        active = low < high
        low, high = np.where(active & close, middle + 1, low), np.where(active & ~close, middle, high)
    return low
