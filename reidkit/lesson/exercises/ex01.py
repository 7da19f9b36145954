"""Lesson 01: average precision, one query under the Market protocol, and an evaluator with three errors."""

from __future__ import annotations

import numpy as np

from reidkit.lesson.checks import Case, Exercise, Slip

# ---------------------------------------------------------------------------------------------------------- warm-up


def average_precision(correct: np.ndarray) -> float:
    """AP of one ranking: the mean, over the correct entries, of the precision at their rank; NaN without any.

    Args:
        correct: bool (G,), the nearest gallery image first, True where it shows the right person.
    """
    if not correct.any():
        return float("nan")
    ranks = np.flatnonzero(correct) + 1
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def _ap_cases() -> list[Case]:
    rows = [
        ("One correct entry, at rank 2.", [0, 1]),
        ("CHK-0.1 after removal: wrong, right, right, wrong.", [0, 1, 1, 0]),
        ("Correct entries at ranks 1 and 4.", [1, 0, 0, 1]),
        ("All correct.", [1, 1, 1]),
        ("No correct entry: the query has no answer.", [0, 0, 0]),
    ]
    draw = np.random.default_rng(101)
    rows += [(f"Random ranking {i}.", [int(x) for x in draw.random(8) < 0.4]) for i in range(6)]
    return [Case(says, {"correct": np.array(row, bool)}) for says, row in rows]


def _mean_over_all_ranks(correct: np.ndarray) -> float:
    return float(np.mean(np.cumsum(correct) / np.arange(1, len(correct) + 1))) if correct.any() else float("nan")


def _reciprocal_rank(correct: np.ndarray) -> float:
    return float(1 / (np.argmax(correct) + 1)) if correct.any() else float("nan")


def _trapezoid(correct: np.ndarray) -> float:
    if not correct.any():
        return float("nan")
    hits = np.cumsum(correct)
    before = np.concatenate([[0], hits[:-1]]) / np.maximum(np.arange(len(correct)), 1)
    before[0] = 1.0
    after = hits / np.arange(1, len(correct) + 1)
    return float(np.sum((before + after)[correct] / 2) / correct.sum())


def _zero_when_empty(correct: np.ndarray) -> float:
    return average_precision(correct) if correct.any() else 0.0


# ------------------------------------------------------------------------------------------------------------- core


def query_average_precision(
    distance: np.ndarray, gallery_ids: np.ndarray, gallery_cameras: np.ndarray, query_id: int, query_camera: int
) -> float:
    """AP of one query under the Market protocol; NaN when no correct image is left.

    Args:
        distance: (G,) to each gallery image.
        gallery_ids: int (G,); -1 is junk, 0 a distractor.
    """
    junk = gallery_ids == -1
    same_camera = (gallery_ids == query_id) & (gallery_cameras == query_camera)
    keep = np.flatnonzero(~(junk | same_camera))
    order = keep[np.argsort(distance[keep], kind="stable")]
    return average_precision(gallery_ids[order] == query_id)


def _core_case(says: str, ids: list[int], cameras: list[int], distance: list[float] | None = None) -> Case:
    line = np.arange(len(ids)) / 10 if distance is None else np.array(distance)
    arrays = {"distance": line, "gallery_ids": np.array(ids), "gallery_cameras": np.array(cameras)}
    return Case(says, arrays | {"query_id": 1, "query_camera": 0})


