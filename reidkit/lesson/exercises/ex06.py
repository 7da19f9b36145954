"""Lesson 06: unseen identities, what a label tells about the camera, and eps without the truth."""

from __future__ import annotations

import numpy as np

from reidkit.lesson.checks import Case, Exercise, Slip

# ---------------------------------------------------------------------------------------------------------- warm-up


def unseen_identities(labels: np.ndarray, identities: np.ndarray) -> np.ndarray:
    """The identities, ascending, none of whose images is in a cluster (label -1 is an outlier): CANU's *lost* ones."""
    return np.setdiff1d(identities, identities[labels != -1])


def _unseen_cases() -> list[Case]:
    rows = [
        ("Person 8 has outliers only.", [0, 0, -1, -1], [7, 7, 8, 8]),
        ("Person 7 has one outlier, and one image in a cluster.", [0, -1, 1, 1], [7, 7, 8, 8]),
        ("Every image is an outlier.", [-1, -1, -1], [5, 3, 5]),
        ("Nobody is missing.", [0, 1, 0], [4, 9, 4]),
        ("Persons 7 and 8 share a cluster: merged, but seen.", [0, 0, 0, -1], [7, 7, 8, 9]),
    ]
    draw = np.random.default_rng(601)
    rows += [(f"Random labels {i}.", draw.integers(-1, 2, 8).tolist(), draw.integers(1, 6, 8).tolist()) for i in range(5)]
    return [Case(says, {"labels": np.array(a), "identities": np.array(b)}) for says, a, b in rows]


def _any_outlier(labels: np.ndarray, identities: np.ndarray) -> np.ndarray:
    return np.unique(identities[labels == -1])


def _no_own_cluster(labels: np.ndarray, identities: np.ndarray) -> np.ndarray:
    owners = []
    for cluster in np.unique(labels[labels != -1]):
        people, images = np.unique(identities[labels == cluster], return_counts=True)
        owners.append(people[np.argmax(images)])
    return np.setdiff1d(identities, np.array(owners, identities.dtype))


def _unsorted_repeats(labels: np.ndarray, identities: np.ndarray) -> np.ndarray:
    return identities[~np.isin(identities, identities[labels != -1])]


# ------------------------------------------------------------------------------------------------------------- core


def camera_information(labels: np.ndarray, cameras: np.ndarray) -> float:
    """I(label; camera) in nats over the images that are no outliers:

    sum over y, c of n_yc / n * log(n * n_yc / (n_y * n_c)); 0 when no image is left.
    """
    inlier = labels != -1
    if not inlier.any():
        return 0.0
    _, y = np.unique(labels[inlier], return_inverse=True)
    _, c = np.unique(cameras[inlier], return_inverse=True)
    joint = np.zeros((y.max() + 1, c.max() + 1))
    np.add.at(joint, (y, c), 1.0)
    joint /= joint.sum()
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    filled = joint > 0
    return float(np.sum(joint[filled] * np.log(joint[filled] / independent[filled])))


def _information_cases() -> list[Case]:
    rows = [
        ("Each cluster is one camera: log 2.", [0, 0, 1, 1], [0, 0, 1, 1]),
        ("Each cluster has both cameras alike: nothing to learn.", [0, 0, 1, 1], [0, 1, 0, 1]),
        ("Half way.", [0, 0, 1, 1], [0, 1, 1, 1]),
        ("Outliers do not count.", [0, 0, 1, 1, -1, -1], [0, 0, 1, 1, 0, 1]),
        ("Nothing but outliers.", [-1, -1], [0, 1]),
        ("Cluster numbers are names, not positions.", [5, 5, 90], [2, 2, 0]),
    ]
    draw = np.random.default_rng(602)
    rows += [(f"Random labels {i}.", draw.integers(-1, 3, 9).tolist(), draw.integers(0, 3, 9).tolist()) for i in range(5)]
    return [Case(says, {"labels": np.array(a), "cameras": np.array(b)}) for says, a, b in rows]


def _with_outliers(labels: np.ndarray, cameras: np.ndarray) -> float:
    return camera_information(labels - labels.min(), cameras)


def _in_bits(labels: np.ndarray, cameras: np.ndarray) -> float:
    return camera_information(labels, cameras) / float(np.log(2))


def _entropy_of_cameras(labels: np.ndarray, cameras: np.ndarray) -> float:
    kept = cameras[labels != -1]
    return camera_information(kept, kept)


# ---------------------------------------------------------------------------------------------------------- stretch


