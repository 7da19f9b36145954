"""The numbered checks of CANU (clustering reference, section 5)."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from reidkit.diagnose import diagnose, mutual_information
from reidkit.errors import ModelError, TrainingError
from reidkit.method import Batch
from reidkit.methods.canu import CANU
from reidkit.methods.cluster_finetune import ClusterAndFinetune
from reidkit.methods.mmt import MMT
from reidkit.methods.ssg import SSG
from reidkit.models import (
    CameraDiscriminator,
    reverse_gradient,
)
from reidkit.records import make_records
from reidkit.training import fit
from reidkit.training.optimisers import ready_optimisers
from tests.contract.checks import SCHEDULE, Bench, first_batch, state
from tests.toys import toy_records

IMAGES = torch.randn(8, 3, 32, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench.standard()


def canu_on(base: type, bench: Bench, mu: float = 0.1, **recipe: object) -> CANU:
    """CANU over a toy base, with every tap it has."""
    taps = {ClusterAndFinetune: ("f",), SSG: ("full", "upper", "lower"), MMT: ("network1", "network2")}[base]
    return CANU(bench.build(base), taps, 256, bench.target.num_cameras, mu, **recipe)


def test_chk_5_1_gradient_reversal() -> None:
    theta, w = torch.tensor(3.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)
    (0.5 * (w * reverse_gradient(theta, 0.1) - 1) ** 2).backward()
    assert theta.grad.item() == pytest.approx(-1.0) and w.grad.item() == pytest.approx(15.0)


@pytest.mark.parametrize(
    ("cameras", "join", "count"),
    [
        (6, "concatenate", 7358470),
        (8, "concatenate", 7360520),
        (15, "concatenate", 7367695),
        (6, "sum", 5258246),
        (8, "sum", 5260296),
        (15, "sum", 5267471),
        (6, "none", 4209670),
        (8, "none", 4211720),
        (15, "none", 4218895),
        (6, "zero", 7358470),
    ],
)
def test_chk_5_2_sizes(cameras: int, join: str, count: int) -> None:
    judge = CameraDiscriminator(2048, cameras, join=join)
    assert sum(p.numel() for p in judge.parameters()) == count


def test_chk_5_2_the_inputs_are_not_interchangeable() -> None:
    judge = CameraDiscriminator(16, 3)
    nn.init.normal_(judge.rest[-1].weight)
    x, p = torch.randn(2, 4, 16)
    assert not torch.allclose(judge(x, p), judge(p, x))
    with pytest.raises(ModelError, match="join='product'"):
        CameraDiscriminator(16, 3, join="product")


@pytest.mark.parametrize("base", [ClusterAndFinetune, SSG, MMT])
@pytest.mark.parametrize("condition", ["centroid", "none"])
def test_chk_5_3_mu_zero_is_the_base_bit_for_bit(bench: Bench, base: type, condition: str, tmp_path: Path) -> None:
    plain, wrapped = bench.build(base), canu_on(base, bench, 0.0, condition=condition)
    judge = wrapped.judges[0].rest[-1].weight.clone()
    for name, method in (("plain", plain), ("wrapped", wrapped)):
        fit(method, bench.target.train, schedule=SCHEDULE, out=tmp_path / name, progress=False)
    for name, tensor in state(plain).items():
        assert torch.equal(tensor, wrapped.base.state_dict()[name]), name
    assert not torch.equal(judge, wrapped.judges[0].rest[-1].weight), "the judge learns all the same"


def test_chk_5_3_mu_matters(bench: Bench, tmp_path: Path) -> None:
    plain, wrapped = bench.build(ClusterAndFinetune), canu_on(ClusterAndFinetune, bench, 0.5)
    for name, method in (("plain", plain), ("wrapped", wrapped)):
        fit(method, bench.target.train, schedule=SCHEDULE, out=tmp_path / name, progress=False)
    assert any(not torch.equal(tensor, wrapped.base.state_dict()[name]) for name, tensor in state(plain).items())


def test_chk_5_4_renumbering_clusters_changes_nothing(bench: Bench) -> None:
    method, batch = first_batch(bench, CANU)
    order = torch.randperm(len(method.centroids), generator=torch.Generator().manual_seed(1))
    nn.init.normal_(method.judges[0].rest[-1].weight)
    before = method.camera_loss({"f": torch.ones(len(batch.index), 256)}, batch)["camera_f"][1]
    method.centroids = method.centroids[order]
    renumbered = replace(batch, label=torch.argsort(order)[batch.label])
    after = method.camera_loss({"f": torch.ones(len(batch.index), 256)}, renumbered)["camera_f"][1]
    assert torch.equal(before, after)


def test_chk_5_5_nothing_flows_through_the_condition() -> None:
    judge = CameraDiscriminator(16, 3)
    nn.init.normal_(judge.rest[-1].weight)
    given = torch.randn(6, 16, requires_grad=True)
    F.cross_entropy(judge(torch.randn(6, 16), given), torch.tensor([0, 1, 2, 0, 1, 2])).backward()
    assert given.grad is None
    assert judge.condition[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize(("cameras", "nats"), [(6, 1.791759), (8, 2.079442), (15, 2.708050)])
def test_chk_5_6_an_untrained_judge_is_uniform(cameras: int, nats: float) -> None:
    logits = CameraDiscriminator(16, cameras)(torch.randn(32, 16), torch.randn(32, 16))
    assert F.cross_entropy(logits, torch.arange(32) % cameras).item() == pytest.approx(nats, abs=1e-5)


def test_chk_5_6_the_best_plain_judge() -> None:
    """phi = (0,0,0,1), cameras (0,0,1,1): the best camera loss is H(C) - I(phi; C)."""
    shares = np.array([[2, 1], [0, 1]]) / 4
    given = shares / shares.sum(1, keepdims=True)
    best = -(shares[shares > 0] * np.log(given[shares > 0])).sum()
    assert best == pytest.approx(0.477386, abs=1e-6)
    judge, optimiser = nn.Linear(1, 2), None
    optimiser = torch.optim.LBFGS(judge.parameters(), max_iter=200)
    phi, camera = torch.tensor([[0.0], [0.0], [0.0], [1.0]]), torch.tensor([0, 0, 1, 1])

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = F.cross_entropy(judge(phi), camera)
        loss.backward()
        return loss

    optimiser.step(closure)
    assert closure().item() == pytest.approx(best, abs=1e-3)


def test_chk_5_7_the_condition_spares_identities_bound_to_a_camera() -> None:
    """Two identities, each under its own camera: a conditional judge reads the camera off the condition."""
    torch.manual_seed(0)
    phi = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).repeat(16, 1)
    camera, pull = torch.arange(2).repeat(16), {}
    for join in ("concatenate", "none"):
        judge = CameraDiscriminator(2, 2, join=join, hidden=16)
        optimiser = torch.optim.Adam(judge.parameters(), lr=0.01)
        for _ in range(150):
            optimiser.zero_grad()
            mixed = phi + 0.7 * torch.randn(32, 2)
            F.cross_entropy(judge(mixed, phi), camera).backward()
            optimiser.step()
        feature = (phi + 0.7 * torch.randn(32, 2)).requires_grad_()
        F.cross_entropy(judge(feature, phi), camera).backward()
        pull[join] = feature.grad.norm().item()
    assert pull["concatenate"] < 0.1 * pull["none"]


@pytest.mark.parametrize(
    ("labels", "cameras", "nats"),
    [((0, 0, 1, 1), (0, 0, 1, 1), 0.693147), ((0, 0, 1, 1), (0, 1, 0, 1), 0.0), ((0, 0, 0, 1), (0, 0, 1, 1), 0.215762)],
)
def test_chk_5_8_mutual_information(labels: tuple[int, ...], cameras: tuple[int, ...], nats: float) -> None:
    assert float(mutual_information(np.array(labels), np.array(cameras))) == pytest.approx(nats, abs=1e-6)


def test_chk_5_8_outliers_counted_as_singletons_would_raise_the_curve() -> None:
    cameras = np.array([0, 0, 0, 1, 1, 2])
    entropy = -sum(p * math.log(p) for p in (3 / 6, 2 / 6, 1 / 6))
    assert float(mutual_information(np.arange(6), cameras)) == pytest.approx(entropy)
    labels = np.array([0, -1, 0, 0, -1, -1])
    singletons = np.array([0, 1, 0, 0, 2, 3])
    assert float(mutual_information(labels, cameras)) < float(mutual_information(singletons, cameras))


def test_chk_5_9_lost_identities() -> None:
    """Identity 2 has no inlier; identity 3, one image strong, has one and is not lost."""
    truth, labels = np.array([1, 1, 2, 2, 3]), np.array([0, 0, -1, -1, 1])
    table = diagnose(labels, np.zeros(5, int), identities=truth).identities
    assert table.loc[table["status"] == "unseen", "identity"].astype(int).tolist() == [2]
    assert table["lost"].sum() == 1


def test_chk_5_10_cameras_count_from_zero(bench: Bench) -> None:
    """MSMT17's 1..15: what a judge of 15 cameras is asked is 0..14, and the names are kept."""
    frame = pd.DataFrame({"path": [f"{c}.png" for c in range(1, 16)], "identity": range(15), "camera": range(1, 16)})
    records = make_records(frame, check_paths=False)
    assert records.camera.tolist() == list(range(15)) and records.num_cameras == 15 and records.camera_names[-1] == "15"
    logits = CameraDiscriminator(16, records.num_cameras)(torch.randn(15, 16), torch.randn(15, 16))
    assert F.cross_entropy(logits, torch.from_numpy(records.camera.copy())).item() == pytest.approx(math.log(15))
    with pytest.raises((IndexError, RuntimeError)):
        F.cross_entropy(logits, torch.arange(1, 16))


