"""One selection for several widgets: what is drawn around in a map shows in galleries and tables, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import traitlets

from reidkit.diagnose.text import plain

if TYPE_CHECKING:
    from reidkit.show.widget import View

NOTHING = "none"


class Selection(traitlets.HasTraits):
    """Rows of one set of images.

    Attributes:
        rows: int64, ascending, each once; empty when nothing is selected. Widgets that share the selection observe it.
    """

    rows = traitlets.Instance(np.ndarray)

    @traitlets.default("rows")
    def _nothing(self) -> np.ndarray:
        return np.zeros(0, np.int64)

    def select(self, rows: np.ndarray | Sequence[int]) -> None:
        """Select these rows and nothing else; observers hear of it only when that is a change."""
        wanted = np.unique(np.asarray(rows, np.int64))
        if not np.array_equal(wanted, self.rows):
            self.rows = wanted


def link(*views: View) -> Selection:
    """Let views of the same images, row by row, share one selection. Do it before they are shown.

    Returns:
        The selection of the first view, which is now everybody's.
    """
    shared = views[0].selection
    for view in views[1:]:
        view.selection = shared
    return shared


class Choosing:
    """For a view of groups of images: it shows the groups that the selection touches, and choosing a group selects it."""

    selection: Selection

    def group_of(self) -> np.ndarray:
        """Text (N,), the present group of each image; "" for none."""
        raise NotImplementedError

    def choices(self) -> list[str]:
        """What can be chosen now, for a control."""
        return [NOTHING, *dict.fromkeys(name for name in self.group_of().tolist() if name)]

    def touched(self) -> set[str]:
        """The groups with a selected image."""
        return set(self.group_of()[self.selection.rows].tolist()) - {""}

    @property
    def chosen(self) -> str:
        """The group that is selected, when exactly one is and wholly; else ``"none"``."""
        groups, rows = self.group_of(), self.selection.rows
        first = groups[rows[0]] if len(rows) else ""
        return str(first) if first and np.array_equal(np.flatnonzero(groups == first), rows) else NOTHING

    @chosen.setter
    def chosen(self, name: str) -> None:
        if name != self.chosen:
            self.selection.select(np.flatnonzero(self.group_of() == name))


def named(codes: np.ndarray, names: Sequence[object]) -> np.ndarray:
    """Text (N,): the name of each code, "" for negative ones."""
    text = np.array([*(plain(name) for name in names), ""], dtype=object)
    return text[np.where(codes < 0, len(names), codes)]
