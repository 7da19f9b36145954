"""One image's way through the encoding, and what sets of neighbours are made of, against brute force."""

import numpy as np
import pandas as pd
import pytest

from reidkit.diagnose import neighbourhoods
from reidkit.diagnose.neighbourhoods import popularity, score_steps, set_scores
from reidkit.errors import DiagnosisError, LabelsError
from reidkit.jaccard import dense_steps
from reidkit.jaccard import trace as trace_room
from reidkit.jaccard.trace import STEPS, rows_of, trace
from reidkit.show import JaccardSteps

K1 = 8


def unit_rows(seed, images=40, copies=0):
    rows = np.random.default_rng(seed).normal(size=(images, 6)) + np.repeat(2 * np.eye(6), images // 6 + 1, 0)[:images]
    rows = np.concatenate([rows, np.repeat(rows[:1], copies, 0)])
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("variant", ["full", "index"])
@pytest.mark.parametrize("copies", [0, 12])
def test_a_trace_is_what_the_definitions_say(variant, copies):
    steps = dense_steps(unit_rows(0, copies=copies), k1=K1, k2=3, variant=variant)
    images, joined = len(steps.distance), 0
    lists = [row[: K1 + 1].tolist() for row in steps.rank]
    halves = [row[: K1 // 2 + 1].tolist() for row in steps.rank]
    for image, partner in ((0, 1), (images - 1, 0), (7, 7), (20, 3), (13, 30)):
        table = trace(steps, image, partner, K1)
        assert list(table) == list(trace_room.COLUMNS) and table["image"].is_unique and table["image"][0] == image
        assert set(table["image"][table["listed"]]) == set(lists[image])
        mutual = {j for j in lists[image] if image in lists[j]}
        assert set(table["image"][table["mutual"]]) == mutual
        half = {j: {m for m in halves[j] if j in halves[m]} for j in mutual}
        brought = {j for j in mutual if len(half[j] & mutual) * 3 > 2 * len(half[j])}
        for row in table.itertuples():
            j = row.image
            assert row.distance == pytest.approx(max(steps.distance[image, j], 0.0))
            assert row.expanded == (j in mutual or any(j in half[g] for g in brought))
            assert (row.rank is pd.NA) == (j not in steps.rank[image]) and (row.rank is pd.NA or steps.rank[image][row.rank] == j)
            assert (row.rank_back is pd.NA) or steps.rank[j][row.rank_back] == image
            wanted = sorted(g for g in brought if j in half[g]) if j not in mutual else []
            assert sorted(row.brought_by) == wanted
            joined += len(wanted)
            if j in mutual:
                assert row.share == pytest.approx(len(half[j] & mutual) / len(half[j]))
            else:
                assert np.isnan(row.share)
        left_out = np.setdiff1d(np.arange(images), table["image"])
        assert not steps.encoding[np.ix_([image, partner], left_out)].any()
        assert 1 - table["smaller"].sum() / table["larger"].sum() == pytest.approx(steps.jaccard[image, partner], abs=1e-9)
    assert joined  # the expansion was exercised


def test_each_step_has_its_rows():
    steps = dense_steps(unit_rows(1), k1=K1, k2=3, variant="full")
    table = trace(steps, 5, 9, K1)
    sizes = {step: len(rows_of(table, step)) for step in STEPS}
    support = steps.encoding[5] > 0
    assert sizes == {
        "neighbours": K1 + 1,
        "reciprocal": K1 + 1,
        "expansion": len(steps.expanded[5]),
        "weights": np.sum(support | (steps.weights[5] > 0)),
        "overlap": np.sum(support | (steps.encoding[9] > 0)),
    }


@pytest.mark.parametrize(("image", "partner"), [(-1, 0), (40, 0), (0, 40)])
def test_a_row_that_is_not_there_is_refused(image, partner):
    with pytest.raises(LabelsError, match="0 to 39"):
        trace(dense_steps(unit_rows(0), k1=K1), image, partner, K1)


@pytest.mark.parametrize("seed", range(3))
def test_set_scores_equal_counting_by_hand(seed):
    draw = np.random.default_rng(seed)
    identity, camera = draw.integers(0, 6, 30), draw.integers(0, 3, 30)
    sets = [np.union1d(draw.choice(30, draw.integers(1, 9), replace=False), i) for i in range(30)]
    pairs = [(i, j) for i in range(30) for j in range(30) if i != j]
    held = [(i, j) for i, j in pairs if j in sets[i]]
    right = [(i, j) for i, j in held if identity[i] == identity[j]]
    mates = [(i, j) for i, j in pairs if identity[i] == identity[j]]
    across = [(i, j) for i, j in mates if camera[i] != camera[j]]
    scores = set_scores(sets, identity, camera)
    assert scores == pytest.approx(
        {
            "size": len(held) / 30,
            "precision": len(right) / len(held),
            "recall": len(right) / len(mates),
            "same_camera": np.mean([camera[i] == camera[j] for i, j in held]),
            "cross_camera_recall": len(set(right) & set(across)) / len(across),
        }
    )
    both = score_steps({"a": sets, "b": [np.array([i]) for i in range(30)]}, identity, camera)
    assert list(both.columns) == list(neighbourhoods.COLUMNS) and both.loc["a"].to_dict() == pytest.approx(scores)
    assert np.isnan(both.loc["b", "precision"]) and both.loc["b", "size"] == both.loc["b", "recall"] == 0


def test_sets_of_another_number_are_refused():
    with pytest.raises(DiagnosisError, match="2 sets, 3 identities"):
        set_scores([np.array([0])] * 2, np.arange(3), np.arange(3))


def test_popularity_counts_the_lists_of_others():
    lists = np.array([[0, 1], [1, 2], [2, 1], [3, 1]])
    assert popularity(lists, 4).tolist() == [0, 3, 1, 0]


def test_the_steps_tell_what_the_table_says():
    from tests.test_show_widgets import records

    rows, people = unit_rows(2), np.arange(40) // 4 + 1
    view = JaccardSteps(
        dense_steps(rows, k1=K1, k2=3, variant="full"), records(people, np.arange(40) % 3), K1, image=4, partner=6
    )
    seen = []
    for step in STEPS:
        text = view.set(step=step).describe()
        assert text.startswith("Image 4 and partner 6") and f"{len(view.data())} pictures" in view.static().alt
        seen.append(text)
    assert len(set(seen)) == 5 and f"= {view.steps.jaccard[4, 6]:.3f}" in seen[-1]
    assert f"{len(view.steps.reciprocal[4]) - 1} of the image's {K1}" in seen[1]
    assert view.set(partner=4, step="overlap").static().png
