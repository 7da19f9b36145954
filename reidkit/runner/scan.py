"""What an executed notebook says about its own run: errors shown, errors swallowed, cells that never ran, figures."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode

METRIC_MIME = "application/vnd.reidkit.metric+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
MARKERS = ("injected-parameters", "papermill-error-cell-tag")  # cells that papermill adds
TRACEBACK = "Traceback (most recent call last)"
LARGE_SCRIPT = 100_000
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Finding:
    """An exception and where it showed."""

    where: str
    type: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.type}: {self.message.splitlines()[0] if self.message else ''}".rstrip(": ")


@dataclass(frozen=True)
class Reading:
    """One executed notebook.

    Attributes:
        error: the exception that stopped it.
        swallowed: exceptions that stopped nothing.
        cells: number (as in the source), status and seconds of each code cell, with its first line.
        unfinished: numbers of the code cells that did not run to their end.
        metrics: recorded figures, `name`, `value` and `unit`.
        complaints: figures that cannot be read.
        kernel: what the kernel said of itself after the last cell.
    """

    error: Finding | None
    swallowed: tuple[Finding, ...]
    cells: tuple[dict[str, object], ...]
    unfinished: tuple[int, ...]
    metrics: tuple[dict[str, object], ...]
    complaints: tuple[str, ...]
    kernel: dict[str, Any]


def read_outcome(notebook: NotebookNode) -> Reading:
    """Everything the runner wants to know from an executed notebook; the notebook stays as it is."""
    numbered = list(_code_cells(notebook))
    errors = [f for number, cell in numbered for f in _errors(cell.outputs, f"cell {number}")]
    kernel = dict(notebook.metadata.get("reidkit", {}))
    metrics, complaints = _metrics(numbered)
    return Reading(
        error=errors[0] if errors else None,
        swallowed=tuple(_unique([*_lost_in_kernel(kernel), *_lost_in_widgets(notebook), *_lost_on_stderr(numbered)])),
        cells=tuple(_timing(number, cell) for number, cell in numbered),
        unfinished=tuple(number for number, cell in numbered if cell.source.strip() and not _finished(cell)),
        metrics=tuple(metrics),
        complaints=tuple(complaints),
        kernel=kernel,
    )


def strip_notebook(notebook: NotebookNode) -> NotebookNode:
    """Take out what no reader needs: copies of whole script libraries in widget states, and paths of this machine."""
    notebook.metadata.pop("reidkit", None)
    for key in ("input_path", "output_path"):
        notebook.metadata.get("papermill", {}).pop(key, None)
    for model in _widget_models(notebook):
        for key in ("_esm", "_css"):
            if len(str(model["state"].get(key, ""))) > LARGE_SCRIPT:
                model["state"][key] = ""
    return notebook


def _code_cells(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    """Code cells of the source, numbered from 1 among all its cells."""
    kept = [cell for cell in notebook.cells if not set(MARKERS) & set(cell.metadata.get("tags", []))]
    return ((number, cell) for number, cell in enumerate(kept, 1) if cell.cell_type == "code")


def _errors(outputs: Iterable[Any], where: str) -> Iterator[Finding]:
    for output in outputs:
        if output.get("output_type") == "error":
            yield Finding(where, output.get("ename", "Error"), ANSI.sub("", output.get("evalue", "")))


def _lost_in_kernel(kernel: dict[str, Any]) -> Iterator[Finding]:
    return (Finding(row["where"], row["type"], row["message"]) for row in kernel.get("swallowed", []))


def _lost_in_widgets(notebook: NotebookNode) -> Iterator[Finding]:
    for model in _widget_models(notebook):
        if model.get("model_name") == "OutputModel":
            outputs = model["state"].get("outputs", [])
            yield from _errors(outputs, "Output widget")
            yield from _tracebacks(outputs, "Output widget")


def _lost_on_stderr(cells: Iterable[tuple[int, NotebookNode]]) -> Iterator[Finding]:
    for number, cell in cells:
        yield from _tracebacks(cell.outputs, f"standard error of cell {number}")


def _tracebacks(outputs: Iterable[Any], where: str) -> Iterator[Finding]:
    """The last line of each traceback printed to standard error."""
    text = "".join(o.get("text", "") for o in outputs if o.get("output_type") == "stream" and o.get("name") == "stderr")
    for part in ANSI.sub("", text).split(TRACEBACK)[1:]:
        named = [line for line in part.splitlines()[1:] if re.match(r"[A-Za-z_][\w.]*(:|$)", line)]
        kind, _, message = (named[0] if named else "Traceback").partition(": ")
        yield Finding(where, kind.rpartition(".")[2], message)


def _unique(findings: Iterable[Finding]) -> Iterator[Finding]:
    """A thread's exception stands in the guard's list and on standard error: keep the first of equals."""
    seen = set()
    for finding in findings:
        key = (finding.type, finding.message.partition("\n")[0])
        if key not in seen:
            seen.add(key)
            yield finding


def _finished(cell: NotebookNode) -> bool:
    ended = cell.metadata.get("papermill", {}).get("status") == "completed"
    return ended and cell.get("execution_count") is not None and not any(_errors(cell.outputs, ""))


def _timing(number: int, cell: NotebookNode) -> dict[str, object]:
    papermill = cell.metadata.get("papermill", {})
    begun = papermill.get("start_time") is not None  # when a run ends early, papermill calls cells completed that never began
    first = next((line.strip() for line in cell.source.splitlines() if line.strip()), "")
    status = papermill.get("status") if begun else "pending"
    return {"cell": number, "status": status, "seconds": papermill.get("duration"), "first": first[:80]}


def _metrics(cells: Iterable[tuple[int, NotebookNode]]) -> tuple[list[dict[str, object]], list[str]]:
    found: dict[str, dict[str, object]] = {}
    complaints = []
    for number, cell in cells:
        for output in cell.outputs:
            figure = output.get("data", {}).get(METRIC_MIME)
            if figure is None:
                continue
            name = figure.get("name") if isinstance(figure, dict) else None
            if not isinstance(name, str) or not _finite(figure.get("value")):
                complaints.append(f"cell {number} records {figure!r}, which is no finite number with a name")
            elif name in found:
                complaints.append(f"cell {number} records {name!r} again; the first value was kept")
            else:
                found[name] = dict(figure)
    return list(found.values()), complaints


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _widget_models(notebook: NotebookNode) -> Iterator[Any]:
    states = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    return (model for model in states.values() if isinstance(model.get("state"), dict))
