"""Galleries of one image an identity, and tracklets, against brute forces in plain Python."""

import itertools
import logging
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.errors import EvaluationError
from reidkit.evaluate import (
    CMC_PROTOCOLS,
    CONVENTIONS,
    PROTOCOLS,
    Tracklets,
    evaluate_cmc,
    evaluate_ranking,
    evaluate_tracklets,
    pool_tracklets,
)
from reidkit.evaluate.protocols import ELSEWHERE
from reidkit.formats import load
from tests import trees
from tests.toys import one_query


def left_over(q, query_ids, gallery_ids, query_cameras, gallery_cameras, rule):
    """Gallery rows that a query may meet, in plain words."""
    rows = []
    for g, identity in enumerate(gallery_ids):
        near = gallery_cameras[g] == query_cameras[q]
        out = {"market": near and identity == query_ids[q], "literal-camera": near, "no-camera": False}[rule]
        if identity != -1 and not out:
            rows.append(g)
    return rows


def place(row, chosen, right):
    """Rank of `right` among `chosen`, by distance and then by index."""
    return sorted(chosen, key=lambda g: (row[g], g)).index(right) + 1


def drawn_ranks(case, rule, repetitions, seed):
    """(R, Q) ranks by walking through the gallery in the documented order of each repetition."""
    distance, query_ids, gallery_ids = case[:3]
    generator, ranks = np.random.default_rng(seed), []
    for _ in range(repetitions):
        order, found = generator.permutation(len(gallery_ids)).tolist(), []
        for q, row in enumerate(distance.tolist()):
            kept = set(left_over(q, *case[1:], rule))
            seen, chosen, right = set(), [], None
            for g in order:
                identity = int(gallery_ids[g])
                if g not in kept or (identity > 0 and identity in seen):
                    continue
                seen.add(identity)
                chosen.append(g)
                if identity == query_ids[q]:
                    right = g
            found.append(0 if right is None else place(row, chosen, right))
        ranks.append(found)
    return np.array(ranks)


def expected_cmc(row, rows, gallery_ids, query_id, max_rank):
    """The mean curve of one query over *all* possible galleries, each as likely as another."""
    groups: dict[object, list[int]] = {}
    for g in rows:
        groups.setdefault(int(gallery_ids[g]) or f"distractor {g}", []).append(g)
    if query_id not in groups:
        return None
    names = list(groups)
    curves = []
    for chosen in itertools.product(*groups.values()):
        rank = place(row, chosen, chosen[names.index(query_id)])
        curves.append([rank <= k for k in range(1, max_rank + 1)])
    return np.mean(curves, axis=0)


