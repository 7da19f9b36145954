"""`QueryExplorer`: its rankings, their order, and what a protocol takes out."""

import numpy as np
import pandas as pd
import pytest

from reidkit.diagnose.ranking import average_precision, rank_query
from reidkit.errors import DiagnosisError
from reidkit.evaluate import PROTOCOLS, evaluate_ranking
from tests.show_toys import explorer


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_rankings_agree_with_the_evaluation_and_with_a_loop(protocol: str) -> None:
    view = explorer(3, protocol=protocol, order="as given", top=30)
    sides = view.query.identity, view.gallery.identity, view.query.camera, view.gallery.camera
    scores = evaluate_ranking(view.distance, *sides, protocol=protocol)
    for position in range(len(view.query)):
        ranking = view.set(position=position).data()
        np.testing.assert_allclose(average_precision(ranking), scores.average_precision[position])
        identity, camera, rank = view.query.identity[position], view.query.camera[position], 0
        assert ranking["distance"].is_monotonic_increasing and len(ranking) == 30
        for row in ranking.itertuples():
            same_camera = view.gallery.camera[row.image] == camera
            who = view.gallery.identity[row.image]
            assert (row.identity, row.camera) == (who, view.gallery.camera[row.image])
            out = {"market": same_camera and who == identity, "literal-camera": same_camera, "no-camera": False}[protocol]
            mark = "junk" if who == -1 else "same camera" if out else "match" if who == identity else "mismatch"
            assert row.mark == mark
            rank += mark in ("match", "mismatch")
            assert row.rank == (rank if mark in ("match", "mismatch") else 0)


def test_queries_come_worst_or_best_first_and_unanswerable_ones_last() -> None:
    view = explorer(5)
    for order, sign in (("worst first", 1), ("best first", -1)):
        view.set(order=order)
        values = np.array([average_precision(view.set(position=p).ranking()) for p in range(len(view.query))])
        answered = values[~np.isnan(values)]
        assert (np.diff(sign * answered) >= 0).all() and np.isnan(values[len(answered) :]).all()
    assert sorted(view.orders["random"]) == list(range(len(view.query)))
    assert explorer(5, seed=1).orders["random"].tolist() != view.orders["random"].tolist()


def test_what_the_protocol_takes_out_can_be_hidden() -> None:
    view = explorer(2, top=30)
    whole = view.data()
    assert (whole["rank"] == 0).any()
    pd.testing.assert_frame_equal(view.set(removed="hidden").data(), whole[whole["rank"] > 0].reset_index(drop=True))


def test_ties_are_ranked_by_gallery_index_and_unknown_protocols_refused() -> None:
    ids, cameras = np.array([1, 2, 1]), np.array([0, 1, 1])
    assert rank_query(np.zeros(3), 1, 2, ids, cameras)["image"].tolist() == [0, 1, 2]
    with pytest.raises(DiagnosisError, match="Did you mean 'market'"):
        rank_query(np.zeros(3), 1, 2, ids, cameras, protocol="markt")
