"""Contestants take turns, each run in a fresh process; what cannot run is skipped with its reason."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from reidkit.bench.agreement import agree
from reidkit.bench.child import Order, place_of
from reidkit.bench.contest import Contestant, Task
from reidkit.environment import installed_version

GIB = 2.0**30
LEAST_FREE = 0.3 * GIB
LONG = 60.0  # expected seconds from which on a run shows its bars
LOOK = 0.05
Say = Callable[[str], object]


@dataclass
class Entry:
    """What a contestant did.

    Attributes:
        runs: one dictionary a run: `wall`, `cpu` (s), `memory` (bytes above inputs and imports), `load` (of the machine
            when the run began), and the numbers and texts among its outputs.
        skipped: why it did not run, or not to the end; "" when it did.
        agreement: output -> what `agreement.agree` says.
        version: of its package; None without one.
    """

    runs: list[dict[str, Any]] = field(default_factory=list)
    skipped: str = ""
    agreement: dict[str, dict[str, object]] = field(default_factory=dict)
    version: str | None = None


def compete(task: Task, *, repeats: int, limit: float | int, say: Say) -> dict[str, Entry]:
    """Run a task.

    Args:
        repeats: runs of each contestant; they take turns, so that a busy minute meets all of them.
        limit: seconds that a run may take, preparation included.
        say: is told a line when something starts or ends.

    Returns:
        Contestant's name -> what it did, in the order of the task.
    """
    with tempfile.TemporaryDirectory(prefix="reidkit-bench-") as folder:
        inputs = Path(folder) / "inputs"
        inputs.mkdir()
        say(_estimate(task, repeats, limit))
        task.make(inputs)
        entries = {one.name: Entry(skipped=_obstacle(one, limit), version=_version(one)) for one in task.contestants}
        for name, entry in entries.items():
            if entry.skipped:
                say(f"{task.name}: {name} is skipped: {entry.skipped}")
        for turn in range(repeats):
            for one in task.contestants:
                if not entries[one.name].skipped and turn < (one.repeats or repeats):
                    say(f"{task.name}: {one.name}, run {turn + 1}")
                    _turn(task, one, entries[one.name], Path(folder) / one.name.replace("/", " "), limit, say)
        _compare(task, entries, Path(folder))
    return entries


def _turn(task: Task, one: Contestant, entry: Entry, out: Path, limit: float | int, say: Say) -> None:
    """One run; the first one keeps its output arrays for the comparison."""
    out.mkdir(exist_ok=True)
    keep = bool(task.compare) and not entry.runs
    load = round(os.getloadavg()[0], 2)
    places = place_of(one.run), place_of(one.prepare), place_of(one.finish)
    order = Order(str(out.parent / "inputs"), *places, str(out), keep)
    end = _run_child(order.write(out / "order.json"), limit, loud=one.seconds > LONG)
    if end:
        entry.skipped = end
        say(f"{task.name}: {one.name}: {end}")
        return
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    entry.runs.append(result["outputs"] | result["measured"] | {"load": load})
    run = entry.runs[-1]
    say(f"{task.name}: {one.name}: {run['wall']:.3f} s, {run['cpu']:.3f} CPU s, {run['memory'] / GIB:.2f} GiB")


def _run_child(order: Path, limit: float | int, *, loud: bool) -> str:
    """Start a child and wait; "" when it did its work, else why not. Of a loud one, bars and estimates are shown."""
    environment = {"OMP_WAIT_POLICY": "passive"} | dict(os.environ) | ({} if loud else {"TQDM_DISABLE": "1"})
    environment["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    log, began = order.with_name("log.txt"), time.monotonic()
    with log.open("wb") as stream:
        command = [sys.executable, "-m", "reidkit.bench.child", str(order)]
        child = subprocess.Popen(command, stdout=stream, stderr=None if loud else subprocess.STDOUT, env=environment)
        try:
            while (status := child.poll()) is None:
                if time.monotonic() - began > limit:
                    return f"it was ended after {limit:.0f} s, the limit of a run (--most-seconds)"
                if psutil.virtual_memory().available < LEAST_FREE:
                    return "it was ended because it had taken all memory"
                time.sleep(LOOK)
        finally:
            child.kill()
            child.wait()
    last = (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no message"])[-1]
    return "" if status == 0 else f"it failed with status {status}: {last[:300]}"


def _version(one: Contestant) -> str | None:
    return installed_version(one.package) if one.package else None


def _obstacle(one: Contestant, limit: float | int) -> str:
    """Why a contestant cannot run here; "" when it can."""
    free = psutil.virtual_memory().available
    if one.package and installed_version(one.package) is None:
        return f"{one.package} is not installed (pip install 'reidkit[bench]')"
    if one.device == "cuda" and not _sees_cuda():
        return "torch sees no GPU here"
    if one.memory > free - LEAST_FREE:
        return f"it needs about {one.memory / GIB:.1f} GiB, {free / GIB:.1f} GiB are free; {one.setting} would make it fit"
    if one.seconds > limit:
        return f"it needs about {one.seconds:.0f} s, a run may take {limit:.0f} s (--most-seconds)"
    return ""


def _sees_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _estimate(task: Task, repeats: int, limit: float | int) -> str:
    """What a task will take, said before it starts."""
    able = [one for one in task.contestants if not _obstacle(one, limit)]
    seconds = sum(one.seconds * min(repeats, one.repeats or repeats) for one in able)
    memory = task.inputs_memory + max((one.memory for one in able), default=0.0)
    return f"{task.name}: at most about {memory / GIB:.1f} GiB, about {max(1.0, seconds / 60):.0f} min"


def _compare(task: Task, entries: dict[str, Entry], folder: Path) -> None:
    """Fill in the agreement of everybody who is to agree with somebody."""
    for one in task.contestants:
        if not one.agrees_with or not entries[one.name].runs:
            continue
        for output, measure in task.compare.items():
            pair = [_output(entries[name], folder / name.replace("/", " "), output) for name in (one.name, one.agrees_with)]
            if pair[0] is not None and pair[1] is not None:
                entries[one.name].agreement[output] = agree(measure, pair[0], pair[1]) | {"with": one.agrees_with}


def _output(entry: Entry, folder: Path, name: str) -> np.ndarray | None:
    """An output of a contestant's first run; None when there is none."""
    path = folder / f"{name}.npy"
    if path.is_file():
        return np.load(path, mmap_mode="r")
    return np.asarray(entry.runs[0][name]) if entry.runs and name in entry.runs[0] else None


def medians(runs: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The median of every number that the runs have."""
    names = runs[0] if runs else {}
    return {name: float(np.median([run[name] for run in runs])) for name in names if isinstance(runs[0][name], int | float)}