def eps_from_closest_pairs(distance: np.ndarray, rho: float) -> float:
    """Mean of the t smallest distances between different images, zeros left out; t = max(1, round(rho * pairs)).

    Args:
        distance: (N, N), symmetric.
        rho: share of the pairs, 0 to 1.
    """
    pairs = distance[np.triu_indices(len(distance), k=1)]
    pairs = np.sort(pairs[pairs > 0])
    return float(pairs[: max(1, round(rho * len(pairs)))].mean())


def _square(values: list[float], n: int) -> np.ndarray:
    square = np.zeros((n, n))
    square[np.triu_indices(n, 1)] = values
    return square + square.T


def _eps_cases() -> list[Case]:
    cases = [
        Case("Three images, a third of the pairs.", {"distance": _square([0.2, 0.6, 0.7], 3), "rho": 1 / 3}),
        Case("Two thirds of three pairs.", {"distance": _square([0.7, 0.2, 0.6], 3), "rho": 2 / 3}),
        Case("So small a share that no pair is left: take one.", {"distance": _square([0.5, 0.4, 0.9], 3), "rho": 0.01}),
        Case(
            "Two identical images: their zero says nothing.", {"distance": _square([0.0, 0.4, 0.4, 0.3, 0.9, 0.5], 4), "rho": 0.4}
        ),
    ]
    draw = np.random.default_rng(603)
    for i in range(5):
        values = np.round(draw.random(15), 2) * (draw.random(15) > 0.1)
        cases.append(Case(f"Random distances {i}.", {"distance": _square(values.tolist(), 6), "rho": 0.25}))
    return cases


def _keeps_diagonal(distance: np.ndarray, rho: float) -> float:
    pairs = np.sort(distance.ravel())
    return float(pairs[: max(1, round(rho * len(pairs)))].mean())


def _percentile(distance: np.ndarray, rho: float) -> float:
    pairs = distance[np.triu_indices(len(distance), k=1)]
    pairs = np.sort(pairs[pairs > 0])
    return float(pairs[max(1, round(rho * len(pairs))) - 1])


def _keeps_zeros(distance: np.ndarray, rho: float) -> float:
    pairs = np.sort(distance[np.triu_indices(len(distance), k=1)])
    return float(pairs[: max(1, round(rho * len(pairs)))].mean())


EXERCISES = (
    Exercise(
        "06-warmup",
        "who is never seen?",
        difficulty=1,
        minutes=6,
        hints=(
            "An identity is seen as soon as one of its images is in any cluster.",
            "First list the identities of all images whose label is not -1.",
            "`np.setdiff1d(all of them, the seen ones)` is sorted and has no repeats.",
        ),
        solution=unseen_identities,
        cases=_unseen_cases,
        slips=(
            Slip(_any_outlier, "These have at least *one* outlier; an identity is unseen when *all* its images are outliers."),
            Slip(_no_own_cluster, "These own no cluster (they are nowhere the majority); unseen means: in no cluster at all."),
            Slip(_unsorted_repeats, "Each identity once, in ascending order."),
        ),
    ),
    Exercise(
        "06-core",
        "what a label tells about the camera",
        difficulty=2,
        minutes=15,
        hints=(
            "Leave the outliers out first, then count how many images each pair (cluster, camera) has.",
            "With p the share of images in each pair, compare p with the product of its row sum and its column sum.",
            "Sum `p * log(p / (row * column))` over the pairs that occur; the natural logarithm gives nats.",
        ),
        solution=camera_information,
        cases=_information_cases,
        slips=(
            Slip(_with_outliers, "Outliers count here as one more cluster; they have no label, so leave them out."),
            Slip(_in_bits, "This is in bits (base 2); the lesson uses nats (natural logarithm)."),
            Slip(
                _entropy_of_cameras,
                "This is the entropy of the cameras: the most that a label could tell, not what it does tell.",
            ),
        ),
    ),
    Exercise(
        "06-stretch",
        "eps without the truth",
        difficulty=3,
        minutes=15,
        hints=(
            "Each pair of different images counts once: the part of the matrix above its diagonal.",
            "Drop exact zeros, sort, and take the first t = round(rho times the number of pairs left).",
            "`np.triu_indices(n, k=1)` picks the pairs; t is at least 1; the answer is the *mean* of those t distances.",
        ),
        solution=eps_from_closest_pairs,
        cases=_eps_cases,
        slips=(
            Slip(
                _keeps_diagonal,
                "The diagonal and both halves of the matrix are still in; each pair counts once, self-pairs never.",
            ),
            Slip(_percentile, "This is the t-th smallest distance (a percentile); the rule takes the mean of the first t."),
            Slip(_keeps_zeros, "Exact zeros (identical images) are still in; they pull eps down."),
        ),
    ),
)
