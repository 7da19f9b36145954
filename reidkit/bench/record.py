"""The record of a measurement: every run, what came of the goals, and the machine."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import psutil

from reidkit.bench.arena import Entry, medians
from reidkit.bench.contest import Goal, Task
from reidkit.environment import checkout, git_commit, installed_version, usable_cores
from reidkit.storage import write_json

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "numba", "faiss-cpu", "umap-learn", "openTSNE")
FORMAT = 1


def task_record(task: Task, entries: Mapping[str, Entry]) -> dict[str, Any]:
    """What the record holds of one task."""
    figures = {name: medians(entry.runs) for name, entry in entries.items()}
    contestants = {name: asdict(entry) | {"median": figures[name]} for name, entry in entries.items()}
    return {
        "about": task.about,
        "order": list(entries),
        "contestants": contestants,
        "goals": [verdict(goal, figures, entries) for goal in task.goals],
        "machine": machine(),
    }


def verdict(goal: Goal, figures: Mapping[str, Mapping[str, float]], entries: Mapping[str, Entry]) -> dict[str, Any]:
    """A goal with what was measured: `value`, a median or the ratio or difference of two (the `medians`), and `met`.

    None stands for not measured. A figure of outputs that disagree meets no goal.
    """
    found = [figures[name].get(goal.quantity) for name in (goal.contestant, goal.against) if name]
    known = [value for value in found if value is not None]
    value = None
    if len(known) == len(found) == 1:
        value = known[0]
    elif len(known) == len(found) and goal.as_ == "difference":
        value = known[0] - known[1]
    elif len(known) == len(found) and known[1]:
        value = known[0] / known[1]
    wrong = [
        f"{name}: {output}"
        for name in (goal.contestant, goal.against)
        for output, said in (entries[name].agreement.items() if name else ())
        if not said["agrees"]
    ]
    met = None if value is None else goal.at_least <= value <= goal.at_most and not wrong
    limits = {"at_most": goal.at_most, "at_least": goal.at_least}
    said = {name: limit for name, limit in limits.items() if abs(limit) != float("inf")}
    about = {"text": goal.text, "contestant": goal.contestant, "quantity": goal.quantity, "against": goal.against, "as": goal.as_}
    return about | said | {"medians": found, "value": value, "met": met, "disagreeing": wrong}


def machine() -> dict[str, Any]:
    """Processor, cores, memory, what the engines of matrix products take, versions and commit."""
    from reidkit.compute import describe_device, threads
    from reidkit.neighbours.tiles import fastest, trial

    return {
        "processor": _processor(),
        "cores": usable_cores(),
        "threads": threads(),
        "memory": psutil.virtual_memory().total,
        "device": describe_device(),
        "bf16": fastest(True) == "bf16",
        "engines": {name: round(seconds, 6) for name, seconds in trial().items()},
        "system": platform.system(),
        "python": ".".join(map(str, sys.version_info[:3])),
        "versions": {name: installed_version(name) for name in PACKAGES},
        "commit": git_commit(checkout()),
        "day": date.today().isoformat(),
    }


def record_path(folder: Path, name: str) -> Path:
    """Where the record of a command lies."""
    return folder / f"bench_{name}.json"


def read_record(path: Path) -> dict[str, Any]:
    """A record; an empty one where there is no file, or one of another format."""
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.get("format") == FORMAT:
            return found
    return {"format": FORMAT, "tasks": {}}


def add_to_record(path: Path, task: str, measured: Mapping[str, Any]) -> Path:
    """Put a task's entry into a record; one of the same name is replaced, the others stay."""
    record = read_record(path)
    record["tasks"][task] = dict(measured)
    return write_json(path, record)


def _processor() -> str:
    """The model's name, as the system gives it."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")
