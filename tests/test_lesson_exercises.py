"""Every check is tested itself: it accepts two right answers written differently and rejects three plausible wrong ones."""

import inspect
import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, mutual_info_score

from reidkit.lesson.checks import Case, Exercise, Slip, difference, judge, verdict_html
from reidkit.lesson.exercises import ex01, ex06, exercises_of, find_exercise, lessons_with_exercises
from tests import answers05, answers07, answers08, answers10, answers11, answers12, answers13, answers14, answers21, answers22

# ------------------------------------------------------------------------------------------ 01-warmup: AP of a ranking


def ap_by_loop(correct):
    found, total = 0, 0.0
    for rank, right in enumerate(correct, start=1):
        if right:
            found += 1
            total += found / rank
    return total / found if found else math.nan


def ap_by_library(correct):
    correct = np.asarray(correct)
    return average_precision_score(correct, -np.arange(len(correct))) if correct.any() else np.nan


def ap_ranks_from_zero(correct):
    ranks = np.flatnonzero(correct)
    return float(np.mean(np.arange(len(ranks)) / np.maximum(ranks, 1))) if len(ranks) else math.nan


def ap_divided_by_gallery(correct):
    precision = np.cumsum(correct) / np.arange(1, len(correct) + 1)
    return float((precision * correct).sum() / len(correct)) if any(correct) else math.nan


def ap_zero_for_none(correct):
    return ap_by_loop(correct) if any(correct) else 0.0


# ------------------------------------------------------------------------------------------------ 01-core: one query


def query_by_loop(distance, ids, cameras, who, camera):
    ranking = sorted(range(len(ids)), key=lambda i: (distance[i], i))
    kept = [i for i in ranking if ids[i] != -1 and not (ids[i] == who and cameras[i] == camera)]
    return ap_by_loop([ids[i] == who for i in kept])


def query_by_infinity(distance, ids, cameras, who, camera):
    removed = (ids == -1) | ((ids == who) & (cameras == camera))
    order = np.argsort(np.where(removed, np.inf, distance), kind="stable")[: int((~removed).sum())]
    right = ids[order] == who
    if right.sum() == 0:
        return float("nan")
    return float(((right.cumsum() / np.arange(1, len(right) + 1)) * right).sum() / right.sum())


def query_without_removal(distance, ids, cameras, who, camera):
    order = np.argsort(distance, kind="stable")
    return ap_by_loop((ids[order] == who)[ids[order] != -1])


def query_counts_junk_wrong(distance, ids, cameras, who, camera):
    keep = ~((ids == who) & (cameras == camera))
    return ap_by_loop(ids[keep][np.argsort(distance[keep], kind="stable")] == who)


def query_without_sorting(distance, ids, cameras, who, camera):
    keep = (ids != -1) & ~((ids == who) & (cameras == camera))
    return ap_by_loop(ids[keep] == who)


# --------------------------------------------------------------------------------------------- 01-stretch: evaluator


def mended_by_core(distance, query_ids, gallery_ids, query_cameras, gallery_cameras):
    rows = list(zip(distance, query_ids, query_cameras))
    aps = [query_by_loop(d, gallery_ids, gallery_cameras, q, c) for d, q, c in rows]
    tops = []
    for (d, q, c), ap in zip(rows, aps):
        if not math.isnan(ap):
            keep = (gallery_ids != -1) & ~((gallery_ids == q) & (gallery_cameras == c))
            tops.append(gallery_ids[keep][np.argmin(d[keep])] == q)
    return np.nanmean(aps), np.mean(tops)


def mended_by_matrix(distance, query_ids, gallery_ids, query_cameras, gallery_cameras):
    same = gallery_ids[None] == query_ids[:, None]
    removed = (gallery_ids == -1)[None] | (same & (gallery_cameras[None] == query_cameras[:, None]))
    order = np.argsort(np.where(removed, np.inf, distance), axis=1, kind="stable")
    right = np.take_along_axis(same & ~removed, order, 1)
    ranks = np.arange(1, right.shape[1] + 1)
    with np.errstate(invalid="ignore"):
        ap = (right.cumsum(1) / ranks * right).sum(1) / right.sum(1)
    ok = right.any(1)
    return [float(ap[ok].mean()), float(right[ok, 0].mean())]


