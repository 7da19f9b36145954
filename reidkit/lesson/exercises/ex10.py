"""Lesson 10: normalisation by camera with a way out for rare cameras, cluster selection, and a stop without labels."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import adjusted_rand_score

from reidkit.lesson.checks import Case, Exercise, Slip

# ---------------------------------------------------------------------------------------------------------- warm-up


def normalised(features: np.ndarray, cameras: np.ndarray, min_images: int) -> np.ndarray:
    """(N, D): each feature minus the mean of its camera, divided by the standard deviation of its camera, per dimension.

    A camera with fewer than `min_images` images takes mean and deviation of *all* images. Deviations are those of a whole
    population (divided by n), and 1e-6 at least.
    """
    result = np.zeros(features.shape)
    for camera in np.unique(cameras):
        rows = cameras == camera
        known = features[rows] if rows.sum() >= min_images else features
        result[rows] = (features[rows] - known.mean(axis=0)) / np.maximum(known.std(axis=0), 1e-6)
    return result


def _normalised_cases() -> list[Case]:
    rows = [
        ("One camera, one dimension: 1 and 3 become -1 and +1.", [[1], [3]], [0, 0], 2),
        ("Two cameras, one of them brighter by 10: after it they are alike.", [[1], [3], [11], [13]], [0, 0, 1, 1], 2),
        ("Camera 1 has one image; it takes the mean and deviation of all four.", [[1], [3], [5], [7]], [0, 0, 0, 1], 2),
        ("A dimension in which nothing differs.", [[1, 4], [3, 4]], [0, 0], 2),
        ("Camera names are names.", [[1], [3], [6], [2]], [9, 9, 4, 4], 2),
        ("Two images are too few when three are asked for.", [[1], [5], [0], [0], [8]], [0, 0, 1, 1, 1], 3),
    ]
    cases = [Case(s, {"features": np.array(f, float), "cameras": np.array(c), "min_images": m}) for s, f, c, m in rows]
    draw = np.random.default_rng(1001)
    for i in range(4):
        features, cameras = np.round(draw.normal(size=(9, 2)), 2), draw.integers(0, 4, 9)
        cases.append(Case(f"Random features {i}.", {"features": features, "cameras": cameras, "min_images": 2}))
    return cases


def _sample_deviation(features: np.ndarray, cameras: np.ndarray, min_images: int) -> np.ndarray:
    result = np.zeros(features.shape)
    for camera in np.unique(cameras):
        rows = cameras == camera
        known = features[rows] if rows.sum() >= min_images else features
        result[rows] = (features[rows] - known.mean(axis=0)) / np.maximum(known.std(axis=0, ddof=1), 1e-6)
    return result


def _all_together(features: np.ndarray, cameras: np.ndarray, min_images: int) -> np.ndarray:
    return normalised(features, np.zeros_like(cameras), 1)


def _zeros_for_few(features: np.ndarray, cameras: np.ndarray, min_images: int) -> np.ndarray:
    few = np.bincount(cameras)[cameras] < min_images
    return np.where(few[:, None], 0.0, normalised(features, cameras, 1))


def _shift_only(features: np.ndarray, cameras: np.ndarray, min_images: int) -> np.ndarray:
    result = np.zeros(features.shape)
    for camera in np.unique(cameras):
        rows = cameras == camera
        result[rows] = features[rows] - (features[rows] if rows.sum() >= min_images else features).mean(axis=0)
    return result


# ------------------------------------------------------------------------------------------------------------- core


def selected(labels: np.ndarray, cameras: np.ndarray, min_size: int) -> np.ndarray:
    """int (N,): labels of the clusters that have `min_size` images or more, from two cameras or more; all else is -1.

    The clusters that are left are renumbered 0, 1, 2 ... in their old order; -1 is an outlier before and after.
    """
    result = np.full(len(labels), -1)
    kept = 0
    for cluster in np.unique(labels[labels != -1]):
        rows = labels == cluster
        if rows.sum() >= min_size and len(np.unique(cameras[rows])) >= 2:
            result[rows] = kept
            kept += 1
    return result


def _selected_cases() -> list[Case]:
    rows = [
        ("One camera sees cluster 0; cluster 1 is left, and is renamed.", [0, 0, 1, 1], [0, 0, 0, 1], 2),
        ("Cluster 0 is too small.", [0, 0, 1, 1, 1], [0, 1, 0, 1, 1], 3),
        ("Four images of two cameras, five of one, three of three cameras.", [0] * 4 + [1] * 5 + [2] * 3, None, 4),
        ("Outliers of two cameras are no cluster.", [-1, -1, -1, 0, 0], [0, 1, 0, 0, 1], 2),
        ("Nothing is left.", [0, 0, 1, -1], [0, 0, 1, 0], 2),
        ("Nothing but outliers.", [-1, -1], [0, 1], 2),
    ]
    of_three = [1, 1, 2, 2, 3, 3, 3, 3, 3, 1, 2, 3]
    cases = [Case(s, {"labels": np.array(y), "cameras": np.array(c or of_three), "min_size": m}) for s, y, c, m in rows]
    draw = np.random.default_rng(1002)
    for i in range(5):
        labels = np.unique(np.r_[-1, draw.integers(-1, 4, 11)], return_inverse=True)[1] - 1
        cases.append(Case(f"Random labels {i}.", {"labels": labels, "cameras": draw.integers(0, 2, 12), "min_size": 3}))
    return cases


def _gaps_left(labels: np.ndarray, cameras: np.ndarray, min_size: int) -> np.ndarray:
    return np.where(selected(labels, cameras, min_size) >= 0, labels, -1)


def _any_camera(labels: np.ndarray, cameras: np.ndarray, min_size: int) -> np.ndarray:
    return selected(labels, np.arange(len(labels)), min_size)


def _any_size(labels: np.ndarray, cameras: np.ndarray, min_size: int) -> np.ndarray:
    return selected(labels, cameras, 1)


def _outliers_as_cluster(labels: np.ndarray, cameras: np.ndarray, min_size: int) -> np.ndarray:
    return selected(labels + 1, cameras, min_size)


def _larger_only(labels: np.ndarray, cameras: np.ndarray, min_size: int) -> np.ndarray:
    return selected(labels, cameras, min_size + 1)


# ---------------------------------------------------------------------------------------------------------- stretch


def steps_trained(labelings: np.ndarray, patience: int, agreement: float) -> int:
    """How many steps are trained before labels that stand still end the run; all of them when they never do.

    A step *stands still* when its labels and those of the step before agree: adjusted Rand index of at least `agreement` over
    the images that both keep, and a kept share that moved by 0.01 at most. After `patience` such steps in a row (and the
    training on the last of them) no further step is begun.

    Args:
        labelings: int (S, N), the labels of each step; -1 is an outlier.
    """
    still = 0
    for step in range(1, len(labelings)):
        before, after = labelings[step - 1], labelings[step]
        both = (before != -1) & (after != -1)
        same = both.any() and adjusted_rand_score(before[both], after[both]) >= agreement
        moved = abs((after != -1).mean() - (before != -1).mean())
        still = still + 1 if same and moved <= 0.01 else 0
        if still == patience:
            return step + 1
    return len(labelings)


def _step_cases() -> list[Case]:
    a, b, c = [0, 0, 1, 1, -1, -1], [0, 1, 0, 1, -1, -1], [0, 0, 1, 1, 2, 2]
    renamed, moved = [1, 1, 0, 0, -1, -1], [0, 0, 1, -1, 1, -1]
    rows = [
        ("Step 1 repeats step 0: with patience 1 two steps are trained.", [a, a, b, b], 1),
        ("Nothing stands still.", [a, b, a, b], 1),
        ("Two steps in a row are needed.", [a, a, a, b], 2),
        ("A step that moves begins the count anew.", [a, a, b, b, b, a], 2),
        ("Clusters got other numbers: the grouping is the same.", [a, renamed, b], 1),
        ("Other images are kept; those in both are grouped alike.", [a, moved, b, b], 1),
        ("The images that both keep agree, but more are kept.", [a, c, c, c], 1),
        ("No image is kept: nothing has settled.", [[-1] * 6, [-1] * 6, [-1] * 6], 1),
    ]
    cases = [Case(s, {"labelings": np.array(y), "patience": p, "agreement": 0.9}) for s, y, p in rows]
    draw = np.random.default_rng(1003)
    for i in range(5):
        picked = np.array([a, b, c, renamed, moved])[draw.choice(5, 7, p=(0.4, 0.1, 0.1, 0.3, 0.1))]
        cases.append(Case(f"Random steps {i}.", {"labelings": picked, "patience": 2, "agreement": 0.9}))
    return cases


def _not_in_a_row(labelings: np.ndarray, patience: int, agreement: float) -> int:
    still = 0
    for step in range(1, len(labelings)):
        before, after = labelings[step - 1], labelings[step]
        moved = abs((after != -1).mean() - (before != -1).mean())
        still += _alike(before, after, agreement) and moved <= 0.01
        if still == patience:
            return step + 1
    return len(labelings)


def _alike(before: np.ndarray, after: np.ndarray, agreement: float) -> bool:
    both = (before != -1) & (after != -1)
    return bool(both.any() and adjusted_rand_score(before[both], after[both]) >= agreement)


def _by_number(labelings: np.ndarray, patience: int, agreement: float) -> int:
    still = 0
    for step in range(1, len(labelings)):
        still = still + 1 if (labelings[step] == labelings[step - 1]).mean() >= agreement else 0
        if still == patience:
            return step + 1
    return len(labelings)


def _share_ignored(labelings: np.ndarray, patience: int, agreement: float) -> int:
    still = 0
    for step in range(1, len(labelings)):
        still = still + 1 if _alike(labelings[step - 1], labelings[step], agreement) else 0
        if still == patience:
            return step + 1
    return len(labelings)


def _outliers_grouped(labelings: np.ndarray, patience: int, agreement: float) -> int:
    return steps_trained(labelings + 1, patience, agreement)


def _one_early(labelings: np.ndarray, patience: int, agreement: float) -> int:
    found = steps_trained(labelings, patience, agreement)
    return found - (found < len(labelings))


EXERCISES = (
    Exercise(
        "10-warmup",
        "normalise by camera, and what a rare camera gets",
        difficulty=1,
        minutes=10,
        hints=(
            "Go through the cameras one by one; each has rows, and those rows have a mean and a deviation per dimension.",
            "Decide first whose statistics count: those of the camera's rows, or of all rows when the camera has too few.",
            "`known = f[rows] if rows.sum() >= min_images else f`; `(f[rows] - known.mean(0)) / maximum(known.std(0), 1e-6)`.",
        ),
        solution=normalised,
        cases=_normalised_cases,
        slips=(
            Slip(_sample_deviation, "Your deviation divides by n - 1; here it is that of a whole population, divided by n."),
            Slip(_all_together, "These are the statistics of all images together; each camera has its own."),
            Slip(_zeros_for_few, "A rare camera became a row of zeros; it takes mean and deviation of all images instead."),
            Slip(_shift_only, "The mean is taken away, but nothing is divided by the deviation."),
        ),
    ),
    Exercise(
        "10-core",
        "choose the clusters to be trained on",
        difficulty=2,
        minutes=15,
        hints=(
            "Two questions about each cluster: how many images, and how many different cameras?",
            "Outliers (-1) are no cluster and stay outliers. A classifier wants the numbers 0, 1, 2 ... without gaps.",
            "Start from an array of -1, go through `np.unique(labels[labels != -1])`, and count the clusters that pass.",
        ),
        solution=selected,
        cases=_selected_cases,
        slips=(
            Slip(_gaps_left, "The right clusters, but their numbers have gaps; renumber them 0, 1, 2 ..."),
            Slip(_any_camera, "Clusters of one camera are still there."),
            Slip(_any_size, "Clusters below `min_size` are still there."),
            Slip(_larger_only, "A cluster of exactly `min_size` images is large enough."),
            Slip(_outliers_as_cluster, "The outliers became a cluster."),
        ),
    ),
    Exercise(
        "10-stretch",
        "stop without looking at the test",
        difficulty=3,
        minutes=20,
        hints=(
            "Compare each step with the one before; count how many in a row stood still, and begin anew when one did not.",
            "Cluster numbers are names: compare groupings (`adjusted_rand_score`), over images that are in a cluster both times.",
            "Also compare `(after != -1).mean()` with `(before != -1).mean()`. When the count reaches `patience`: `step + 1`.",
        ),
        solution=steps_trained,
        cases=_step_cases,
        slips=(
            Slip(_not_in_a_row, "You count steps that stood still altogether; they have to come one after the other."),
            Slip(_share_ignored, "The share of images that are kept has to stand still as well."),
            Slip(_outliers_grouped, "Outliers are compared as if they were one cluster."),
            Slip(_by_number, "You compare cluster numbers; those are names, and change from step to step."),
            Slip(_one_early, "The step whose labels stood still is trained too; the one after it is not begun."),
        ),
    ),
)
