"""Compiled inner loops of k-means. A score is x.c - |c|^2 / 2: the closest centre has the largest."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import njit

from reidkit.neighbours.kernels import dot, on_grid


@no_type_check
@njit(cache=True, nogil=True)
def assign(products, points, centres, rows, means, half, margin, keep_own, labels, scores):
    """Give each point its closest centre among some, ties to the lower number; approximate products only shortlist.

    Args:
        products: float32 (b, m), the given points times the given centres, rounded.
        points, centres: int64 (b,) and (m,), their numbers.
        rows, means: float32 (N, D) and (k, D), all points and all centres.
        half: float64 (k,), |c|^2 / 2.
        margin: float64 (N,), how far a score from `products` can be from the true one.
        keep_own: whether the centre a point has, with its exact score, is a candidate as well.
        labels, scores: int64 (N,) and float64 (N,) exact, written in place.
    """
    for b in range(len(points)):
        i = points[b]
        top = -np.inf
        for p in range(len(centres)):
            top = max(top, products[b, p] - half[centres[p]])
        label, best = (labels[i], scores[i]) if keep_own else (-1, -np.inf)
        least = max(top - margin[i], best) - margin[i]
        for p in range(len(centres)):
            c = centres[p]
            if products[b, p] - half[c] >= least and not (keep_own and c == labels[i]):
                score = on_grid(dot(rows[i], means[c]) - half[c])
                if score > best or (score == best and c < label):
                    label, best = c, score
        labels[i], scores[i] = label, best


@no_type_check
@njit(cache=True, nogil=True)
def score_own(rows, means, half, labels, points, start, stop, result):
    """result[p] = exact score of point ``points[p]`` with the centre it has."""
    for p in range(start, stop):
        i = points[p]
        result[p] = on_grid(dot(rows[i], means[labels[i]]) - half[labels[i]])


@no_type_check
@njit(cache=True, nogil=True)
def sum_members(rows, members, starts, clusters, sums):
    """sums[p] = the sum of the rows of cluster ``clusters[p]``, in float64, in ascending order of their index."""
    for p in range(len(clusters)):
        sums[p] = 0.0
        for e in range(starts[clusters[p]], starts[clusters[p] + 1]):
            for d in range(rows.shape[1]):
                sums[p, d] += rows[members[e], d]