def _partly_mended(camera=False, distractors=False, unanswered=False):
    """The flawed evaluator with the named errors left in."""

    def run(distance, query_ids, gallery_ids, query_cameras, gallery_cameras):
        aps, tops = [], []
        for row, q, c in zip(distance, query_ids, query_cameras):
            keep = gallery_cameras != c if camera else ~((gallery_ids == q) & (gallery_cameras == c))
            keep = keep & (gallery_ids > 0 if distractors else gallery_ids != -1)
            right = gallery_ids[keep][np.argsort(row[keep], kind="stable")] == q
            if right.any() or unanswered:
                aps.append(ap_by_loop(right) if right.any() else 0.0)
                tops.append(bool(right.any() and right[0]))
        return np.mean(aps), np.mean(tops)

    return run


# -------------------------------------------------------------------------------------------------- 06: pseudo-labels


def lost_by_sets(labels, identities):
    saved = {i for label, i in zip(labels.tolist(), identities.tolist()) if label >= 0}
    return sorted(set(identities.tolist()) - saved)


def lost_by_maximum(labels, identities):
    return np.array([i for i in np.unique(identities) if labels[identities == i].max() == -1])


def lost_counts_any(labels, identities):
    return np.unique(identities[labels < 0])


def lost_returns_number(labels, identities):
    return len(lost_by_sets(labels, identities))


def lost_smaller_than_two(labels, identities):
    return np.array([i for i in np.unique(identities) if (labels[identities == i] >= 0).sum() < 2])


def information_by_library(labels, cameras):
    return mutual_info_score(labels[labels >= 0], cameras[labels >= 0]) if (labels >= 0).any() else 0


def information_by_loop(labels, cameras):
    pairs = [(y, c) for y, c in zip(labels.tolist(), cameras.tolist()) if y != -1]
    n, total = len(pairs), 0.0
    for y, c in set(pairs):
        both = pairs.count((y, c))
        total += both / n * math.log(n * both / sum(p[0] == y for p in pairs) / sum(p[1] == c for p in pairs))
    return np.float64(total)


def information_with_outliers(labels, cameras):
    return mutual_info_score(labels, cameras)


def information_in_bits(labels, cameras):
    return information_by_library(labels, cameras) / math.log(2)


def information_normalised(labels, cameras):
    kept = cameras[labels >= 0]
    entropy = mutual_info_score(kept, kept) if len(kept) else 0.0
    return information_by_library(labels, cameras) / entropy if entropy else 0.0


def eps_by_loop(distance, rho):
    pairs = sorted(distance[i, j] for i in range(len(distance)) for j in range(i) if distance[i, j] != 0)
    take = max(1, round(rho * len(pairs)))
    return sum(pairs[:take]) / take


def eps_by_partition(distance, rho):
    upper = np.triu(distance)
    pairs = upper[upper > 0]
    take = max(1, int(np.round(rho * pairs.size)))
    return np.partition(pairs, take - 1)[:take].mean()


def eps_with_diagonal(distance, rho):
    pairs = np.sort(distance.reshape(-1))
    return pairs[: max(1, round(rho * len(pairs)))].mean()


def eps_as_percentile(distance, rho):
    return float(np.quantile(distance[np.triu_indices(len(distance), 1)], rho))


def eps_without_at_least_one(distance, rho):
    pairs = np.sort(distance[np.triu_indices(len(distance), 1)])
    pairs = pairs[pairs > 0]
    take = round(rho * len(pairs))
    return float(pairs[:take].mean()) if take else float("nan")


