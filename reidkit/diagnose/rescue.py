"""Which single missing edge would bring a lost identity back: tried out, not guessed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from reidkit.diagnose.identities import spread_of

TRIES, LARGEST = 16, 20_000


@dataclass(frozen=True, eq=False)
class Rescue:
    """A graph at one radius, ready to have edges tried out on it.

    Attributes:
        linked: bool (N, N) sparse, pairs at most eps apart, without the diagonal.
        distance: the graph itself.
        component: (N,), the connected component of each image among linked pairs.
        identity: (N,), -1 unknown.
        min_samples: of a core point, itself counted.
    """

    linked: sparse.csr_array
    distance: sparse.csr_array
    component: np.ndarray
    identity: np.ndarray
    min_samples: int

    @staticmethod
    def of(graph: sparse.csr_array, eps: float, min_samples: int, identity: np.ndarray) -> Rescue:
        """The pairs of `graph` at most `eps` apart."""
        whole = sparse.coo_array(graph)
        kept = whole.data <= eps
        row, column = (side[kept] for side in whole.coords)
        linked = sparse.csr_array((np.ones(len(row), np.int8), (row, column)), shape=graph.shape)
        return Rescue(linked, graph, connected_components(linked, directed=False)[1], identity, min_samples)


def rescuing_edge(rescue: Rescue, images: np.ndarray, code: int, features: np.ndarray | None = None) -> tuple[int, int] | None:
    """The missing edge between two images of an identity with which it is lost no more; None when no single one does it.

    Clusters never leave a connected component, so DBSCAN runs again on those that hold its images only. Edges are tried
    nearest first (by graph, then by feature), at most 16 of them.
    """
    near = np.flatnonzero(np.isin(rescue.component, rescue.component[images]))
    if len(images) < 2 or len(near) > LARGEST:
        return None
    place = {int(image): position for position, image in enumerate(near)}
    part = rescue.linked[near][:, near]
    degree = np.diff(part.indptr) + 1
    for a, b in _candidates(rescue, images, features):
        i, j = place[a], place[b]
        if max(degree[i], degree[j]) + 1 < rescue.min_samples:
            continue
        edge = sparse.csr_array((np.ones(2, np.int8), ([i, j], [j, i])), shape=part.shape)
        if _holds(_clusters(sparse.csr_array(part + edge), rescue.min_samples), rescue.identity[near], code):
            return a, b
    return None


def entries(matrix: sparse.csr_array, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """float64 entries (a, b) of a sparse matrix, 0 where nothing is stored."""
    found = matrix[a, b]  # SciPy answers with an array or with a sparse one, depending on what is stored
    return np.asarray(found.toarray() if sparse.issparse(found) else found, np.float64).reshape(len(a))


def _candidates(rescue: Rescue, images: np.ndarray, features: np.ndarray | None) -> list[tuple[int, int]]:
    """Pairs of images that are not linked, the most promising first."""
    first, second = np.triu_indices(len(images), 1)
    a, b = images[first], images[second]
    missing = entries(rescue.linked, a, b) == 0
    a, b = a[missing], b[missing]
    stored = entries(rescue.distance, a, b)
    stored[stored == 0] = 1.0
    apart = 1.0 - np.einsum("nd,nd->n", features[a], features[b]) if features is not None else np.zeros(len(a))
    degree = np.diff(rescue.linked.indptr) + 1
    fruitful = np.maximum(degree[a], degree[b]) + 1 >= rescue.min_samples
    order = np.lexsort((b, a, apart, stored, ~fruitful))[:TRIES]
    return [(int(a[i]), int(b[i])) for i in order]


def _clusters(linked: sparse.csr_array, min_samples: int) -> np.ndarray:
    """DBSCAN's labels from a graph of links; a border point joins the cluster of its first core neighbour."""
    core = np.diff(linked.indptr) + 1 >= min_samples
    label = np.full(linked.shape[0], -1, np.int64)
    inside = np.flatnonzero(core)
    label[inside] = connected_components(linked[inside][:, inside], directed=False)[1]
    for point in np.flatnonzero(~core):
        mates = linked.indices[linked.indptr[point] : linked.indptr[point + 1]]
        mates = mates[core[mates]]
        label[point] = label[mates].min() if len(mates) else -1
    return label


def _holds(label: np.ndarray, identity: np.ndarray, code: int) -> bool:
    """Whether an identity holds more than half of some cluster."""
    judged = (label >= 0) & (identity >= 0)
    spread = spread_of(identity[judged], label[judged])
    return bool((spread["own"] & (spread["identity"] == code)).any())
