"""CMC, mAP and mINP against a brute force that follows the protocol's words one by one."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from reidkit.errors import EvaluationError
from reidkit.evaluate import PROTOCOLS, camera_pair_scores, evaluate_features, evaluate_ranking
from tests.toys import one_query


def brute_force(distance, query_ids, gallery_ids, query_cameras, gallery_cameras, protocol, max_rank):
    """mAP, CMC, mINP and AP of each query, with Python lists and no cleverness."""
    precisions, inverse, hits = [], [], []
    for q, row in enumerate(distance.tolist()):
        ranking = []
        for g in sorted(range(len(row)), key=lambda g: (row[g], g)):
            same_camera = gallery_cameras[g] == query_cameras[q]
            if gallery_ids[g] == -1:
                continue
            if protocol == "market" and same_camera and gallery_ids[g] == query_ids[q]:
                continue
            if protocol == "literal-camera" and same_camera:
                continue
            ranking.append(bool(gallery_ids[g] == query_ids[q]))
        if not any(ranking):
            precisions.append(float("nan"))
            continue
        right = [place for place, hit in enumerate(ranking, 1) if hit]
        precisions.append(sum(n / place for n, place in enumerate(right, 1)) / len(right))
        inverse.append(len(right) / right[-1])
        hits.append([any(ranking[:k]) for k in range(1, max_rank + 1)])
    if not hits:
        return float("nan"), np.full(max_rank, np.nan), float("nan"), precisions
    return np.nanmean(precisions), np.mean(hits, axis=0), np.mean(inverse), precisions


@st.composite
def cases(draw):
    """Small rankings with many ties, junk, distractors and queries that cannot be answered."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    queries, gallery = draw(st.integers(1, 6)), draw(st.integers(1, 25))
    levels = draw(st.sampled_from([1, 3, 10, 10**6]))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    distance = (rng.integers(0, levels, (queries, gallery)) / levels - 0.3).astype(dtype)
    query_ids, gallery_ids = rng.integers(1, 5, queries), rng.integers(-1, 5, gallery)
    return distance, query_ids, gallery_ids, rng.integers(0, 3, queries), rng.integers(0, 3, gallery)


@settings(max_examples=300, deadline=None)
@given(cases(), st.sampled_from(PROTOCOLS), st.sampled_from([1, 5, 40]))
def test_equals_brute_force(case, protocol, max_rank):
    mean_ap, cmc, mean_inp, precisions = brute_force(*case, protocol, max_rank)
    scores = evaluate_ranking(*case, protocol=protocol, max_rank=max_rank)
    np.testing.assert_allclose(scores.average_precision, precisions, rtol=1e-12)
    np.testing.assert_allclose([scores.mean_ap, scores.mean_inp], [mean_ap, mean_inp], rtol=1e-12)
    np.testing.assert_allclose(scores.cmc, cmc, rtol=1e-12)
    assert scores.unanswerable == int(np.isnan(precisions).sum()) == len(precisions) - scores.answered


def test_chk_0_1():
    """Same identity and camera leaves the ranking; the next image is a wrong one."""
    scores = score_in_order([(1, 0), (2, 1), (1, 1), (1, 2), (3, 0)], (1, 0))
    assert scores.cmc[:2].tolist() == [0, 1]
    assert scores.mean_ap == pytest.approx(7 / 12, abs=1e-12)


def test_chk_0_2():
    """The code's camera rule and the literal one give other numbers on the same ranking."""
    order = [(1, 0), (3, 0), (1, 1), (2, 1), (1, 2)]
    market, literal = (score_in_order(order, (1, 0), protocol) for protocol in ("market", "literal-camera"))
    assert (market.rank(1), market.mean_ap) == (0.0, pytest.approx(0.5, abs=1e-12))
    assert (literal.rank(1), literal.mean_ap) == (1.0, pytest.approx(5 / 6, abs=1e-12))


def test_chk_eval_1_junk_goes_and_distractors_stay():
    order = [(1, 1), (2, 2), (1, 2), (0, 3), (-1, 2), (1, 3), (3, 1), (1, 1), (1, 4)]
    scores = score_in_order(order, (1, 1))
    assert scores.mean_ap == pytest.approx(0.5, abs=1e-12)
    assert scores.cmc[:2].tolist() == [0, 1]


def test_chk_eval_4_an_unanswerable_query_changes_no_mean():
    rng = np.random.default_rng(0)
    distance, gallery_ids, cameras = rng.random((3, 20)), rng.integers(1, 4, 20), rng.integers(0, 3, 20)
    gallery_ids[0], cameras[0] = 9, 0
    base = evaluate_ranking(distance[:2], np.array([1, 2]), gallery_ids, np.array([0, 1]), cameras)
    more = evaluate_ranking(distance, np.array([1, 2, 9]), gallery_ids, np.array([0, 1, 0]), cameras)
    assert (more.mean_ap, more.mean_inp) == (base.mean_ap, base.mean_inp)
    assert more.cmc.tolist() == base.cmc.tolist()
    assert (more.unanswerable, more.answered) == (1, 2)
    assert np.isnan(more.average_precision[2])