RIGHT = {
    "01-warmup": (ap_by_loop, ap_by_library),
    "01-core": (query_by_loop, query_by_infinity),
    "01-stretch": (mended_by_core, mended_by_matrix),
    "06-warmup": (lost_by_sets, lost_by_maximum),
    "06-core": (information_by_library, information_by_loop),
    "06-stretch": (eps_by_loop, eps_by_partition),
    **answers05.RIGHT,
    **answers07.RIGHT,
    **answers08.RIGHT,
    **answers10.RIGHT,
    **answers11.RIGHT,
    **answers12.RIGHT,
    **answers13.RIGHT,
    **answers14.RIGHT,
    **answers21.RIGHT,
    **answers22.RIGHT,
}
WRONG = {
    "01-warmup": (ap_ranks_from_zero, ap_divided_by_gallery, ap_zero_for_none),
    "01-core": (query_without_removal, query_counts_junk_wrong, query_without_sorting),
    "01-stretch": (_partly_mended(camera=True), _partly_mended(distractors=True), _partly_mended(unanswered=True)),
    "06-warmup": (lost_counts_any, lost_returns_number, lost_smaller_than_two),
    "06-core": (information_with_outliers, information_in_bits, information_normalised),
    "06-stretch": (eps_with_diagonal, eps_as_percentile, eps_without_at_least_one),
    **answers05.WRONG,
    **answers07.WRONG,
    **answers08.WRONG,
    **answers10.WRONG,
    **answers11.WRONG,
    **answers12.WRONG,
    **answers13.WRONG,
    **answers14.WRONG,
    **answers21.WRONG,
    **answers22.WRONG,
}
KEYS = [exercise.key for lesson in lessons_with_exercises() for exercise in exercises_of(lesson)]


def test_every_exercise_has_five_answers_here():
    assert sorted(RIGHT) == sorted(WRONG) == sorted(KEYS)
    assert all(len(RIGHT[key]) >= 2 and len(WRONG[key]) >= 3 for key in KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_right_answers_pass(key):
    for answer in RIGHT[key]:
        verdict = judge(find_exercise(key), answer)
        assert verdict.passed, (key, answer.__name__, verdict)


@pytest.mark.parametrize("key", KEYS)
def test_wrong_answers_are_told_what_differs(key):
    for answer in WRONG[key]:
        verdict = judge(find_exercise(key), answer)
        assert verdict.state == "wrong" and verdict.case is not None and verdict.reason, (key, answer)
        html, text = verdict_html(find_exercise(key), verdict)
        assert verdict.case.says in text and "expected" in text and len(text) < 1500 and "✘" in html


@pytest.mark.parametrize("key", KEYS)
def test_slips_are_wrong_and_are_recognised(key):
    exercise = find_exercise(key)
    for slip in exercise.slips:
        verdict = judge(exercise, slip.answer)
        assert verdict.state == "wrong" and verdict.clues, (key, slip.tell)
    assert judge(exercise, exercise.slips[0].answer).clues == (exercise.slips[0].tell,)


@pytest.mark.parametrize("key", KEYS)
def test_an_empty_stub_is_no_error(key):
    def raises(*_):
        raise NotImplementedError

    for stub in (raises, lambda *_: None, lambda *_: ...):
        assert judge(find_exercise(key), stub).state == "empty"


@pytest.mark.parametrize("key", KEYS)
def test_the_solution_is_right_on_its_own_cases_and_leaves_its_arguments_alone(key):
    assert judge(find_exercise(key), find_exercise(key).solution).passed


@pytest.mark.parametrize("lesson", lessons_with_exercises())
def test_a_lesson_has_a_warm_up_a_core_and_a_stretch(lesson):
    exercises = exercises_of(lesson)
    assert [e.difficulty for e in exercises] == [1, 2, 3] and all(e.minutes > 0 and len(set(e.hints)) == 3 for e in exercises)
    assert all(e.key.startswith(f"{lesson}-") for e in exercises)


def test_an_answer_that_changes_its_arguments_is_told():
    def sorts_in_place(distance, rho):
        answer = eps_by_loop(distance, rho)
        distance.sort()
        return answer

    verdict = judge(find_exercise("06-stretch"), sorts_in_place)
    assert verdict.state == "wrong" and "changed its arguments" in verdict.reason


def test_an_answer_that_fails_is_shown_not_raised():
    verdict = judge(find_exercise("06-core"), lambda labels, cameras: labels[99])
    assert verdict.state == "wrong" and "IndexError" in verdict.reason
    _, text = verdict_html(find_exercise("06-core"), verdict)
    assert "yours" not in text


def test_a_result_is_escaped():
    class Evil:
        def __repr__(self):
            return "<script>alert(1)</script>"

    html, _ = verdict_html(find_exercise("06-core"), judge(find_exercise("06-core"), lambda *_: Evil()))
    assert "<script" not in html and "&lt;script" in html


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        (0.5, np.float32(0.5), True),
        (0.5, True, False),
        (float("nan"), float("nan"), True),
        (float("nan"), 0.0, False),
        (0.0, float("nan"), False),
        (np.array([1, 2]), [1, 2], True),
        (np.array([1, 2]), [2, 1], False),
        (np.array([1, 2]), [[1, 2]], False),
        (np.array([], int), [], True),
        (np.array([1.0]), ["a"], False),
        ((1.0, 2.0), [1.0, 2.0], True),
        ((1.0, 2.0), (1.0, 2.1), False),
        ((1.0, 2.0), 1.0, False),
    ],
)
def test_difference(expected, got, same):
    assert (difference(expected, got, 1e-6) == "") is same


