"""The numbered checks of Learn by Guessing (clustering reference, section 6)."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from reidkit.diagnose.convergence import peak_step, progressive_steps
from reidkit.errors import LabelsError, ReidkitError
from reidkit.features import Features
from reidkit.labels import ClusterSettings, GridSearch, cluster, label_change, search_eps
from reidkit.methods.learn_by_guessing import LearnByGuessing
from reidkit.methods.learn_by_guessing import Recipe as Guessing
from reidkit.models import (
    build_embedder,
)
from reidkit.records import make_records
from reidkit.training import fit
from tests.contract.checks import SCHEDULE, Bench, assert_same_run
from tests.toys import toy_records

IMAGES = torch.randn(8, 3, 32, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench.standard()


def test_chk_6_3_test_features_know_no_camera(bench: Bench) -> None:
    method = bench.build(LearnByGuessing).eval()
    assert torch.equal(method.embed_test(IMAGES), method.embedder(IMAGES)[1])


def test_chk_6_4_no_radius_of_this_size_clusters_z_scores() -> None:
    rows = np.random.default_rng(0).normal(size=(400, 2048)).astype(np.float32)
    from scipy.spatial.distance import pdist

    assert pdist(rows).min() > 59 and pdist(rows).max() < 68.5
    cosine = pdist(rows, "cosine")
    assert abs(cosine.mean() - 1) < 0.001 and cosine.std() == pytest.approx(0.022, abs=0.001)


@pytest.mark.parametrize(("distance", "eps"), [("cosine", 0.42), ("l2", math.sqrt(0.84)), ("squared-l2", 0.84)])
def test_the_three_readings_of_eps_are_one_order(distance: str, eps: float) -> None:
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(size=(5, 32)), 8, axis=0) + 0.6 * rng.normal(size=(40, 32))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    from scipy.spatial.distance import cdist
    from sklearn.cluster import DBSCAN

    wanted = DBSCAN(eps=0.42, min_samples=4, metric="precomputed").fit(np.maximum(cdist(rows, rows, "cosine"), 0)).labels_
    made = cluster(rows, np.zeros(40, np.int64), ClusterSettings(distance=distance, eps=eps))
    assert made.num_clusters > 1 and np.array_equal(made.labels, wanted)


def test_chk_6_6_and_6_7_the_body_is_frozen_first(bench: Bench, tmp_path: Path) -> None:
    recipe = Guessing(eps=0.6, min_size=2, frozen_epochs=1, epochs=1)
    method = LearnByGuessing(build_embedder("tiny"), recipe)
    body = {name: tensor.clone() for name, tensor in method.embedder.state_dict().items()}
    frozen = fit(method, bench.target.train, schedule=replace(SCHEDULE, epochs=1), out=tmp_path, progress=False)
    assert all(torch.equal(tensor, method.embedder.state_dict()[name]) for name, tensor in body.items())
    assert method.classifier.classes == len(np.unique(frozen.labels[0][frozen.labels[0] >= 0]))
    allow = ("schedule.epochs",)
    run = fit(method, bench.target.train, schedule=SCHEDULE, out=tmp_path, allow=allow, progress=False)
    moved = [name for name, tensor in body.items() if not torch.equal(tensor, method.embedder.state_dict()[name])]
    assert any("running_mean" in name for name in moved) and any("conv" in name for name in moved)
    assert np.array_equal(run.labels[0], run.labels[1]), "labels stand still within a step"


def test_chk_6_7_the_classifier_has_a_row_for_each_kept_cluster() -> None:
    """Six tight groups of which two are seen by one camera only: six clusters are found, four kept, four rows made."""
    rows, cameras = blobs(0.05), np.arange(48) % 2
    cameras[:16] = 0
    frame = pd.DataFrame({"path": [f"{i}.png" for i in range(48)], "identity": range(48), "camera": cameras})
    features = Features(np.tile(rows, 8), make_records(frame, check_paths=False).blind())
    method = LearnByGuessing(build_embedder("tiny"), Guessing(eps=0.1, camera="as-is"))
    labels = method.prepare_epoch(features, 0)
    assert labels.history["clusters_before_selection"] == 6 and labels.num_clusters == 4
    assert method.classifier.classes == len(method.centres.value) == 4
    assert set(labels.labels[:16]) == {-1} and sorted(set(labels.labels[16:])) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("change", "eps"), [({"single_camera": "drop"}, 0.02), ({"camera": "normalised"}, 0.6)], ids=["selection", "normalisation"]
)
def test_under_one_camera_its_parts_reduce_to_the_plain_ones(change: dict[str, str], eps: float, tmp_path: Path) -> None:
    """No cluster can have two cameras, so that rule does not apply; statistics of the camera are those of all images."""
    one = toy_records(cameras=1, shots=4).train
    plain = {"single_camera": "keep", "camera": "as-is"}
    runs = []
    for number, recipe in enumerate((plain | change, plain)):
        method = LearnByGuessing(build_embedder("tiny"), Guessing(eps=eps, min_size=2, frozen_epochs=0, epochs=1, **recipe))
        if change.get("camera") and recipe == plain:
            method.label = lambda features, made=method: type(made).label(made, standardised(features))  # type: ignore[method-assign]
        runs.append((method, fit(method, one, schedule=SCHEDULE, out=tmp_path / str(number), progress=False)))
    assert len(runs[0][1].losses)
    assert_same_run(*runs)


def standardised(features: Features) -> Features:
    """Every column by the mean and deviation of all images, without a word about cameras."""
    unit = features.unit().matrix.astype(np.float64)
    return replace(features, matrix=((unit - unit.mean(0)) / np.maximum(unit.std(0), 1e-6)).astype(np.float32))


def test_the_schedule_begins_anew_when_the_body_thaws() -> None:
    method = LearnByGuessing(build_embedder("tiny"), Guessing(frozen_epochs=2, epochs=3))
    assert [method.clock(epoch) for epoch in range(7)] == [0, 1, 0, 1, 2, 0, 1]
    inside = LearnByGuessing(build_embedder("tiny"), Guessing(frozen_epochs=2, epochs=3, frozen="inside"))
    assert [inside.clock(epoch) for epoch in range(7)] == [0, 1, 2, 0, 1, 2, 0]
    assert [epoch for epoch in range(7) if inside.relabels(epoch)] == [0, 3, 6]


def test_portion_counts_outliers(bench: Bench, tmp_path: Path) -> None:
    method = bench.build(LearnByGuessing)
    capsule = fit(method, bench.target.train, schedule=replace(SCHEDULE, epochs=1), out=tmp_path, progress=False)
    assert capsule.history[0]["portion"] == pytest.approx(float((capsule.labels[0] >= 0).mean()))


def test_kmeans_takes_its_k_from_the_images() -> None:
    rows = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    made = cluster(rows, np.arange(64) % 2, ClusterSettings(clustering="kmeans", clusters=0))
    assert made.num_clusters == 64 // 15


def blobs(spread: float, people: int = 6, images: int = 8, seed: int = 0) -> np.ndarray:
    """Unit rows in tight groups, one a person."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(rng.normal(size=(people, 32)), images, axis=0) + spread * rng.normal(size=(people * images, 32))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_the_grid_balances_clusters_against_outliers() -> None:
    """Recomputed with scikit-learn: too small a radius leaves outliers, too large a one merges everybody."""
    from scipy.spatial.distance import cdist
    from sklearn.cluster import DBSCAN

    rows, cameras = blobs(0.6), np.arange(48) % 2
    how = ClusterSettings(distance="cosine", eps=0.42)
    found = search_eps(rows, cameras, how, (1.5, 0.02, 0.42))
    assert found.eps == (0.02, 0.42, 1.5) and found.best == 0.42
    for eps, clusters, outliers in zip(found.eps, found.clusters, found.outliers, strict=True):
        labels = DBSCAN(eps=eps, min_samples=4, metric="precomputed").fit(np.maximum(cdist(rows, rows, "cosine"), 0)).labels_
        assert (clusters, outliers) == (labels.max() + 1, (labels == -1).sum())
    best = max(found.clusters)
    assert found.balance == pytest.approx([c / best - o / 48 for c, o in zip(found.clusters, found.outliers, strict=True)])
    assert search_eps(rows, cameras, how, (0.001, 0.002)).best == 0.001, "nothing anywhere: the smallest radius"
    with pytest.raises(LabelsError, match="above 0"):
        search_eps(rows, cameras, how, (0.0, 0.4))


