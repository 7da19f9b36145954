"""`TableBrowser`: the tables of a diagnosis, sorted and turned page by page."""

from __future__ import annotations

import ipywidgets
import numpy as np
import pandas as pd

from reidkit.diagnose import Diagnosis
from reidkit.diagnose.diagnosis import FRAMES
from reidkit.diagnose.text import counted, plain
from reidkit.show.controls import choice, page_of, pages
from reidkit.show.picture import Picture
from reidkit.show.selection import Choosing, named
from reidkit.show.table_figure import sortable, table_figure, table_html
from reidkit.show.widget import View

AS_GIVEN, ORDERS = "as given", ("descending", "ascending")


class TableBrowser(Choosing, View):
    """A page of one of the tables. While images are selected, clusters, identities and images are theirs alone; choosing a
    cluster or an identity in its table selects its images.

    Args:
        diagnosis: of the pseudo-labels.
        table: one of `reidkit.diagnose.diagnosis.FRAMES`.
        rows: on a page.
    """

    def __init__(self, diagnosis: Diagnosis, *, table: str = "clusters", rows: int = 12) -> None:
        self.diagnosis, self.rows, self.page, self.sort, self.order = diagnosis, rows, 1, AS_GIVEN, ORDERS[0]
        self.tables = [name for name in FRAMES if len(getattr(diagnosis, name))]
        self.table = table if table in self.tables else self.tables[0]

    def controls(self) -> dict[str, ipywidgets.ValueWidget]:
        frame = getattr(self.diagnosis, self.table)
        self.sort = self.sort if self.sort in frame else AS_GIVEN
        longest = max(len(getattr(self.diagnosis, name)) for name in self.tables)
        return {
            "table": choice(self.table, self.tables, "table"),
            "sort": choice(self.sort, [AS_GIVEN, *frame], "sort by"),
            "order": choice(self.order, ORDERS, "order"),
            "page": pages(longest, self.rows, self.page),
            "chosen": choice(self.chosen, self.choices(), "select"),
        }

    def group_of(self) -> np.ndarray:
        own = self.diagnosis.labelling
        sides = {"clusters": (own.label, own.cluster_names), "identities": (own.identity, own.identity_names)}
        codes, names = sides.get(self.table, (np.full(len(own), -1), []))
        return named(np.full(len(own), -1) if codes is None else codes, names)

    def data(self) -> pd.DataFrame:
        frame, rows = getattr(self.diagnosis, self.table), self.selection.rows
        if len(rows) and self.table == "images":
            frame = frame.iloc[rows]
        elif len(rows) and self.table in ("clusters", "identities"):
            frame = frame[frame[frame.columns[0]].map(plain).isin(self.touched())]
        if self.sort in frame:
            frame = frame.sort_values(self.sort, ascending=self.order == "ascending", kind="stable", key=sortable)
        return frame.reset_index(drop=True)

    def shown(self) -> pd.DataFrame:
        """The present page."""
        return page_of(self.data(), self.page, self.rows)

    def drawn(self) -> str:
        return table_html(self.shown(), self.table)

    def static(self) -> Picture:
        return table_figure(self.shown(), self.table)

    def describe(self) -> str:
        text = f"{counted(len(self.data()), 'row')} of {self.table}, sorted {self.sort}, page {self.page}"
        return f"{text}; {counted(len(self.selection.rows), 'image')} selected."
