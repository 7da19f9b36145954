"""Lesson 05: neighbours that return it, the friends that they bring, and the distance without the matrix."""

from __future__ import annotations

import numpy as np

from reidkit.lesson.checks import Case, Exercise, Slip

# ---------------------------------------------------------------------------------------------------------- warm-up


def mutual_neighbours(rank: np.ndarray, i: int, k: int) -> np.ndarray:
    """R(i, k), ascending: the j among the first k + 1 entries of row i that have i among their own first k + 1.

    Args:
        rank: (N, N), each row the images from near to far, itself first.
    """
    returned = (rank[:, : k + 1] == i).any(axis=1)
    return np.flatnonzero(returned & np.isin(np.arange(len(rank)), rank[i, : k + 1]))


def _ranked(at: np.ndarray) -> np.ndarray:
    distance = np.abs(at[:, None] - at) - np.eye(len(at))
    return np.argsort(distance, axis=1, kind="stable")


def _mutual_cases() -> list[Case]:
    rows = [
        ("Points at 0, 1, 3, 10: the last one's neighbours do not return it.", [0, 1, 3, 10], 3, 2),
        ("The same, seen from the first.", [0, 1, 3, 10], 0, 2),
        ("One neighbour each; the middle one is nearer to the other side.", [0, 2, 3], 0, 1),
        ("Everybody lists the point in the middle; it cannot list everybody.", [-4, -3, 0, 3.5, 4.5], 2, 2),
    ]
    draw = np.random.default_rng(501)
    rows += [(f"Random points {i}.", draw.permutation(40)[:8].tolist(), i % 8, 3) for i in range(6)]
    return [Case(says, {"rank": _ranked(np.array(points)), "i": i, "k": k}) for says, points, i, k in rows]


def _one_sided(rank: np.ndarray, i: int, k: int) -> np.ndarray:
    return np.sort(rank[i, : k + 1])


def _who_lists_me(rank: np.ndarray, i: int, k: int) -> np.ndarray:
    return np.flatnonzero((rank[:, : k + 1] == i).any(axis=1))


def _k_entries(rank: np.ndarray, i: int, k: int) -> np.ndarray:
    return mutual_neighbours(rank, i, k - 1)


# ------------------------------------------------------------------------------------------------------------- core

Sets = tuple[np.ndarray, ...]


def expanded_neighbours(mutual: Sets, halves: Sets, i: int) -> np.ndarray:
    """R*(i), ascending: R(i) and the half-size set of each j in R(i) that shares more than two thirds of it with R(i).

    Args:
        mutual: mutual[i] is R(i, k1), ascending.
        halves: halves[j] is R(j, k1 / 2), ascending.
    """
    grown = set(mutual[i].tolist())
    for j in mutual[i]:
        if 3 * np.isin(halves[j], mutual[i]).sum() > 2 * len(halves[j]):
            grown |= set(halves[j].tolist())
    return np.array(sorted(grown), np.int64)


def _expansion_cases() -> list[Case]:
    rows = [
        ("Image 1 shares 3 of its 4 with R(0): it brings image 3.", [0, 1, 2], {1: [0, 1, 2, 3]}),
        ("Image 1 shares 2 of its 3: exactly two thirds are not enough.", [0, 1], {1: [0, 1, 3]}),
        ("Image 3 comes in, but its own friends do not follow it.", [0, 1, 2], {1: [0, 1, 2, 3], 3: [1, 2, 3, 4]}),
        ("Image 4 is no member: nobody asks it, though its set would qualify.", [0, 1, 2], {4: [0, 1, 2, 4]}),
        ("A large R(0): two thirds are counted of the *small* set.", [0, 1, 2, 3, 4], {1: [0, 1, 2, 5]}),
    ]
    alone = {j: [j] for j in range(6)}
    cases = [
        Case(says, {"mutual": _sets(alone | {0: own}), "halves": _sets(alone | halves), "i": 0}) for says, own, halves in rows
    ]
    draw = np.random.default_rng(502)
    for trial in range(6):
        mutual = tuple(np.union1d(draw.choice(12, 6, replace=False), j) for j in range(12))
        halves = tuple(np.union1d(draw.choice(mutual[j], 3, replace=False), draw.choice(12, 2)) for j in range(12))
        cases.append(Case(f"Random sets {trial}.", {"mutual": mutual, "halves": halves, "i": trial}))
    return cases


