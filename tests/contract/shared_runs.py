"""What `torchrun` starts for test_processes.py: every method is trained by two processes together, three times over.

torchrun --nproc-per-node 2 tests/contract/shared_runs.py FOLDER
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch

from reidkit.capsule import Capsule
from reidkit.compute import Compute, Processes
from reidkit.method import Method
from reidkit.methods import all_methods
from reidkit.training import fit, judge_on
from tests.contract.checks import BF16_SIZE, SCHEDULE, Bench, state
from tests.toys import toy_records

SGD = replace(SCHEDULE, epochs=1, optimiser="sgd", learning_rate=1e-2)
DRIFT: list[float] = []


def bench() -> Bench:
    """Cameras that differ little, so that every method finds clusters enough for two processes."""
    return Bench(toy_records(seed=1), toy_records(seed=2, tint=0.05))


def run(cls: type[Method], folder: Path, *, epochs: int = 2, allow: tuple[str, ...] = (), **changes: object) -> Capsule:
    """A run of this process and its sister; what it ends with is stored beside its folder, by rank."""
    worlds = bench()
    method, table = worlds.build(cls), worlds.table(cls)
    schedule = replace(changes.pop("schedule", SCHEDULE), epochs=epochs)
    judge = judge_on(worlds.target, size=schedule.size)
    compute = changes.pop("compute", Compute("cpu"))
    DRIFT.clear()
    capsule = fit(
        method, table, schedule=schedule, out=folder, judge=judge, compute=compute, allow=allow, progress=False, **changes
    )
    stored = {"state": state(method), "drift": max(DRIFT)}
    torch.save(stored, folder.with_name(f"{folder.name}.{Processes.current().rank}.pt"))
    return capsule


def watch() -> None:
    """Note how far the parameters of the processes had drifted apart whenever they are aligned."""
    honest = Processes.align

    def align(self: Processes, module: Method) -> None:
        before = [p.detach().clone() for p in module.parameters()]
        honest(self, module)
        DRIFT.append(max(float((p.detach() - old).abs().max()) for p, old in zip(module.parameters(), before, strict=True)))

    Processes.align = align  # type: ignore[method-assign]


def main(folder: Path) -> None:
    watch()
    methods = sorted(all_methods().items())
    for name, cls in methods:
        run(cls, folder / name / "straight")
        run(cls, folder / name / "resumed", epochs=1)
        run(cls, folder / name / "resumed", allow=("schedule.epochs",))
        run(cls, folder / name / "sgd", epochs=1, schedule=SGD)
    wide = replace(SCHEDULE, size=BF16_SIZE)
    run(all_methods()["SourcePretraining"], folder / "bf16", epochs=1, schedule=wide, compute=Compute("cpu", "bf16"))
    Processes.average_gradients = lambda self, parameters: None  # type: ignore[method-assign]
    run(all_methods()["ClusterAndFinetune"], folder / "fault", epochs=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