def _core_cases() -> list[Case]:
    cases = [
        _core_case("CHK-0.1: the nearest image is the query's own camera's.", [1, 2, 1, 1, 3], [0, 1, 1, 2, 0]),
        _core_case("CHK-0.2: a stranger from the query's camera comes first.", [1, 3, 1, 2, 1], [0, 0, 1, 1, 2]),
        _core_case("A distractor (0) comes before the answer.", [0, 1], [1, 2]),
        _core_case("A junk box (-1) comes before the answer.", [-1, 1], [1, 2]),
        _core_case("Distances are not sorted.", [1, 2, 1], [1, 1, 2], [0.3, 0.1, 0.2]),
        _core_case("Only the query's own camera has this person.", [1, 2], [0, 1]),
    ]
    draw = np.random.default_rng(102)
    for i in range(6):
        ids, cameras = draw.integers(-1, 4, 9), draw.integers(0, 3, 9)
        cases.append(_core_case(f"Random gallery {i}.", ids.tolist(), cameras.tolist(), (draw.permutation(9) / 10).tolist()))
    return cases


def _ranked(distance: np.ndarray, ids: np.ndarray, query_id: int, keep: np.ndarray) -> float:
    rows = np.flatnonzero(keep)
    return average_precision(ids[rows[np.argsort(distance[rows], kind="stable")]] == query_id)


def _forgets_removal(d: np.ndarray, ids: np.ndarray, cameras: np.ndarray, who: int, camera: int) -> float:
    return _ranked(d, ids, who, ids != -1)


def _removes_camera(d: np.ndarray, ids: np.ndarray, cameras: np.ndarray, who: int, camera: int) -> float:
    return _ranked(d, ids, who, (ids != -1) & (cameras != camera))


def _keeps_junk(d: np.ndarray, ids: np.ndarray, cameras: np.ndarray, who: int, camera: int) -> float:
    return _ranked(d, ids, who, ~((ids == who) & (cameras == camera)))


def _drops_distractors(d: np.ndarray, ids: np.ndarray, cameras: np.ndarray, who: int, camera: int) -> float:
    return _ranked(d, ids, who, (ids > 0) & ~((ids == who) & (cameras == camera)))


def _farthest_first(d: np.ndarray, ids: np.ndarray, cameras: np.ndarray, who: int, camera: int) -> float:
    return query_average_precision(-d, ids, cameras, who, camera)


# ---------------------------------------------------------------------------------------------------------- stretch


def flawed_evaluation(
    distance: np.ndarray,
    query_ids: np.ndarray,
    gallery_ids: np.ndarray,
    query_cameras: np.ndarray,
    gallery_cameras: np.ndarray,
) -> tuple[float, float]:
    """(mAP, rank-1). It runs, its numbers look fine, and three of its lines break the Market protocol."""
    precisions, firsts = [], []
    for row, person, camera in zip(distance, query_ids, query_cameras):
        keep = gallery_cameras != camera
        keep &= gallery_ids > 0
        correct = gallery_ids[keep][np.argsort(row[keep], kind="stable")] == person
        if not correct.any():
            precisions.append(0.0)
            firsts.append(0.0)
            continue
        precisions.append(average_precision(correct))
        firsts.append(float(correct[0]))
    return float(np.mean(precisions)), float(np.mean(firsts))


def evaluation(
    distance: np.ndarray,
    query_ids: np.ndarray,
    gallery_ids: np.ndarray,
    query_cameras: np.ndarray,
    gallery_cameras: np.ndarray,
) -> tuple[float, float]:
    """(mAP, rank-1) under the Market protocol: junk and same-person-same-camera images go, distractors stay, and a
    query without an answer is left out of both means."""
    precisions, firsts = [], []
    for row, person, camera in zip(distance, query_ids, query_cameras):
        keep = (gallery_ids != -1) & ~((gallery_ids == person) & (gallery_cameras == camera))
        correct = gallery_ids[keep][np.argsort(row[keep], kind="stable")] == person
        if correct.any():
            precisions.append(average_precision(correct))
            firsts.append(float(correct[0]))
    return float(np.mean(precisions)), float(np.mean(firsts))


