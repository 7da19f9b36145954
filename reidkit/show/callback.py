"""Callbacks that fail loudly.

An exception in a callback that the browser raised goes to a log console that nobody opens. `strict` shows it in red in the
widget itself, keeps it in `ERRORS`, and raises it again, so that a headless run that turns the widget fails.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from html import escape
from typing import ParamSpec, TypeVar

import ipywidgets

P = ParamSpec("P")
R = TypeVar("R")
ERRORS: list[BaseException] = []
RED = "#B30000"


def strict(status: ipywidgets.HTML) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator for callbacks whose failure is told in `status`; the next success clears it."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                result = function(*args, **kwargs)
            except Exception as error:
                ERRORS.append(error)
                words = escape(f"{type(error).__name__}: {error}")
                status.value = f'<div role="alert" style="color:{RED};white-space:pre-wrap"><b>✗</b> {words}</div>'
                raise
            status.value = ""
            return result

        return guarded

    return decorate
