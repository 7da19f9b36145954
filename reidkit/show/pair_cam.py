"""`PairCam`: what makes two images alike, and whether the match breaks when that goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
import pandas as pd

from reidkit.diagnose.deletion import ORDERS, SIDES, PairDeletion, removal_orders, removed, without
from reidkit.records import ImageTable
from reidkit.show.controls import choice, slider
from reidkit.show.palette import BLUE, GREEN, ORANGE
from reidkit.show.picture import Picture, new_figure
from reidkit.show.privacy import hidden_note, shows_pictures
from reidkit.show.widget import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES = {"most": (BLUE, "-", "most salient"), "least": (GREEN, "-.", "least salient"), "random": (ORANGE, "--", "at random")}


class PairCam(View):
    """Heat maps of a similarity beside the test of them: one picture loses pixels in a chosen order, the other stays whole.

    Args:
        result: of `reidkit.saliency.pair_saliency`.
        table: where its images are; photographs are left blank unless they were asked for.
    """

    def __init__(self, result: PairDeletion, table: ImageTable) -> None:
        self.result, self.table = result, table
        self.side, self.order, self.tenths = "first", "most", 3

    def controls(self) -> dict[str, ipywidgets.ValueWidget]:
        return {
            "side": choice(self.side, SIDES, "picture"),
            "order": choice(self.order, ORDERS, "first goes"),
            "tenths": slider(self.tenths, 0, 9, "tenths gone"),
        }

    def data(self) -> pd.DataFrame:
        return self.result.means()

    def static(self) -> Picture:
        figure = new_figure(9.6, 3.2)
        panels = figure.subplots(1, 4, width_ratios=[1, 1, 1, 3])
        shown = self.result.pictures if shows_pictures(self.table) else np.full_like(self.result.pictures, 235)
        for axes, side, picture, saliency in zip(panels, SIDES, shown, self.result.maps):
            axes.imshow(picture)
            axes.imshow(saliency, cmap="cividis", vmin=0, vmax=1, alpha=0.2 + 0.6 * saliency)
            axes.contour(saliency, [saliency.max() / 2 or 1], colors="white", linewidths=1.2)
            axes.set_title(f"{side}: {self.result.area(side):.0%} marked", fontsize=8)
        number, share = SIDES.index(self.side), self.tenths / 10
        order = removal_orders(self.result.maps[number], self.result.chance)[self.order][0]
        panels[2].imshow(without(shown[number], removed(order, share)))
        panels[2].set_title(f"{self.side} without {share:.0%}", fontsize=8)
        for axes in panels[:3]:
            axes.axis("off")
        self._curves(panels[3], share)
        words = f"Heat maps of the similarity of images {self.result.pair[0]} and {self.result.pair[1]}, the {self.side} picture "
        words += f"without {share:.0%} of its pixels, and the similarity as pixels go in three orders."
        return Picture(figure, words + hidden_note(self.table))

    def _curves(self, axes: Axes, share: float) -> None:
        table = self.data().query("side == @self.side")
        for order, (colour, line, label) in LINES.items():
            part = table[table["order"] == order]
            axes.plot(100 * part["share"], part["similarity"], color=colour, ls=line, marker=".", label=label)
            axes.fill_between(100 * part["share"], part["low"], part["high"], color=colour, alpha=0.15, lw=0)
        axes.axhline(self.result.threshold, color="black", lw=1, label="a match from here on")
        axes.axvline(100 * share, color="black", lw=1, ls=":")
        axes.set(xlabel=f"pixels gone from the {self.side} picture (%)", ylabel="similarity (cosine)")
        axes.legend(fontsize=7)

    def describe(self) -> str:
        now = self.result.at(self.side, self.order, self.tenths / 10)["similarity"]
        return f"{self.result.describe(self.side)} With {self.tenths * 10}% gone ({LINES[self.order][2]}): {now:.2f}."
