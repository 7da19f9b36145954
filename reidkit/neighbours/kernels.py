"""Compiled inner loops of the neighbour search. Each releases the interpreter lock and works on the rows it is given."""

from __future__ import annotations

import numpy as np
from numba import njit

from reidkit.neighbours.rows import GRID

SEGMENT = 64


@njit(cache=True, nogil=True)
def keep_rows(scores, values, places, first_row, first_column):  # type: ignore[no-untyped-def]
    """Rows of a tile of scores feed their lists.

    `values` (N, m) are sorted descending, `places` (N, m) say which column each came from; the last value of a list is its
    threshold. A segment of constant length is tested as a whole, which the compiler turns into a few vector instructions.
    """
    rows, columns = scores.shape
    whole = columns - columns % SEGMENT
    for r in range(rows):
        row = first_row + r
        threshold = values[row, -1]
        for start in range(0, whole, SEGMENT):
            hit = False
            for c in range(SEGMENT):
                hit |= scores[r, start + c] > threshold
            if hit:
                for c in range(start, start + SEGMENT):
                    if scores[r, c] > threshold:
                        _insert(values[row], places[row], scores[r, c], first_column + c)
                        threshold = values[row, -1]
        for c in range(whole, columns):
            if scores[r, c] > threshold:
                _insert(values[row], places[row], scores[r, c], first_column + c)
                threshold = values[row, -1]


@njit(cache=True, nogil=True)
def keep_columns(scores, values, places, first_row, first_column):  # type: ignore[no-untyped-def]
    """Columns of a tile feed their lists: the tile's second use when queries and database are the same rows."""
    rows, columns = scores.shape
    whole = columns - columns % SEGMENT
    threshold = values[first_column : first_column + columns, -1].copy()
    for r in range(rows):
        for start in range(0, whole, SEGMENT):
            hit = False
            for c in range(SEGMENT):
                hit |= scores[r, start + c] > threshold[start + c]
            if hit:
                for c in range(start, start + SEGMENT):
                    if scores[r, c] > threshold[c]:
                        _insert(values[first_column + c], places[first_column + c], scores[r, c], first_row + r)
                        threshold[c] = values[first_column + c, -1]
        for c in range(whole, columns):
            if scores[r, c] > threshold[c]:
                _insert(values[first_column + c], places[first_column + c], scores[r, c], first_row + r)
                threshold[c] = values[first_column + c, -1]


@njit(cache=True, nogil=True, inline="always")
def _insert(values, places, value, place):  # type: ignore[no-untyped-def]
    """Put a value into a descending list; the last one falls out."""
    at = len(values) - 1
    while at > 0 and value > values[at - 1]:
        values[at] = values[at - 1]
        places[at] = places[at - 1]
        at -= 1
    values[at] = value
    places[at] = place


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def dot(x, y):  # type: ignore[no-untyped-def]
    """Inner product of two float32 rows in float64. Only here may the compiler reorder a sum."""
    total = 0.0
    for d in range(len(x)):
        total += np.float64(x[d]) * np.float64(y[d])
    return total


@njit(cache=True, nogil=True)
def rank_exactly(queries, database, rows, own, values, places, margin, k, similarity, index, proven):  # type: ignore[no-untyped-def]
    """Rank the candidates of some rows by their float64 similarity on the grid, ties by index; say which rows are proven.

    Args:
        queries, database: float32 (Q, D), (G, D).
        rows: which queries to work on.
        own: whether query i is row i of the database and stands first in its own list.
        values, places: float32 and int32 (len(rows), m), approximate similarities, descending, and their rows; -1 is empty.
        margin: float64 (len(rows),), how far an approximate similarity can be from the true one.
        k: how many to keep.
        similarity, index, proven: float64 (Q, k), int32 (Q, k), bool (Q,); written in place.
    """
    m = values.shape[1]
    first = 1 if own else 0
    wanted = k - first
    for r in range(len(rows)):
        i = rows[r]
        if own:
            similarity[i, 0] = on_grid(dot(queries[i], database[i]))
            index[i, 0] = i
        found = 0
        hopeless = values[r, wanted - 1] - 2.0 * margin[r] if wanted > 0 else np.inf
        for c in range(m):
            place = places[r, c]
            if place < 0 or values[r, c] < hopeless:
                break
            exact = on_grid(dot(queries[i], database[place]))
            at = min(found, wanted)
            while at > 0 and (
                exact > similarity[i, first + at - 1] or (exact == similarity[i, first + at - 1] and place < index[i, first + at - 1])
            ):
                if at < wanted:
                    similarity[i, first + at] = similarity[i, first + at - 1]
                    index[i, first + at] = index[i, first + at - 1]
                at -= 1
            if at < wanted:
                similarity[i, first + at] = exact
                index[i, first + at] = place
            found += 1
        left_out = np.float64(values[r, m - 1]) + margin[r]
        proven[i] = wanted == 0 or (found >= wanted and similarity[i, k - 1] > left_out)


@njit(cache=True, nogil=True)
def on_grid(value):  # type: ignore[no-untyped-def]
    """A float64 similarity rounded to a multiple of 2**-40, halves to even (see `rows.on_grid`)."""
    return np.rint(value * GRID) / GRID
