"""Answers to the exercises of lesson 08, written in other ways than the library's, and wrong ones that people give."""

import numpy as np
from scipy.optimize import minimize
from scipy.spatial import procrustes
from scipy.spatial.distance import cdist
from sklearn.manifold import trustworthiness

# ------------------------------------------------------------------------------------------ 08-warmup: neighbours kept


def kept_by_sets(near, shown):
    both = [len(set(a) & set(b)) for a, b in zip(near.tolist(), shown.tolist())]
    return sum(both) / near.size


def kept_by_table(near, shown):
    return (near[:, :, None] == shown[:, None, :]).any(axis=2).mean()


def kept_in_order(near, shown):
    return np.mean(np.sort(near, 1) == np.sort(shown, 1))


def kept_as_count(near, shown):
    return sum(len(set(a) & set(b)) for a, b in zip(near, shown))


def kept_all_or_nothing(near, shown):
    return np.mean([set(a) == set(b) for a, b in zip(near, shown)])


# ----------------------------------------------------------------------------------------------- 08-core: trustworthiness


def trust_by_library(features, points, k):
    return trustworthiness(features, points, n_neighbors=k)


def trust_by_loop(features, points, k):
    n, total = len(features), 0
    real, drawn = cdist(features, features), cdist(points, points)
    for i in range(n):
        others = [j for j in range(n) if j != i]
        in_features = sorted(others, key=lambda j: real[i, j])
        on_map = sorted(others, key=lambda j: drawn[i, j])
        for j in on_map[:k]:
            rank = in_features.index(j) + 1
            if rank > k:
                total += rank - k
    return 1 - 2 * total / (n * k * (2 * n - 3 * k - 1))


def trust_exchanged(features, points, k):
    return trust_by_loop(points, features, k)


def trust_ranks_from_zero(features, points, k):
    n = len(features)
    order = np.argsort(cdist(features, features), axis=1)
    total = 0
    for i, row in enumerate(np.argsort(cdist(points, points), axis=1)):
        total += sum(max(order[i].tolist().index(j) - 1 - k, 0) for j in row[1 : k + 1])
    return 1 - 2 * total / (n * k * (2 * n - 3 * k - 1))


def trust_not_normalised(features, points, k):
    return 1 - (1 - trust_by_loop(features, points, k)) * len(features)


# ----------------------------------------------------------------------------------------------- 08-stretch: Procrustes


def upon_by_library(reference, points):
    spread = np.linalg.norm(reference - reference.mean(0))
    return procrustes(reference, points)[1] * spread + reference.mean(0)


def upon_by_search(reference, points):
    best = None
    for mirror in (1.0, -1.0):
        own = (points - points.mean(0)) * [mirror, 1.0]
        aim = reference - reference.mean(0)
        a = (own * aim).sum() / (own**2).sum()
        b = (own[:, 0] * aim[:, 1] - own[:, 1] * aim[:, 0]).sum() / (own**2).sum()

        def moved(x, own=own):
            return own @ np.array([[x[0], x[1]], [-x[1], x[0]]])

        found = minimize(lambda x, moved=moved, aim=aim: ((moved(x) - aim) ** 2).sum(), [a, b], tol=1e-14)
        if best is None or found.fun < best[0]:
            best = found.fun, moved([a, b]) + reference.mean(0)
    return best[1]


def upon_by_turns_only(reference, points):
    own, aim = points - points.mean(0), reference - reference.mean(0)
    a = (own * aim).sum() / (own**2).sum()
    b = (own[:, 0] * aim[:, 1] - own[:, 1] * aim[:, 0]).sum() / (own**2).sum()
    return own @ np.array([[a, b], [-b, a]]) + reference.mean(0)


def upon_standardised(reference, points):
    return procrustes(reference, points)[1]


def upon_by_least_squares(reference, points):
    own = points - points.mean(0)
    return own @ np.linalg.lstsq(own, reference - reference.mean(0))[0] + reference.mean(0)


RIGHT = {
    "08-warmup": (kept_by_sets, kept_by_table),
    "08-core": (trust_by_library, trust_by_loop),
    "08-stretch": (upon_by_library, upon_by_search),
}
WRONG = {
    "08-warmup": (kept_in_order, kept_as_count, kept_all_or_nothing),
    "08-core": (trust_exchanged, trust_ranks_from_zero, trust_not_normalised),
    "08-stretch": (upon_by_turns_only, upon_standardised, upon_by_least_squares),
}
