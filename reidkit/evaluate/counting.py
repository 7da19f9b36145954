"""Ranks without sorting: the place of a right image is one more than the number of images before it."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import njit

TILE = 4096


@no_type_check
@njit(cache=True, nogil=True)
def score_rows(
    distance,
    start,
    query_camera,
    gallery_camera,
    junk,
    by_identity,
    first,
    last,
    views,
    view_ends,
    view_of,
    camera_rule,
    precision,
    penalty,
    first_hit,
):
    """Average precision, mINP's share and the first hit of some queries; whether a distance is NaN.

    Args:
        distance: (B, G), the queries `start`, `start` + 1, ... of the arrays below.
        junk: bool (G,).
        by_identity, first, last: see `reidkit.evaluate.protocols.Task`.
        views, view_ends, view_of: gallery rows that are ranked, ascending, list after list, and the list of each query.
        camera_rule: what an image of the query's identity and camera is: a right answer (0), taken out of the query's
            list (1), or not in that list to begin with (2).
        precision, penalty, first_hit: (Q,), written in place; queries without a right image are left alone.

    Returns:
        The first query with a NaN, or -1.
    """
    gallery = distance.shape[1]
    buffer = np.empty(gallery, distance.dtype)
    for b in range(len(distance)):
        q = start + b
        full = distance[b]
        bad = False
        for g in range(gallery):
            bad |= full[g] != full[g]
        if bad:
            return q
        most = last[q] - first[q]
        right, gone = np.empty(most, np.int64), np.empty(most, np.int64)
        rights = gones = 0
        for p in range(first[q], last[q]):
            g = by_identity[p]
            if junk[g]:
                continue
            if camera_rule == 0 or gallery_camera[g] != query_camera[q]:
                right[rights] = g
                rights += 1
            elif camera_rule == 1:
                gone[gones] = g
                gones += 1
        if rights == 0:
            continue
        view = views[view_ends[view_of[q]] : view_ends[view_of[q] + 1]]
        whole = len(view) == gallery
        if not whole:
            for p in range(len(view)):
                buffer[p] = full[view[p]]
        before = _before(full if whole else buffer[: len(view)], view, whole, full, right[:rights])
        for k in range(rights):
            for p in range(gones):
                d, r = full[gone[p]], full[right[k]]
                before[k] -= d < r or (d == r and gone[p] < right[k])
        _sort(before)
        total = 0.0
        for k in range(rights):
            total += (k + 1) / (before[k] + 1)
        precision[q] = total / rights
        penalty[q] = rights / (before[-1] + 1)
        first_hit[q] = before[0] + 1
    return -1


@no_type_check
@njit(cache=True, nogil=True)
def _before(row, view, whole, full, right):
    """int64: how many entries of `row` come before each right image, by distance, then by gallery index.

    The row is read once, in pieces that stay in the first cache; the comparisons are vector instructions.
    """
    smaller, equal = np.zeros(len(right), np.int64), np.zeros(len(right), np.int64)
    for begin in range(0, len(row), TILE):
        piece = row[begin : begin + TILE]
        for k in range(len(right)):
            value = full[right[k]]
            less = same = np.int32(0)
            for p in range(len(piece)):
                less += np.int32(piece[p] < value)
                same += np.int32(piece[p] == value)
            smaller[k] += less
            equal[k] += same
    for k in range(len(right)):
        if equal[k] > 1:
            value = full[right[k]]
            for p in range(len(row)):
                g = p if whole else view[p]
                if g >= right[k]:
                    break
                smaller[k] += row[p] == value
    return smaller


@no_type_check
@njit(cache=True, nogil=True)
def _sort(values):
    """Sort a few integers in place."""
    for i in range(1, len(values)):
        value, at = values[i], i
        while at > 0 and values[at - 1] > value:
            values[at] = values[at - 1]
            at -= 1
        values[at] = value
