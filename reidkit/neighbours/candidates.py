"""From candidates to proven neighbours: exact ranking, and what to do where the proof fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reidkit.neighbours.rows import on_grid
from reidkit.threads import for_each, in_threads, row_ranges

SPARE, SPARE_FAR = 34, 24
EXACT_ROWS, EXACT_COLUMNS = 64, 4096
MANY_ROWS, ROWS_AT_ONCE = 1024, 16384
Redo = Callable[[np.ndarray, "np.ndarray | None", np.ndarray, int, float], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Candidates:
    """A shortlist for each query.

    Attributes:
        values: (Q, m) approximate similarities, descending; float32, or the bits of bfloat16 as int16.
        places: int32 (Q, m), rows of the database; -1 is empty.
        margin: float64 (Q,), absolute part of how far an approximate similarity can be from the true one.
        relative: the part in proportion to the value.
    """

    values: np.ndarray
    places: np.ndarray
    margin: np.ndarray
    relative: float

    def floats(self, rows: slice | np.ndarray) -> np.ndarray:
        """float32 values of some rows."""
        values = self.values[rows]
        return values if values.dtype == np.float32 else (values.astype(np.int32) << 16).view(np.float32)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The k nearest rows of each query, proven.

    Attributes:
        similarity: float64 (Q, k), descending, on the grid of `reidkit.neighbours.rows.on_grid`.
        index: int32 (Q, k), ties by index. Of a set searched in itself, the image itself stands first.
        farthest: int32 (Q,) the most dissimilar row, or None when it was not asked for.
        least: float64 (Q,) its similarity, on the same grid; None likewise.
        redone: rows for which the shortlist proved nothing and every similarity was computed.
    """

    similarity: np.ndarray
    index: np.ndarray
    farthest: np.ndarray | None = None
    least: np.ndarray | None = None
    redone: int = 0


def rounding_margin(
    queries: np.ndarray, database: np.ndarray, lost: np.ndarray | None = None, other_lost: np.ndarray | None = None
) -> np.ndarray:
    """float64 (Q,): bound on |float32 product of rounded rows - true product| for any row of the database.

    With residuals of norm e: Cauchy-Schwarz gives e_i |y| + |x| e_j + e_i e_j; a float32 sum of D terms adds D 2^-24 |x| |y|.
    """
    norm = _norms(queries)
    largest = float((norm if database is queries else _norms(database)).max())
    margin = norm * largest * queries.shape[1] * 2.0**-23
    if lost is not None and other_lost is not None:
        worst = float(other_lost.max())
        margin += lost * largest + norm * worst + lost * worst
    return margin


def prove(
    queries: np.ndarray,
    database: np.ndarray | None,
    k: int,
    near: Candidates,
    far: Candidates | None = None,
    rows: tuple[int, int] | None = None,
) -> Neighbours:
    """Rank the candidates exactly; where something left out could belong to the answer, look at everything.

    Args:
        queries: float32 (Q, D).
        database: float32 (G, D), or None for the queries themselves, each first in its own list.
        k: how many, at most G.
        near: at least k candidates for each query (k - 1 without a database), where there are so many.
        far: candidates for the farthest row, similarities with the sign turned.
        rows: (start, stop) of the queries to answer; None for all.
    """
    rows = (0, len(queries)) if rows is None else rows
    similarity, index, redone = _ranked(queries, database, k, near, 1.0, rows)
    if far is None:
        return Neighbours(similarity, index, redone=redone)
    turned, farthest, more = _ranked(queries, database, 1, far, -1.0, rows)
    return Neighbours(similarity, index, farthest[:, 0], -turned[:, 0], redone + more)


