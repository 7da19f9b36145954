"""Lesson 21: the faulty rows of a manifest, the two errors of a threshold, and how sure an audit is."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np

from reidkit.lesson.checks import Case, Exercise, Slip

# ---------------------------------------------------------------------------------------------------------- warm-up


def faulty_rows(paths: list[str], identities: list[str], splits: list[str]) -> np.ndarray:
    """Row numbers, ascending, that a reader must refuse.

    A row is faulty when its path stands in another row too, its identity is empty, or its identity is in train and in
    another split as well (query and gallery together are no fault). All rows of such a path or identity are faulty.
    """
    times = Counter(paths)
    sides = defaultdict(set)
    for name, split in zip(identities, splits):
        sides[name].add(split == "train")
    rows = enumerate(zip(paths, identities))
    return np.array([i for i, (path, name) in rows if times[path] > 1 or not name or len(sides[name]) > 1], np.int64)


def _manifest_cases() -> list[Case]:
    rows = [
        ("One picture stands in two rows.", ["a.png", "b.png", "a.png"], ["x", "x", "x"], ["train"] * 3),
        ("Row 1 has no identity.", ["a.png", "b.png"], ["x", ""], ["train", "train"]),
        ("x is in train and in query.", ["a.png", "b.png", "c.png"], ["x", "y", "x"], ["train", "train", "query"]),
        ("Query and gallery may share x: that is the test.", ["a.png", "b.png"], ["x", "x"], ["query", "gallery"]),
        ("Nothing is wrong.", ["a.png", "b.png"], ["x", "y"], ["train", "gallery"]),
    ]
    draw = np.random.default_rng(2101)
    for i in range(6):
        paths = [f"{draw.integers(12)}.png" for _ in range(8)]
        names = [("", "x", "y", "z", "u", "v")[draw.integers(6)] for _ in range(8)]
        splits = [("train", "query", "gallery")[draw.integers(3)] for _ in range(8)]
        rows.append((f"Random manifest {i}.", paths, names, splits))
    return [Case(says, {"paths": p, "identities": n, "splits": s}) for says, p, n, s in rows]


def _spares_the_first_copy(paths: list[str], identities: list[str], splits: list[str]) -> np.ndarray:
    seen: set[str] = set()
    first = [not (path in seen or seen.add(path)) for path in paths]  # type: ignore[func-returns-value]
    own_names = [path if once else f"{i}" for i, (path, once) in enumerate(zip(paths, first))]
    later = [i for i, once in enumerate(first) if not once]
    return np.union1d(faulty_rows(own_names, identities, splits), later).astype(np.int64)


def _spares_train(paths: list[str], identities: list[str], splits: list[str]) -> np.ndarray:
    learnt = {name for name, split in zip(identities, splits) if split == "train"}
    tested = [name in learnt and split != "train" for name, split in zip(identities, splits)]
    others = faulty_rows(paths, [name or "" for name in identities], ["train"] * len(paths))
    return np.union1d(others, np.flatnonzero(tested)).astype(np.int64)


def _any_two_splits(paths: list[str], identities: list[str], splits: list[str]) -> np.ndarray:
    homes = {name: {s for n, s in zip(identities, splits) if n == name} for name in set(identities)}
    shared = [i for i, name in enumerate(identities) if len(homes[name]) > 1]
    return np.union1d(faulty_rows(paths, identities, ["train"] * len(paths)), shared).astype(np.int64)


def _forgets_the_empty(paths: list[str], identities: list[str], splits: list[str]) -> np.ndarray:
    return faulty_rows(paths, [name or f"?{i}" for i, name in enumerate(identities)], splits)


# ------------------------------------------------------------------------------------------------------------- core


def error_rates(
    distance: np.ndarray, same_identity: np.ndarray, same_camera: np.ndarray, threshold: float
) -> tuple[float, float]:
    """(false match rate, false non-match rate) when pairs at most `threshold` apart are called the same.

    Only pairs of two different cameras count. The first is the share of pairs of *different* identities that are called
    the same, the second the share of pairs of the *same* identity that are not; NaN where there is no such pair.

    Args:
        distance: (P,), one entry a pair.
        same_identity, same_camera: bool (P,).
    """
    across, accepted = ~same_camera, distance <= threshold
    strangers, mates = accepted[across & ~same_identity], accepted[across & same_identity]
    false_match = float(np.mean(strangers)) if len(strangers) else float("nan")
    return false_match, float(np.mean(~mates)) if len(mates) else float("nan")


def _pairs(says: str, distance: list[float], identity: list[int], camera: list[int], threshold: float) -> Case:
    same = {"same_identity": np.array(identity, bool), "same_camera": np.array(camera, bool)}
    return Case(says, {"distance": np.array(distance), **same, "threshold": threshold})


def _rate_cases() -> list[Case]:
    cases = [
        _pairs("Two pairs of each kind, all across cameras.", [0.1, 0.6, 0.2, 0.9], [1, 1, 0, 0], [0] * 4, 0.5),
        _pairs("Three strangers to one mate.", [0.1, 0.2, 0.8, 0.9], [1, 0, 0, 0], [0] * 4, 0.5),
        _pairs("A pair that lies at the threshold.", [0.5, 0.5, 0.9, 0.9], [1, 0, 0, 1], [0] * 4, 0.5),
        _pairs("Pairs of one camera do not count.", [0.1, 0.6, 0.2, 0.9, 0.3], [1, 1, 0, 0, 0], [1, 0, 0, 0, 1], 0.5),
        _pairs("Nobody met twice: there is no pair of one identity.", [0.1, 0.6], [0, 0], [0, 0], 0.5),
        _pairs("One person only.", [0.1, 0.6], [1, 1], [0, 0], 0.5),
    ]
    draw = np.random.default_rng(2102)
    for i in range(5):
        kinds = (draw.random(10) < 0.4).tolist(), (draw.random(10) < 0.3).tolist()
        cases.append(_pairs(f"Random pairs {i}.", np.round(draw.random(10), 1).tolist(), *kinds, 0.5))
    return cases


def _share_of_the_accepted(d: np.ndarray, same: np.ndarray, camera: np.ndarray, threshold: float) -> tuple[float, float]:
    called = (d <= threshold) & ~camera
    wrong = float(np.mean(~same[called])) if called.any() else float("nan")
    return wrong, error_rates(d, same, camera, threshold)[1]


def _share_of_all_pairs(d: np.ndarray, same: np.ndarray, camera: np.ndarray, threshold: float) -> tuple[float, float]:
    across = ~camera
    called, mates = (d <= threshold)[across], same[across]
    return float(np.mean(called & ~mates)), float(np.mean(~called & mates))


def _all_cameras(d: np.ndarray, same: np.ndarray, camera: np.ndarray, threshold: float) -> tuple[float, float]:
    return error_rates(d, same, np.zeros(len(d), bool), threshold)


def _strictly_below(d: np.ndarray, same: np.ndarray, camera: np.ndarray, threshold: float) -> tuple[float, float]:
    return error_rates(d, same, camera, float(np.nextafter(threshold, -1)))


def _swapped(d: np.ndarray, same: np.ndarray, camera: np.ndarray, threshold: float) -> tuple[float, float]:
    false_match, false_non_match = error_rates(d, same, camera, threshold)
    return false_non_match, false_match


# ---------------------------------------------------------------------------------------------------------- stretch


def wilson_interval(right: int, judged: int, z: float) -> tuple[float, float]:
    """(low, high) of Wilson's interval for a share of which `right` of `judged` drawn at random were right.

    The shares p with (right / judged - p)^2 <= z^2 p (1 - p) / judged; z = 1.96 for 95 %. Nothing judged: (0, 1).
    """
    if judged == 0:
        return 0.0, 1.0
    share, grown = right / judged, 1 + z**2 / judged
    centre = (share + z**2 / (2 * judged)) / grown
    reach = z / grown * np.sqrt(share * (1 - share) / judged + z**2 / (4 * judged**2))
    return float(centre - reach), float(centre + reach)


def _wilson_cases() -> list[Case]:
    rows = [("8 of 10 were right.", 8, 10, 1.96), ("All 10 were right.", 10, 10, 1.96), ("None of 5 was right.", 0, 5, 1.96)]
    rows += [("Nothing was judged.", 0, 0, 1.96), ("A wider interval: z = 2.58.", 30, 60, 2.58)]
    draw = np.random.default_rng(2103)
    for i in range(4):
        judged = int(draw.integers(1, 200))
        rows.append((f"Random audit {i}.", int(draw.integers(0, judged + 1)), judged, 1.645))
    return [Case(says, {"right": k, "judged": n, "z": z}) for says, k, n, z in rows]


def _normal(right: int, judged: int, z: float) -> tuple[float, float]:
    share = right / judged if judged else 0.5
    reach = z * float(np.sqrt(share * (1 - share) / max(judged, 1)))
    return share - reach, share + reach


def _clipped_normal(right: int, judged: int, z: float) -> tuple[float, float]:
    low, high = _normal(right, judged, z)
    return max(low, 0.0), min(high, 1.0)


def _centre_not_moved(right: int, judged: int, z: float) -> tuple[float, float]:
    low, high = wilson_interval(right, judged, z)
    share = right / judged if judged else 0.5
    return share - (high - low) / 2, share + (high - low) / 2


EXERCISES = (
    Exercise(
        "21-warmup",
        "the faulty rows of a manifest",
        difficulty=1,
        minutes=8,
        hints=(
            "Three rules, three marks. Decide for each rule which rows it marks; a row is faulty when any of them does.",
            "Count how often each path occurs. For identities, note whether each was seen in train, and whether elsewhere.",
            "`collections.Counter(paths)`, a set of identities in train, a set of identities elsewhere; then one loop over rows.",
        ),
        solution=faulty_rows,
        cases=_manifest_cases,
        slips=(
            Slip(_spares_the_first_copy, "You kept the first of two equal paths: which of the two rows is right, nobody knows."),
            Slip(_spares_train, "Of an identity on both sides *all* rows are reported: its owner decides which side it goes to."),
            Slip(_any_two_splits, "Query and gallery share identities on purpose; only train must be apart from both."),
            Slip(_forgets_the_empty, "A row without an identity is still in."),
        ),
    ),
    Exercise(
        "21-core",
        "the two errors of a threshold",
        difficulty=2,
        minutes=12,
        hints=(
            "Two questions about two groups of pairs. Neither group is `all pairs`, neither is `all accepted pairs`.",
            "Drop pairs of one camera. False match: among pairs of different identities. False non-match: among pairs of one.",
            "`accepted = distance <= threshold`; means of `accepted` and of `~accepted` over the two groups; `nan` for none.",
        ),
        solution=error_rates,
        cases=_rate_cases,
        slips=(
            Slip(
                _share_of_the_accepted, "This divides by the *accepted* pairs; that share changes with the size of the gallery."
            ),
            Slip(
                _share_of_all_pairs,
                "This divides by all pairs; each rate has its own group: strangers, or pairs of one identity.",
            ),
            Slip(_all_cameras, "Pairs of one camera are still in; they are easier than anything that you will meet."),
            Slip(_strictly_below, "A pair that lies exactly at the threshold is accepted (`<=`)."),
            Slip(_swapped, "The two rates are swapped: false match comes first."),
        ),
    ),
    Exercise(
        "21-stretch",
        "how sure is an audit?",
        difficulty=3,
        minutes=20,
        hints=(
            "The usual `share ± z * error` takes the error at the share that was *seen*; Wilson at the share that is *tried*.",
            "Solve (k/n - p)^2 = z^2 p (1 - p) / n for p: a quadratic equation, whose two roots are the ends.",
            "centre = (k/n + z²/2n) / (1 + z²/n), reach = z / (1 + z²/n) * sqrt(k/n (1 - k/n) / n + z²/4n²); (0, 1) when n is 0.",
        ),
        solution=wilson_interval,
        cases=_wilson_cases,
        slips=(
            Slip(_normal, "This is the normal interval: it leaves 0..1, and has no width when all (or none) were right."),
            Slip(_clipped_normal, "This is the normal interval, cut at 0 and 1: ten right of ten would leave no doubt at all."),
            Slip(_centre_not_moved, "The width is Wilson's, but the centre is not: it moves towards one half."),
        ),
    ),
)
