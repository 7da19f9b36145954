"""Lesson 22: the exponent of a cost, pairs lost to approximate neighbours, and the proof that none was lost."""

from __future__ import annotations

import numpy as np

from reidkit.lesson.checks import Case, Exercise, Slip

# ---------------------------------------------------------------------------------------------------------- warm-up


def fitted_exponent(sizes: np.ndarray, costs: np.ndarray) -> float:
    """b of the cost a * N^b: the slope of the least-squares line through (log N, log cost)."""
    x, y = np.log(sizes), np.log(costs)
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / (x * x).sum())


def _exponent_cases() -> list[Case]:
    rows = [
        ("Twice the images, four times the seconds.", [1000, 2000], [3.0, 12.0]),
        ("Twice the images, twice the bytes.", [1000, 2000, 4000], [5.0, 10.0, 20.0]),
        ("The cost does not grow.", [100, 1000], [0.5, 0.5]),
        ("Three sizes that lie on no line.", [100, 200, 800], [1.0, 3.0, 30.0]),
    ]
    cases = [Case(says, {"sizes": np.array(n), "costs": np.array(c)}) for says, n, c in rows]
    draw = np.random.default_rng(2201)
    for i in range(4):
        sizes = np.sort(draw.choice(np.arange(100, 9000), 5, replace=False))
        costs = np.round(1e-6 * sizes ** draw.uniform(0.8, 2.2) * draw.uniform(0.8, 1.2, 5), 6)
        cases.append(Case(f"Random costs {i}.", {"sizes": sizes, "costs": costs}))
    return cases


def _without_logarithms(sizes: np.ndarray, costs: np.ndarray) -> float:
    return float(np.polyfit(sizes, costs, 1)[0])


def _semi_logarithmic(sizes: np.ndarray, costs: np.ndarray) -> float:
    return float(np.polyfit(sizes, np.log(costs), 1)[0])


def _ratio_of_ends(sizes: np.ndarray, costs: np.ndarray) -> float:
    return float(costs[-1] / costs[0] / (sizes[-1] / sizes[0]))


# ------------------------------------------------------------------------------------------------------------- core


def reciprocal_recall(exact: np.ndarray, found: np.ndarray) -> float:
    """Share of the exact reciprocal pairs {i, j} that are reciprocal in the found lists too; NaN when there is none.

    Args:
        exact, found: int (N, k), neighbours of each image, the image itself left out; -1 in `found` is an empty place.
    """

    def mutual(lists: np.ndarray) -> set[tuple[int, int]]:
        listed = {(i, int(j)) for i, row in enumerate(lists) for j in row if j >= 0}
        return {(i, j) for i, j in listed if i < j and (j, i) in listed}

    wanted = mutual(exact)
    return len(wanted & mutual(found)) / len(wanted) if wanted else float("nan")


def _recall_cases() -> list[Case]:
    rows = [
        ("Images 0 and 1 name each other; image 1 has lost image 0.", [[1], [0], [0]], [[1], [2], [0]]),
        ("Nothing is lost.", [[1, 2], [0, 2], [0, 1]], [[2, 1], [0, 2], [1, 0]]),
        ("One of three pairs is lost, on one side.", [[1, 2], [0, 2], [0, 1], [0, 1]], [[1, 2], [0, 2], [1, 3], [0, 1]]),
        ("Found pairs that are not wanted count for nothing.", [[1], [0], [0], [0]], [[1], [0], [3], [2]]),
        ("The search came back with an empty place.", [[1], [0], [3], [2]], [[1], [0], [-1], [2]]),
        ("No exact pair is reciprocal.", [[1], [2], [0]], [[1], [0], [0]]),
    ]
    cases = [Case(says, {"exact": np.array(a), "found": np.array(b)}) for says, a, b in rows]
    draw = np.random.default_rng(2202)
    for i in range(4):
        lists = [np.array([draw.choice(np.delete(np.arange(6), j), 3, replace=False) for j in range(6)]) for _ in range(2)]
        found = np.where(draw.random((6, 3)) < 0.7, lists[0], -1)
        cases.append(Case(f"Random lists {i}.", {"exact": lists[0], "found": found}))
    return cases


def _list_recall(exact: np.ndarray, found: np.ndarray) -> float:
    return float(np.mean([np.isin(a, b).mean() for a, b in zip(exact, found)]))


def _one_sided(exact: np.ndarray, found: np.ndarray) -> float:
    wanted = {(i, int(j)) for i, row in enumerate(exact) for j in row}
    pairs = [(i, j) for i, j in wanted if (j, i) in wanted]
    return float(np.mean([j in found[i] for i, j in pairs])) if pairs else float("nan")


def _precision(exact: np.ndarray, found: np.ndarray) -> float:
    return reciprocal_recall(found, exact)


# ---------------------------------------------------------------------------------------------------------- stretch


