"""`PartGallery`: one image and whom it meets by each part of the body."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets
import numpy as np
import pandas as pd

from reidkit.diagnose.part_labels import company_table
from reidkit.diagnose.text import counted
from reidkit.records import ImageTable, Records
from reidkit.show.controls import slider
from reidkit.show.picture import Picture
from reidkit.show.privacy import hidden_note
from reidkit.show.thumbnails import thumbnails, veiled
from reidkit.show.tiles import Tile, draw_tiles
from reidkit.show.widget import View


class PartGallery(View):
    """One row a part: the image, and the others in its cluster of that part, with the rest of each picture under a veil.

    With truth, the same person and others are marked. Under each: camera, and the parts by which the two meet (first letters).

    Args:
        labels: (N, P) pseudo-labels, the first column of the whole body, the others of equal stripes from top to bottom.
        table: the N images.
        names: of the parts.
        image: the row to begin with.
        across: pictures of a row.
    """

    def __init__(self, labels: np.ndarray, table: ImageTable, *, names: Sequence[str], image: int = 0, across: int = 12) -> None:
        self.labels, self.table, self.names, self.image, self.across = labels, table, tuple(names), image, across

    def controls(self) -> dict[str, ipywidgets.ValueWidget]:
        return {"image": slider(self.image, 0, len(self.table) - 1, "image")}

    def data(self) -> pd.DataFrame:
        table = company_table(self.labels, self.names, self.image)
        table["camera"] = self.table.camera[table["image"]]
        if isinstance(self.table, Records):
            table["same"] = self.table.identity[table["image"]] == self.table.identity[self.image]
        return table

    def static(self) -> Picture:
        rows: list[list[Tile]] = []
        pictures: list[np.ndarray] = []
        for part, (_, met) in enumerate(self._by_part()):
            met = met.head(self.across - 1)
            small = thumbnails(self.table, [self.image, *met["image"]], height=80)
            marks = ["plain"] * len(met) if "same" not in met else np.where(met["same"], "match", "mismatch")
            letters = ["", *("".join(word[0].upper() for word in by.split("+")) for by in met["met_by"])]
            words = [f"c{self.table.camera_names[c]} {by}" for c, by in zip([self._camera(), *met["camera"]], letters)]
            start = sum(len(shown) for shown in pictures)
            rows.append([Tile(start + place, *told) for place, told in enumerate(zip(["centre", *marks], words))])
            pictures.append(veiled(small, part, len(self.names) - 1))
        figure = draw_tiles(np.concatenate(pictures), rows, titles=self._titles())
        return Picture(figure, self.describe() + hidden_note(self.table))

    def describe(self) -> str:
        return f"Image {self.image}, camera {self.table.camera_names[self._camera()]}. " + "; ".join(self._titles()) + "."

    def _camera(self) -> int:
        return int(self.table.camera[self.image])

    def _by_part(self) -> list[tuple[str, pd.DataFrame]]:
        table = self.data()
        return [(name, table[table["part"] == name]) for name in self.names]

    def _titles(self) -> list[str]:
        titles = []
        for (name, met), label in zip(self._by_part(), self.labels[self.image]):
            same = f", {int(met['same'].sum())} of the same person" if "same" in met else ""
            found = f"{counted(len(met), 'other')}{same}, {int((met['parts'] == 1).sum())} by this part alone"
            titles.append(f"{name}: {found if label >= 0 else 'an outlier'}")
        return titles
