"""Answers to the exercises of lesson 05, written in other ways than the library's, and wrong ones that people give."""

import numpy as np

# ------------------------------------------------------------------------------------------- 05-warmup: who returns it


def mutual_by_loop(rank, i, k):
    return sorted(int(j) for j in rank[i][: k + 1] if i in rank[j][: k + 1].tolist())


def mutual_by_matrix(rank, i, k):
    near = np.zeros(rank.shape, bool)
    np.put_along_axis(near, rank[:, : k + 1], True, axis=1)
    return np.nonzero((near & near.T)[i])[0]


def mutual_in_order_of_rank(rank, i, k):
    return [int(j) for j in rank[i, : k + 1] if i in rank[j, : k + 1]]


def mutual_first_k(rank, i, k):
    return mutual_by_loop(rank, i, k - 1)


def mutual_one_way(rank, i, k):
    return sorted(rank[i, : k + 1].tolist())


def mutual_mask(rank, i, k):
    return np.isin(np.arange(len(rank)), mutual_by_loop(rank, i, k))


# --------------------------------------------------------------------------------------------------- 05-core: expansion


def expanded_by_sets(mutual, halves, i):
    core = set(mutual[i])
    result = set(core)
    for j in core:
        half = set(halves[j])
        if len(half & core) > 2 / 3 * len(half) + 1e-9:
            result = result | half
    return sorted(int(j) for j in result)


def expanded_by_union(mutual, halves, i):
    friends = [halves[j] for j in mutual[i] if len(np.setdiff1d(halves[j], mutual[i])) * 3 < len(halves[j])]
    return np.unique(np.concatenate([mutual[i], *friends]))


def expanded_not_strict(mutual, halves, i):
    friends = [halves[j] for j in mutual[i] if len(np.setdiff1d(halves[j], mutual[i])) * 3 <= len(halves[j])]
    return np.unique(np.concatenate([mutual[i], *friends]))


def expanded_against_grown(mutual, halves, i):
    grown = set(mutual[i].tolist())
    asked = set()
    while grown - asked:
        j = min(grown - asked)
        asked.add(j)
        half = set(halves[j].tolist())
        if 3 * len(half & grown) > 2 * len(half):
            grown |= half
    return sorted(grown)


def expanded_new_ones_only(mutual, halves, i):
    return np.setdiff1d(expanded_by_union(mutual, halves, i), mutual[i])


# -------------------------------------------------------------------------------------------------- 05-stretch: pairs


def pairs_from_matrix(columns, weights):
    n, m = len(columns), max(int(row.max()) for row in columns) + 1
    dense = np.zeros((n, m))
    for row, (at, value) in enumerate(zip(columns, weights)):
        dense[row, at] = value
    found = []
    for i in range(n):
        for j in range(i + 1, n):
            small, large = np.minimum(dense[i], dense[j]).sum(), np.maximum(dense[i], dense[j]).sum()
            if small > 0:
                found.append([i, j, 1 - small / large])
    return np.array(found) if found else np.zeros((0, 3))


def pairs_by_dictionaries(columns, weights):
    rows = [dict(zip(at.tolist(), value.tolist())) for at, value in zip(columns, weights)]
    found = []
    for i, own in enumerate(rows):
        for j in range(i + 1, len(rows)):
            both = own.keys() & rows[j].keys()
            m = sum(min(own[c], rows[j][c]) for c in both)
            if both:
                found.append((i, j, (2 - 2 * m) / (2 - m)))
    return np.array(found).reshape(len(found), 3)


def pairs_with_diagonal(columns, weights):
    found = pairs_by_dictionaries(columns, weights)
    whole = np.concatenate([found, [(i, i, 0.0) for i in range(len(columns))]])
    return whole[np.lexsort((whole[:, 1], whole[:, 0]))]


def pairs_by_product(columns, weights):
    rows = [dict(zip(at.tolist(), value.tolist())) for at, value in zip(columns, weights)]
    found = pairs_by_dictionaries(columns, weights)
    for row in found:
        a, b = rows[int(row[0])], rows[int(row[1])]
        row[2] = 1 - sum(a[c] * b[c] for c in a.keys() & b.keys())
    return found


def pairs_without_equal_ones(columns, weights):
    found = pairs_by_dictionaries(columns, weights)
    return found[found[:, 2] > 0]


RIGHT = {
    "05-warmup": (mutual_by_loop, mutual_by_matrix),
    "05-core": (expanded_by_sets, expanded_by_union),
    "05-stretch": (pairs_from_matrix, pairs_by_dictionaries),
}
WRONG = {
    "05-warmup": (mutual_in_order_of_rank, mutual_first_k, mutual_one_way, mutual_mask),
    "05-core": (expanded_not_strict, expanded_against_grown, expanded_new_ones_only),
    "05-stretch": (pairs_with_diagonal, pairs_by_product, pairs_without_equal_ones),
}