def test_average_precision_is_scikit_learns_without_ties():
    rng = np.random.default_rng(1)
    distance, query_ids, gallery_ids = rng.random((8, 200)), rng.integers(1, 6, 8), rng.integers(0, 6, 200)
    scores = evaluate_ranking(distance, query_ids, gallery_ids, protocol="no-camera")
    wanted = [average_precision_score(gallery_ids == query_ids[q], -distance[q]) for q in range(8)]
    np.testing.assert_allclose(scores.average_precision, wanted, rtol=1e-12)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scores_from_features_need_no_matrix(protocol):
    rng = np.random.default_rng(4)
    query, gallery = (rng.normal(size=(n, 16)).astype(np.float32) for n in (150, 90))
    query, gallery = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (query, gallery))
    columns = rng.integers(1, 8, 150), rng.integers(-1, 8, 90), rng.integers(0, 3, 150), rng.integers(0, 3, 90)
    distance = 1 - query.astype(np.float64) @ gallery.T.astype(np.float64)
    wanted = evaluate_ranking(distance, *columns, protocol=protocol)
    scores = evaluate_features(query, gallery, *columns, protocol=protocol)
    np.testing.assert_allclose(scores.average_precision, wanted.average_precision, rtol=1e-12)
    assert scores.cmc.tolist() == wanted.cmc.tolist()
    with pytest.raises(EvaluationError, match="One row an image"):
        evaluate_features(query[:9], gallery, *columns)


def test_ties_break_by_gallery_index():
    """With all distances equal the ranking is the gallery's own order."""
    scores = evaluate_ranking(np.zeros((1, 4)), np.array([1]), np.array([2, 1, 2, 1]), np.array([0]), np.full(4, 1))
    assert scores.mean_ap == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert scores.first_hit.tolist() == [2]


def test_junk_equals_leaving_it_out():
    rng = np.random.default_rng(2)
    distance, gallery_ids, cameras = rng.random((5, 60)), rng.integers(-1, 4, 60), rng.integers(0, 3, 60)
    query = np.arange(5) % 3 + 1, np.arange(5) % 3
    real = gallery_ids != -1
    whole = evaluate_ranking(distance, query[0], gallery_ids, query[1], cameras)
    without = evaluate_ranking(distance[:, real], query[0], gallery_ids[real], query[1], cameras[real])
    assert whole.mean_ap == without.mean_ap
    assert whole.cmc.tolist() == without.cmc.tolist()


def test_camera_pairs_are_scores_of_the_sub_galleries():
    rng = np.random.default_rng(3)
    distance, query_ids, gallery_ids = rng.random((12, 50)), rng.integers(1, 5, 12), rng.integers(0, 5, 50)
    query_cameras, gallery_cameras = rng.integers(0, 3, 12), rng.integers(0, 3, 50)
    frame = camera_pair_scores(distance, query_ids, gallery_ids, query_cameras, gallery_cameras)
    assert len(frame) == len(np.unique(query_cameras)) * len(np.unique(gallery_cameras))
    for row in frame.itertuples():
        a, b = np.flatnonzero(query_cameras == row.query_camera), np.flatnonzero(gallery_cameras == row.gallery_camera)
        part = distance[np.ix_(a, b)]
        wanted = brute_force(part, query_ids[a], gallery_ids[b], query_cameras[a], gallery_cameras[b], "market", 1)
        np.testing.assert_allclose([row.mean_ap, row.mean_inp, row.rank1], [wanted[0], wanted[2], wanted[1][0]], rtol=1e-12)
        assert row.queries == int(np.isfinite(wanted[3]).sum())
    same = frame[frame.query_camera == frame.gallery_camera]
    assert (same.queries == 0).all()
    assert same.mean_ap.isna().all()


def test_no_answerable_query_is_said_aloud(caplog):
    with caplog.at_level(logging.WARNING):
        scores = evaluate_ranking(np.zeros((2, 1)), np.array([1, 2]), np.array([3]), np.array([0, 0]), np.array([1]))
    assert np.isnan(scores.mean_ap)
    assert scores.unanswerable == 2
    assert "no query" in caplog.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"protocol": "markt"}, "Did you mean 'market'"),
        ({"distance": np.zeros((2, 3))}, "queries, gallery"),
        ({"distance": np.array([[0.0, np.nan, 0.0, 0.0]])}, "query 0"),
        ({"query_cameras": None}, "no-camera"),
        ({"gallery_cameras": np.zeros(3, int)}, "[Oo]ne identity and one camera"),
        ({"max_rank": 0}, "max_rank"),
    ],
)
def test_refusals_name_the_rule(change, words):
    with pytest.raises(EvaluationError, match=words):
        evaluate_ranking(**(one_query() | change))


def test_evaluate_needs_no_torch(run_without_torch):
    run_without_torch("import reidkit.evaluate")


@pytest.fixture
def run_without_torch():
    """Run a line in a fresh interpreter and fail when it pulled in torch."""
    import subprocess
    import sys

    def run(line):
        code = f"import sys\n{line}\nassert 'torch' not in sys.modules"
        subprocess.run([sys.executable, "-c", code], check=True)

    return run


def score_in_order(order, query, protocol="market"):
    """Scores of one query against a gallery given in the order of its ranking."""
    ids, cameras = np.array(order).T
    distance = np.arange(len(order), dtype=np.float32)[None]
    return evaluate_ranking(distance, np.array([query[0]]), ids, np.array([query[1]]), cameras, protocol=protocol)