@st.composite
def cases(draw):
    """Small galleries with ties, junk, distractors and queries that cannot be answered."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    queries, gallery, levels = draw(st.integers(1, 4)), draw(st.integers(1, 14)), draw(st.sampled_from([1, 4, 10**6]))
    distance = (rng.integers(0, levels, (queries, gallery)) / levels).astype(np.float32)
    ids = rng.integers(1, 6, queries), rng.integers(-1, 6, gallery)
    return distance, *ids, rng.integers(0, 3, queries), rng.integers(0, 3, gallery)


@settings(max_examples=150, deadline=None)
@given(cases(), st.sampled_from(PROTOCOLS), st.integers(1, 5), st.integers(0, 99))
def test_cuhk03_equals_a_walk_through_each_drawn_gallery(case, rule, repetitions, seed):
    wanted = drawn_ranks(case, rule, repetitions, seed)
    scores = evaluate_cmc(*case, camera_rule=rule, repetitions=repetitions, seed=seed, max_rank=7)
    np.testing.assert_array_equal(scores.ranks, wanted)
    answered = wanted[0] > 0
    assert (scores.answered, scores.unanswerable) == (answered.sum(), (~answered).sum())
    if answered.any():
        curves = [[np.mean(r[answered] <= k) for k in range(1, 8)] for r in wanted]
        np.testing.assert_allclose(scores.cmc, np.mean(curves, axis=0), rtol=1e-12)
        np.testing.assert_allclose(scores.cmc_sd, np.std(curves, axis=0), atol=1e-12)
        assert scores.rank(3) == scores.cmc[2]
    else:
        assert np.isnan(scores.cmc).all()


@pytest.mark.parametrize("rule", PROTOCOLS)
def test_many_draws_come_near_the_mean_over_all_galleries(rule):
    rng = np.random.default_rng(5)
    distance = rng.random((4, 14))
    case = distance, np.array([1, 2, 3, 1]), np.r_[1, 1, 1, 2, 2, 3, 3, 3, 4, 4, 0, 0, -1, -1]
    cameras = np.array([0, 1, 0, 2]), rng.integers(0, 3, 14)
    curves = [expected_cmc(distance[q], left_over(q, *case[1:], *cameras, rule), case[2], int(case[1][q]), 10) for q in range(4)]
    wanted = np.mean([curve for curve in curves if curve is not None], axis=0)
    scores = evaluate_cmc(*case, *cameras, camera_rule=rule, repetitions=4000, max_rank=10)
    error = 5 * scores.cmc_sd / math.sqrt(4000) + 1e-9
    assert (np.abs(scores.cmc - wanted) <= error).all()
    assert scores.cmc_sd.max() > 0.05


def test_chk_eval_5():
    """Ranked gallery B1, A, B2 with A right: half of the draws hide B1 behind B2, none both."""
    scores = evaluate_cmc(np.array([[0.1, 0.2, 0.3]]), [1], [2, 1, 2], camera_rule="no-camera", repetitions=4000, max_rank=3)
    assert scores.rank(1) == pytest.approx(0.5, abs=0.04)
    assert scores.rank(2) == scores.rank(99) == 1.0


def test_draws_are_seeded_nested_and_the_same_for_any_set_of_queries():
    rng = np.random.default_rng(0)
    case = rng.random((6, 40)), np.arange(6) % 3 + 1, rng.integers(1, 9, 40), np.zeros(6, int), rng.integers(1, 3, 40)
    whole, again = evaluate_cmc(*case, repetitions=20, seed=3), evaluate_cmc(*case, repetitions=20, seed=3)
    np.testing.assert_array_equal(whole.ranks, again.ranks)
    np.testing.assert_array_equal(evaluate_cmc(*case, repetitions=5, seed=3).ranks, whole.ranks[:5])
    part = evaluate_cmc(case[0][2:4], case[1][2:4], case[2], case[3][2:4], case[4], repetitions=20, seed=3)
    np.testing.assert_array_equal(part.ranks, whole.ranks[:, 2:4])
    assert (evaluate_cmc(*case, repetitions=20, seed=4).ranks != whole.ranks).any()


def test_the_two_published_camera_rules_of_cuhk03_differ():
    """Another person before the query's own camera is a wrong answer under one of them only."""
    case = np.array([[0.1, 0.2]]), [1], [2, 1], [0], [0, 1]
    assert evaluate_cmc(*case).rank(1) == 1.0 and evaluate_cmc(*case).camera_rule == "literal-camera"
    assert evaluate_cmc(*case, camera_rule="market").rank(1) == 0.0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_single_shot_is_the_plain_cmc_where_each_person_is_there_once(seed):
    rng = np.random.default_rng(seed)
    distance, gallery_ids = rng.integers(0, 6, (5, 12)) / 6, rng.permutation(np.r_[np.arange(1, 9), 0, 0, 0, -1])
    query_ids = rng.integers(1, 11, 5)
    scores = evaluate_cmc(distance, query_ids, gallery_ids, protocol="single-shot", max_rank=12)
    assert scores.ranks.shape == (1, 5) and (scores.protocol, scores.camera_rule) == ("single-shot", "no-camera")
    for q, identity in enumerate(query_ids):
        rows = [g for g in range(12) if gallery_ids[g] != -1]
        right = [g for g in rows if gallery_ids[g] == identity]
        assert scores.ranks[0, q] == (place(distance[q], rows, right[0]) if right else 0)
    plain = evaluate_ranking(distance, query_ids, gallery_ids, protocol="no-camera", max_rank=12)
    np.testing.assert_allclose(scores.cmc, plain.cmc, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"protocol": "cuhk3"}, "Did you mean 'cuhk03'"),
        ({"camera_rule": "camera"}, "'no-camera'"),
        ({"repetitions": 0}, "at least 1"),
        ({"max_rank": 0}, "at least 1"),
        ({"distance": np.zeros((2, 3))}, "queries, gallery"),
        ({"distance": np.array([[0.0, np.nan, 0.0, 0.0]])}, "query 0"),
        ({"query_cameras": None}, "Pass query_cameras"),
        ({"protocol": "single-shot"}, "several images of identity 1(.|\n)*protocol='cuhk03'"),
    ],
)
def test_refusals_of_cmc_name_the_next_action(change, words):
    with pytest.raises(EvaluationError, match=words):
        evaluate_cmc(**(one_query() | change))


