"""Figures that a run is judged by: shown in the notebook and read back from its outputs by the runner."""

from __future__ import annotations

import math
from numbers import Real

from IPython.display import display

from reidkit.errors import LessonError

METRIC_MIME = "application/vnd.reidkit.metric+json"
DIRECTIONS = ("higher", "lower")


def metric(name: str, value: object, unit: str, direction: str | None = None) -> dict[str, object]:
    """A figure as plain JSON values.

    Args:
        name: words joined by underscores, unique in the notebook.
        value: a finite number.
        unit: ``"fraction"``, ``"nats"``, ``"images"``, ``"seconds"`` ...
        direction: ``"higher"`` or ``"lower"`` when one of them is better.

    Raises:
        LessonError: for a value that is not a finite number, or an unknown direction.
    """
    plain = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    if not isinstance(plain, Real) or not math.isfinite(plain):
        raise LessonError(
            f"The figure {name!r} is {value!r}.",
            rule="A recorded figure is a finite number.",
            action="Record what can be judged, or record how many cases have no value.",
        )
    if direction is not None and direction not in DIRECTIONS:
        raise LessonError(f"Direction {direction!r} of {name!r}.", rule=f"A direction is one of {DIRECTIONS}.", action="Use one.")
    number = plain if isinstance(plain, int) and not isinstance(plain, bool) else float(plain)
    return {"name": name, "value": number, "unit": unit} | ({"direction": direction} if direction else {})


def show_metric(figure: dict[str, object]) -> None:
    """Put the figure into the notebook's output, for programs and for readers."""
    value = figure["value"]
    shown = f"{value:.4g}" if isinstance(value, float) else f"{value}"
    display({METRIC_MIME: figure, "text/plain": f"recorded: {figure['name']} = {shown} {figure['unit']}"}, raw=True)
