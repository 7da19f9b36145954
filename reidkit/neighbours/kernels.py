"""Compiled inner loops of the neighbour search. Each releases the interpreter lock and works on the rows it is given.

numba's disk cache looks at the file of a kernel only: who changes `dot`, `on_grid` or `doubled` here must also touch the
kernels of other rooms that call them (or delete ``__pycache__``).
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import njit

from reidkit.neighbours.rows import GRID

SEGMENT = 64


@no_type_check
@njit(cache=True, nogil=True)
def keep_rows(scores, values, places, first_row, first_column):
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


@no_type_check
@njit(cache=True, nogil=True)
def keep_columns(scores, values, places, first_row, first_column):
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


@no_type_check
@njit(cache=True, nogil=True)
def order_and_turn(scores):
    """Put a tile of bfloat16 bits into the order of their numbers, in place; the result is the tile in the opposite order."""
    turned = np.empty_like(scores)
    for r in range(scores.shape[0]):
        for c in range(scores.shape[1]):
            bits = scores[r, c] ^ ((scores[r, c] >> np.int16(15)) & np.int16(0x7FFF))
            scores[r, c], turned[r, c] = bits, ~bits
    return turned


@no_type_check
@njit(cache=True, nogil=True, inline="always")
def _insert(values, places, value, place):
    """Put a value into a descending list; the last one falls out."""
    at = len(values) - 1
    while at > 0 and value > values[at - 1]:
        values[at] = values[at - 1]
        places[at] = places[at - 1]
        at -= 1
    values[at] = value
    places[at] = place


@no_type_check
@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def dot(x, y):
    """Inner product of two float32 rows in float64. Only here may the compiler reorder a sum."""
    total = 0.0
    for d in range(len(x)):
        total += np.float64(x[d]) * np.float64(y[d])
    return total


@no_type_check
@njit(cache=True, nogil=True)
def rank_exactly(queries, database, rows, first_row, own, sign, values, places, margin, similarity, index, proven):
    """Rank the candidates of some rows by float64 similarity on the grid, ties by index; say which rows are proven.

    Args:
        queries, database: float32 (Q, D), (G, D).
        rows: int32 (n,), the queries to rank.
        first_row: the query whose answer is the first of the results.
        own: whether query i is row i of the database and stands first in its own list.
        sign: 1.0 for the nearest, -1.0 for the farthest (similarities and `values` then have the opposite sign).
        values, places: float32 and int32 (n, m), approximate similarities, descending, and their rows; -1 is empty.
        margin: float64 (n,), how far an approximate similarity can be from the true one.
        similarity, index, proven: float64 (Q', k), int32 (Q', k), bool (Q',); written in place.
    """
    m = values.shape[1]
    first = 1 if own else 0
    wanted = index.shape[1] - first
    for r in range(len(rows)):
        i = rows[r]
        to = i - first_row
        if own:
            similarity[to, 0] = on_grid(dot(queries[i], database[i]))
            index[to, 0] = i
        best, where = similarity[to, first:], index[to, first:]
        found = 0
        hopeless = values[r, wanted - 1] - 2.0 * margin[r] if wanted > 0 else np.inf
        for c in range(m):
            place = places[r, c]
            if place < 0 or values[r, c] < hopeless:
                break
            exact = sign * on_grid(dot(queries[i], database[place]))
            at = min(found, wanted)
            while at > 0 and (exact > best[at - 1] or (exact == best[at - 1] and place < where[at - 1])):
                if at < wanted:
                    best[at] = best[at - 1]
                    where[at] = where[at - 1]
                at -= 1
            if at < wanted:
                best[at] = exact
                where[at] = place
            found += 1
        proven[to] = wanted == 0 or (found >= wanted and best[wanted - 1] > values[r, m - 1] + margin[r])


@no_type_check
@njit(cache=True, nogil=True)
def on_grid(value):
    """A float64 similarity rounded to a multiple of 2**-40, halves to even (see `rows.on_grid`)."""
    return np.rint(value * GRID) / GRID


@no_type_check
@njit(cache=True, nogil=True)
def doubled(array):
    """A one-dimensional array of twice the length that begins with `array`."""
    result = np.empty(2 * len(array), array.dtype)
    for i in range(len(array)):
        result[i] = array[i]
    return result