def test_nothing_to_answer_is_said_aloud(caplog):
    with caplog.at_level(logging.WARNING):
        scores = evaluate_cmc(np.zeros((2, 1)), [1, 0], [0], protocol="single-shot")
    assert np.isnan(scores.cmc).all() and scores.unanswerable == 2 and "no query" in caplog.text
    assert evaluate_cmc(np.zeros((1, 0)), [1], np.zeros(0, int), camera_rule="no-camera").answered == 0


@pytest.mark.parametrize("name", ELSEWHERE)
def test_the_plain_ranking_says_who_scores_the_other_protocols(name):
    assert set(ELSEWHERE) == {*CMC_PROTOCOLS, "tracklet"}
    with pytest.raises(EvaluationError, match=r"Use reidkit\.evaluate\.evaluate_(cmc|tracklets)"):
        evaluate_ranking(np.zeros((1, 1)), [1], [1], [0], [1], protocol=name)


# --- tracklets -------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["mean", "max"]))
def test_pooling_equals_a_loop_over_frames_in_any_order(seed, how):
    rng = np.random.default_rng(seed)
    tracklet = rng.integers(3, 9, 30)
    rows, identity, camera = rng.normal(size=(30, 5)).astype(np.float32), tracklet % 3 - 1, tracklet % 2
    pooled = pool_tracklets(rows, tracklet, identity, camera, how=how)
    assert pooled.tracklet.tolist() == sorted(set(tracklet.tolist())) and len(pooled) == len(set(tracklet.tolist()))
    for t, number in enumerate(pooled.tracklet):
        frames = [rows[i].tolist() for i in range(30) if tracklet[i] == number]
        one = [max(column) if how == "max" else math.fsum(column) / len(frames) for column in zip(*frames)]
        norm = math.sqrt(sum(x * x for x in one))
        np.testing.assert_allclose(pooled.matrix[t], [x / norm for x in one], atol=1e-6)
        assert (pooled.frames[t], pooled.identity[t], pooled.camera[t]) == (len(frames), number % 3 - 1, number % 2)


def test_a_frame_of_zeros_stays_zero():
    assert (pool_tracklets(np.zeros((2, 3)), [4, 4], [1, 1], [0, 0]).matrix == 0).all()


def mars_in_small(rng, people=6):
    """Query and gallery tracklets: person 1 is seen by two cameras, in the queries only."""
    identity = np.r_[1, 1, rng.integers(2, people, 6), rng.integers(-1, people, 20)]
    identity[8:][identity[8:] == 1] = 2
    camera = np.r_[0, 1, rng.integers(0, 3, 26)]
    matrix = rng.normal(size=(28, 4))
    whole = pool_tracklets(matrix, np.arange(28) * 3 % 29, identity, camera)
    asked = np.isin(whole.tracklet, (np.arange(8) * 3 % 29))
    return [Tracklets(*(value[rows] for value in vars(whole).values())) for rows in (asked, ~asked)]