def _stretch_cases() -> list[Case]:
    line = np.arange(4) / 10
    cases = [
        _many("A stranger in the query's camera comes first.", line[None], [1], [2, 1, 1, 3], [0], [0, 1, 2, 1]),
        _many("A distractor comes first.", line[None], [1], [0, 1, 2, 1], [0], [1, 1, 1, 2]),
        _many("A junk box comes first.", line[None], [1], [-1, 1, 2, 1], [0], [1, 1, 1, 2]),
        _many("The second query has no answer.", np.stack([line, line]), [1, 2], [1, 2, 1, 3], [0, 0], [1, 0, 2, 1]),
    ]
    draw = np.random.default_rng(103)
    for i in range(5):
        ids, cameras = draw.integers(-1, 4, 10), draw.integers(0, 3, 10)
        distance = np.stack([draw.permutation(10) / 10 for _ in range(3)])
        cases.append(_many(f"Random search {i}.", distance, [1, 2, 3], ids.tolist(), [0, 1, 2], cameras.tolist()))
    return cases


def _many(says: str, distance: np.ndarray, q_ids: list[int], g_ids: list[int], q_cams: list[int], g_cams: list[int]) -> Case:
    names = ("query_ids", "gallery_ids", "query_cameras", "gallery_cameras")
    return Case(says, {"distance": distance} | {n: np.array(v) for n, v in zip(names, (q_ids, g_ids, q_cams, g_cams))})


EXERCISES = (
    Exercise(
        "01-warmup",
        "the average precision of a ranking",
        difficulty=1,
        minutes=8,
        hints=(
            "Look only at the ranks where the entry is correct.",
            "At such a rank r, precision is the number of correct entries among the first r, divided by r. Ranks begin at 1.",
            "Take `np.flatnonzero(correct) + 1` as ranks; the n-th of them has precision n / rank. Average; NaN if none.",
        ),
        solution=average_precision,
        cases=_ap_cases,
        slips=(
            Slip(_mean_over_all_ranks, "This comes out when precision is averaged over *all* ranks, not over the correct ones."),
            Slip(_reciprocal_rank, "This is the reciprocal of the first correct rank; the later correct entries count as well."),
            Slip(_trapezoid, "This is the area by trapezoids, as the first Market-1501 program had it; the field now uses sums."),
            Slip(_zero_when_empty, "A ranking without a correct entry has no AP: return NaN, so that nobody averages it in."),
        ),
    ),
    Exercise(
        "01-core",
        "one query under the Market protocol",
        difficulty=2,
        minutes=15,
        hints=(
            "Three kinds of gallery images: those to remove, those that are right, those that are wrong. Sort them first.",
            "Removed are junk (id -1), and images with the query's person *and* the query's camera. Distractors (0) are wrong.",
            "Build a mask `keep`, sort the kept distances with `kind='stable'`, compare ids with the query's, reuse your AP.",
        ),
        solution=query_average_precision,
        cases=_core_cases,
        slips=(
            Slip(
                _forgets_removal, "The same person in the query's own camera is still in the ranking: the easiest match of all."
            ),
            Slip(_removes_camera, "You removed *everyone* seen by the query's camera; only the same person's images go."),
            Slip(_keeps_junk, "Junk boxes (id -1) are still in the ranking; they count neither as right nor as wrong."),
            Slip(_drops_distractors, "You removed distractors (id 0); they stay, as wrong answers."),
            Slip(_farthest_first, "Your ranking begins with the farthest image: small distance means similar."),
        ),
    ),
    Exercise(
        "01-stretch",
        "mend an evaluator with three errors",
        difficulty=3,
        minutes=20,
        hints=(
            "Ask of each line: would the score of a *perfect* ranking still be 1? Would a worse gallery still cost something?",
            "One line is about the camera, one about ids that are not positive, one about queries without an answer.",
            "Keep `(gallery_ids != -1) & ~(same person & same camera)`; skip a query that has no correct image left.",
        ),
        solution=evaluation,
        cases=_stretch_cases,
        slips=(Slip(flawed_evaluation, "This is what the flawed evaluator returns."),),
    ),
)