def _ranked(
    queries: np.ndarray,
    database: np.ndarray | None,
    k: int,
    found: Candidates,
    sign: float,
    rows: tuple[int, int],
    redo: Redo | None = None,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Similarity, index (rows, k) and how many rows had no proof; only the nearest have themselves in front."""
    from reidkit.neighbours.kernels import rank_exactly

    own, other, (first, last) = database is None and sign > 0, queries if database is None else database, rows
    similarity, index = np.zeros((last - first, k)), np.zeros((last - first, k), np.int32)
    proven, empty = np.zeros(last - first, bool), found.places.shape[1] == 0

    whole = database is None and last - first == len(other)
    order = _by_likeness(found.places) if whole and not empty else np.arange(first, last, dtype=np.int32)

    def work(piece: tuple[int, int]) -> None:
        some = order[slice(*piece)]
        values = found.floats(some)
        margin = found.margin[some] + found.relative * np.abs(values[:, 0])
        rank_exactly(queries, other, some, first, own, sign, values, found.places[some], margin, similarity, index, proven)

    if not empty:
        for_each(work, row_ranges(last - first, 1024))
    if found.places.shape[1] == len(other) - (database is None):
        proven |= (found.places[first:last] >= 0).all(axis=1)
    again = np.flatnonzero(~proven) if not empty else np.arange(last - first)
    if len(again):
        redo = redo or (exact_rows if len(again) < MANY_ROWS else in_float32)
        similarity[again], index[again] = redo(queries, database, first + again, k, sign)
    return similarity, index, len(again)


def in_float32(
    queries: np.ndarray, database: np.ndarray | None, rows: np.ndarray, k: int, sign: float
) -> tuple[np.ndarray, np.ndarray]:
    """`exact_rows` of many rows, sooner: float32 products miss by little, so that hardly a row stays without a proof."""
    from reidkit.neighbours.tiles import candidates_from_tiles, fastest

    other, parts = queries if database is None else database, []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        asked = np.float32(sign) * queries[some]
        found, _ = candidates_from_tiles(asked, other, min(k + SPARE, len(other)), engine=fastest(False))
        similarity, index, _ = _ranked(asked, other, k, found, 1.0, (0, len(some)), exact_rows)
        if database is None and sign > 0:
            lengths = on_grid(np.einsum("nd,nd->n", asked, asked, dtype=np.float64))
            similarity, index = itself_first(similarity, index, some.astype(np.int32), lengths)
        parts.append((similarity, index))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def itself_first(
    similarity: np.ndarray, index: np.ndarray, rows: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lists (n, k) of `rows` that begin with the row itself: it leaves its place, or the last entry goes."""
    mine = index == rows[:, None]
    mine[~mine.any(axis=1), -1] = True
    n, others = len(rows), index.shape[1] - 1
    return (
        np.concatenate([lengths[:, None], similarity[~mine].reshape(n, others)], axis=1),
        np.concatenate([rows[:, None], index[~mine].reshape(n, others)], axis=1),
    )


def exact_rows(
    queries: np.ndarray, database: np.ndarray | None, rows: np.ndarray, k: int, sign: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest (sign 1) or farthest (-1) of some queries from all float64 similarities, a few rows and columns at a time."""
    pieces = [rows[start : start + EXACT_ROWS] for start in range(0, len(rows), EXACT_ROWS)]
    parts = in_threads(lambda piece: _exact(queries, database, piece, k, sign), pieces)
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _exact(
    queries: np.ndarray, database: np.ndarray | None, rows: np.ndarray, k: int, sign: float
) -> tuple[np.ndarray, np.ndarray]:
    from reidkit.neighbours.kernels import keep_rows

    own, other = database is None and sign > 0, queries if database is None else database
    values, places = np.full((len(rows), k), -np.inf), np.full((len(rows), k), -1, np.int32)
    wide = queries[rows].astype(np.float64)
    for start in range(0, len(other), EXACT_COLUMNS):
        scores = sign * on_grid(wide @ other[start : start + EXACT_COLUMNS].astype(np.float64).T)
        if own:
            mine = np.flatnonzero((rows >= start) & (rows < start + scores.shape[1]))
            scores[mine, rows[mine] - start] = np.finfo(float).max
        keep_rows(scores, values, places, 0, start)
    if own:
        values[:, 0] = on_grid((wide**2).sum(axis=1))
    return values, places


def _norms(rows: np.ndarray) -> np.ndarray:
    """float64 (N,) L2 norms, rounded up, block by block."""
    parts = [np.einsum("nd,nd->n", part, part) for part in (rows[s : s + 512] for s in range(0, len(rows), 512))]
    return np.sqrt(np.concatenate(parts).astype(np.float64) * (1.0 + rows.shape[1] * 2.0**-23))


def _by_likeness(places: np.ndarray) -> np.ndarray:
    """int32 order of rows in which those with common candidates follow each other, so that features stay in the cache."""
    from scipy import sparse
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    few = np.ascontiguousarray(places[:, :4])
    if few.min() < 0:
        return np.arange(len(places), dtype=np.int32)
    starts = np.arange(len(few) + 1, dtype=np.int32) * few.shape[1]
    graph = sparse.csr_array((np.ones(few.size, np.int8), few.ravel(), starts), shape=(len(few), len(few)))
    return reverse_cuthill_mckee(graph).astype(np.int32)
