"""What every method must keep: plain functions that raise AssertionError, so that planted faults can prove that they can fail."""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from reidkit.capsule import Capsule
from reidkit.compute import Compute, seed_everything
from reidkit.features import Features, extract
from reidkit.method import Batch, Method
from reidkit.methods.cluster_finetune import ClusterAndFinetune
from reidkit.records import Records
from reidkit.training import Schedule, fit
from reidkit.training.draw import draw_batches
from reidkit.training.optimisers import ready_optimisers, take_step
from tests.toys import toy_records

SCHEDULE = Schedule(epochs=2, steps=3, identities=4, instances=2, size=(32, 16), extraction_batch=64, learning_rate=1e-3)
BF16_SIZE = (64, 32)  # oneDNN's bf16 convolution on AMX reads foreign memory where a map becomes one pixel wide, as at 32 x 16
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Bench:
    """A labelled source and a target of another tint."""

    source: Records
    target: Records

    @classmethod
    def standard(cls) -> Bench:
        return cls(toy_records(seed=1), toy_records(seed=2, tint=0.3))

    def build(self, method: type[Method]) -> Method:
        """A tiny instance, always of the same weights."""
        seed_everything(0)
        worlds = self.source.train, self.target.train.blind()
        return method.toy(*worlds, base=ClusterAndFinetune.toy(*worlds)) if method.wraps else method.toy(*worlds)

    def table(self, method: type[Method]) -> Records:
        return self.source.train if method.trains_on == "source" else self.target.train


def trained(bench: Bench, cls: type[Method], folder: Path, **changes: object) -> tuple[Method, Capsule]:
    """A toy instance after a short run."""
    method = bench.build(cls)
    compute = changes.pop("compute", None) or Compute("cpu")
    schedule = replace(SCHEDULE, **changes)
    return method, fit(method, bench.table(cls), schedule=schedule, out=folder, compute=compute, progress=False)


def first_batch(bench: Bench, cls: type[Method]) -> tuple[Method, Batch]:
    """A method after `prepare_epoch`, and a batch for it."""
    method, table = bench.build(cls), bench.table(cls).blind()
    features = Features(np.empty((len(table), 0), np.float32), table)
    if method.clusters:
        features = extract(method.embed, table, size=SCHEDULE.size, parts=method.parts, flip=method.flip, progress=False)
    labels = method.prepare_epoch(features, 0)
    method.train()
    return method, next(iter(draw_batches(method, table, labels, SCHEDULE, 0, 0)))


def state(method: Method, *, statistics: bool = True) -> dict[str, torch.Tensor]:
    """Everything a method remembers."""
    kept = method.state_dict().items()
    return {name: tensor.clone() for name, tensor in kept if statistics or not name.endswith(STATISTICS)}


def assert_same_run(left: tuple[Method, Capsule], right: tuple[Method, Capsule]) -> None:
    """Bit for bit: weights, buffers, labels and losses."""
    for name, tensor in state(left[0]).items():
        assert torch.equal(tensor, state(right[0])[name]), f"{name} differs"
    assert np.array_equal(left[1].labels, right[1].labels), "labels differ"
    assert left[1].losses.equals(right[1].losses), "losses differ"


def check_firewall(bench: Bench, cls: type[Method], folder: Path) -> None:
    """Permuting the identities of the target changes no number."""
    frame = bench.target.frame.copy()
    train = (frame["split"] == "train").to_numpy()
    frame.loc[train, "identity"] = np.random.default_rng(0).permutation(frame.loc[train, "identity"].to_numpy())
    other = replace(bench, target=replace(bench.target, frame=frame))
    assert_same_run(trained(bench, cls, folder / "a"), trained(other, cls, folder / "b"))


def check_cameras(bench: Bench, cls: type[Method], folder: Path) -> None:
    """Renumbering the cameras changes no number."""

    def renumbered(records: Records) -> Records:
        turned = (records.frame["camera"] + 1) % records.num_cameras
        return replace(records, frame=records.frame.assign(camera=turned))

    other = Bench(renumbered(bench.source), renumbered(bench.target))
    left, right = trained(bench, cls, folder / "a"), trained(other, cls, folder / "b")
    if not left[1].losses["term"].str.startswith("camera").any():
        assert_same_run(left, right)
        return
    # A camera classifier adds up the cameras in another order: equal up to rounding, which an optimiser carries on.
    assert np.allclose(left[1].losses["value"], right[1].losses["value"], rtol=1e-3), "losses differ"
    assert np.array_equal(left[1].labels, right[1].labels), "labels differ"


