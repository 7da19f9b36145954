"""A table as a picture of text, and as HTML; whatever stands in it is shown as text."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd

from reidkit.diagnose.text import plain
from reidkit.show.picture import Picture, new_figure

WIDEST = 28  # letters of a cell in the picture


def table_figure(table: pd.DataFrame, name: str) -> Picture:
    """A picture of a few rows, cut where a cell is long."""
    words = table.map(_cell).to_string(index=False, max_colwidth=WIDEST).split("\n")
    figure = new_figure(max(4.0, 0.075 * max(map(len, words))), 0.17 * len(words) + 0.2)
    figure.text(0.01, 0.99, "\n".join(words).replace("$", r"\$"), va="top", family="monospace", fontsize=8)
    return Picture(figure, f"A page of the table {name}: {', '.join(map(str, table.columns))}.")


def table_html(table: pd.DataFrame, name: str) -> str:
    """The same rows whole, as an HTML table that scrolls sideways."""
    html = table.map(_cell).to_html(index=False, border=0, escape=True, justify="left")
    return f'<div style="overflow-x:auto" role="region" aria-label="{escape(name)}" tabindex="0">{html}</div>'


def sortable(column: pd.Series) -> pd.Series:
    """Numbers as they are, everything else as text (for `DataFrame.sort_values`)."""
    return column if pd.api.types.is_numeric_dtype(column) else column.map(plain)


def _cell(value: object) -> str:
    if isinstance(value, float | np.floating):
        return "–" if np.isnan(value) else f"{value:.4g}"
    return plain(value)
