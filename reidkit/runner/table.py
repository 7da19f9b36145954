"""A run as lines of text: one when a notebook starts or ends, and a table at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reidkit.runner.plan import Job

FIGURES = 3  # of each notebook, in the table


def event_line(event: Job | Mapping[str, Any]) -> str:
    """``01_task: passed in 31.2 s``."""
    if isinstance(event, Job):
        return f"{event.name}: started"
    reason = f" ({event['reason']})" if event["reason"] else ""
    return f"{event['notebook'].removesuffix('.ipynb')}: {event['verdict']} after {event['seconds']:.1f} s{reason}"


def result_table(records: Sequence[Mapping[str, Any]], not_run: Sequence[str] = ()) -> str:
    """Notebook, verdict, seconds and main figures in columns."""
    rows = [("notebook", "verdict", "seconds", "main figures")]
    rows += [
        (record["notebook"].removesuffix(".ipynb"), record["verdict"], f"{record['seconds']:.1f}", _figures(record))
        for record in records
    ]
    rows += [(name, "not run", "", "") for name in not_run]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d}".rstrip() for a, b, c, d in rows]
    return "\n".join([lines[0], "-" * min(100, max(map(len, lines))), *lines[1:]])


def _figures(record: Mapping[str, Any]) -> str:
    if record["verdict"] != "passed" and record["reason"]:
        return str(record["reason"])[:90]
    metrics = record["metrics"]
    said = [f"{metric['name']} {metric['value']:.4g}" for metric in metrics[:FIGURES]]
    return " · ".join(said) + (f" · {len(metrics) - FIGURES} more" if len(metrics) > FIGURES else "")