def proven(exact: np.ndarray, last: np.ndarray, margin: np.ndarray, k: int) -> np.ndarray:
    """bool (Q,): whether no row outside the shortlist can belong to the k nearest.

    Args:
        exact: (Q, m) true similarities of the shortlisted rows, in no order, m >= k.
        last: (Q,) the smallest *approximate* similarity of each shortlist: nothing left out has a larger one.
        margin: (Q,) how far an approximate similarity can lie from the true one.
        k: how many neighbours are wanted.
    """
    kth = np.sort(exact, axis=1)[:, -k]
    return kth > last + margin


def _proof_cases() -> list[Case]:
    rows = [
        ("Left out: at most 0.5 + 0.1, and the second best has 0.7.", [[0.9, 0.7, 0.52]], [0.5], [0.1], 2),
        ("Left out: at most 0.65 + 0.1, more than the second best.", [[0.9, 0.7, 0.66]], [0.65], [0.1], 2),
        ("The shortlist is in no order.", [[0.52, 0.7, 0.9]], [0.5], [0.1], 2),
        ("Equal to the bound proves nothing: ties are possible.", [[0.75, 0.5]], [0.5], [0.25], 1),
        ("The best alone is safe, the three best are not.", [[0.9, 0.7, 0.52]], [0.5], [0.1], 3),
    ]
    cases = [
        Case(says, {"exact": np.array(e), "last": np.array(last), "margin": np.array(m), "k": k}) for says, e, last, m, k in rows
    ]
    draw = np.random.default_rng(2203)
    for i in range(5):
        exact = np.round(draw.uniform(0.3, 1.0, (4, 5)), 2)
        last = np.round(exact.min(axis=1) + draw.uniform(-0.05, 0.05, 4), 2)
        margin = np.round(draw.uniform(0.01, 0.3, 4), 2)
        cases.append(Case(f"Random shortlists {i}.", {"exact": exact, "last": last, "margin": margin, "k": 2}))
    return cases


def _without_margin(exact: np.ndarray, last: np.ndarray, margin: np.ndarray, k: int) -> np.ndarray:
    return np.asarray(np.sort(exact, axis=1)[:, -k] > last)


def _first_k_as_listed(exact: np.ndarray, last: np.ndarray, margin: np.ndarray, k: int) -> np.ndarray:
    return np.asarray(exact[:, k - 1] > last + margin)


def _only_the_best(exact: np.ndarray, last: np.ndarray, margin: np.ndarray, k: int) -> np.ndarray:
    return np.asarray(exact.max(axis=1) > last + margin)


EXERCISES = (
    Exercise(
        "22-warmup",
        "the exponent of a cost",
        difficulty=1,
        minutes=8,
        hints=(
            "cost = a N^b is a straight line once both sides are logarithms: log cost = log a + b log N.",
            "Take the logarithm of the sizes *and* of the costs, then fit a line.",
            "`np.polyfit(x, y, 1)` gives slope and intercept; the slope is the answer.",
        ),
        solution=fitted_exponent,
        cases=_exponent_cases,
        slips=(
            Slip(_without_logarithms, "This is the slope of the costs themselves (seconds an image); take logarithms of both."),
            Slip(_semi_logarithmic, "Only the costs are logarithms here; a power law is straight when the sizes are too."),
            Slip(_ratio_of_ends, "This is a ratio of ratios, cost against N; the exponent is a slope of logarithms."),
        ),
    ),
    Exercise(
        "22-core",
        "what reciprocity does to recall",
        difficulty=2,
        minutes=15,
        hints=(
            "A pair {i, j} is reciprocal when j is in the list of i *and* i is in the list of j.",
            "Collect the reciprocal pairs of the exact lists and those of the found lists, as two sets of (i, j) with i < j.",
            "The size of their intersection, divided by the number of exact pairs; places of -1 are no neighbours.",
        ),
        solution=reciprocal_recall,
        cases=_recall_cases,
        slips=(
            Slip(_list_recall, "This is the recall of the lists; a reciprocal pair needs *both* lists to have it."),
            Slip(_one_sided, "A pair counts here as soon as one side has found it; reciprocity asks both."),
            Slip(_precision, "Divided by the pairs that were found; recall divides by the exact ones."),
        ),
    ),
    Exercise(
        "22-stretch",
        "proof that nobody is missing",
        difficulty=3,
        minutes=15,
        hints=(
            "How similar can a row be, at most, that was left out of the shortlist?",
            "Its approximate similarity is at most `last`, so its true one is at most `last + margin`.",
            "Compare the k-th *largest* of the exact similarities with that; strictly, since equality would be a tie.",
        ),
        solution=proven,
        cases=_proof_cases,
        slips=(
            Slip(_without_margin, "The approximate similarity of what was left out may be too small, by `margin`."),
            Slip(_first_k_as_listed, "The shortlist is in no order; the k-th best is the k-th largest exact similarity."),
            Slip(_only_the_best, "This proves the nearest only; all k have to be safe, so the k-th is compared."),
        ),
    ),
)
