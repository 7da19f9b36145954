"""Lesson 08: neighbours that a map keeps, its trustworthiness, and two maps laid upon each other."""

from __future__ import annotations

import numpy as np

from reidkit.lesson.checks import Case, Exercise, Slip

# ---------------------------------------------------------------------------------------------------------- warm-up


def kept_share(near: np.ndarray, shown: np.ndarray) -> float:
    """Share of the neighbours in the features that are neighbours on the map.

    Args:
        near, shown: (N, k) row numbers of each image's k nearest others, in the features and on the map, in any order.
    """
    return float(np.mean([len(np.intersect1d(a, b)) / len(a) for a, b in zip(near, shown)]))


def _kept_cases() -> list[Case]:
    rows = [
        ("The same neighbours, in another order.", [[1, 2], [0, 2], [0, 1]], [[2, 1], [2, 0], [1, 0]]),
        ("Half of them.", [[1, 2], [0, 2], [0, 1], [0, 1]], [[1, 3], [0, 3], [3, 1], [2, 1]]),
        ("None.", [[1], [0], [3], [2]], [[2], [3], [0], [1]]),
        ("A neighbour of one image only.", [[1, 2], [0, 2], [0, 1], [0, 1]], [[1, 2], [3, 2], [0, 3], [2, 1]]),
    ]
    draw = np.random.default_rng(801)
    for i in range(4):
        near, shown = (np.array([draw.permutation(np.delete(np.arange(8), j))[:3] for j in range(8)]) for _ in range(2))
        rows.append((f"Random neighbours {i}.", near.tolist(), shown.tolist()))
    return [Case(says, {"near": np.array(a), "shown": np.array(b)}) for says, a, b in rows]


def _same_place(near: np.ndarray, shown: np.ndarray) -> float:
    return float((near == shown).mean())


def _anybodys(near: np.ndarray, shown: np.ndarray) -> float:
    return float(np.isin(near, shown).mean())


def _of_the_union(near: np.ndarray, shown: np.ndarray) -> float:
    return float(np.mean([len(np.intersect1d(a, b)) / len(np.union1d(a, b)) for a, b in zip(near, shown)]))


# ------------------------------------------------------------------------------------------------------------- core


def map_trustworthiness(features: np.ndarray, points: np.ndarray, k: int) -> float:
    """1 - 2 / (N k (2N - 3k - 1)) * sum over false neighbours of (r - k).

    A false neighbour j of i is among the k nearest others on the map, but not in the features; r is its rank there, 1 for
    the nearest other image. Distances are Euclidean.

    Args:
        features: (N, D).
        points: (N, 2).
    """
    n = len(features)
    order = [np.argsort(np.linalg.norm(x[:, None] - x[None], axis=2) - 1e9 * np.eye(n), axis=1) for x in (features, points)]
    rank = np.empty((n, n), int)
    np.put_along_axis(rank, order[0], np.arange(n)[None], axis=1)
    false = np.take_along_axis(rank, order[1][:, 1 : k + 1], axis=1) - k
    return float(1 - 2 / (n * k * (2 * n - 3 * k - 1)) * false.clip(0).sum())


def _trust_cases() -> list[Case]:
    line = np.arange(6.0)[:, None] ** 1.5
    swapped = line[[0, 5, 2, 3, 4, 1]]
    draw = np.random.default_rng(802)
    cases = [
        Case("The map is the features: nothing is false.", {"features": line, "points": np.c_[line, 0 * line], "k": 1}),
        Case("Two images have changed places.", {"features": line, "points": np.c_[swapped, 0 * line], "k": 1}),
        Case("The same with two neighbours.", {"features": line, "points": np.c_[swapped, 0 * line], "k": 2}),
    ]
    for i in range(5):
        x = draw.normal(size=(12, 4))
        cases.append(
            Case(f"Random images {i}, their first two columns drawn.", {"features": x, "points": x[:, :2].copy(), "k": 3})
        )
    return cases


def _continuity(features: np.ndarray, points: np.ndarray, k: int) -> float:
    return map_trustworthiness(points, features, k)


def _counts_false(features: np.ndarray, points: np.ndarray, k: int) -> float:
    n = len(features)
    order = [np.argsort(np.linalg.norm(x[:, None] - x[None], axis=2) - 1e9 * np.eye(n), axis=1) for x in (features, points)]
    return kept_share(order[0][:, 1 : k + 1], order[1][:, 1 : k + 1])


def _itself_counts(features: np.ndarray, points: np.ndarray, k: int) -> float:
    n = len(features)
    order = [np.argsort(np.linalg.norm(x[:, None] - x[None], axis=2) - 1e9 * np.eye(n), axis=1) for x in (features, points)]
    rank = np.empty((n, n), int)
    np.put_along_axis(rank, order[0], np.arange(1, n + 1)[None], axis=1)
    false = np.take_along_axis(rank, order[1][:, :k], axis=1) - k
    return float(1 - 2 / (n * k * (2 * n - 3 * k - 1)) * false.clip(0).sum())


# ---------------------------------------------------------------------------------------------------------- stretch


