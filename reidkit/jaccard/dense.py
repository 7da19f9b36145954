"""The Jaccard distance as its equations read: plain NumPy, float64, N x N arrays. For a few hundred images and for tests.

Source: "Re-ranking Person Re-identification with k-reciprocal Encoding" (2017), sections 3.2 to 3.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reidkit.jaccard.graph import checked_settings
from reidkit.neighbours.rows import checked_rows, is_unit, on_grid


@dataclass(frozen=True, eq=False)
class DenseSteps:
    """Every step of the encoding, for reading and for drawing.

    Attributes:
        distance: (N, N) squared Euclidean distance.
        rank: (N, N) neighbours of each row, itself first, then by distance, ties by index; cut to k1 columns in the
            variant ``"index"``.
        reciprocal: one sorted array a row, the k1-reciprocal set R(i).
        expanded: one sorted array a row, the expanded set R*(i).
        weights: (N, N) V before query expansion; rows sum to 1.
        encoding: (N, N) V after query expansion.
        jaccard: (N, N) the distance, 0..1.
    """

    distance: np.ndarray
    rank: np.ndarray
    reciprocal: list[np.ndarray]
    expanded: list[np.ndarray]
    weights: np.ndarray
    encoding: np.ndarray
    jaccard: np.ndarray


def dense_jaccard(features: np.ndarray, *, k1: int = 30, k2: int = 6, variant: str = "index") -> np.ndarray:
    """(N, D) features -> (N, N) float64 Jaccard distance, 0..1; the oracle of `jaccard_graph`."""
    return dense_steps(features, k1=k1, k2=k2, variant=variant).jaccard


def dense_steps(features: np.ndarray, *, k1: int = 30, k2: int = 6, variant: str = "index") -> DenseSteps:
    """The same with every step kept. Arguments as in `jaccard_graph`."""
    checked_settings(k1, k2, variant)
    distance = squared_distances(checked_rows(features))
    return _encode(distance, k1, k2, variant)


def dense_rerank(query: np.ndarray, gallery: np.ndarray, *, k1: int = 20, k2: int = 6, lambda_value: float = 0.3) -> np.ndarray:
    """(Q, D), (G, D) -> (Q, G) float64: (1 - lambda) * Jaccard + lambda * row-normalised distance (section 3.5)."""
    distance = squared_distances(checked_rows(np.concatenate([query, gallery])))
    steps = _encode(distance, k1, k2, "full")
    cut = len(query)
    return (1 - lambda_value) * steps.jaccard[:cut, cut:] + lambda_value * row_normalised(distance)[:cut, cut:]


def squared_distances(rows: np.ndarray) -> np.ndarray:
    """(N, N) float64 squared Euclidean distances; 2 - 2 cos for unit rows."""
    wide = rows.astype(np.float64)
    product = wide @ wide.T
    if is_unit(rows):
        return 2.0 - 2.0 * on_grid(product)
    norm = (wide**2).sum(axis=1)
    scale = max(norm.max(), np.finfo(float).tiny)
    distance = np.maximum(on_grid((norm[:, None] + norm[None, :] - 2.0 * product) / scale), 0.0) * scale
    np.fill_diagonal(distance, 0.0)
    return distance


def row_normalised(distance: np.ndarray) -> np.ndarray:
    """Each row divided by its largest entry (a row of zeros stays)."""
    largest = distance.max(axis=1, keepdims=True)
    return distance / np.where(largest > 0, largest, 1.0)


def neighbours_in_order(distance: np.ndarray) -> np.ndarray:
    """(N, N) indices by distance, the image itself first, ties by index."""
    key = distance.copy()
    np.fill_diagonal(key, -np.inf)
    return np.argsort(key, axis=1, kind="stable")


def reciprocal_set(rank: np.ndarray, i: int, columns: int) -> np.ndarray:
    """{j among the first `columns` neighbours of i : i is among the first `columns` of j}, sorted."""
    return np.array(sorted(j for j in rank[i, :columns] if i in rank[j, :columns]), dtype=np.int64)


def expanded_set(rank: np.ndarray, reciprocal: list[np.ndarray], i: int, k1: int) -> np.ndarray:
    """R(i) with the half-size set of each member that shares more than two thirds of it with R(i)."""
    grown = set(reciprocal[i])
    for j in reciprocal[i]:
        half = reciprocal_set(rank, int(j), round(k1 / 2) + 1)
        if 3 * len(np.intersect1d(half, reciprocal[i])) > 2 * len(half):
            grown |= set(half)
    return np.array(sorted(grown), dtype=np.int64)


def overlap_distance(encoding: np.ndarray) -> np.ndarray:
    """1 - m / (2 - m) with m(i, j) the sum of the smaller entries of rows i and j; clipped to 0..1."""
    shared = np.stack([np.minimum(row, encoding).sum(axis=1) for row in encoding])
    shared = on_grid(shared)
    return np.clip(1.0 - shared / (2.0 - shared), 0.0, 1.0)


def _encode(distance: np.ndarray, k1: int, k2: int, variant: str) -> DenseSteps:
    """Sections 3.2 to 3.4, step by step."""
    rank = neighbours_in_order(distance)
    if variant == "index":
        rank = rank[:, :k1]
    closeness = np.exp(-(row_normalised(distance) if variant == "full" else distance))
    reciprocal = [reciprocal_set(rank, i, k1 + 1) for i in range(len(rank))]
    expanded = [expanded_set(rank, reciprocal, i, k1) for i in range(len(rank))]
    weights = np.zeros_like(distance)
    for i, members in enumerate(expanded):
        weights[i, members] = closeness[i, members] / closeness[i, members].sum()
    encoding = weights if k2 == 1 else np.stack([weights[rank[i, :k2]].mean(axis=0) for i in range(len(rank))])
    return DenseSteps(distance, rank, reciprocal, expanded, weights, encoding, overlap_distance(encoding))
