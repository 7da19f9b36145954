"""The two controls that widgets are turned with; both are reached by Tab and turned by the arrow keys."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets


def slider(value: int, low: int, high: int, name: str) -> ipywidgets.IntSlider:
    """A slider over whole numbers that acts when it is let go."""
    return ipywidgets.IntSlider(value, low, high, description=name, tooltip=f"{name}: {low} to {high}", continuous_update=False)


def choice(value: str, options: Sequence[str], name: str) -> ipywidgets.Dropdown:
    """A choice between words."""
    return ipywidgets.Dropdown(options=list(options), value=value, description=name, tooltip=f"{name}: {', '.join(options)}")
