"""Every method trained by two real processes under `torchrun`: one run, equal networks, and the sum of its parts."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reidkit.capsule import Capsule
from reidkit.compute import Processes, seed_everything
from reidkit.errors import TrainingError
from reidkit.features import Features, extract
from reidkit.labels import PseudoLabels
from reidkit.method import Batch, Loss
from reidkit.methods import all_methods
from reidkit.methods.cluster_finetune import ClusterAndFinetune
from reidkit.training import fit
from reidkit.training.draw import draw_batches
from reidkit.training.guards import collapse
from reidkit.training.optimisers import ready_optimisers
from tests.contract.checks import SCHEDULE, STATISTICS, first_batch
from tests.contract.shared_runs import SGD, bench

ROOT = Path(__file__).parents[2]
METHODS = sorted(all_methods().items())
every_method = pytest.mark.parametrize("cls", [cls for _, cls in METHODS], ids=[name for name, _ in METHODS])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of `shared_runs`, by two processes that torchrun starts."""
    folder = tmp_path_factory.mktemp("two_processes")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    script = str(Path(__file__).with_name("shared_runs.py"))
    done = subprocess.run([*launch, script, str(folder)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def ends(folder: Path) -> list[dict]:
    """What each process ended with."""
    return [torch.load(folder.with_name(f"{folder.name}.{rank}.pt"), weights_only=True) for rank in (0, 1)]


def assert_equal(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert set(left) == set(right)
    assert not [name for name in left if not torch.equal(left[name], right[name])]


@pytest.mark.slow
@every_method
def test_two_processes_are_one_run(runs: Path, cls: type) -> None:
    """Both end with the same parameters and memories, which never drifted apart; one capsule, whole and finite."""
    first, second = ends(runs / cls.__name__ / "straight")
    assert_equal(first["state"], second["state"])
    assert first["drift"] == second["drift"] == 0
    capsule = Capsule.open(runs / cls.__name__ / "straight")
    assert capsule.epochs == 2 and not capsule.meta["stopped"] and capsule.meta["processes"] == 2
    assert not any(entry["note"] for entry in capsule.history)
    steps = capsule.losses.groupby(["epoch", "player", "term"])["step"].apply(list)
    assert len(steps) and all(found == list(range(len(found))) and len(found) > 0 for found in steps)
    assert np.isfinite(capsule.losses["value"]).all() and len(capsule.scores) == 2
    assert capsule.labels.shape == (2, len(capsule.frame)) and (not cls.clusters or capsule.has_features)
    assert len(list((capsule.folder / "checkpoints").iterdir())) == 2
    assert all(torch.isfinite(tensor).all() for name, tensor in first["state"].items() if not name.endswith("eps"))


@pytest.mark.slow
@every_method
def test_stopped_and_gone_on_with_is_the_same_run(runs: Path, cls: type) -> None:
    straight, resumed = (ends(runs / cls.__name__ / name) for name in ("straight", "resumed"))
    for rank in (0, 1):
        assert_equal(straight[rank]["state"], resumed[rank]["state"])
    capsules = [Capsule.open(runs / cls.__name__ / name) for name in ("straight", "resumed")]
    assert capsules[0].losses.equals(capsules[1].losses) and np.array_equal(capsules[0].labels, capsules[1].labels)


def joined(batches: list[Batch], losses: list[Loss]) -> tuple[Batch, Loss]:
    """What `after_step` is given when the two parts are put together by hand."""
    told = {name: torch.cat([getattr(part, name) for part in batches]) for name in ("index", "label", "camera")}
    others = tuple(joined(list(pair), losses)[0] for pair in zip(*(part.others for part in batches), strict=True))
    keep = {name: torch.cat([loss.keep[name] for loss in losses]) for name in losses[0].keep}
    return replace(batches[0], views=(), others=others, **told), replace(losses[0], keep=keep)


@pytest.mark.slow
@every_method
def test_a_step_follows_the_mean_of_the_parts(runs: Path, cls: type) -> None:
    """One process that adds up the gradients of both parts, by hand, takes the same way."""
    worlds, found = bench(), Capsule.open(runs / cls.__name__ / "sgd")
    method, table = worlds.build(cls), worlds.table(cls).blind()
    seed_everything(0, "epoch", 0)
    features = Features(np.empty((len(table), 0), np.float32), table)
    if method.clusters:
        features = extract(method.embed, table, size=SGD.size, parts=method.parts, flip=method.flip, progress=False)
    labels = method.prepare_epoch(features, 0)
    assert np.array_equal(labels.labels.reshape(len(table), -1), found.part_labels[0])
    optimisers, values = ready_optimisers(method, SGD, 0, {}), []
    method.train()
    streams = [draw_batches(method, table, labels, SGD, 0, 0, processes=Processes(rank, 2)) for rank in (0, 1)]
    for parts in zip(*streams, strict=True):
        method.zero_grad()
        losses = []
        for part in parts:
            ((player, loss),) = method.steps(part)
            (loss.total / 2).backward()
            losses.append(loss)
        for name in player.split("+"):
            optimisers[name].step()
        method.after_step(*joined(list(parts), losses))
        values += [np.mean([float(loss.terms[term][1]) for loss in losses]) for term in losses[0].terms]
    np.testing.assert_allclose(found.losses["value"], values, rtol=1e-4, atol=1e-6)
    stored = ends(runs / cls.__name__ / "sgd")[0]["state"]
    for name, tensor in method.state_dict().items():
        if not name.endswith(STATISTICS):
            torch.testing.assert_close(tensor, stored[name], rtol=1e-4, atol=1e-6, equal_nan=True, msg=name)


@pytest.mark.slow
def test_bf16_is_shared_too(runs: Path) -> None:
    assert np.isfinite(Capsule.open(runs / "bf16").losses["value"]).all()


@pytest.mark.slow
def test_planted_fault_is_seen_as_drift(runs: Path) -> None:
    """Processes that keep their gradients to themselves drift apart, so a drift of 0 says something."""
    assert ends(runs / "fault")[1]["drift"] > 0


@pytest.mark.slow
def test_a_run_of_two_is_not_gone_on_with_by_one(runs: Path) -> None:
    worlds = bench()
    method, table = worlds.build(ClusterAndFinetune), worlds.table(ClusterAndFinetune)
    folder = runs / "ClusterAndFinetune" / "straight"
    with pytest.raises(TrainingError, match="processes: was 2, now None"):
        fit(method, table, schedule=SCHEDULE, out=folder, progress=False)


@every_method
def test_the_parts_are_the_batch(cls: type) -> None:
    """Rows, labels, cameras and augmented images of two parts, side by side, are those of a process that is alone."""
    worlds = bench()
    method, _ = first_batch(worlds, cls)
    table = worlds.table(cls).blind()
    labels = PseudoLabels(
        np.stack([np.arange(len(table)) // 6] * method.parts, axis=1) if method.parts > 1 else np.arange(len(table)) // 6
    )
    alone, *parts = (
        list(draw_batches(method, table, labels, SCHEDULE, 0, 0, processes=who))
        for who in (Processes(), Processes(0, 2), Processes(1, 2))
    )
    for whole, first, second in zip(alone, *parts, strict=True):
        for ours, left, right in zip((whole, *whole.others), (first, *first.others), (second, *second.others), strict=True):
            for name in ("index", "label", "camera"):
                assert torch.equal(getattr(ours, name), torch.cat([getattr(left, name), getattr(right, name)])), name
            assert all(
                torch.equal(view, torch.cat(both)) for view, *both in zip(ours.views, left.views, right.views, strict=True)
            )


def test_too_many_processes_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    worlds = bench()
    method = worlds.build(ClusterAndFinetune)
    monkeypatch.setattr("reidkit.compute.Compute.join", lambda self: Processes(0, 3))
    with pytest.raises(TrainingError, match=r"4 identities a batch for 3 processes(.|\n)*at most 2"):
        fit(method, worlds.target.train, schedule=SCHEDULE, out=tmp_path, progress=False)


@pytest.mark.parametrize(("clusters", "processes", "trouble"), [(3, 1, False), (3, 2, True), (4, 2, False), (5, 3, True)])
def test_each_process_needs_two_clusters(clusters: int, processes: int, trouble: bool) -> None:
    assert bool(collapse(PseudoLabels(np.arange(clusters)), processes)) == trouble
