"""The numbered checks of Learn by Guessing (clustering reference, section 6)."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reidkit.errors import LabelsError
from reidkit.labels import ClusterSettings, cluster
from reidkit.methods.learn_by_guessing import LearnByGuessing
from reidkit.methods.learn_by_guessing import Recipe as Guessing
from reidkit.models import (
    build_embedder,
)
from reidkit.training import fit
from tests.contract.checks import SCHEDULE, Bench

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


def test_the_schedule_begins_anew_when_the_body_thaws() -> None:
    method = LearnByGuessing(build_embedder("tiny"), Guessing(frozen_epochs=2, epochs=3))
    assert [method.clock(epoch) for epoch in range(7)] == [0, 1, 0, 1, 2, 0, 1]


def test_portion_counts_outliers(bench: Bench, tmp_path: Path) -> None:
    method = bench.build(LearnByGuessing)
    capsule = fit(method, bench.target.train, schedule=replace(SCHEDULE, epochs=1), out=tmp_path, progress=False)
    assert capsule.history[0]["portion"] == pytest.approx(float((capsule.labels[0] >= 0).mean()))


def test_kmeans_takes_its_k_from_the_images() -> None:
    rows = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    made = cluster(rows, np.arange(64) % 2, ClusterSettings(clustering="kmeans", clusters=0))
    assert made.num_clusters == 64 // 15


def test_unknown_options_are_refused() -> None:
    with pytest.raises(LabelsError, match="camera='normalized'"):
        Guessing(camera="normalized")
