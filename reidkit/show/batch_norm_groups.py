"""`BatchNormGroups`: the features of one batch, as batch norm makes them when it sees a few images at a time."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets
import numpy as np
import pandas as pd

from reidkit.diagnose.batch_groups import SOURCES, common_plane, group_table
from reidkit.diagnose.text import counted
from reidkit.show.palette import BLACK, BLUE, GREY, ORANGE, SKY, style
from reidkit.show.picture import Picture, new_figure
from reidkit.show.widget import View

FEW = 5  # labels that get a colour
SHADES = {"label": (BLUE, ""), "picture": (SKY, ".."), "company": (ORANGE, "//")}
MEANING = {"label": "whose label", "picture": "which picture", "company": "in whose company"}


class BatchNormGroups(View):
    """A slider over the size of a batch-norm group, from one label's images to the whole batch, as one GPU or many see it.

    Args:
        by_size: size of a group -> features (S, B, D) of one batch, forwarded in S companies; sizes are evenly spaced.
        labels: (B,), of the images.
        size: to begin with.
    """

    def __init__(self, by_size: Mapping[int, np.ndarray], labels: np.ndarray, *, size: int = 16) -> None:
        self.by_size, self.labels, self.table = dict(by_size), np.asarray(labels), group_table(by_size, labels)
        self.sizes = self.table["size"].tolist()
        self.size = min(self.sizes, key=lambda known: abs(known - size))
        self.centre, self.axes = common_plane(self.by_size[self.sizes[-1]])

    def controls(self) -> dict[str, ipywidgets.ValueWidget]:
        ends, step = (self.sizes[0], self.sizes[-1]), self.sizes[1] - self.sizes[0]
        hint = f"images that a batch-norm group sees: {ends[0]} to {ends[1]}"
        slider = ipywidgets.IntSlider(self.size, *ends, step=step, description="group", tooltip=hint, continuous_update=False)
        return {"size": slider}

    def data(self) -> pd.DataFrame:
        return self.table

    def row(self) -> pd.Series:
        """The shares at the present size, or at the known one that is nearest."""
        return self.table.iloc[(self.table["size"] - self.size).abs().argmin()]

    def static(self) -> Picture:
        row, figure = self.row(), new_figure(9.2, 3.5)
        left, right = figure.subplots(1, 2)
        places = (self.by_size[int(row["size"])] - self.centre) @ self.axes
        chosen = list(dict.fromkeys(self.labels.tolist()))[:FEW]
        rest = places[:, ~np.isin(self.labels, chosen)].reshape(-1, 2)
        left.scatter(*rest.T, s=4, color=GREY, alpha=0.25, linewidths=0)
        for place, label in enumerate(chosen):
            colour, marker, _ = style(place)
            left.scatter(
                *places[:, self.labels == label].reshape(-1, 2).T, s=16, color=colour, marker=marker, alpha=0.6, linewidths=0
            )
        left.set(xlabel="first component", ylabel="second component", title=f"one batch, groups of {int(row['size'])}")
        shares = [self.table[name] for name in SOURCES]
        colours, hatches = zip(*SHADES.values())
        areas = right.stackplot(self.table["size"], shares, colors=colours, labels=[MEANING[name] for name in SOURCES])
        for area, hatch in zip(areas, hatches):
            area.set(hatch=hatch, edgecolor="white", linewidth=0)
        right.axvline(row["size"], color=BLACK, lw=1.5)
        right.set(xlabel="images in a batch-norm group", ylabel="share of the spread", ylim=(0, 1), title="what a feature tells")
        right.set(xlim=(self.sizes[0], self.sizes[-1]))
        right.set_xticks(self.sizes, [str(size) for size in self.sizes], fontsize=7)
        right.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        words = f"Left, {len(chosen)} labels of one batch, each picture in {places.shape[0]} companies. Right, shares over sizes."
        return Picture(figure, f"{words} {self.describe()}")

    def describe(self) -> str:
        row, batch = self.row(), len(self.labels)
        told = ", ".join(f"{row[name]:.0%} {MEANING[name]}" for name in SOURCES)
        gpus = counted(-(-batch // int(row["size"])), "GPU")
        return f"Groups of {int(row['size'])} ({batch} images on {gpus}): a feature's spread tells {told}."
