"""`RecordsBrowser`: the pictures of any set of images, by identity, by camera, or by anything else its table knows."""

from __future__ import annotations

import ipywidgets
import numpy as np
import pandas as pd

from reidkit.diagnose.records_summary import group_table, image_groups
from reidkit.diagnose.text import counted
from reidkit.records import ImageTable
from reidkit.show.controls import choice, page_of, pages
from reidkit.show.galleries import draw_groups
from reidkit.show.picture import Picture
from reidkit.show.selection import Choosing
from reidkit.show.thumbnails import MOST
from reidkit.show.widget import View

ALL = "all"


class RecordsBrowser(Choosing, View):
    """A page of groups, one row each: pictures that share an identity, a camera, a range of yaw, … While images are
    selected, only they are shown; choosing a group selects it.

    Args:
        table: any records, or images without identities.
        by: column that the rows are made from; every column but the path can be chosen.
        camera: name of a camera whose images alone are shown, or ``"all"``.
        rows, across: groups a page, and pictures of each (evenly spread over the group); at most 400 together.
    """

    def __init__(
        self, table: ImageTable, *, by: str | None = None, camera: str = ALL, rows: int = 6, across: int = 12, height: int = 64
    ) -> None:
        self.table, self.camera, self.page, self.height = table, ALL, 1, height
        named = dict.fromkeys(("identity", "camera", *table.frame))
        self.groups = {name: image_groups(table, name) for name in named if name in table.frame and name != "path"}
        self.columns = list(self.groups)
        self.by, self.rows = self.columns[0], min(rows, MOST)
        self.across = min(across, MOST // self.rows)
        self.longest = max(len(groups.cat.categories) for groups in self.groups.values())
        self.set(by=by or self.by, camera=camera)

    def controls(self) -> dict[str, ipywidgets.ValueWidget]:
        seen = [self.table.camera_names[c] for c in np.unique(self.table.camera)]
        return {
            "by": choice(self.by, self.columns, "rows by"),
            "camera": choice(self.camera, [ALL, *seen], "camera"),
            "page": pages(self.longest, self.rows, self.page),
            "chosen": choice(self.chosen, self.choices(), "select"),
        }

    def group_of(self) -> np.ndarray:
        return self.groups[self.by].astype(str).to_numpy(object)

    @property
    def kept(self) -> np.ndarray:
        """bool (N,), the images of the chosen camera, of them the selected ones while there is a selection."""
        everyone, rows = np.arange(len(self.table)), self.selection.rows
        here = (self.groups["camera"] == self.camera).to_numpy() | (self.camera == ALL)
        return here & np.isin(everyone, rows if len(rows) else everyone)

    def data(self) -> pd.DataFrame:
        return group_table(self.table, self.groups[self.by], self.kept)

    def static(self) -> Picture:
        page, shown = page_of(self.data(), self.page, self.rows), {}
        for group, images, cameras in zip(page["group"], page["images"], page["cameras"]):
            rows = np.flatnonzero(self.kept & (self.groups[self.by] == group).to_numpy())
            shown[f"{self.by} {group}: {counted(images, 'image')}, {counted(cameras, 'camera')}"] = rows
        return draw_groups(self.table, shown, across=self.across, height=self.height)

    def describe(self) -> str:
        groups, where = self.data(), "all cameras" if self.camera == ALL else f"camera {self.camera}"
        size = f"of {groups['images'].min()} to {groups['images'].max()} images" if len(groups) else "of no image"
        first = "".join(f", from {self.by} {name}" for name in page_of(groups, self.page, self.rows)["group"].head(1))
        whole = f"{counted(self.kept.sum(), 'image')} from {where}: {counted(len(groups), 'group')}"
        return f"{whole} by {self.by} {size}; page {self.page}{first}."