def _sets(rows: dict[int, list[int]]) -> Sets:
    return tuple(np.array(row, np.int64) for row in rows.values())


def _at_least(mutual: Sets, halves: Sets, i: int) -> np.ndarray:
    brought = [halves[j] for j in mutual[i] if 3 * np.isin(halves[j], mutual[i]).sum() >= 2 * len(halves[j])]
    return np.unique(np.concatenate([mutual[i], *brought]))


def _share_of_large(mutual: Sets, halves: Sets, i: int) -> np.ndarray:
    brought = [halves[j] for j in mutual[i] if 3 * np.isin(halves[j], mutual[i]).sum() > 2 * len(mutual[i])]
    return np.unique(np.concatenate([mutual[i], *brought]))


def _chain(mutual: Sets, halves: Sets, i: int) -> np.ndarray:
    grown, waiting = set(mutual[i].tolist()), mutual[i].tolist()
    while waiting:
        half = halves[waiting.pop()]
        if 3 * len(grown & set(half.tolist())) > 2 * len(half):
            waiting += sorted(set(half.tolist()) - grown)
            grown |= set(half.tolist())
    return np.array(sorted(grown), np.int64)


# ---------------------------------------------------------------------------------------------------------- stretch


def close_pairs(columns: Sets, weights: Sets) -> np.ndarray:
    """(P, 3): i, j and Jaccard distance of the pairs i < j whose rows overlap, in ascending order of i, then j.

    Args:
        columns, weights: row i of V as the columns that are not zero and their values, which sum to 1.
    """
    holders: dict[int, list[tuple[int, float]]] = {}
    for i, (row, values) in enumerate(zip(columns, weights)):
        for column, value in zip(row.tolist(), values.tolist()):
            holders.setdefault(column, []).append((i, value))
    shared: dict[tuple[int, int], float] = {}
    for met in holders.values():
        for at, (i, own) in enumerate(met):
            for j, other in met[at + 1 :]:
                shared[i, j] = shared.get((i, j), 0.0) + min(own, other)
    return np.array([(i, j, 1 - m / (2 - m)) for (i, j), m in sorted(shared.items())]).reshape(-1, 3)


def _rows(*rows: dict[int, float]) -> dict[str, object]:
    return {
        "columns": tuple(np.array(list(row), np.int64) for row in rows),
        "weights": tuple(np.array(list(row.values()), np.float64) for row in rows),
    }


def _pair_cases() -> list[Case]:
    cases = [
        Case("Two rows share half of their weight.", _rows({0: 0.5, 1: 0.5}, {1: 0.5, 2: 0.5})),
        Case("Rows 0 and 2 have nothing in common: no pair.", _rows({0: 0.5, 1: 0.5}, {1: 0.75, 2: 0.25}, {2: 1.0})),
        Case("Equal rows: distance 0, and still a pair.", _rows({0: 0.4, 1: 0.6}, {0: 0.4, 1: 0.6})),
        Case("Nobody overlaps.", _rows({0: 1.0}, {1: 1.0}, {2: 1.0})),
    ]
    draw = np.random.default_rng(503)
    for trial in range(5):
        rows = []
        for _ in range(5):
            chosen, share = draw.choice(8, 3, replace=False), np.round(draw.dirichlet(np.ones(3)), 2)
            share[-1] = 1 - share[:-1].sum()
            rows.append({int(column): float(value) for column, value in zip(chosen, share) if value > 0})
        cases.append(Case(f"Random rows {trial}.", _rows(*rows)))
    return cases