def brute_tracklets(query, gallery, convention):
    """AP of every query, one tracklet at a time."""
    rows = [(n, i, c, f) for n, i, c, f in zip(gallery.tracklet, gallery.identity, gallery.camera, gallery.matrix)]
    if convention == "queries-in-gallery":
        rows += [(n, i, c, f) for n, i, c, f in zip(query.tracklet, query.identity, query.camera, query.matrix)]
    rows.sort(key=lambda row: row[0])
    found = []
    for identity, camera, feature in zip(query.identity, query.camera, query.matrix):
        left = [row for row in rows if row[1] != -1 and not (row[1] == identity and row[2] == camera)]
        left.sort(key=lambda row: -float(np.dot(feature, row[3])))
        places = [place for place, row in enumerate(left, 1) if row[1] == identity]
        found.append(sum(n / p for n, p in enumerate(places, 1)) / len(places) if places else float("nan"))
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(CONVENTIONS)))
def test_tracklets_equal_brute_force_under_both_conventions(seed, convention):
    query, gallery = mars_in_small(np.random.default_rng(seed))
    scores = evaluate_tracklets(query, gallery, convention=convention)
    np.testing.assert_allclose(scores.average_precision, brute_tracklets(query, gallery, convention), rtol=1e-9)


def test_the_two_query_counts_of_mars_are_explained_by_queries_that_only_queries_answer():
    query, gallery = mars_in_small(np.random.default_rng(0))
    removed, inside = (evaluate_tracklets(query, gallery, convention=name) for name in ("queries-removed", "queries-in-gallery"))
    only = np.flatnonzero(query.identity == 1)
    assert np.isnan(removed.average_precision[only]).all() and np.isfinite(inside.average_precision[only]).all()
    assert inside.answered - removed.answered >= len(only) == 2
    assert CONVENTIONS["queries-in-gallery"] - CONVENTIONS["queries-removed"] == 140
    assert evaluate_tracklets(query, gallery).answered == removed.answered


def test_junk_is_ignored_and_distractors_stay():
    def sides(*others):
        rows = np.array([[1.0, 0.0], *(row for row, _ in others)])
        identity = np.array([1, *(who for _, who in others)])
        whole = pool_tracklets(rows, np.arange(len(rows)), identity, np.arange(len(rows)))
        return [Tracklets(*(v[part] for v in vars(whole).values())) for part in (slice(0, 1), slice(1, None))]

    right = ([0.8, 0.6], 1)
    assert evaluate_tracklets(*sides(right, ([1.0, 0.0], -1))).mean_ap == 1.0
    assert evaluate_tracklets(*sides(right, ([1.0, 0.0], 0))).mean_ap == 0.5


def test_the_mars_reader_says_which_tracklets_are_queries(tmp_path):
    """The tree has two queries: one with its answer in another camera, one without any."""
    table = load(trees.mars(tmp_path), "mars")
    sides = []
    for part in (table.query, table.gallery):
        rows = np.random.default_rng(0).random((len(part), 3))
        sides.append(pool_tracklets(rows, part.frame["tracklet"].to_numpy(), part.identity, part.camera))
    assert [len(side) for side in sides] == [2, 3] and sorted(sides[1].identity.tolist()) == [-1, 0, 2]
    for convention in CONVENTIONS:
        scores = evaluate_tracklets(*sides, convention=convention)
        assert (scores.answered, scores.unanswerable) == (1, 1)


def test_refusals_of_tracklets_name_the_next_action():
    rows, ones = np.ones((3, 2)), np.ones(3, int)
    for arguments, words in (
        ((rows, [1, 1, 2], [1, 2, 2], ones), "Tracklet 1 has several identities"),
        ((rows, [1, 1, 2], ones, [0, 1, 1]), "Tracklet 1 has several cameras"),
        ((rows, ones[:2], ones, ones), "of the same 3|same N frames"),
        ((rows, [0.5, 1, 2], ones, ones), "whole numbers"),
        ((np.full((3, 2), np.nan), ones, ones, ones), "Frame 0(.|\n)*network"),
    ):
        with pytest.raises(EvaluationError, match=words):
            pool_tracklets(*arguments)
    with pytest.raises(EvaluationError, match="Did you mean 'mean'"):
        pool_tracklets(rows, ones, ones, ones, how="meen")
    query, gallery = mars_in_small(np.random.default_rng(0))
    with pytest.raises(EvaluationError, match="Did you mean 'queries-removed'"):
        evaluate_tracklets(query, gallery, convention="queries-remove")
    with pytest.raises(EvaluationError, match="Leave the queries out"):
        evaluate_tracklets(query, query)
    with pytest.raises(EvaluationError, match="same network"):
        evaluate_tracklets(query, pool_tracklets(np.ones((1, 9)), [99], [1], [0]))
