"""`FeatureLooks`: where features of a picture are active, what hiding a place costs them, and which channels pass the gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
import pandas as pd

from reidkit.diagnose.feature_maps import KINDS, FeatureMaps
from reidkit.records import ImageTable
from reidkit.show.controls import choice, slider
from reidkit.show.palette import BLUE, GREY
from reidkit.show.picture import Picture, new_figure
from reidkit.show.privacy import hidden_note, shows_pictures
from reidkit.show.widget import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WORDS = {"activity": "length of the map", "loss": "loss when hidden"}


class FeatureLooks(View):
    """One picture at a time: the maps of its features, and the two gates channel by channel.

    Args:
        maps: of `reidkit.saliency.fusion_maps`.
        table: where the pictures are; photographs are left blank unless they were asked for.
    """

    def __init__(self, maps: FeatureMaps, table: ImageTable) -> None:
        self.maps, self.table = maps, table
        self.picture, self.kind = 1, "activity"

    def controls(self) -> dict[str, ipywidgets.ValueWidget]:
        return {"picture": slider(self.picture, 1, len(self.maps), "picture"), "kind": choice(self.kind, KINDS, "map")}

    def data(self) -> pd.DataFrame:
        return self.maps.upper_shares().xs(self.picture - 1, level="picture")

    def static(self) -> Picture:
        names = self.maps.names
        figure = new_figure(1.15 * (len(names) + 1) + 2.6, 2.7)
        panels = figure.subplots(1, len(names) + 2, width_ratios=[1.0] * (len(names) + 1) + [2.2])
        seen = self.maps.pictures[self.picture - 1]
        seen = seen if shows_pictures(self.table) else np.full_like(seen, 235)
        height, width = seen.shape[:2]
        panels[0].imshow(seen)
        panels[0].set_title(f"picture {self.picture}", fontsize=8)
        for axes, name, one, share in zip(panels[1:], names, self.maps.of(self.kind), self.data()[self.kind]):
            axes.imshow(seen.mean(axis=2), cmap="gray", vmin=-60, vmax=330)
            now = one[self.picture - 1]
            area = (-0.5, width - 0.5, height - 0.5, -0.5)
            axes.imshow(now, cmap="cividis", vmin=0, vmax=now.max() or 1, alpha=0.65, extent=area)
            axes.axhline(height / 2 - 0.5, color="white", lw=0.8, ls=":")
            axes.set_title(f"{name}\n{share:.0%} above", fontsize=8)
        for axes in panels[:-1]:
            axes.axis("off")
        self._gates(panels[-1])
        words = f"{WORDS[self.kind].capitalize()} of {', '.join(names)} over picture {self.picture}, light is much; titles: its"
        words += " share in the upper half. Right: the weight of each channel by both gates."
        return Picture(figure, words + hidden_note(self.table))

    def _gates(self, axes: Axes) -> None:
        """The first two views' gates against each other: this picture's over those of all pictures."""
        first, second = self.maps.gates[:2]
        axes.plot(first.mean(axis=0), second.mean(axis=0), ".", ms=2, color=GREY, label="mean of all")
        axes.plot(first[self.picture - 1], second[self.picture - 1], "+", ms=4, color=BLUE, label="this picture")
        axes.set(xlabel=f"Z, {self.maps.views[0]} half", ylabel=f"Z, {self.maps.views[1]} half")
        axes.legend(fontsize=6)
        axes.tick_params(labelsize=7)

    def describe(self) -> str:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in self.data()[self.kind].items())
        gates = self.maps.gate_table().xs(self.picture - 1, level="picture")["alike"].iloc[0]
        return f"Picture {self.picture}, {WORDS[self.kind]}, share in the upper half: {shares}; the gates correlate {gates:.2f}."
