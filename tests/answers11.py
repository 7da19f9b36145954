"""Answers to the exercises of lesson 11, written in other ways than the library's, and wrong ones that people give."""

from itertools import combinations

import numpy as np
import torch

from reidkit.labels import relabelled
from reidkit.losses import all_pairs_triplet

# -------------------------------------------------------------------------------------------------- 11-warmup: stripes


def stripes_by_loop(feature_map, stripes):
    channels, height, width = feature_map.shape
    band, rows = height // stripes, []
    for first, last in [(0, height), *((s * band, (s + 1) * band) for s in range(stripes))]:
        total = [sum(feature_map[c, i, j] for i in range(first, last) for j in range(width)) for c in range(channels)]
        rows.append([t / ((last - first) * width) for t in total])
    return rows


def stripes_by_reshaping(feature_map, stripes):
    cut = torch.from_numpy(feature_map).unflatten(1, (stripes, -1)).flatten(2).mean(2).T
    return torch.cat([cut.mean(0, keepdim=True), cut]).numpy()


def stripes_of_columns(feature_map, stripes):
    return stripes_by_loop(feature_map.transpose(0, 2, 1), stripes)


def stripes_without_whole(feature_map, stripes):
    return stripes_by_reshaping(feature_map, stripes)[1:]


def stripes_from_below(feature_map, stripes):
    found = stripes_by_reshaping(feature_map, stripes)
    return np.concatenate([found[:1], found[:0:-1]])


# ------------------------------------------------------------------------------------------------- 11-core: keep rule


def keep_by_library(labels):
    kept = (labels >= 0).all(axis=1)
    return np.stack([relabelled(np.where(kept, column, -1)) for column in labels.T], axis=1)


def keep_by_sets(labels):
    rows = [row if min(row) >= 0 else None for row in labels.tolist()]
    views = [sorted({row[v] for row in rows if row}) for v in range(labels.shape[1])]
    return [[view.index(number) for view, number in zip(views, row)] if row else [-1] * len(views) for row in rows]


def keep_by_majority(labels):
    kept = (labels >= 0).sum(axis=1) * 2 > labels.shape[1]
    return np.stack([relabelled(np.where(kept, column, -1)) for column in labels.T], axis=1)


def keep_without_renumbering(labels):
    result = labels.copy()
    result[(labels < 0).any(axis=1)] = -1
    return result


def keep_in_order_of_appearance(labels):
    result = np.full_like(labels, -1)
    for view in range(labels.shape[1]):
        seen: dict[int, int] = {}
        for row in np.flatnonzero((labels >= 0).all(axis=1)):
            result[row, view] = seen.setdefault(int(labels[row, view]), len(seen))
    return result


# -------------------------------------------------------------------------------------------- 11-stretch: all pairs


def triplet_by_loop(features, labels, margin):
    def far(i, j):
        return float(((features[i] - features[j]) ** 2).sum() ** 0.5)

    terms = []
    for a, p in combinations(range(len(labels)), 2):
        others = [far(a, n) for n in range(len(labels)) if labels[n] != labels[a]]
        if labels[a] == labels[p] and others:
            terms.append(max(0.0, far(a, p) - min(others) + margin))
    return sum(terms) / len(terms) if terms else 0


def triplet_by_library(features, labels, margin):
    rows = torch.from_numpy(features).double()
    return all_pairs_triplet(rows, torch.from_numpy(labels), margin).item()


def triplet_squared(features, labels, margin):
    distance = ((features[:, None] - features[None]) ** 2).sum(2)
    same = labels[:, None] == labels[None]
    if same.all() or not np.triu(same, 1).any():
        return 0.0
    a, p = np.nonzero(np.triu(same, 1))
    return float(np.maximum(0, distance[a, p] - np.where(same, np.inf, distance).min(1)[a] + margin).mean())


def triplet_from_the_positive(features, labels, margin):
    return triplet_by_loop(features[::-1], labels[::-1], margin)


def triplet_over_active_pairs(features, labels, margin):
    def far(i, j):
        return float(np.linalg.norm(features[i] - features[j]))

    terms = []
    for a, p in combinations(range(len(labels)), 2):
        others = [far(a, n) for n in range(len(labels)) if labels[n] != labels[a]]
        if labels[a] == labels[p] and others and far(a, p) - min(others) + margin > 0:
            terms.append(far(a, p) - min(others) + margin)
    return sum(terms) / len(terms) if terms else 0.0


RIGHT = {
    "11-warmup": (stripes_by_loop, stripes_by_reshaping),
    "11-core": (keep_by_library, keep_by_sets),
    "11-stretch": (triplet_by_loop, triplet_by_library),
}
WRONG = {
    "11-warmup": (stripes_of_columns, stripes_without_whole, stripes_from_below),
    "11-core": (keep_by_majority, keep_without_renumbering, keep_in_order_of_appearance),
    "11-stretch": (triplet_squared, triplet_from_the_positive, triplet_over_active_pairs),
}
