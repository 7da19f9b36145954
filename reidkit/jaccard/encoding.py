"""From features to sparse k-reciprocal encodings, the part that `jaccard_graph` and `rerank` share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from reidkit.neighbours import Processes, is_unit, neighbour_lists
from reidkit.neighbours.search import euclidean_lists
from reidkit.threads import in_threads, row_ranges

Piece = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Ranks:
    """What the encoding needs to know of the neighbours.

    Attributes:
        index: int32 (N, k), each image first, then by distance, ties by index.
        similarity: float64 (N, k) inner products of unit rows; (N, 0) for other rows.
        scale: float64 (N,), what squared distances are divided by: 1 (``"index"``) or the row's largest (``"full"``).
        unit: whether rows have length 1.
        names: int32 (N,), the row of the features that each image is (see `in_local_order`).
    """

    index: np.ndarray
    similarity: np.ndarray
    scale: np.ndarray
    unit: bool
    names: np.ndarray


def ranks(
    rows: np.ndarray, k1: int, k2: int, variant: str, *, backend: str = "auto", processes: Processes | None = None
) -> Ranks:
    """Neighbours of each row in its own set, as many as the variant looks at (at most N)."""
    full = variant == "full"
    k = min(len(rows), max(k1 + 1, k2) if full else k1)
    unit = is_unit(rows)
    search = neighbour_lists if unit else euclidean_lists
    found = search(rows, k, farthest=full, backend=backend, processes=processes)
    if not full or found.farthest is None or found.least is None:
        scale = np.ones(len(rows))
    else:
        largest = 2.0 - 2.0 * found.least if unit else _squared_distances(rows, found.farthest)
        scale = np.where(largest > 0, largest, 1.0)
    similarity = found.similarity if unit else np.empty((len(rows), 0))
    return Ranks(found.index, similarity, scale, unit, np.arange(len(rows), dtype=np.int32))


def in_local_order(known: Ranks) -> Ranks:
    """The same neighbours with the images renumbered so that neighbours have near numbers.

    What is looked up together then lies together in memory, which is what the pair stage waits for. The numbers that come
    out are the same; `names` tells who is who.
    """
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    images, few = len(known.index), min(6, known.index.shape[1])
    ones, starts = np.ones(images * few, np.int8), np.arange(images + 1) * few
    order = reverse_cuthill_mckee(sparse.csr_array((ones, known.index[:, :few].ravel(), starts), shape=(images, images)))
    place = np.empty(images, np.int32)
    place[order] = np.arange(images, dtype=np.int32)
    return Ranks(place[known.index[order]], known.similarity[order], known.scale[order], known.unit, known.names[order])


def encodings(rows: np.ndarray, known: Ranks, k1: int, k2: int) -> sparse.csr_array:
    """V (N, N) float64: the weight of each row's expanded k-reciprocal neighbours, averaged over the first k2 of its list.

    Rows sum to 1. Columns stand in no order.
    """
    from reidkit.jaccard.kernels import average, encode, reciprocal_sets

    images, k = known.index.shape

    def mutual(columns: int) -> tuple[np.ndarray, np.ndarray]:
        sets, counts = np.empty((images, columns), np.int32), np.empty(images, np.int32)
        in_threads(lambda piece: reciprocal_sets(known.index, columns, *piece, sets, counts), row_ranges(images))
        return sets, counts

    whole, half = mutual(min(k1 + 1, k)), mutual(min(round(k1 / 2) + 1, k))
    settings = rows, known.names, known.unit, known.index, known.similarity, known.scale, *whole, *half
    weights = _stacked(in_threads(lambda piece: encode(*settings, *piece), row_ranges(images)))
    if min(k2, k) > 1:
        v = weights.indptr, weights.indices, weights.data
        weights = _stacked(in_threads(lambda piece: average(*v, known.index, min(k2, k), *piece), row_ranges(images)))
    return weights


def _stacked(pieces: list[Piece]) -> sparse.csr_array:
    """Pieces of rows (lengths, columns, values) as one square matrix."""
    lengths = np.concatenate([piece[0] for piece in pieces])
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    return square(indptr, np.concatenate([piece[1] for piece in pieces]), np.concatenate([piece[2] for piece in pieces]))


def square(indptr: np.ndarray, indices: np.ndarray, data: np.ndarray) -> sparse.csr_array:
    """A square CSR matrix. Its indices keep 32 bits while all entries can be counted so (scipy widens them to `indptr`'s)."""
    narrow = indptr.astype(np.int32) if indptr[-1] < 2**31 else indptr
    return sparse.csr_array((data, indices, narrow), shape=(len(indptr) - 1, len(indptr) - 1))


def _squared_distances(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """float64 (N,) squared distance of each row to the row `others` names."""
    parts = []
    for start in range(0, len(rows), 4096):
        difference = rows[start : start + 4096].astype(np.float64) - rows[others[start : start + 4096]]
        parts.append((difference**2).sum(axis=1))
    return np.concatenate(parts)