def test_a_run_searches_its_radius_once_and_keeps_it(bench: Bench, tmp_path: Path) -> None:
    recipe = Guessing(eps_grid=(0.2, 0.6), min_size=2, frozen_epochs=0, epochs=1)
    method = LearnByGuessing(build_embedder("tiny"), recipe)
    capsule = fit(method, bench.target.train, schedule=SCHEDULE, out=tmp_path, progress=False)
    first, second = capsule.history
    assert first["eps_grid"]["eps"] == [0.2, 0.6] and "eps_grid" not in second and first["eps"] == second["eps"]
    again = fit(
        LearnByGuessing(build_embedder("tiny"), recipe),
        bench.target.train,
        schedule=replace(SCHEDULE, epochs=3),
        out=tmp_path,
        allow=("schedule.epochs",),
        progress=False,
    )
    assert "eps_grid" not in again.history[2] and again.history[2]["eps"] == first["eps"], "a resumed run keeps it too"


def test_a_run_may_search_its_radius_at_every_step(bench: Bench, tmp_path: Path) -> None:
    recipe = Guessing(eps_grid=(0.2, 0.4, 0.6, 0.8), search="every", min_size=2, frozen_epochs=0, epochs=1)
    method = LearnByGuessing(build_embedder("tiny"), recipe)
    capsule = fit(method, bench.target.train, schedule=SCHEDULE, out=tmp_path, progress=False)
    for step, told in enumerate(capsule.history):
        found = GridSearch(**{name: tuple(v) if isinstance(v, list) else v for name, v in told["eps_grid"].items()})
        assert told["eps"] == found.best, step
    assert len({tuple(told["eps_grid"]["clusters"]) for told in capsule.history}) == 2, "the second search saw new features"


