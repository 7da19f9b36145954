"""The README's performance table, made from the records between two marker comments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reidkit.bench.record import read_record, record_path
from reidkit.bench.run import COMMANDS
from reidkit.errors import BenchError
from reidkit.storage import write_atomically

BEGIN, END = "<!-- performance: begin -->", "<!-- performance: end -->"
MAP = "map_fps.json"
HEADER = "| work | goal | measured | met |\n|---|---|---|---|"
VERDICTS = {True: "yes", False: "**no**", None: "not measured"}


def performance_table(records: Path) -> str:
    """Markdown: a line on the machines, then one row a goal. A single sentence where nothing was recorded."""
    rows, machines = [], []
    for task, entry in _tasks(records):
        rows += [_row(task, goal) for goal in entry["goals"]]
        machines.append(_machine(entry["machine"]))
    rows += map_rows(records)
    if not rows:
        return "No measurement is recorded yet: `reidkit bench labels --out docs/records` makes the first."
    seen = "; ".join(dict.fromkeys(machines))
    about = f"Medians of runs that took turns ({seen}). Every run and what peers took: `docs/records/bench_*.json`."
    return "\n".join([about, "", HEADER, *rows])


def map_rows(records: Path) -> list[str]:
    """Frames a second of the embedding map, from what `data_scripts/bench_map.py` wrote; nothing where it wrote nothing."""
    path = records / MAP
    if not path.is_file():
        return []
    record = json.loads(path.read_text(encoding="utf-8"))
    drawn = "WebGL without a graphics card" if record["software_rendering"] else record["renderer"]
    return [
        f"| embedding map of {goal['points']:,} images | at least {goal['goal']:g} frames a second ({drawn}) "
        f"| {goal['slowest']:g} | {VERDICTS[goal['reached']] if 'reached' in goal else goal['not_judged']} |"
        for goal in record["goals"]
    ]


def in_readme(text: str, table: str) -> str:
    """The README with the table between its markers.

    Raises:
        BenchError: when the markers are not there, once each and in order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in after:
        raise BenchError(
            "The README has no place for the performance table.",
            rule=f"It stands between {BEGIN} and {END}.",
            action="Put both markers there, each once.",
        )
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def update_readme(readme: Path, records: Path) -> bool:
    """Write the table into the README; whether that changed it."""
    text = readme.read_text(encoding="utf-8")
    wanted = in_readme(text, performance_table(records))
    if wanted != text:
        write_atomically(readme, lambda partial: partial.write_text(wanted, encoding="utf-8"))
    return wanted != text


def figure(goal: dict[str, Any]) -> str:
    """What was measured, in the unit of the goal."""
    if goal["value"] is None:
        return ""
    parts = [_amount(value, goal["quantity"]) for value in goal["medians"]]
    if not goal["against"]:
        return parts[0]
    if goal["as"] == "difference":
        return f"{goal['value']:+.3g} ({' - '.join(parts)})"
    return f"{goal['value']:.3g} x ({' / '.join(parts)})"


def _amount(value: float, quantity: str) -> str:
    if quantity == "memory":
        return f"{value / 1e9:.2f} GB"
    return f"{value:.3g} s" if quantity in ("wall", "cpu") or quantity.startswith("seconds ") else f"{value:.6g}"


def _tasks(records: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in COMMANDS:
        yield from sorted(read_record(record_path(records, name))["tasks"].items(), key=lambda item: _natural(item[0]))


def _natural(task: str) -> list[int | str]:
    """A key that puts 3,000 before 12,936."""
    return [f"{int(word):012d}" if word.isdigit() else word for word in task.replace(",", "").split()]


def _row(task: str, goal: dict[str, Any]) -> str:
    return f"| {task} | {goal['text']} | {figure(goal)} | {VERDICTS[goal['met']]} |"


def _machine(machine: dict[str, Any]) -> str:
    units = "with" if machine["bf16"] else "without"
    return f"{machine['processor']}, {machine['threads']} cores, {units} fast bf16, {machine['device']}"