def test_under_one_camera_the_adversary_is_not_there(tmp_path: Path) -> None:
    """One camera is no secret: the loss is 0 whatever mu is, and what is left is the base method bit for bit."""
    one = toy_records(cameras=1, shots=4)
    bench = Bench(one, one)
    plain, wrapped = bench.build(ClusterAndFinetune), canu_on(ClusterAndFinetune, bench, 5.0)
    for name, method in (("plain", plain), ("wrapped", wrapped)):
        capsule = fit(method, one.train, schedule=SCHEDULE, out=tmp_path / name, progress=False)
    assert (capsule.losses.query("term == 'camera_f'")["value"] == 0).all()
    for name, tensor in state(plain).items():
        assert torch.equal(tensor, wrapped.base.state_dict()[name]), name


@pytest.mark.parametrize(
    "recipe",
    [
        {"play": "alternating"},
        {"optimiser": "adam"},
        {"optimiser": "sgd", "judge_rate": 1e-2},
        {"join": "sum"},
        {"normalise_centroid": True},
        {"condition": "feature"},
        {"centroid": "own"},
        {"tap": "b"},
        {"renew": True},
        {"draw": "shuffle"},
    ],
    ids=str,
)
def test_options_run(bench: Bench, recipe: dict[str, object], tmp_path: Path) -> None:
    method = canu_on(MMT, bench, **recipe)
    capsule = fit(method, bench.target.train, schedule=replace(SCHEDULE, epochs=1), out=tmp_path, progress=False)
    cameras = capsule.losses[capsule.losses["term"].str.startswith("camera")]
    assert len(cameras) and np.isfinite(cameras["value"]).all()
    players = {"judges", "model"} if recipe.get("play") else {"model+judges"} if recipe.get("optimiser") else {"model"}
    assert set(capsule.losses["player"]) == players


