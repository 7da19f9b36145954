"""Curves and matrices that can be pointed at: plotly figures in a fold of a live widget.

A notebook keeps their numbers only. What draws them is the extension for JupyterLab and Voila that plotly installs; its figure
widget would store five megabytes of program in every notebook instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd

from reidkit.diagnose.text import plain
from reidkit.show.callback import strict
from reidkit.show.palette import style

MIME = "application/vnd.plotly.v1+json"
DASHES = {"-": "solid", "--": "dash", "-.": "dashdot", ":": "dot"}
SYMBOLS = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "D": "diamond",
    "v": "triangle-down",
    "P": "cross",
    "X": "x",
    "*": "star",
}
Panels = Sequence[tuple[str, str, Mapping[str, str]]]


def line_chart(table: pd.DataFrame, x: str, panels: Panels, *, mark: float | int | None = None) -> dict[str, Any]:
    """Curves over the column `x`, one panel below the other; pointing at a place tells all values there.

    Args:
        panels: title, unit, and column -> name; columns that `table` lacks are left out.
        mark: where a vertical line stands.
    """
    from plotly.subplots import make_subplots

    kept = [(title, unit, {c: n for c, n in columns.items() if c in table}) for title, unit, columns in panels]
    kept = [panel for panel in kept if panel[2]]
    figure = make_subplots(len(kept), 1, shared_xaxes=True, subplot_titles=[title for title, _, _ in kept], vertical_spacing=0.06)
    for row, (_, unit, columns) in enumerate(kept, 1):
        for place, (column, name) in enumerate(columns.items()):
            colour, marker, dash = style(place)
            look = {"line": {"color": colour, "dash": DASHES[dash]}, "marker": {"color": colour, "symbol": SYMBOLS[marker]}}
            figure.add_scatter(x=_list(table[x]), y=_list(table[column]), name=escape(name), row=row, col=1, **look)
        figure.update_yaxes(title=unit, row=row, col=1)
    if mark is not None:
        figure.add_vline(mark, line={"color": "black", "width": 1, "dash": "dot"})
    figure.update_layout(height=170 * len(kept) + 60, hovermode="x unified", hoversubplots="axis")
    return _bare(figure)


def matrix_chart(values: np.ndarray, names: Sequence[object], title: str) -> dict[str, Any]:
    """A matrix of each two names; pointing at a cell tells its value."""
    import plotly.graph_objects as go

    words = [escape(plain(name)) for name in names]
    cells = go.Heatmap(z=[_list(row) for row in values], x=words, y=words, colorscale="Cividis", hoverongaps=False)
    cells.hovertemplate = "%{y} and %{x}: %{z:.3g}<extra></extra>"
    figure, kind = go.Figure(cells), {"type": "category"}
    figure.update_layout(height=420, width=520, title=escape(title), xaxis=kind, yaxis=kind | {"autorange": "reversed"})
    return _bare(figure)


def folded(make: Callable[[], dict[str, Any]], status: ipywidgets.HTML) -> tuple[ipywidgets.Accordion, Callable[[], None]]:
    """A fold in which the chart of `make` is drawn once it is opened, and what draws it anew (nothing while it is shut)."""
    place = ipywidgets.Output()
    fold = ipywidgets.Accordion([place], titles=("Values to point at",), selected_index=None)

    @strict(status)
    def renew(change: object = None) -> None:
        if fold.selected_index == 0:
            data = {MIME: make(), "text/plain": "A chart; its numbers are in `.data()`."}
            place.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},)

    fold.observe(renew, names="selected_index")
    return fold, renew


def _bare(figure: Any) -> dict[str, Any]:
    """The figure as plain JSON, without plotly's long default template."""
    figure.update_layout(template="none", margin={"l": 60, "r": 20, "t": 40, "b": 40}, font={"size": 11})
    content: dict[str, Any] = figure.to_plotly_json()
    content["layout"].pop("template", None)
    return content


def _list(values: Any) -> list[float | None]:
    """Numbers, None where undefined: lists travel as JSON, arrays would as binary."""
    return [None if np.isnan(value) else float(value) for value in np.asarray(values, np.float64)]
