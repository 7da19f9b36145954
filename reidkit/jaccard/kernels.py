"""Compiled inner loops of the encoding. Each releases the interpreter lock and works on the rows it is given."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import njit

from reidkit.neighbours.kernels import dot, doubled, on_grid


@no_type_check
@njit(cache=True, nogil=True)
def reciprocal_sets(rank, columns, start, stop, sets, counts):
    """sets[i, :counts[i]] = {j among the first `columns` neighbours of i : i among the first `columns` of j}."""
    for i in range(start, stop):
        count = 0
        for p in range(columns):
            j = rank[i, p]
            mutual = False
            for q in range(columns):
                mutual |= rank[j, q] == i
            if mutual:
                sets[i, count] = j
                count += 1
        counts[i] = count


@no_type_check
@njit(cache=True, nogil=True)
def encode(rows, names, unit, rank, similarity, scale, sets, counts, halves, half_counts, start, stop):
    """Expanded sets and weights of some rows: (entries of each row, columns, weights), columns in no order.

    Args:
        rows, names: float32 (N, D), and int32 (N,) which of them each image is.
        unit: whether squared distances are 2 - 2 cos.
        rank: int32 (N, k), neighbours in order.
        similarity: float64 (N, k) of those neighbours, or (N, 0) when they have to be computed.
        scale: float64 (N,), what the squared distances of a row are divided by.
        sets, counts: k1-reciprocal sets; halves, half_counts: those of half the size.
    """
    images = len(rank)
    inside, member, place = np.full(images, -1, np.int32), np.full(images, -1, np.int32), np.full(images, -1, np.int32)
    known = similarity.shape[1]
    lengths = np.zeros(stop - start, np.int64)
    columns, weights = np.empty(128 * (stop - start), np.int32), np.empty(128 * (stop - start))
    end = 0
    for i in range(start, stop):
        if len(columns) - end < images and len(columns) - end < counts[i] * (1 + halves.shape[1]):
            columns, weights = doubled(columns), doubled(weights)
        first = end
        for p in range(counts[i]):
            j = sets[i, p]
            inside[j] = member[j] = i
            columns[end] = j
            end += 1
        for p in range(counts[i]):
            j = sets[i, p]
            common = 0
            for q in range(half_counts[j]):
                common += inside[halves[j, q]] == i
            if 3 * common > 2 * half_counts[j]:
                for q in range(half_counts[j]):
                    other = halves[j, q]
                    if member[other] != i:
                        member[other] = i
                        columns[end] = other
                        end += 1
        for p in range(known):
            place[rank[i, p]] = p
        total = 0.0
        for e in range(first, end):
            j = columns[e]
            p = place[j]
            if p >= 0 and p < known and rank[i, p] == j:
                squared = 2.0 - 2.0 * similarity[i, p]
            elif unit:
                squared = 2.0 - 2.0 * on_grid(dot(rows[names[i]], rows[names[j]]))
            else:
                squared = squared_distance(rows[names[i]], rows[names[j]])
            weights[e] = np.exp(-squared / scale[i])
            total += weights[e]
        for e in range(first, end):
            weights[e] /= total
        lengths[i - start] = end - first
    return lengths, columns[:end].copy(), weights[:end].copy()


@no_type_check
@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def squared_distance(x, y):
    """Squared Euclidean distance of two float32 rows in float64."""
    total = 0.0
    for d in range(len(x)):
        difference = np.float64(x[d]) - np.float64(y[d])
        total += difference * difference
    return total


@no_type_check
@njit(cache=True, nogil=True)
def average(indptr, indices, data, rank, k2, start, stop):
    """Local query expansion of some rows: the mean encoding of the first k2 neighbours, as `encode` returns its rows."""
    images = len(rank)
    sums, seen = np.zeros(images), np.full(images, -1, np.int32)
    lengths = np.zeros(stop - start, np.int64)
    columns, weights = np.empty(128 * (stop - start), np.int32), np.empty(128 * (stop - start))
    end = 0
    for i in range(start, stop):
        room = 0
        for p in range(k2):
            room += indptr[rank[i, p] + 1] - indptr[rank[i, p]]
        while len(columns) - end < room:
            columns, weights = doubled(columns), doubled(weights)
        first = end
        for p in range(k2):
            for e in range(indptr[rank[i, p]], indptr[rank[i, p] + 1]):
                j = indices[e]
                if seen[j] != i:
                    seen[j] = i
                    sums[j] = 0.0
                    columns[end] = j
                    end += 1
                sums[j] += data[e]
        for e in range(first, end):
            weights[e] = sums[columns[e]] / k2
        lengths[i - start] = end - first
    return lengths, columns[:end].copy(), weights[:end].copy()


@no_type_check
@njit(cache=True, nogil=True)
def close_pairs(indptr, indices, data, by_column, rows_of, data_of, limit, start, stop):
    """Pairs i < j with Jaccard distance below 1 and at most `limit`, for rows i of a range.

    Args:
        indptr, indices, data: encodings by rows.
        by_column, rows_of, data_of: the same by columns, rows ascending (the inverted index).

    Returns:
        Pairs of each row, their j in no order, and their float32 distances.
    """
    images = len(indptr) - 1
    shared, touched = np.zeros(images), np.empty(images + 1, np.int32)
    lengths = np.zeros(stop - start, np.int64)
    partners, distances = np.empty(64 * (stop - start), np.int32), np.empty(64 * (stop - start), np.float32)
    end = 0
    for i in range(start, stop):
        met = 0
        for e in range(indptr[i], indptr[i + 1]):
            own, column = data[e], indices[e]
            at = by_column[column + 1] - 1
            while at >= by_column[column] and rows_of[at] > i:
                j = rows_of[at]
                touched[met] = j
                met += shared[j] == 0.0
                shared[j] += min(own, data_of[at])
                at -= 1
        while len(partners) - end < met:
            partners, distances = doubled(partners), doubled(distances)
        first = end
        for p in range(met):
            j = touched[p]
            distance = jaccard_of(shared[j])
            shared[j] = 0.0
            if distance < 1 and distance <= limit:
                partners[end] = j
                distances[end] = distance
                end += 1
        lengths[i - start] = end - first
    return lengths, partners[:end].copy(), distances[:end].copy()


@no_type_check
@njit(cache=True, nogil=True)
def jaccard_of(shared):
    """float32 1 - m / (2 - m), at least 0; m is put on the grid, so that the order of its sum does not matter."""
    m = on_grid(shared)
    return np.float32(max(1.0 - m / (2.0 - m), 0.0))


@no_type_check
@njit(cache=True, nogil=True)
def symmetric(lengths, partners, distances):
    """Pairs i < j, row after row, as a symmetric CSR matrix with a zero diagonal and sorted columns."""
    images = len(lengths)
    below = np.zeros(images, np.int64)
    for j in partners:
        below[j] += 1
    indptr = np.zeros(images + 1, np.int64)
    for i in range(images):
        indptr[i + 1] = indptr[i] + below[i] + 1 + lengths[i]
    indices, data = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
    filled = indptr[:-1].copy()
    at = 0
    for i in range(images):
        for _ in range(lengths[i]):
            j = partners[at]
            indices[filled[j]], data[filled[j]] = i, distances[at]
            filled[j] += 1
            at += 1
    for i in range(images):
        indices[filled[i]], data[filled[i]] = i, 0.0
        filled[i] += 1
    for j in range(images):
        for e in range(indptr[j], indptr[j] + below[j]):
            i = indices[e]
            indices[filled[i]], data[filled[i]] = j, data[e]
            filled[i] += 1
    return indptr, indices, data


@no_type_check
@njit(cache=True, nogil=True)
def mix_rows(indptr, indices, data, by_column, rows_of, data_of, products, squared, scale, weight, start, cut, result):
    """result[q, g] = (1 - weight) * Jaccard + weight * squared distance / scale, for queries `start`, `start` + 1, ...

    Args:
        indptr, indices, data, by_column, rows_of, data_of: encodings of queries and gallery, by rows and by columns.
        products: float32 (B, G), inner products of these queries with the gallery.
        squared: float32 (Q + G,), squared lengths; scale: float64 (Q + G,), the largest squared distance of each row.
        cut: number of queries; gallery row g is row ``cut + g`` of the encodings.
    """
    shared, touched = np.zeros(len(indptr) - 1), np.empty(len(indptr), np.int32)
    for b in range(len(products)):
        q = start + b
        share = np.float32(weight / scale[q])
        for g in range(products.shape[1]):
            distance = max(squared[q] + squared[cut + g] - np.float32(2.0) * products[b, g], np.float32(0.0))
            result[q, g] = share * distance + np.float32(1.0 - weight)
        met = 0
        for e in range(indptr[q], indptr[q + 1]):
            own, column = data[e], indices[e]
            at = by_column[column + 1] - 1
            while at >= by_column[column] and rows_of[at] >= cut:
                j = rows_of[at]
                touched[met] = j
                met += shared[j] == 0.0
                shared[j] += min(own, data_of[at])
                at -= 1
        for p in range(met):
            j = touched[p]
            result[q, j - cut] -= np.float32((1.0 - weight) * (1.0 - jaccard_of(shared[j])))
            shared[j] = 0.0
