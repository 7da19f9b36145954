"""The oracle ladder and the genealogy of clusters, against loops."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reidkit.diagnose import diagnose
from reidkit.diagnose.genealogy import fate_table, flow_table, identity_fates, restless_flows
from reidkit.diagnose.ladder import RUNGS, oracle_ladder
from reidkit.diagnose.oracles import remove_camera_shift, rescue_noise, undo_merges, undo_splits
from reidkit.errors import DiagnosisError
from reidkit.evaluate import evaluate_ranking

quick = settings(max_examples=40, deadline=None)
PAIR = st.tuples(arrays(np.int64, 20, elements=st.integers(-1, 5)), arrays(np.int64, 20, elements=st.integers(0, 4)))


def together(label: np.ndarray) -> set[tuple[int, int]]:
    return {(i, j) for i, j in itertools.combinations(range(len(label)), 2) if label[i] == label[j] >= 0}


@quick
@given(PAIR)
def test_undoing_merges_keeps_exactly_the_right_pairs(pair: tuple[np.ndarray, np.ndarray]) -> None:
    label, identity = pair
    after = undo_merges(label, identity)
    assert together(after) == {(i, j) for i, j in together(label) if identity[i] == identity[j]}
    np.testing.assert_array_equal(after == -1, label == -1)


@quick
@given(PAIR)
def test_undoing_splits_joins_clusters_of_one_owner_and_nothing_else(pair: tuple[np.ndarray, np.ndarray]) -> None:
    label, identity = pair
    owner = {}
    for k in set(label) - {-1}:
        who, many = np.unique(identity[label == k], return_counts=True)
        owner[k] = f"person {who[many.argmax()]}" if 2 * many.max() > (label == k).sum() else f"cluster {k}"
    names = np.array([owner.get(k, "") for k in label])
    after = undo_splits(label, identity)
    assert together(after) == {(i, j) for i, j in itertools.combinations(range(20), 2) if names[i] == names[j] != ""}


@quick
@given(PAIR)
def test_rescuing_noise_moves_outliers_only(pair: tuple[np.ndarray, np.ndarray]) -> None:
    label, identity = pair
    after = rescue_noise(label, identity)
    assert (after >= 0).all()
    kept = label >= 0
    assert together(np.where(kept, after, -1)) == together(label)
    for i in np.flatnonzero(~kept):
        mine = label[(identity == identity[i]) & kept]
        mates = np.flatnonzero((after == after[i]) & kept)
        assert (
            len(mates) == 0
            if not len(mine)
            else (identity[mates] == identity[i]).sum() == np.unique(mine, return_counts=True)[1].max()
        )


def test_removing_the_shift_of_cameras_brings_planted_shifts_to_zero() -> None:
    generator = np.random.default_rng(0)
    identity, camera = np.repeat(np.arange(20), 6), np.tile([0, 1, 2], 40)
    features = generator.normal(size=(20, 8))[identity] + 3 * generator.normal(size=(3, 8))[camera]
    moved = remove_camera_shift(features, identity, camera)
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1)
    for person in range(20):
        mine = moved[identity == person]
        np.testing.assert_allclose(mine, np.broadcast_to(mine[0], mine.shape), atol=1e-9)


def errors() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    identity = np.repeat(np.arange(10), 6)
    label = np.where(generator.random(60) < 0.2, -1, identity * 2 + (generator.random(60) < 0.3))
    label[identity == 3] = 0
    features = np.eye(10)[identity] + 0.6 * generator.normal(size=(60, 10))
    return label, identity, np.tile([0, 1, 2], 20), features


def test_ladder_scores_equal_a_diagnosis_of_each_rung() -> None:
    label, identity, camera, features = errors()
    base = diagnose(label, camera, identities=identity, features=features)
    found = oracle_ladder(base, cluster=lambda f: np.argmax(f @ np.eye(10), axis=1)).set_index("rung")
    assert tuple(found.index) == RUNGS
    for rung, after in (
        ("undo merges", undo_merges(base.labelling.label, identity)),
        ("undo splits", undo_splits(base.labelling.label, identity)),
        ("rescue noise", rescue_noise(base.labelling.label, identity)),
    ):
        assert found.loc[rung, "f1"] == pytest.approx(
            diagnose(after, camera, identities=identity).score("f1", outliers="singletons")
        )
        assert found.loc[rung, "gain_f1"] > 0
    assert found.loc["all", "f1"] == found.loc["all", "mean_ap"] == 1.0
    assert found.loc["as they are", ["gain_f1", "gain_mean_ap"]].tolist() == [0, 0]
    distance = (
        1
        - base.space.features @ base.space.features.T
        + 4 * (undo_merges(base.labelling.label, identity)[:, None] != undo_merges(base.labelling.label, identity))
    )
    distance[label == -1] = np.where(np.eye(60, dtype=bool)[label == -1], 0, distance[label == -1] % 4 + 4)
    wanted = evaluate_ranking(distance, identity, identity, camera, camera).mean_ap
    assert found.loc["undo merges", "mean_ap"] == pytest.approx(wanted)


def test_ladder_without_features_or_clustering_leaves_those_rungs_out() -> None:
    label, identity, camera, features = errors()
    plain = oracle_ladder(diagnose(label, camera, identities=identity))
    assert "mean_ap" not in plain and "remove camera shift" not in set(plain["rung"])
    assert "remove camera shift" not in set(
        oracle_ladder(diagnose(label, camera, identities=identity, features=features))["rung"]
    )
    with pytest.raises(DiagnosisError, match="Pass identities"):
        oracle_ladder(diagnose(label, camera))


EPOCHS = np.array(
    [
        [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, -1, -1],
        [5, 5, 5, 5, 5, 5, 5, 3, 4, 4, 6, 6, -1, 7],
        [1, 1, 1, 1, 1, 1, 1, 0, -1, -1, 2, 2, 2, 2],
    ]
)


def test_flows_equal_a_loop() -> None:
    flows = flow_table(EPOCHS)
    for row in flows.itertuples():
        here, there = EPOCHS[row.epoch] == row.cluster, EPOCHS[row.epoch + 1] == row.next_cluster
        assert row.images == (here & there).sum() > 0
        assert row.share == pytest.approx(row.images / here.sum()) and row.share_of_next == pytest.approx(
            row.images / there.sum()
        )
    assert flows.groupby("epoch")["images"].sum().tolist() == [14, 14]


def test_fates_are_named_and_lines_are_followed() -> None:
    fates = fate_table(EPOCHS).set_index(["epoch", "cluster"])
    assert fates["event"].to_dict() == {
        (0, 0): "continues",
        (0, 1): "merges",
        (0, 2): "splits",
        (1, 3): "continues",
        (1, 4): "dissolves",
        (1, 5): "continues",
        (1, 6): "merges",
        (1, 7): "merges",
    }
    assert fates.loc[(1, 5), "ancestor"] == "0:0" and fates.loc[(1, 3), "ancestor"] == "1:3"


def test_restless_clusters_come_by_their_moving_images_and_with_all_their_flows() -> None:
    """In epoch 1 cluster 4 dissolves (2 images), 6 and 7 are merged with two others each of which one is an outlier before."""
    unrest = {4: 2, 6: 4 - 2, 7: 4 - 1, 5: 0, 3: 0}
    for most in (1, 2, 3, 5):
        chosen = sorted(unrest, key=lambda k: (-unrest[k], -(EPOCHS[1] == k).sum(), k))[:most]
        found = restless_flows(EPOCHS, 1, most)
        assert set(found["cluster"]) - {-1} == set(chosen)
        for cluster in chosen:
            assert found.loc[found["cluster"] == cluster, "images"].sum() == (EPOCHS[1] == cluster).sum()
    whole = restless_flows(EPOCHS, 1)
    fates = fate_table(EPOCHS[1:]).set_index("cluster")["event"]
    for row in whole.itertuples():
        assert row.images == ((EPOCHS[1] == row.cluster) & (EPOCHS[2] == row.next_cluster)).sum() > 0
        assert row.next_images == (EPOCHS[2] == row.next_cluster).sum()
        assert row.event == (fates[row.cluster] if row.cluster >= 0 else "")
    joined = whole[whole["cluster"] == -1]
    assert joined[["next_cluster", "images"]].to_numpy().tolist() == [[2, 1]]  # the outlier that joins, no other


def test_the_epoch_an_identity_was_lost_for_good() -> None:
    identity, camera = np.repeat([1, 2, 3], [4, 4, 2]), np.tile([0, 1], 5)
    labels = np.array([[0] * 4 + [1] * 4 + [-1] * 2, [-1] * 8 + [0] * 2, [0] * 4 + [-1] * 4 + [1] * 2])
    found = identity_fates(labels, camera, identity).set_index("identity")
    assert found["epochs_lost"].to_dict() == {1: 1, 2: 2, 3: 1}
    assert found.loc[2, "lost_for_good"] == 1 and found["lost_for_good"].isna().to_dict() == {1: True, 2: False, 3: True}
    assert found["first_lost"].to_dict() == {1: 1, 2: 1, 3: 0}
    assert found.loc[3, ["epoch 0", "epoch 1", "epoch 2"]].tolist() == ["unseen", "kept", "kept"]
    never = identity_fates(np.full((2, 10), -1), camera, identity)
    assert never["lost_for_good"].tolist() == [0, 0, 0]


def test_a_single_epoch_has_no_flow_and_no_epoch_is_refused() -> None:
    assert len(flow_table(EPOCHS[:1])) == 0 and len(fate_table(EPOCHS[:1])) == 0
    with pytest.raises(DiagnosisError, match="epochs, images"):
        flow_table(EPOCHS[0])
    assert isinstance(fate_table(EPOCHS), pd.DataFrame)
