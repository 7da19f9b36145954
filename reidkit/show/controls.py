"""The controls that widgets are turned with, all reached by Tab and turned by the arrow keys; and pages of a table."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets
import pandas as pd


def slider(value: int, low: int, high: int, name: str) -> ipywidgets.IntSlider:
    """A slider over whole numbers that acts when it is let go."""
    return ipywidgets.IntSlider(value, low, high, description=name, tooltip=f"{name}: {low} to {high}", continuous_update=False)


def choice(value: str, options: Sequence[str], name: str) -> ipywidgets.Dropdown:
    """A choice between words."""
    return ipywidgets.Dropdown(options=list(options), value=value, description=name, tooltip=f"{name}: {', '.join(options)}")


def pages(rows: int, on_page: int, page: int) -> ipywidgets.IntSlider:
    """A slider over the pages of a table of so many rows."""
    return slider(page, 1, max(1, -(-rows // on_page)), "page")


def page_of(table: pd.DataFrame, page: int, on_page: int) -> pd.DataFrame:
    """The rows of a page, or of the last one where the table has fewer."""
    first = (min(page, max(1, -(-len(table) // on_page))) - 1) * on_page
    return table.iloc[first : first + on_page]