def test_labels_that_stand_still_end_the_run(bench: Bench, tmp_path: Path) -> None:
    """With a learning rate of 0 the labels of every step are those of the first: two settled steps stop it."""
    recipe = Guessing(eps=0.6, min_size=2, frozen_epochs=0, epochs=2, patience=2)
    still = replace(SCHEDULE, epochs=12, steps=1, learning_rate=0.0, weight_decay=0.0)
    run = []
    for patience in (2, 0):
        method = LearnByGuessing(build_embedder("tiny"), replace(recipe, patience=patience))
        method.embedder.backbone.requires_grad_(False)
        method.train = lambda mode=True, made=method: torch.nn.Module.train(made, False)  # type: ignore[method-assign]
        run.append(fit(method, bench.target.train, schedule=still, out=tmp_path / str(patience), progress=False))
    assert run[0].epochs == 6 and "labels of 2 steps" in run[0].meta["stopped"]  # steps 1 and 2 agree; step 3 is not begun
    assert run[1].epochs == 12 and not run[1].meta["stopped"]
    steps = progressive_steps(run[0])
    assert list(steps["epoch"]) == [0, 2, 4] and steps["agreement"].iloc[1:].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("before", "after", "agreement", "moved"),
    [([0, 0, 1, 1], [1, 1, 0, 0], 1.0, 0.0), ([0, 0, 1, 1], [0, 0, 1, -1], 1.0, -0.25), ([0, 0, 1, 1], [0, 1, 0, 1], -0.5, 0.0)],
)
def test_label_change(before: list[int], after: list[int], agreement: float, moved: float) -> None:
    found = label_change(np.array(before), np.array(after))
    assert (found.agreement, found.moved) == pytest.approx((agreement, moved))
    assert found.is_small(0.95) == (agreement == 1.0 and moved == 0.0)


def test_without_labels_before_nothing_is_settled() -> None:
    assert not label_change(np.zeros(0, np.int64), np.zeros(4, np.int64)).is_small(-1.0)


def test_the_peak_is_the_first_step_near_the_best() -> None:
    """Reference 6.8: within 0.1 points of the maximum."""
    assert peak_step([0.1, 0.4995, 0.49, 0.5]) == 1 and peak_step([0.1, 0.2, 0.3]) == 2 and peak_step([np.nan, 0.2, 0.1]) == 1
    with pytest.raises(ReidkitError, match="finite"):
        peak_step([np.nan])