def laid_upon(reference: np.ndarray, points: np.ndarray) -> np.ndarray:
    """`points` moved, turned or mirrored, and scaled, so that the sum of squared distances to `reference` is smallest.

    Orthogonal Procrustes: with both centred, U S V' the singular value decomposition of points' reference, the turn is
    U V' and the scale is sum(S) / sum(points^2).

    Args:
        reference, points: (N, 2), row by row the same images.
    """
    middle, own = reference.mean(0), points - points.mean(0)
    u, s, v = np.linalg.svd(own.T @ (reference - middle))
    return (s.sum() / (own**2).sum()) * own @ (u @ v) + middle


def _upon_cases() -> list[Case]:
    flag = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 3.0]])
    quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])
    draw = np.random.default_rng(803)
    cases = [
        Case("Moved only.", {"reference": flag, "points": flag + np.array([5.0, -1.0])}),
        Case("Turned by a quarter.", {"reference": flag, "points": flag @ quarter}),
        Case("Mirrored.", {"reference": flag, "points": flag * [-1.0, 1.0]}),
        Case("Half as large.", {"reference": flag, "points": flag / 2}),
    ]
    for i in range(4):
        reference = draw.normal(size=(7, 2))
        points = 3 * reference @ np.linalg.qr(draw.normal(size=(2, 2)))[0] + draw.normal(size=(7, 2)) / 2 + 1
        cases.append(Case(f"All of it, and noise {i}.", {"reference": reference, "points": points}))
    return cases


def _not_scaled(reference: np.ndarray, points: np.ndarray) -> np.ndarray:
    own = points - points.mean(0)
    u, _, v = np.linalg.svd(own.T @ (reference - reference.mean(0)))
    return own @ (u @ v) + reference.mean(0)


def _never_mirrored(reference: np.ndarray, points: np.ndarray) -> np.ndarray:
    own = points - points.mean(0)
    u, s, v = np.linalg.svd(own.T @ (reference - reference.mean(0)))
    sign = np.sign(np.linalg.det(u @ v))
    turn = u @ np.diag([1.0, sign]) @ v
    return ((s * [1.0, sign]).sum() / (own**2).sum()) * own @ turn + reference.mean(0)


def _same_spread(reference: np.ndarray, points: np.ndarray) -> np.ndarray:
    turned = _not_scaled(reference, points)
    own = turned - reference.mean(0)
    return own * np.linalg.norm(reference - reference.mean(0)) / np.linalg.norm(own) + reference.mean(0)


def _centred_only(reference: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points - points.mean(0) + reference.mean(0)


EXERCISES = (
    Exercise(
        "08-warmup",
        "neighbours that a map keeps",
        difficulty=1,
        minutes=6,
        hints=(
            "Row by row: which numbers stand in both lists of this image?",
            "The order within a list does not count, and another image's neighbours do not either.",
            "`len(np.intersect1d(a, b)) / len(a)` for each pair of rows, then the mean.",
        ),
        solution=kept_share,
        cases=_kept_cases,
        slips=(
            Slip(_same_place, "You compare place by place; being a neighbour does not depend on the order in the list."),
            Slip(_anybodys, "You look whether a number occurs anywhere; it must be in the *same image's* list."),
            Slip(_of_the_union, "You divide by the union of both lists; divide by k, the length of one."),
        ),
    ),
    Exercise(
        "08-core",
        "trustworthiness",
        difficulty=2,
        minutes=20,
        hints=(
            "Who stands near an image on the map, and how far down the list is that one in the features?",
            "You need ranks in the features and the k nearest on the map; a rank of k or less costs nothing.",
            "`max(r - k, 0)` summed over images and their k nearest on the map, times 2 / (N k (2N - 3k - 1)), from one.",
        ),
        solution=map_trustworthiness,
        cases=_trust_cases,
        slips=(
            Slip(_continuity, "Features and map are exchanged: this is the *continuity*, which counts torn neighbours."),
            Slip(_itself_counts, "An image is no neighbour of itself: rank 1 is the nearest *other* image."),
            Slip(_counts_false, "This is the share of neighbours kept; here a false one costs more, the stranger it is."),
        ),
    ),
    Exercise(
        "08-stretch",
        "one map upon another",
        difficulty=3,
        minutes=20,
        hints=(
            "Moving is easy: give both the same mean. The rest is one turn (or mirror) and one factor.",
            "The best turn comes from the singular value decomposition of the 2 x 2 matrix `points.T @ reference`, both centred.",
            "`u, s, v = svd(p.T @ r)`; turn `u @ v`, factor `s.sum() / (p**2).sum()`; then add the reference's mean.",
        ),
        solution=laid_upon,
        cases=_upon_cases,
        slips=(
            Slip(_centred_only, "Moved, but neither turned nor scaled yet."),
            Slip(_never_mirrored, "You only turn; maps come out mirrored as well, so mirroring is allowed."),
            Slip(_not_scaled, "Turned, but not scaled yet."),
            Slip(_same_spread, "You give both the same spread; with noise the best factor is smaller."),
        ),
    ),
)
