"""`nearest` and `neighbour_lists`: exact k-nearest neighbours by inner product."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from reidkit.errors import LabelsError, nearest_name
from reidkit.neighbours.rows import checked_rows, on_grid

if TYPE_CHECKING:
    from reidkit.neighbours.candidates import Neighbours
    from reidkit.neighbours.processes import Processes

logger = logging.getLogger(__name__)

BACKENDS = ("auto", "torch", "torch-gpu", "faiss", "faiss-gpu", "numpy")


def nearest(queries: ArrayLike, database: ArrayLike, k: int, *, backend: str = "auto") -> tuple[np.ndarray, np.ndarray]:
    """The k rows of `database` with the largest inner product, for each query.

    Args:
        queries: (Q, D) float32.
        database: (G, D) float32.
        k: how many, 1..G.
        backend: who finds the candidates: ``"torch"`` (tiles on the CPU, bf16 where that is fast), ``"torch-gpu"``,
            ``"faiss"``, ``"faiss-gpu"``, ``"numpy"`` (all of it in float64), or ``"auto"``: a GPU through torch when there
            is one, else ``"torch"``. The answer is the same.

    Returns:
        Similarity float32 (Q, k), descending, and index int64 (Q, k). Candidates are ranked in float64 on a grid of 2**-40,
        ties by index; a bound proves that no neighbour was missed, and rows without that proof are searched in full.

    Raises:
        LabelsError: for features that are not finite, k out of range, or a back end that is unknown or not there.
    """
    wanted = checked_rows(queries, "queries"), checked_rows(database, "database")
    if wanted[0].shape[1] != wanted[1].shape[1]:
        raise LabelsError(
            f"Queries have {wanted[0].shape[1]} columns, the database {wanted[1].shape[1]}.",
            rule="Both come from the same network.",
            action="Extract both with one model.",
        )
    found = search(wanted[0], wanted[1], k, backend=backend)
    return found.similarity.astype(np.float32), found.index.astype(np.int64)


def neighbour_lists(
    rows: np.ndarray, k: int, *, farthest: bool = False, backend: str = "auto", processes: Processes | None = None
) -> Neighbours:
    """The k nearest rows of each row in its own set: itself first, then by similarity, ties by index.

    Args:
        rows: (N, D) float32.
        k: 1..N, the row itself counted.
        farthest: also find the most dissimilar row of each.
        backend: as in `nearest`.
        processes: share the work with these processes, all of which call this with the same rows; on the CPU, by torch.
    """
    return search(rows, None, k, farthest=farthest, backend=backend, processes=processes)


def euclidean_lists(
    rows: np.ndarray, k: int, *, farthest: bool = False, backend: str = "auto", processes: Processes | None = None
) -> Neighbours:
    """`neighbour_lists` by Euclidean distance, for rows of any length.

    The nearest row y of x has the largest x.y - |y|^2 / 2: an inner product once x gets two ones more, and y that term
    with its rounding error. `similarity` holds that number, after division of the rows by a power of two.
    """
    from reidkit.neighbours.candidates import itself_first

    norm = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    scale = np.float32(2.0 ** np.ceil(np.log2(max(norm.max(), np.finfo(np.float32).tiny))))
    half = (norm / scale) ** 2 / 2
    high = half.astype(np.float32)
    low = (half - high).astype(np.float32)
    ones = np.ones((len(rows), 2), np.float32)
    scaled = rows / scale
    database = np.concatenate([scaled, -np.stack([high, low], axis=1)], axis=1)
    asked = np.concatenate([scaled, ones], axis=1)
    found = search(asked, database, k, farthest=farthest, backend=backend, processes=processes)
    similarity, index = itself_first(found.similarity, found.index, np.arange(len(rows), dtype=np.int32), half)
    return type(found)(similarity, index, found.farthest, found.least, found.redone)


def search(
    queries: np.ndarray,
    database: np.ndarray | None,
    k: int,
    *,
    farthest: bool = False,
    backend: str = "auto",
    processes: Processes | None = None,
) -> Neighbours:
    """What `nearest` and `neighbour_lists` do, on checked rows; ``database=None`` is the queries themselves."""
    from reidkit.neighbours import backends
    from reidkit.neighbours.candidates import SPARE, SPARE_FAR, prove

    if backend not in BACKENDS:
        raise LabelsError(
            f"Back end {backend!r} is unknown.", rule=f"Back ends: {BACKENDS}.", action=nearest_name(backend, BACKENDS)
        )
    size = len(queries) if database is None else len(database)
    if not 1 <= k <= size:
        raise LabelsError(f"k = {k}, but the database has {size} rows.", rule="1 <= k <= rows.", action="Lower k.")
    chosen = backends.available(backend)
    logger.info("neighbours: back end %s for %d queries in %d rows, k = %d", chosen, len(queries), size, k)
    if chosen == "numpy":
        return brute_force(queries, database, k)
    others = size - (database is None)
    m, m_far = min(k + SPARE, others), min(SPARE_FAR, others) if farthest else 0
    if processes is None or processes.count == 1:
        result = prove(queries, database, k, *backends.CANDIDATES[chosen](queries, database, m, m_far))
    else:
        near, far = backends.torch_cpu(queries, database, m, m_far, processes)
        result = processes.gathered(prove(queries, database, k, near, far, processes.rows(len(queries))))
    if result.redone:
        logger.info("neighbours: %d of %d rows had no proof and were searched in full", result.redone, len(queries))
    return result


def brute_force(queries: np.ndarray, database: np.ndarray | None, k: int) -> Neighbours:
    """The definition: all similarities in float64, sorted. The reference for every other back end."""
    from reidkit.neighbours.candidates import Neighbours

    wide = (queries if database is None else database).astype(np.float64)
    similarity, index, far, least = [], [], [], []
    for start in range(0, len(queries), 512):
        scores = on_grid(queries[start : start + 512].astype(np.float64) @ wide.T)
        key = scores.copy()
        if database is None:
            key[np.arange(len(key)), start + np.arange(len(key))] = np.inf
        order = np.argsort(-key, axis=1, kind="stable")[:, :k]
        index.append(order.astype(np.int32))
        similarity.append(np.take_along_axis(scores, order, axis=1))
        far.append(scores.argmin(axis=1).astype(np.int32))
        least.append(scores.min(axis=1))
    return Neighbours(np.concatenate(similarity), np.concatenate(index), np.concatenate(far), np.concatenate(least))
