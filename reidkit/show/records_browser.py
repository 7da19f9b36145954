"""`RecordsBrowser`: the pictures of any set of images, by identity, by camera, or by anything else its table knows."""

from __future__ import annotations

import ipywidgets
import numpy as np
import pandas as pd

from reidkit.diagnose.records_summary import group_table, image_groups
from reidkit.records import ImageTable, Records
from reidkit.show.controls import choice, slider
from reidkit.show.picture import Picture
from reidkit.show.privacy import hidden_note
from reidkit.show.thumbnails import MOST, thumbnails
from reidkit.show.tiles import Tile, draw_tiles
from reidkit.show.widget import View

ALL = "all"


class RecordsBrowser(View):
    """A page of groups, one row each: the pictures that share an identity, a camera, a tracklet, a range of yaw, …

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
            "page": slider(self.page, 1, max(1, -(-self.longest // self.rows)), "page"),
        }

    @property
    def kept(self) -> np.ndarray:
        """bool (N,), the images of the chosen camera."""
        return np.full(len(self.table), self.camera == ALL) | (self.groups["camera"] == self.camera).to_numpy()

    def data(self) -> pd.DataFrame:
        return group_table(self.table, self.groups[self.by], self.kept)

    def on_page(self) -> pd.DataFrame:
        """The groups of the present page, or of the last one where this column has fewer pages."""
        groups = self.data()
        page = min(self.page, max(1, -(-len(groups) // self.rows)))
        return groups.iloc[(page - 1) * self.rows : page * self.rows]

    def static(self) -> Picture:
        table, groups, page = self.table, self.groups[self.by], self.on_page()
        members = [np.flatnonzero(self.kept & (groups == name).to_numpy()) for name in page["group"]]
        cut = [m[np.linspace(0, len(m) - 1, min(self.across, len(m))).round().astype(np.int64)] for m in members]
        images = np.concatenate(cut) if cut else np.zeros(0, np.int64)
        who = [f"\n#{i}" for i in table.identity[images]] if isinstance(table, Records) else [""] * len(images)
        tiles = iter(Tile(n, "plain", f"c{table.camera_names[c]}{who[n]}") for n, c in enumerate(table.camera[images]))
        titles = [f"{self.by} {row['group']}: {row['images']} images, {row['cameras']} cameras" for _, row in page.iterrows()]
        figure = draw_tiles(thumbnails(table, images, height=self.height), [[next(tiles) for _ in c] for c in cut], titles=titles)
        return Picture(figure, f"Pictures of {table.name!r}. " + ("; ".join(titles) or "None") + "." + hidden_note(table))

    def describe(self) -> str:
        groups, where = self.data(), "all cameras" if self.camera == ALL else f"camera {self.camera}"
        size = f"of {groups['images'].min()} to {groups['images'].max()} images" if len(groups) else "of no image"
        first = f", from {self.by} {self.on_page()['group'].iloc[0]}" if len(groups) else ""
        return f"{self.kept.sum()} images from {where}: {len(groups)} groups by {self.by} {size}; page {self.page}{first}."
