"""Lesson 07: BCubed with outliers, leakage above chance, and the radius that brings a lost identity back."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import DBSCAN

from reidkit.lesson.checks import Case, Exercise, Slip

# ---------------------------------------------------------------------------------------------------------- warm-up


def bcubed(labels: np.ndarray, identities: np.ndarray) -> tuple[float, float]:
    """(precision, recall) of BCubed over all images; an outlier (-1) is alone in a cluster of its own.

    Precision of an image: the share of its cluster that has its identity, itself counted. Recall: the share of its
    identity that is in its cluster. Both are averaged over the images.
    """
    alone = labels == -1
    cluster = np.where(alone, labels.max() + 1 + np.arange(len(labels)), labels)
    together = cluster[:, None] == cluster[None]
    same = identities[:, None] == identities[None]
    right = (together & same).sum(axis=1)
    return float(np.mean(right / together.sum(axis=1))), float(np.mean(right / same.sum(axis=1)))


def _bcubed_cases() -> list[Case]:
    rows = [
        ("Two people in one cluster.", [0, 0, 0, 0], [5, 5, 8, 8]),
        ("One person in two clusters.", [0, 0, 1, 1], [5, 5, 5, 5]),
        ("Clusters of unequal size: every image counts once.", [0, 0, 0, 0, 1], [5, 5, 5, 8, 8]),
        ("Two outliers of two people are not together.", [0, 0, -1, -1], [5, 5, 5, 8]),
        ("Nothing but outliers.", [-1, -1, -1], [5, 5, 8]),
        ("All is right.", [3, 3, 0, 0], [5, 5, 8, 8]),
    ]
    draw = np.random.default_rng(701)
    rows += [(f"Random labels {i}.", draw.integers(-1, 3, 9).tolist(), draw.integers(1, 5, 9).tolist()) for i in range(5)]
    return [Case(says, {"labels": np.array(a), "identities": np.array(b)}) for says, a, b in rows]


def _outliers_together(labels: np.ndarray, identities: np.ndarray) -> tuple[float, float]:
    return bcubed(labels + 1, identities)


def _outliers_dropped(labels: np.ndarray, identities: np.ndarray) -> tuple[float, float]:
    kept = labels != -1
    return bcubed(labels[kept], identities[kept]) if kept.any() else (float("nan"), float("nan"))


def _mean_over_clusters(labels: np.ndarray, identities: np.ndarray) -> tuple[float, float]:
    alone = labels == -1
    cluster = np.where(alone, labels.max() + 1 + np.arange(len(labels)), labels)
    purity = [_inside(identities[cluster == k]) for k in np.unique(cluster)]
    return float(np.mean(purity)), float(np.mean([_inside(cluster[identities == i]) for i in np.unique(identities)]))


def _inside(codes: np.ndarray) -> float:
    """Mean share of a group that agrees with a member of it."""
    return float(np.mean(codes[:, None] == codes[None]))


def _swapped(labels: np.ndarray, identities: np.ndarray) -> tuple[float, float]:
    precision, recall = bcubed(labels, identities)
    return recall, precision


# ------------------------------------------------------------------------------------------------------------- core


def excess_leakage(labels: np.ndarray, cameras: np.ndarray, orders: np.ndarray) -> float:
    """I(label; camera) minus its mean over shuffled labels, in bits an image; outliers (-1) are left out first.

    Args:
        labels, cameras: (N,).
        orders: (P, M) permutations of the M images that have a cluster; shuffle p gives them the labels `kept[orders[p]]`.
    """
    kept, where = labels[labels != -1], cameras[labels != -1]
    shuffled = [_bits(kept[order], where) for order in orders]
    return _bits(kept, where) - float(np.mean(shuffled))


def _bits(labels: np.ndarray, cameras: np.ndarray) -> float:
    """Mutual information in bits."""
    _, y = np.unique(labels, return_inverse=True)
    _, c = np.unique(cameras, return_inverse=True)
    joint = np.zeros((y.max() + 1, c.max() + 1))
    np.add.at(joint, (y, c), 1.0 / len(y))
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    filled = joint > 0
    return float(np.sum(joint[filled] * np.log2(joint[filled] / independent[filled])))


def _leak_case(says: str, labels: list[int], cameras: list[int], orders: list[list[int]] | np.ndarray) -> Case:
    return Case(says, {"labels": np.array(labels), "cameras": np.array(cameras), "orders": np.array(orders)})


def _leak_cases() -> list[Case]:
    cases = [
        _leak_case("Each cluster is a camera; one shuffle mixes them: 1 - 0 bits.", [0, 0, 1, 1], [0, 0, 1, 1], [[0, 2, 1, 3]]),
        _leak_case("Labels can tell less than shuffled ones.", [0, 0, 0, 1, 1], [0, 1, 0, 1, 0], [[0, 3, 1, 4, 2]]),
        _leak_case("The outlier goes before anything is shuffled.", [0, -1, 1, 1, 0], [0, 1, 1, 1, 0], [[0, 1, 3, 2]]),
        _leak_case(
            "Three cameras, two shuffles.", [0, 0, 1, 1, 2, 2], [0, 0, 1, 2, 2, 2], [[5, 4, 3, 2, 1, 0], [0, 2, 4, 1, 3, 5]]
        ),
    ]
    draw = np.random.default_rng(702)
    for i in range(4):
        labels = np.r_[draw.integers(-1, 3, 9), [0, 1, 2]]
        orders = np.array([draw.permutation((labels != -1).sum()) for _ in range(3)])
        cases.append(_leak_case(f"Random labels {i}.", labels.tolist(), draw.integers(0, 3, 12).tolist(), orders))
    return cases


def _in_nats(labels: np.ndarray, cameras: np.ndarray, orders: np.ndarray) -> float:
    return excess_leakage(labels, cameras, orders) * float(np.log(2))


def _without_chance(labels: np.ndarray, cameras: np.ndarray, orders: np.ndarray) -> float:
    return _bits(labels[labels != -1], cameras[labels != -1])


def _shuffles_both(labels: np.ndarray, cameras: np.ndarray, orders: np.ndarray) -> float:
    kept, where = labels[labels != -1], cameras[labels != -1]
    return _bits(kept, where) - float(np.mean([_bits(kept[order], where[order]) for order in orders]))


def _cut_at_zero(labels: np.ndarray, cameras: np.ndarray, orders: np.ndarray) -> float:
    return max(0.0, excess_leakage(labels, cameras, orders))


# ---------------------------------------------------------------------------------------------------------- stretch


def rescuing_radius(
    distance: np.ndarray, identities: np.ndarray, who: int, radii: np.ndarray, eps: float, min_samples: int
) -> float:
    """The radius nearest to `eps` at which `who` holds more than half of some cluster; NaN when none does.

    Of two radii equally near the smaller one is taken. Clusters are those of DBSCAN.

    Args:
        distance: (N, N), symmetric.
        identities: (N,).
        who: the lost identity.
        radii: ascending.
        eps: the radius in use.
        min_samples: of DBSCAN.
    """
    for radius in sorted(radii.tolist(), key=lambda r: (abs(r - eps), r)):
        labels = DBSCAN(eps=radius, min_samples=min_samples, metric="precomputed").fit(distance).labels_
        if any(np.mean(identities[labels == k] == who) > 0.5 for k in np.unique(labels[labels >= 0])):
            return float(radius)
    return float("nan")


def _line(says: str, places: list[float], identities: list[int], who: int, radii: list[float], eps: float) -> Case:
    """People on a line: the distance of two images is how far apart they stand."""
    distance = np.abs(np.subtract.outer(places, places)).round(6)
    people = {"identities": np.array(identities), "who": who}
    return Case(says, {"distance": distance, **people, "radii": np.array(radii), "eps": eps, "min_samples": 3})


def _rescue_cases() -> list[Case]:
    tight, loose = [0.0, 0.1, 0.2], [1.0, 1.3, 1.6]
    cases = [
        _line("Person 8 is looser: a larger radius.", tight + loose, [7] * 3 + [8] * 3, 8, [0.125, 0.25, 0.5], 0.125),
        _line("Person 8 stands beside person 7: a smaller radius.", [0.0, 0.1, 0.2, 0.3, 0.6, 0.7, 0.8], [7] * 4 + [8] * 3, 8,
              [0.125, 0.25, 0.5], 0.5),
        _line("Two radii equally near, both work: the smaller.", [*tight, 5.0, 5.1, 5.2], [8] * 3 + [7] * 3, 8, [0.5, 1.0], 0.75),
        _line("Two images of it: nothing helps.", [0.0, 0.1, 0.9, 1.0, 1.1], [8, 8, 7, 7, 7], 8, [0.25, 0.5, 1.0], 0.25),
        _line("Half of a cluster is not more than half.", [0.0, 0.1, 0.2, 0.3], [8, 7, 8, 7], 8, [0.25, 0.5], 0.25),
    ]  # fmt: skip
    draw = np.random.default_rng(703)
    for i in range(5):
        people = np.repeat([7, 8, 7], [2 + i % 2, 4, 3])
        places = (np.arange(len(people)) * 0.25 + draw.random(len(people)) * 0.5).round(2).tolist()
        cases.append(_line(f"Random places {i}.", places, people.tolist(), 8, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], 0.4))
    return cases


def _smallest(distance: np.ndarray, identities: np.ndarray, who: int, radii: np.ndarray, eps: float, min_samples: int) -> float:
    return rescuing_radius(distance, identities, who, radii, 0.0, min_samples)


def _any_image(distance: np.ndarray, identities: np.ndarray, who: int, radii: np.ndarray, eps: float, min_samples: int) -> float:
    for radius in sorted(radii.tolist(), key=lambda r: (abs(r - eps), r)):
        labels = DBSCAN(eps=radius, min_samples=min_samples, metric="precomputed").fit(distance).labels_
        if (labels[identities == who] >= 0).any():
            return float(radius)
    return float("nan")


def _upwards_only(
    distance: np.ndarray, identities: np.ndarray, who: int, radii: np.ndarray, eps: float, min_samples: int
) -> float:
    return rescuing_radius(distance, identities, who, radii[radii >= eps], eps, min_samples)


EXERCISES = (
    Exercise(
        "07-warmup",
        "BCubed with outliers",
        difficulty=1,
        minutes=10,
        hints=(
            "Two questions about every image: who shares its cluster, and who shares its identity?",
            "Give each outlier a number of its own; then two tables of yes and no, image by image, and what they share.",
            "`together = c[:, None] == c[None]`, `same` likewise; `right = (together & same).sum(1)`; divide and average.",
        ),
        solution=bcubed,
        cases=_bcubed_cases,
        slips=(
            Slip(_outliers_together, "Your outliers are one big cluster; each of them is alone."),
            Slip(_outliers_dropped, "Your outliers are left out: then a labelling that dares little looks perfect."),
            Slip(_mean_over_clusters, "You average over clusters and identities; BCubed averages over images."),
            Slip(_swapped, "Precision comes first: it is about the image's cluster."),
        ),
    ),
    Exercise(
        "07-core",
        "leakage above chance",
        difficulty=2,
        minutes=15,
        hints=(
            "Lesson 06 has the information of labels and cameras. Here it is needed P + 1 times.",
            "Leave the outliers out first. Then shuffle the labels only: the cameras stay where they are.",
            "`I(kept, where) - mean(I(kept[order], where) for order in orders)`, with logarithms to base 2.",
        ),
        solution=excess_leakage,
        cases=_leak_cases,
        slips=(
            Slip(_in_nats, "This is in nats; bits need logarithms to base 2."),
            Slip(_without_chance, "This is the information itself; its level by chance is not taken away yet."),
            Slip(_cut_at_zero, "You cut at zero. Below zero is an answer too: better mixed than by chance."),
            Slip(_shuffles_both, "Labels and cameras are shuffled together: then nothing is shuffled."),
        ),
    ),
    Exercise(
        "07-stretch",
        "the radius that brings somebody back",
        difficulty=3,
        minutes=20,
        hints=(
            "Try the radii from the nearest to the furthest; the first that works is the smallest change.",
            "At each radius: cluster, then ask of every cluster whether more than half of it is `who`. Outliers are no cluster.",
            '`DBSCAN(eps=radius, min_samples=min_samples, metric="precomputed")`; sort the radii by `(abs(r - eps), r)`.',
        ),
        solution=rescuing_radius,
        cases=_rescue_cases,
        slips=(
            Slip(_smallest, "This is the smallest radius that works; wanted is the one nearest to the radius in use."),
            Slip(_any_image, "An image in a cluster is not enough: it may be somebody else's cluster."),
            Slip(_upwards_only, "You only try larger radii; who was swallowed needs a smaller one."),
        ),
    ),
)
