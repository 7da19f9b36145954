"""The nearest images of each image, from where they are known: a search, a graph, or the features."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from reidkit.errors import DiagnosisError


@dataclass(frozen=True, eq=False)
class Near:
    """The nearest images of each of N images.

    Attributes:
        index: int32 (N, k), the image itself in column 0, then the others from near to far.
        distance: float32 (N, k), of any unit; 0 in column 0.
    """

    index: np.ndarray = field(repr=False)
    distance: np.ndarray = field(repr=False)

    def __post_init__(self) -> None:
        own = self.index.ndim == 2 and np.array_equal(self.index[:, :1], np.arange(len(self.index))[:, None])
        if not own or self.distance.shape != self.index.shape or not np.isfinite(self.distance).all():
            raise DiagnosisError(
                f"Neighbours: index {self.index.shape}, distance {self.distance.shape}.",
                rule="Both are (N, k); each image is its own first neighbour, and distances are finite.",
                action="Pass what `Near.of_similarity`, `Near.of_graph` or `Near.of_features` gives.",
            )

    def first(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Index and distance of the k nearest, itself counted; all there are when there are fewer."""
        return self.index[:, :k], self.distance[:, :k]

    @staticmethod
    def of_similarity(similarity: np.ndarray, index: np.ndarray) -> Near:
        """From what `reidkit.neighbours.nearest` returns for unit rows: Euclidean distances, sqrt(2 - 2 s)."""
        rows = np.arange(len(index))[:, None]
        order = np.argsort(index != rows, axis=1, kind="stable")  # a twin of equal features may stand before the image
        distance = np.sqrt(np.maximum(2.0 - 2.0 * np.take_along_axis(similarity, order, axis=1), 0.0))
        distance[:, 0] = 0.0
        return Near(np.take_along_axis(index, order, axis=1).astype(np.int32), distance.astype(np.float32))

    @staticmethod
    def of_features(features: Float[np.ndarray, "n d"], k: int) -> Near:
        """By exact search through the features (Euclidean distance); k counts the image itself."""
        distance, index = NearestNeighbors(n_neighbors=min(k, len(features)) - 1, algorithm="brute").fit(features).kneighbors()
        rows = np.arange(len(features))[:, None]
        return Near(np.hstack([rows, index]).astype(np.int32), np.pad(distance, ((0, 0), (1, 0))).astype(np.float32))

    @staticmethod
    def of_graph(graph: sparse.csr_array, k: int, *, seed: int = 0) -> Near:
        """From a sparse graph of distances in [0, 1], such as the Jaccard graph that was clustered.

        A pair that is not stored is at distance 1: a list that is too short is filled by an even draw of such images.
        """
        count, generator = graph.shape[0], np.random.default_rng(seed)
        k = min(k, count)
        index, distance = np.empty((count, k), np.int32), np.ones((count, k), np.float32)
        for row in range(count):
            stored = slice(graph.indptr[row], graph.indptr[row + 1])
            others = graph.indices[stored] != row
            names, far = graph.indices[stored][others], graph.data[stored][others]
            order = np.argsort(far, kind="stable")[: k - 1]
            nearest = [row, *names[order]]
            if len(nearest) < k:
                rest = generator.permutation(count)
                nearest += list(rest[~np.isin(rest, nearest)][: k - len(nearest)])
            index[row] = nearest
            distance[row, : len(order) + 1] = 0.0, *far[order]
        return Near(index, distance)
