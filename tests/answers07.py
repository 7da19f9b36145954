"""Answers to the exercises of lesson 07, written in other ways than the library's, and wrong ones that people give."""

import math
from collections import Counter

import numpy as np
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import dbscan
from sklearn.metrics import mutual_info_score

# --------------------------------------------------------------------------------------------------- 07-warmup: BCubed


def bcubed_by_loop(labels, identities):
    groups = [label if label >= 0 else f"alone {i}" for i, label in enumerate(labels.tolist())]
    people = identities.tolist()
    precision, recall = [], []
    for group, person in zip(groups, people):
        both = sum(g == group and p == person for g, p in zip(groups, people))
        precision.append(both / groups.count(group))
        recall.append(both / people.count(person))
    return sum(precision) / len(precision), sum(recall) / len(recall)


def bcubed_by_cells(labels, identities):
    groups = [(label, i if label < 0 else -1) for i, label in enumerate(labels.tolist())]
    cells, n = Counter(zip(groups, identities.tolist())), len(labels)
    of_group, of_person = Counter(groups), Counter(identities.tolist())
    precision = sum(m * m / of_group[g] for (g, _), m in cells.items()) / n
    return [precision, sum(m * m / of_person[p] for (_, p), m in cells.items()) / n]


def bcubed_outliers_as_cluster(labels, identities):
    return bcubed_by_loop(labels + 1, identities)


def bcubed_without_self(labels, identities):
    groups = [label if label >= 0 else f"alone {i}" for i, label in enumerate(labels.tolist())]
    right, pairs = 0, 0
    for i, (group, person) in enumerate(zip(groups, identities)):
        for j, other in enumerate(groups):
            if i != j and other == group:
                pairs, right = pairs + 1, right + (identities[j] == person)
    return (right / pairs if pairs else 1.0, bcubed_by_loop(labels, identities)[1])


def bcubed_inliers_only(labels, identities):
    kept = labels >= 0
    return bcubed_by_loop(labels[kept], identities[kept]) if kept.any() else (0.0, 0.0)


# ------------------------------------------------------------------------------------------------------ 07-core: leakage


def excess_by_library(labels, cameras, orders):
    inside = labels >= 0
    kept, where = labels[inside], cameras[inside]
    chance = np.mean([mutual_info_score(kept[order], where) for order in orders])
    return (mutual_info_score(kept, where) - chance) / math.log(2)


def excess_by_entropies(labels, cameras, orders):
    def entropy(items):
        return -sum(m / len(items) * math.log2(m / len(items)) for m in Counter(items).values())

    def told(a, b):
        return entropy(a) + entropy(b) - entropy(list(zip(a, b)))

    inside = [i for i, label in enumerate(labels) if label != -1]
    kept, where = [int(labels[i]) for i in inside], [int(cameras[i]) for i in inside]
    shuffled = [told([kept[i] for i in order], where) for order in orders]
    return told(kept, where) - sum(shuffled) / len(shuffled)


def excess_in_nats(labels, cameras, orders):
    return excess_by_library(labels, cameras, orders) * math.log(2)


def excess_over_the_best_shuffle(labels, cameras, orders):
    inside = labels >= 0
    kept, where = labels[inside], cameras[inside]
    return (mutual_info_score(kept, where) - max(mutual_info_score(kept[o], where) for o in orders)) / math.log(2)


def excess_as_absolute(labels, cameras, orders):
    return abs(excess_by_library(labels, cameras, orders))


# ------------------------------------------------------------------------------------------------------ 07-stretch: rescue


def rescue_by_function(distance, identities, who, radii, eps, min_samples):
    found = []
    for radius in radii:
        _, labels = dbscan(distance, eps=radius, min_samples=min_samples, metric="precomputed")
        inside = [(k, p) for k, p in zip(labels.tolist(), identities.tolist()) if k != -1]
        sizes, own = Counter(k for k, _ in inside), Counter(k for k, p in inside if p == who)
        if any(2 * own[k] > sizes[k] for k in own):
            found.append(radius)
    return min(found, key=lambda r: (abs(r - eps), r)) if found else math.nan


def rescue_by_graph(distance, identities, who, radii, eps, min_samples):
    best = math.nan
    for radius in sorted(radii):
        near = distance <= radius
        core = np.flatnonzero(near.sum(1) >= min_samples)
        _, piece = connected_components(near[np.ix_(core, core)], directed=False)
        parts = [set(core[piece == k].tolist()) for k in range(piece.max(initial=-1) + 1)]
        rest, members = set(range(len(near))) - set(core.tolist()), []
        for part in sorted(parts, key=min):
            border = {i for i in rest if near[i, sorted(part)].any()}
            rest -= border
            members.append(part | border)
        if any(2 * sum(identities[i] == who for i in part) > len(part) for part in members):
            best = radius if math.isnan(best) or abs(radius - eps) < abs(best - eps) else best
    return best


def rescue_smallest(distance, identities, who, radii, eps, min_samples):
    return rescue_by_function(distance, identities, who, radii, -1.0, min_samples)


def rescue_by_any_inlier(distance, identities, who, radii, eps, min_samples):
    for radius in sorted(radii, key=lambda r: (abs(r - eps), r)):
        labels = dbscan(distance, eps=radius, min_samples=min_samples, metric="precomputed")[1]
        if labels[identities == who].max() >= 0:
            return radius
    return math.nan


def rescue_counts_outliers(distance, identities, who, radii, eps, min_samples):
    for radius in sorted(radii, key=lambda r: (abs(r - eps), r)):
        labels = dbscan(distance, eps=radius, min_samples=min_samples, metric="precomputed")[1]
        if any((identities[labels == k] == who).mean() > 0.5 for k in np.unique(labels)):
            return radius
    return math.nan


RIGHT = {
    "07-warmup": (bcubed_by_loop, bcubed_by_cells),
    "07-core": (excess_by_library, excess_by_entropies),
    "07-stretch": (rescue_by_function, rescue_by_graph),
}
WRONG = {
    "07-warmup": (bcubed_outliers_as_cluster, bcubed_without_self, bcubed_inliers_only),
    "07-core": (excess_in_nats, excess_over_the_best_shuffle, excess_as_absolute),
    "07-stretch": (rescue_smallest, rescue_by_any_inlier, rescue_counts_outliers),
}
