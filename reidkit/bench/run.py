"""`reidkit bench`: measure the tasks of a command and keep the record."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reidkit.bench.arena import GIB, compete
from reidkit.bench.contest import Task
from reidkit.bench.record import add_to_record, record_path, task_record
from reidkit.errors import BenchError, nearest_name

COMMANDS = ("labels", "ranking", "rerank", "kmeans", "extract", "maps", "diagnosis", "explorer")


def tasks_of(name: str, sizes: Sequence[int] = (), quick: bool = False) -> list[Task]:
    """The tasks of a command.

    Args:
        name: one of `COMMANDS`.
        sizes: numbers of images; none stands for those of the goals.
        quick: a few hundred images, for a test of the measurement itself.
    """
    if name not in COMMANDS:
        raise BenchError(
            f"There is no measurement {name!r}.", rule=f"Measurements: {COMMANDS}.", action=nearest_name(name, COMMANDS)
        )
    if any(size < 100 for size in sizes):
        raise BenchError(f"Sizes {list(sizes)}.", rule="At least 100 images.", action="Choose larger sizes.")
    return importlib.import_module(f"reidkit.bench.{name}").tasks(sizes, quick)


def bench(
    name: str, *, sizes: Sequence[int], quick: bool, repeats: int, limit: float | int, out: Path, say: Callable[[str], object]
) -> list[tuple[Task, dict[str, Any]]]:
    """Measure; the record is written after every task. Returns each task with its entry of the record."""
    measured = []
    for task in tasks_of(name, sizes, quick):
        entry = task_record(task, compete(task, repeats=repeats, limit=limit, say=say))
        add_to_record(record_path(out, name), task.name, entry)
        measured.append((task, entry))
        say(summary(task.name, entry))
    return measured


def summary(name: str, entry: dict[str, Any]) -> str:
    """A task's medians, ratios to the first contestant, agreement and goals, as lines of text."""
    first = entry["contestants"][entry["order"][0]]["median"].get("wall")
    lines = [name, f"  {'':34} {'wall s':>10} {'CPU s':>10} {'GiB':>7} {'ratio':>8}"]
    for contestant in entry["order"]:
        found = entry["contestants"][contestant]
        middle = found["median"]
        if middle:
            ratio = f"{middle['wall'] / first:8.2f}" if first else f"{'':8}"
            lines.append(
                f"  {contestant:34} {middle['wall']:10.4f} {middle['cpu']:10.4f} {middle['memory'] / GIB:7.2f} {ratio}"
                + "".join(f"  {said['text']}{'' if said['agrees'] else ' DISAGREES'}" for said in found["agreement"].values())
            )
        if found["skipped"]:
            lines.append(f"  {contestant:34} skipped: {found['skipped']}")
    for goal in entry["goals"]:
        state = {True: "met", False: "NOT MET", None: "not measured"}[goal["met"]]
        value = "" if goal["value"] is None else f" ({goal['value']:.4g})"
        lines.append(f"  goal: {goal['text']}: {state}{value}")
    return "\n".join(lines)