@pytest.mark.parametrize("base", [SSG, MMT])
def test_own_centroids_are_those_of_each_view_or_network(bench: Bench, base: type) -> None:
    shared, own = canu_on(base, bench), canu_on(base, bench, centroid="own")
    features = np.random.default_rng(0).normal(size=(12, len(own.taps), 256)).astype(np.float32)
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, -1, 0, 0])
    labels = np.stack([labels, np.minimum(labels, 0), np.minimum(labels, 1)], 1) if base is SSG else labels
    kept = np.flatnonzero(labels.reshape(12, -1)[:, 0] >= 0)
    batch = Batch((), torch.from_numpy(kept), torch.from_numpy(labels[kept]), torch.from_numpy(0 * kept))

    def means(matrix: np.ndarray, column: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.stack([matrix[column == column[row]].mean(0) for row in kept]))

    for method in (shared, own):
        method.condition_on(features, labels)
    for view, found in enumerate(own.given({}, batch)):
        assert torch.allclose(found, means(features[:, view], labels if base is MMT else labels[:, view]), atol=1e-6)
    whole = means(features[:, 0] if base is SSG else features.mean(1), labels.reshape(12, -1)[:, 0])
    assert all(torch.allclose(found, whole, atol=1e-6) for found in shared.given({}, batch))


@pytest.mark.parametrize("renew", [True, False])
def test_renewed_judges_begin_anew_and_kept_ones_go_on(
    bench: Bench, renew: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, seen = canu_on(ClusterAndFinetune, bench, renew=renew), []
    prepare = method.prepare_epoch

    def noted(*given: object) -> object:
        labels = prepare(*given)
        seen.append(method.judges[0].rest[-1].weight.detach().clone())
        return labels

    monkeypatch.setattr(method, "prepare_epoch", noted)
    fit(method, bench.target.train, schedule=replace(SCHEDULE, epochs=2), out=tmp_path, progress=False)
    assert len(seen) == 2 and bool((seen[1] == 0).all()) is renew


def test_the_judges_have_a_rate_of_their_own(bench: Bench) -> None:
    schedule = replace(SCHEDULE, optimiser="sgd", learning_rate=6e-5)
    ready = ready_optimisers(canu_on(SSG, bench, optimiser="adam"), schedule, 0, {})
    assert isinstance(ready["model"], torch.optim.SGD) and ready["model"].param_groups[0]["lr"] == 6e-5
    assert isinstance(ready["judges"], torch.optim.Adam) and ready["judges"].param_groups[0]["lr"] == 3.5e-4


def test_a_tap_that_is_not_there_is_refused(bench: Bench, tmp_path: Path) -> None:
    method = canu_on(SSG, bench, tap="b")
    with pytest.raises(TrainingError, match="full_b"):
        fit(method, bench.target.train, schedule=SCHEDULE, out=tmp_path, progress=False)
