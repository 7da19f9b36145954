"""`LostIdentities`: the people that the labels lost or split, with their pictures and, when asked, the cause."""

from __future__ import annotations

import ipywidgets
import numpy as np
import pandas as pd

from reidkit.diagnose import Diagnosis
from reidkit.diagnose.identities import LOST, STATUS
from reidkit.errors import DiagnosisError
from reidkit.records import ImageTable
from reidkit.show.controls import choice, slider
from reidkit.show.picture import Picture
from reidkit.show.thumbnails import thumbnails
from reidkit.show.tiles import Tile, draw_tiles
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
        pages = max(1, -(-max(len(self._people(wanted)) for wanted in WANTED.values()) // self.rows))
        return {
            "status": choice(self.status, list(WANTED), "status"),
            "page": slider(self.page, 1, pages, "page"),
        }

    def _people(self, wanted: tuple[str, ...]) -> pd.DataFrame:
        people = self.diagnosis.identities
        found = people[people["status"].isin(wanted)]
        return (
            found
            if self.causes is None
            else found.merge(self.causes.drop(columns=["images", "status"]), on="identity", how="left")
        )

    def data(self) -> pd.DataFrame:
        return self._people(WANTED[self.status]).reset_index(drop=True)

    def static(self) -> Picture:
        images: list[int] = []
        tiles: list[list[Tile]] = []
        titles: list[str] = []
        kept, labelling = self.diagnosis.images["status"].to_numpy() == "right", self.diagnosis.labelling
        for person in self.data().iloc[(self.page - 1) * self.rows : self.page * self.rows].to_dict("records"):
            rows = np.flatnonzero(labelling.identity == labelling.identity_names.index(person["identity"]))[: self.across]
            cameras = [self.table.camera_names[int(c)] for c in self.table.camera[rows]]
            marks = ["kept" if kept[r] else "outlier" if labelling.label[r] < 0 else "taken" for r in rows]
            tiles.append([Tile(len(images) + i, mark, f"c{c}") for i, (mark, c) in enumerate(zip(marks, cameras))])
            images += rows.tolist()
            words = (
                f"identity {person['identity']}: {person['images']} images, {person['inliers']} in clusters, {person['status']}"
            )
            titles.append(words + (f", {person['cause']}" if isinstance(person.get("cause"), str) else ""))
        return Picture(draw_tiles(thumbnails(self.table, images), tiles, titles=titles), "; ".join(titles) or "No such identity.")

    def describe(self) -> str:
        people, found = self.diagnosis.identities, self.data()
        text, unseen = f"{len(found)} of {len(people)} identities are {self.status}", int((people["status"] == "unseen").sum())
        if "cause" in found and found["cause"].notna().any():
            text += ": " + ", ".join(f"{count} {cause}" for cause, count in found["cause"].value_counts().sort_index().items())
        return f"{text}; {int(people['lost'].sum())} lost in all, {unseen} never in a cluster."