def _all_pairs(columns: Sets, weights: Sets) -> np.ndarray:
    found = {(int(i), int(j)): d for i, j, d in close_pairs(columns, weights)}
    return np.array([(i, j, found.get((i, j), 1.0)) for j in range(len(columns)) for i in range(j)]).reshape(-1, 3)


def _both_ways(columns: Sets, weights: Sets) -> np.ndarray:
    once = close_pairs(columns, weights)
    twice = np.concatenate([once, once[:, [1, 0, 2]]])
    return twice[np.lexsort((twice[:, 1], twice[:, 0]))]


def _one_minus_shared(columns: Sets, weights: Sets) -> np.ndarray:
    pairs = close_pairs(columns, weights)
    pairs[:, 2] = 1 - 2 * (1 - pairs[:, 2]) / (2 - pairs[:, 2])
    return pairs


def _counts_members(columns: Sets, weights: Sets) -> np.ndarray:
    pairs = close_pairs(columns, weights)
    for row in pairs:
        a, b = set(columns[int(row[0])].tolist()), set(columns[int(row[1])].tolist())
        row[2] = 1 - len(a & b) / len(a | b)
    return pairs


EXERCISES = (
    Exercise(
        "05-warmup",
        "who returns it?",
        difficulty=1,
        minutes=6,
        hints=(
            "Row i begins with i itself, so the list of k neighbours has k + 1 entries.",
            "j belongs to the set when it is in the list of i *and* i is in the list of j.",
            "`np.flatnonzero((rank[:, : k + 1] == i).any(axis=1))` are those who list i; keep the ones that i lists too.",
        ),
        solution=mutual_neighbours,
        cases=_mutual_cases,
        slips=(
            Slip(_one_sided, "This is the list of i alone; nobody was asked whether it returns it."),
            Slip(_who_lists_me, "These list i, but i need not list them: both directions count."),
            Slip(_k_entries, "These are k entries; the image itself stands first, so k neighbours are k + 1 entries."),
        ),
    ),
    Exercise(
        "05-core",
        "friends bring their friends",
        difficulty=2,
        minutes=12,
        hints=(
            "Each member j of R(i) is asked once; images that come in are never asked.",
            "Compare how much of the *small* set R(j, k1/2) lies in R(i) with two thirds of the size of that small set.",
            "In whole numbers: `3 * np.isin(halves[j], mutual[i]).sum() > 2 * len(halves[j])`; then the union.",
        ),
        solution=expanded_neighbours,
        cases=_expansion_cases,
        slips=(
            Slip(_at_least, "Exactly two thirds do not suffice: the paper's test is strict in the code that everybody uses."),
            Slip(_share_of_large, "The share is of the small set R(j, k1/2), not of R(i)."),
            Slip(_chain, "The test is against R(i) as it was at first, and only its members are asked; nothing spreads further."),
        ),
    ),
    Exercise(
        "05-stretch",
        "all overlaps, and no matrix",
        difficulty=3,
        minutes=20,
        hints=(
            "Two rows overlap only in a column that both have. So begin with the columns: who stands in each?",
            "For every column, and every two rows in it, add the smaller of their two values to that pair's sum m.",
            "Rows sum to 1, so the larger values sum to 2 - m: the distance is `1 - m / (2 - m)`. A pair never met is at 1.",
        ),
        solution=close_pairs,
        cases=_pair_cases,
        slips=(
            Slip(
                _all_pairs,
                "Pairs without a common column are in it, or the order is not by i, then j: keep only pairs that overlap.",
            ),
            Slip(_both_ways, "Each pair is there twice; take i < j only."),
            Slip(_one_minus_shared, "This is 1 - m; the distance divides m by the sum of the *larger* values, 2 - m."),
            Slip(_counts_members, "This counts members; the entries are weights, so add up smaller and larger weights."),
        ),
    ),
)
