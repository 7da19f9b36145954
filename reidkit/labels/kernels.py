"""Compiled inner loops over a sparse symmetric graph with a stored diagonal."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import njit

from reidkit.neighbours.kernels import doubled


@no_type_check
@njit(cache=True, nogil=True)
def root(parent, i):
    """The representative of i; the path is halved on the way."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@no_type_check
@njit(cache=True, nogil=True)
def join(parent, i, j):
    """Put i and j together under the smaller representative; whether they were apart."""
    a, b = root(parent, i), root(parent, j)
    if a == b:
        return False
    parent[max(a, b)] = min(a, b)
    return True


@no_type_check
@njit(cache=True, nogil=True)
def count_close(indptr, data, eps):
    """int64 (N,): stored distances of each row that are at most eps, the diagonal included."""
    counts = np.zeros(len(indptr) - 1, np.int64)
    for i in range(len(counts)):
        for e in range(indptr[i], indptr[i + 1]):
            counts[i] += data[e] <= eps
    return counts


@no_type_check
@njit(cache=True, nogil=True)
def join_close(indptr, indices, data, eps, core, parent):
    """Join core points at most eps apart."""
    for i in range(len(core)):
        if core[i]:
            for e in range(indptr[i], indptr[i + 1]):
                if indices[e] < i and core[indices[e]] and data[e] <= eps:
                    join(parent, i, indices[e])


@no_type_check
@njit(cache=True, nogil=True)
def number_clusters(core, parent):
    """int64 (N,): core points numbered by the smallest core index of their cluster, -1 elsewhere."""
    labels = np.full(len(core), -1, np.int64)
    clusters = 0
    for i in range(len(core)):
        if core[i]:
            r = root(parent, i)
            if r == i:
                labels[i] = clusters
                clusters += 1
            else:
                labels[i] = labels[r]
    return labels


@no_type_check
@njit(cache=True, nogil=True)
def claim_borders(indptr, indices, data, eps, core, labels):
    """A point that is no core joins the lowest cluster among the core points at most eps away."""
    for i in range(len(core)):
        if not core[i]:
            for e in range(indptr[i], indptr[i + 1]):
                j = indices[e]
                if core[j] and data[e] <= eps and (labels[i] < 0 or labels[j] < labels[i]):
                    labels[i] = labels[j]


@no_type_check
@njit(cache=True, nogil=True)
def core_distances(indptr, data, min_samples):
    """float32 (N,): the min_samples-th smallest stored distance of each row, the diagonal included; inf when there are fewer."""
    images = len(indptr) - 1
    result = np.full(images, np.inf, np.float32)
    best = np.empty(min_samples, np.float32)
    for i in range(images):
        for k in range(min_samples):
            best[k] = np.inf
        for e in range(indptr[i], indptr[i + 1]):
            if data[e] < best[-1]:
                at = min_samples - 1
                while at > 0 and data[e] < best[at - 1]:
                    best[at] = best[at - 1]
                    at -= 1
                best[at] = data[e]
        result[i] = best[-1]
    return result


@no_type_check
@njit(cache=True, nogil=True)
def reachability_edges(indptr, indices, data, core, parent, low, high):
    """Edges i < j with mutual reachability max(d, core i, core j) in (low, high] whose ends are not joined yet."""
    weights, ones, others = np.empty(1024, np.float32), np.empty(1024, np.int32), np.empty(1024, np.int32)
    end = 0
    for i in range(len(core)):
        if core[i] > high:
            continue
        a = root(parent, i)
        for e in range(indptr[i], indptr[i + 1]):
            j = indices[e]
            if j <= i:
                continue
            weight = max(data[e], core[i], core[j])
            if low < weight <= high and root(parent, j) != a:
                if end == len(weights):
                    weights, ones, others = doubled(weights), doubled(ones), doubled(others)
                weights[end], ones[end], others[end] = weight, i, j
                end += 1
    ends = np.empty((end, 2), np.int32)
    for p in range(end):
        ends[p, 0], ends[p, 1] = ones[p], others[p]
    return weights[:end].copy(), ends


@no_type_check
@njit(cache=True, nogil=True)
def spanning(order, ends, parent):
    """Which edges, taken in the given order, join two parts: the new edges of the minimum spanning forest."""
    kept = np.zeros(len(order), np.bool_)
    for p in range(len(order)):
        kept[p] = join(parent, ends[order[p], 0], ends[order[p], 1])
    return kept


@no_type_check
@njit(cache=True, nogil=True)
def border_claims(indptr, indices, data, core):
    """Who can claim a point before it is a core point itself: (claims of each row, claimants, least eps of each claim).

    Point j claims i from eps = max(d, core j) on, as long as eps < core i. There are fewer than min_samples of them.
    """
    lengths = np.zeros(len(core), np.int64)
    total = 0
    for i in range(len(core)):
        for e in range(indptr[i], indptr[i + 1]):
            lengths[i] += indices[e] != i and max(data[e], core[indices[e]]) < core[i]
        total += lengths[i]
    claimants, least = np.empty(total, np.int32), np.empty(total, np.float32)
    at = 0
    for i in range(len(core)):
        for e in range(indptr[i], indptr[i + 1]):
            value = max(data[e], core[indices[e]])
            if indices[e] != i and value < core[i]:
                claimants[at], least[at] = indices[e], value
                at += 1
    return lengths, claimants, least


@no_type_check
@njit(cache=True, nogil=True)
def cut(core, weights, ends, claims, claimants, least, eps):
    """DBSCAN's labels at one eps from the spanning forest: join the edges up to eps, number, let borders be claimed."""
    parent = np.arange(len(core))
    for p in range(len(weights)):
        if weights[p] > eps:
            break
        join(parent, ends[p, 0], ends[p, 1])
    labels = number_clusters(core <= eps, parent)
    for i in range(len(core)):
        if core[i] > eps:
            for e in range(claims[i], claims[i + 1]):
                j = claimants[e]
                if least[e] <= eps and (labels[i] < 0 or labels[j] < labels[i]):
                    labels[i] = labels[j]
    return labels
