"""Lesson 11: features of stripes, the images that every view keeps, and the triplet over all pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reidkit.lesson.checks import Case, Exercise, Slip

# ---------------------------------------------------------------------------------------------------------- warm-up


def stripe_features(feature_map: np.ndarray, stripes: int) -> np.ndarray:
    """(1 + S, C): the mean of the whole map, then that of each of S equal stripes, from top to bottom.

    Args:
        feature_map: (C, h, w); h is a multiple of S.
        stripes: S.
    """
    parts = np.split(feature_map, stripes, axis=1)
    return np.stack([part.mean(axis=(1, 2)) for part in (feature_map, *parts)])


def _map_case(says: str, feature_map: ArrayLike, stripes: int) -> Case:
    return Case(says, {"feature_map": np.asarray(feature_map, float), "stripes": stripes})


def _stripe_cases() -> list[Case]:
    column = np.arange(8.0)[None, :, None]
    cases = [
        _map_case("One channel, one column of 0 to 7: whole 3.5, upper 1.5, lower 5.5.", column, 2),
        _map_case("Two columns: a stripe is a band of rows, as wide as the map.", [[[0, 4], [0, 4], [2, 2], [6, 6]]], 2),
        _map_case("Two channels stay apart.", [[[1, 1], [3, 3]], [[0, 8], [0, 0]]], 2),
        _map_case("Three stripes.", column[:, :6], 3),
        _map_case("One stripe is the whole again.", [[[1, 2], [3, 6]]], 1),
    ]
    draw = np.random.default_rng(1101)
    return cases + [_map_case(f"Random map {i}.", draw.integers(0, 9, (2 + i, 4, 2)), (2, 4)[i % 2]) for i in range(3)]


def _left_and_right(feature_map: np.ndarray, stripes: int) -> np.ndarray:
    parts = np.array_split(feature_map, stripes, axis=2)
    return np.stack([part.mean(axis=(1, 2)) if part.size else np.zeros(len(part)) for part in (feature_map, *parts)])


def _summed(feature_map: np.ndarray, stripes: int) -> np.ndarray:
    return np.stack([part.sum(axis=(1, 2)) for part in (feature_map, *np.split(feature_map, stripes, axis=1))])


def _largest(feature_map: np.ndarray, stripes: int) -> np.ndarray:
    return np.stack([part.max(axis=(1, 2)) for part in (feature_map, *np.split(feature_map, stripes, axis=1))])


def _whole_last(feature_map: np.ndarray, stripes: int) -> np.ndarray:
    return np.roll(stripe_features(feature_map, stripes), -1, axis=0)


# ------------------------------------------------------------------------------------------------------------- core


def keep_in_all(labels: np.ndarray) -> np.ndarray:
    """(N, P) labels for training: an outlier of any view is one in all, and each view's clusters are 0..M-1 without gaps.

    What is left keeps its order: of two clusters, the one with the lower number before has it afterwards.

    Args:
        labels: (N, P), one column a view, -1 = outlier.
    """
    kept = (labels != -1).all(axis=1)
    result = np.full_like(labels, -1)
    for view in range(labels.shape[1]):
        result[kept, view] = np.unique(labels[kept, view], return_inverse=True)[1]
    return result


def _label_case(says: str, labels: list[list[int]] | np.ndarray) -> Case:
    return Case(says, {"labels": np.array(labels)})


def _keep_cases() -> list[Case]:
    cases = [
        _label_case("An outlier of one view, whichever, is one of all.", [[0, 0, 0], [-1, 0, 0], [0, 0, -1]]),
        _label_case("A cluster that nobody is left of leaves a gap; close it.", [[0, 0, 0], [2, 0, 0], [1, -1, 0]]),
        _label_case("Each view has its own numbers.", [[3, 0, 1], [0, 3, 1], [1, -1, 0], [-1, 1, 2]]),
        _label_case("Two views only.", [[1, 1], [-1, 0], [1, 2], [0, -1]]),
        _label_case("Nobody is left.", [[0, -1, 0], [-1, 0, 0]]),
        _label_case("The order of the numbers stays, not that of the images.", [[3, 0, 0], [1, 0, 0], [0, 0, -1], [3, 1, 0]]),
    ]
    draw = np.random.default_rng(1102)
    return cases + [_label_case(f"Random labels {i}.", draw.integers(-1, 4, (8, 3))) for i in range(4)]


def _with_gaps(labels: np.ndarray) -> np.ndarray:
    return np.where((labels != -1).all(axis=1)[:, None], labels, -1)


def _any_view(labels: np.ndarray) -> np.ndarray:
    result = np.full_like(labels, -1)
    for view in range(labels.shape[1]):
        kept = labels[:, view] != -1
        result[kept, view] = np.unique(labels[kept, view], return_inverse=True)[1]
    return result


def _first_view_decides(labels: np.ndarray) -> np.ndarray:
    kept = labels[:, 0] != -1
    result = np.full_like(labels, -1)
    for view in range(labels.shape[1]):
        names, number = np.unique(labels[kept, view], return_inverse=True)
        result[kept, view] = number - int((names == -1).any())
    return result


def _rows_dropped(labels: np.ndarray) -> np.ndarray:
    return keep_in_all(labels)[(labels != -1).all(axis=1)]


def _one_numbering(labels: np.ndarray) -> np.ndarray:
    """Numbers shared by all views."""
    kept = (labels != -1).all(axis=1)
    result = np.full_like(labels, -1)
    result[kept] = np.unique(labels[kept], return_inverse=True)[1].reshape(-1, labels.shape[1])
    return result


# ---------------------------------------------------------------------------------------------------------- stretch


def triplet_of_all_pairs(features: np.ndarray, labels: np.ndarray, margin: float) -> float:
    """Mean over all pairs (a, p), p after a in the batch and of a's label, of max(0, d(a, p) - d(a, n) + margin).

    d is the Euclidean distance, and n the nearest image to a that has another label. Without a pair, or without a second
    label, the loss is 0.

    Args:
        features: (B, D).
        labels: (B,).
        margin: in units of the distance.
    """
    distance = np.linalg.norm(features[:, None] - features[None], axis=2)
    same = labels[:, None] == labels[None]
    anchor, positive = np.nonzero(np.triu(same, 1))
    if same.all() or not len(anchor):
        return 0.0
    nearest = np.where(same, np.inf, distance).min(axis=1)
    return float(np.maximum(0.0, distance[anchor, positive] - nearest[anchor] + margin).mean())


def _batch(says: str, places: ArrayLike, labels: list[int], margin: float = 0.5) -> Case:
    """Images on a line, or rows of features."""
    rows = np.asarray(places, float)
    return Case(says, {"features": rows[:, None] if rows.ndim == 1 else rows, "labels": np.array(labels), "margin": margin})


def _triplet_cases() -> list[Case]:
    draw = np.random.default_rng(1103)
    cases = [
        _batch("Three of one label make three pairs, two make one: (0 + 1 + 1 + 4) / 4.", [0, 1, 4, 6, 9], [2, 2, 2, 0, 0], 3.0),
        _batch("Two pairs on a line: (max(0, 1 - 3 + 0.5) + max(0, 4 - 2 + 0.5)) / 2 = 1.25.", [0, 1, 3, 7], [0, 0, 1, 1]),
        _batch("Partners need not stand side by side.", [0, 5, 6, 1], [0, 1, 1, 0], 5.0),
        _batch("A lone label makes no pair.", [0, 1, 4, 6], [2, 2, 2, 0], 3.0),
        _batch("Two coordinates: the distance is not squared.", np.array([[0, 0], [3, 4], [0, 6], [5, 5]]), [0, 0, 1, 1], 1.0),
        _batch("Only one label: there is no negative.", [0, 1, 2], [3, 3, 3]),
        _batch("All labels differ: there is no pair.", [0, 1, 2], [0, 1, 2]),
    ]
    for i in range(4):
        cases.append(_batch(f"Random batch {i}.", draw.integers(0, 6, (7, 2)), draw.integers(0, 3, 7).tolist(), 1.0))
    return cases


def _batch_hard(features: np.ndarray, labels: np.ndarray, margin: float) -> float:
    distance = np.linalg.norm(features[:, None] - features[None], axis=2)
    same = labels[:, None] == labels[None]
    if same.all():
        return 0.0
    farthest, nearest = np.where(same, distance, -np.inf).max(axis=1), np.where(same, np.inf, distance).min(axis=1)
    return float(np.maximum(0.0, farthest - nearest + margin).mean())


def _both_ways(features: np.ndarray, labels: np.ndarray, margin: float) -> float:
    forth, back = (triplet_of_all_pairs(features[::step], labels[::step], margin) for step in (1, -1))
    return (forth + back) / 2


def _side_by_side(features: np.ndarray, labels: np.ndarray, margin: float) -> float:
    distance = np.linalg.norm(features[:, None] - features[None], axis=2)
    same = labels[:, None] == labels[None]
    if same.all():
        return 0.0
    nearest = np.where(same, np.inf, distance).min(axis=1)
    anchors = range(0, len(labels) - 1, 2)
    return float(np.mean([max(0.0, distance[a, a + 1] - nearest[a] + margin) for a in anchors]))


def _summed_up(features: np.ndarray, labels: np.ndarray, margin: float) -> float:
    pairs = int(np.triu(labels[:, None] == labels[None], 1).sum())
    return triplet_of_all_pairs(features, labels, margin) * pairs


EXERCISES = (
    Exercise(
        "11-warmup",
        "features of stripes",
        difficulty=1,
        minutes=8,
        hints=(
            "A feature here is the mean of a channel over places. Which places belong to the upper half of a body?",
            "The map is (channels, rows, columns): cut the rows into equal bands, and average over rows and columns of each.",
            "`np.split(feature_map, stripes, axis=1)`, then `.mean(axis=(1, 2))` of the whole map and of each part, stacked.",
        ),
        solution=stripe_features,
        cases=_stripe_cases,
        slips=(
            Slip(_left_and_right, "You cut columns: that is left and right, not above and below."),
            Slip(_summed, "You sum; with means the size of a stripe plays no part."),
            Slip(_largest, "This is the largest value; SSG takes the mean."),
            Slip(_whole_last, "The whole comes first, then the stripes from top to bottom."),
        ),
    ),
    Exercise(
        "11-core",
        "kept by every view",
        difficulty=2,
        minutes=12,
        hints=(
            "Two steps: who stays, and what are the clusters called afterwards?",
            "Somebody stays with a cluster in every column. A cluster that lost everybody must not leave an empty number.",
            "`kept = (labels != -1).all(axis=1)`; per column, `np.unique(labels[kept, view], return_inverse=True)[1]`.",
        ),
        solution=keep_in_all,
        cases=_keep_cases,
        slips=(
            Slip(_with_gaps, "The right images stay, but a number without images is left: renumber what remains."),
            Slip(_any_view, "You treat each view on its own; an outlier of one view is left out of all."),
            Slip(_first_view_decides, "Only the first view decides here; all of them do."),
            Slip(_rows_dropped, "Keep one row for each image: the sampler needs to know which images are left out."),
            Slip(_one_numbering, "Each view has clusters of its own, numbered from 0."),
        ),
    ),
    Exercise(
        "11-stretch",
        "the triplet over all pairs",
        difficulty=3,
        minutes=20,
        hints=(
            "Make the list of pairs first, each pair once; then one number an image: how far its nearest stranger is.",
            "Positives and negatives are both decided by `labels`. The first image of a pair is the anchor.",
            "`np.triu(labels[:, None] == labels[None], 1)` has the pairs; `inf` where labels agree, then the minimum of a row.",
        ),
        solution=triplet_of_all_pairs,
        cases=_triplet_cases,
        slips=(
            Slip(_batch_hard, "This is batch-hard: one term an image, its farthest partner. Here every pair is a term."),
            Slip(_both_ways, "You count each pair from both ends; only the earlier image is the anchor."),
            Slip(_side_by_side, "You pair neighbours in the batch, whatever their labels: that is the released code's quirk."),
            Slip(_summed_up, "You sum over the pairs; the loss is their mean."),
        ),
    ),
)
