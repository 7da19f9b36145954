"""What every widget is: a view with four faces over tables that were computed elsewhere."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from html import escape
from typing import Any, TypeVar

import ipywidgets
import pandas as pd

from reidkit.diagnose.text import plain
from reidkit.errors import ReidkitError, nearest_name
from reidkit.records import ImageTable
from reidkit.show.callback import strict
from reidkit.show.chart import folded
from reidkit.show.picture import Picture
from reidkit.show.privacy import hidden_note
from reidkit.show.selection import Selection

V = TypeVar("V", bound="View")


def headless() -> bool:
    """Whether nobody sits in front of this notebook: ``REIDKIT_HEADLESS`` is set to something other than 0."""
    return os.environ.get("REIDKIT_HEADLESS", "0") not in ("", "0")


class View(ABC):
    """A widget. What it shows is set by a few named values (its state), which controls turn and `set` sets.

    The four faces: `show` (live, or the static twin where nobody can turn it), `static` (a picture that needs no kernel),
    `data` (the data frame behind it) and `describe` (one sentence from the data). All of them show the present state.
    `selection` holds rows of the images; `reidkit.show.link` lets several views share one.
    """

    @property
    def selection(self) -> Selection:
        """The selected images; a view's own until it is linked with others."""
        if "_selection" not in self.__dict__:
            self._selection = Selection()
        return self._selection

    @selection.setter
    def selection(self, shared: Selection) -> None:
        self._selection = shared

    @abstractmethod
    def controls(self) -> dict[str, ipywidgets.ValueWidget]:
        """State name -> a control whose `value` is that state's present value; reached by Tab, turned by arrow keys."""

    @abstractmethod
    def static(self) -> Picture:
        """The picture of the present state."""

    @abstractmethod
    def data(self) -> pd.DataFrame:
        """The table behind the picture."""

    @abstractmethod
    def describe(self) -> str:
        """What the picture shows now, in one sentence made from the data."""

    def words(self) -> str:
        """What stands under the live picture: `describe`, and why pictures are blank where they are."""
        notes = (hidden_note(value) for value in vars(self).values() if isinstance(value, ImageTable))
        return self.describe() + next(filter(None, notes), "")

    def chart(self) -> dict[str, Any] | None:
        """A plotly figure of the numbers, to be pointed at in the live widget (see `reidkit.show.chart`); None for none."""
        return None

    def drawn(self) -> str:
        """The live picture as HTML."""
        return self.static().html(caption=False)

    def set(self: V, **state: object) -> V:
        """Set state by name, as a control does; `show` and the other faces follow.

        Raises:
            ReidkitError: for a name that this view does not have, or a value that it cannot take.
        """
        for name, value in state.items():
            known = self.controls()
            if name not in known:
                what = f"{type(self).__name__} has no {name!r}. {nearest_name(name, known)}"
                raise ReidkitError(what, rule="Only what a control turns can be set.", action="Use one of these names.")
            try:
                known[name].value = value
                taken = known[name].value == value
            except Exception as error:
                raise _refused(name, value, str(error)) from error
            if not taken:
                raise _refused(name, value, f"it was moved to {known[name].value!r}")
            setattr(self, name, value)
        return self

    def show(self) -> ipywidgets.Widget | Picture:
        """The live widget; the static twin when ``REIDKIT_HEADLESS`` is set."""
        return self.static() if headless() else self.live()

    def live(self) -> ipywidgets.VBox:
        """Controls, the picture, a sentence that says what it shows now, a line for what went wrong, and a fold with a chart."""
        status, picture, sentence = (ipywidgets.HTML() for _ in range(3))
        controls = self.controls()
        fold, renew_chart = folded(lambda: self.chart() or {}, status)

        def draw() -> None:
            picture.value = self.drawn()
            renew_chart()
            sentence.value = f'<div aria-live="polite" style="max-width:60em">{escape(plain(self.words()))}</div>'

        @strict(status)
        def turned(name: str, value: object) -> None:
            if getattr(self, name) != value:
                setattr(self, name, value)
                renew(controls, self.controls())
                draw()

        @strict(status)
        def selected(change: object) -> None:
            renew(controls, self.controls())
            draw()

        self.selection.observe(selected, names="rows")
        for name, control in controls.items():
            control.observe(lambda change, name=name: turned(name, change["new"]), names="value")
        strict(status)(draw)()
        bar = ipywidgets.HBox(list(controls.values()), layout=ipywidgets.Layout(flex_flow="row wrap"))
        has_chart = type(self).chart is not View.chart
        return ipywidgets.VBox([bar, picture, sentence, status, *[fold] * has_chart])


def renew(shown: dict[str, ipywidgets.ValueWidget], fresh: dict[str, ipywidgets.ValueWidget]) -> None:
    """Let controls follow a view whose state, or whose choices, changed elsewhere."""
    for name, control in fresh.items():
        if isinstance(control, ipywidgets.Dropdown) and control.options != shown[name].options:
            shown[name].options = control.options
        if shown[name].value != control.value:
            shown[name].value = control.value


def _refused(name: str, value: object, reason: str) -> ReidkitError:
    return ReidkitError(f"{name}={value!r}: {reason}.", rule="A value is one that the control offers.", action="Choose another.")
