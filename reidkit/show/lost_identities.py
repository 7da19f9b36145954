"""`LostIdentities`: the people that the labels lost or split, with their pictures and, when asked, the cause."""

from __future__ import annotations

import ipywidgets
import pandas as pd

from reidkit.diagnose import Diagnosis
from reidkit.diagnose.identities import LOST, STATUS
from reidkit.diagnose.text import counted
from reidkit.errors import DiagnosisError
from reidkit.records import ImageTable
from reidkit.show.controls import choice, page_of, pages
from reidkit.show.galleries import draw_people
from reidkit.show.picture import Picture
from reidkit.show.widget import View

WANTED = {"lost": LOST} | {status: (status,) for status in STATUS}


class LostIdentities(View):
    """One row an identity: its pictures, marked by whether its own clusters hold them.

    Args:
        diagnosis: made with `identities`.
        table: the images that were diagnosed, row by row.
        causes: from `diagnose.autopsy`; adds the cause and the change that brings it back to each row.
        rows, across: identities a page, and pictures of each.
    """

    def __init__(
        self, diagnosis: Diagnosis, table: ImageTable, *, causes: pd.DataFrame | None = None, rows: int = 5, across: int = 12
    ) -> None:
        if diagnosis.labelling.identity is None:
            raise DiagnosisError("There is no truth.", rule="Only the truth knows who is lost.", action="Pass identities.")
        self.diagnosis, self.table, self.causes, self.rows, self.across = diagnosis, table, causes, rows, across
        self.status, self.page = "lost", 1

    def controls(self) -> dict[str, ipywidgets.ValueWidget]:
        longest = max(len(self._people(wanted)) for wanted in WANTED.values())
        return {
            "status": choice(self.status, list(WANTED), "status"),
            "page": pages(longest, self.rows, self.page),
        }

    def _people(self, wanted: tuple[str, ...]) -> pd.DataFrame:
        people = self.diagnosis.identities
        found = people[people["status"].isin(wanted)]
        if self.causes is None:
            return found
        return found.merge(self.causes.drop(columns=["images", "status"]), on="identity", how="left")

    def data(self) -> pd.DataFrame:
        return self._people(WANTED[self.status]).reset_index(drop=True)

    def static(self) -> Picture:
        people = page_of(self.data(), self.page, self.rows)
        return draw_people(self.diagnosis, people, self.table, across=self.across)

    def describe(self) -> str:
        people, found = self.diagnosis.identities, self.data()
        text = f"{self.status}: {len(found)} of {counted(len(people), 'identity')}"
        unseen = int((people["status"] == "unseen").sum())
        if "cause" in found and found["cause"].notna().any():
            text += ": " + ", ".join(f"{count} {cause}" for cause, count in found["cause"].value_counts().sort_index().items())
        return f"{text}; {int(people['lost'].sum())} lost in all, {unseen} never in a cluster."