def check_purity(bench: Bench, cls: type[Method]) -> None:
    """`loss` called twice gives the same value and moves nothing but batch-norm statistics."""
    method, batch = first_batch(bench, cls)
    before, values = state(method, statistics=False), []
    for _ in range(2):
        seed_everything(1)
        values.append([loss.total.item() for _, loss in method.steps(batch)])
    after = state(method, statistics=False)
    assert values[0] == values[1], f"loss was {values[0]}, then {values[1]}"
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert not moved, f"loss moved {moved}"


def check_gradients(bench: Bench, cls: type[Method]) -> None:
    """Each player's loss reaches every parameter of that player; nothing else trains, teachers least of all."""
    method, batch = first_batch(bench, cls)
    players = method.players()
    reached: dict[str, set[int]] = {name: set() for name in players}
    optimisers = ready_optimisers(method, SCHEDULE, 0, {})
    for _ in range(2):  # a layer that starts at 0 lets gradients through only after its first step
        for joint, loss in method.steps(batch):
            method.zero_grad(set_to_none=True)
            loss.total.backward()
            for player in joint.split("+"):
                reached[player] |= {id(p) for p in players[player] if p.grad is not None and bool((p.grad != 0).any())}
                optimisers[player].step()
    names = {id(p): name for name, p in method.named_parameters()}
    for player, parameters in players.items():
        untouched = [names[id(p)] for p in parameters if id(p) not in reached[player]]
        assert not untouched, f"player {player}: no gradient for {untouched}"
    moved = {id(p) for parameters in players.values() for p in parameters}
    idle = [name for name, p in method.named_parameters() if p.requires_grad and id(p) not in moved]
    assert not idle, f"nobody trains {idle}"
    teachers = [p for name, child in method.named_children() if "teacher" in name for p in child.parameters()]
    assert not any(p.requires_grad for p in teachers), "a teacher asks for gradients"


def check_descent(bench: Bench, cls: type[Method], steps: int = 20) -> None:
    """Twenty steps on one batch lower the loss of its first player."""
    method, batch = first_batch(bench, cls)
    optimisers, values = ready_optimisers(method, SCHEDULE, 0, {}), []
    for _ in range(steps):
        for player, loss in method.steps(batch):
            take_step([optimisers[name] for name in player.split("+")], loss)
            values += [loss.total.item()] if "model" in player.split("+") else []
        method.after_step(batch, loss)
    assert np.mean(values[-3:]) < 0.9 * np.mean(values[:3]), f"loss went {values[0]:.3f} -> {values[-1]:.3f}"


def check_resume(bench: Bench, cls: type[Method], folder: Path) -> None:
    """Stopped after an epoch and gone on with equals never stopped, bit for bit."""
    straight = trained(bench, cls, folder / "straight", epochs=3)
    trained(bench, cls, folder / "stopped", epochs=1)
    method = bench.build(cls)
    schedule = replace(SCHEDULE, epochs=3)
    allow = ("schedule.epochs",)
    capsule = fit(method, bench.table(cls), schedule=schedule, out=folder / "stopped", allow=allow, progress=False)
    assert_same_run(straight, (method, capsule))


def check_teacher_follows(bench: Bench, cls: type[Method]) -> None:
    """When there is a teacher, `after_step` moves it towards its student."""
    method, batch = first_batch(bench, cls)
    teachers = [child for name, child in method.named_children() if "teacher" in name]
    optimisers = ready_optimisers(method, SCHEDULE, 0, {})
    before = [p.clone() for teacher in teachers for p in teacher.parameters()]
    for player, loss in method.steps(batch):
        take_step([optimisers[name] for name in player.split("+")], loss)
    between = [p.clone() for teacher in teachers for p in teacher.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, between, strict=True)), "the optimiser moved a teacher"
    method.after_step(batch, loss)
    after = [p for teacher in teachers for p in teacher.parameters()]
    assert not teachers or any(not torch.equal(a, b) for a, b in zip(before, after, strict=True)), "the teacher stood still"


def check_no_device(cls: type[nn.Module]) -> None:
    """No device is named in the file of a method."""
    for node in ast.walk(ast.parse(inspect.getsource(inspect.getmodule(cls)))):
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("cuda", "cpu"), f"line {node.lineno}: .{node.attr}"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not node.value.startswith(("cuda", "mps")), f"line {node.lineno}: {node.value!r}"