def test_the_first_wrong_case_is_the_one_shown():
    cases = [Case("small", {"x": 1}), Case("large", {"x": 10})]
    exercise = Exercise("99-core", "t", 2, 1, ("a", "b", "c"), lambda x: 2 * x, lambda: cases, (Slip(lambda x: x, "half"),))
    verdict = judge(exercise, lambda x: 2 * x if x < 5 else x)
    assert verdict.case is not None and verdict.case.says == "large" and verdict.clues == ("half",)


def test_solutions_can_be_shown():
    for key in KEYS:
        assert "def " in inspect.getsource(find_exercise(key).solution)


def test_chk_0_1_by_hand():
    case = ex01.EXERCISES[1].cases()[0]
    assert ex01.query_average_precision(*case.arguments.values()) == pytest.approx(7 / 12)


def test_chk_0_2_by_hand():
    case = ex01.EXERCISES[1].cases()[1]
    assert ex01.query_average_precision(*case.arguments.values()) == pytest.approx(0.5)
    whole_camera_removed = ex01.EXERCISES[1].slips[1].answer
    assert whole_camera_removed(*case.arguments.values()) == pytest.approx(5 / 6)


@pytest.mark.parametrize("seed", range(5))
def test_solutions_agree_with_the_library(seed):
    from reidkit.diagnose import mutual_information
    from reidkit.evaluate import evaluate_ranking
    from reidkit.labels import eps_from_closest_pairs

    draw = np.random.default_rng(seed)
    ids, cameras = draw.integers(-1, 6, 40), draw.integers(0, 3, 40)
    q_ids, q_cameras, distance = np.arange(1, 6), draw.integers(0, 3, 5), draw.random((5, 40))
    ours = ex01.evaluation(distance, q_ids, ids, q_cameras, cameras)
    library = evaluate_ranking(distance, q_ids, ids, q_cameras, cameras)
    assert ours == pytest.approx((library.mean_ap, library.cmc[0]))
    labels = draw.integers(-1, 8, 40)
    assert ex06.camera_information(labels, cameras) == pytest.approx(float(mutual_information(labels, cameras)))
    square = draw.random((30, 30))
    square = (square + square.T) / 2 * (1 - np.eye(30))
    assert ex06.eps_from_closest_pairs(square, 0.03) == pytest.approx(eps_from_closest_pairs(square, 0.03), rel=1e-5)
