"""Two epochs side by side: where the images of the most restless clusters go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reidkit.diagnose.inputs import OUTLIER
from reidkit.diagnose.text import counted
from reidkit.show.palette import BLUE, GREY, ORANGE, VERMILLION
from reidkit.show.picture import Picture, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FATES = {"continues": (BLUE, ""), "merges": (VERMILLION, "//"), "splits": (ORANGE, ".."), "dissolves": (GREY, "xx")}
JOINING = ("#c8c8c8", "")  # outliers that join
MOST, TALL, ROOM = 20, 2.2, 0.12  # blocks on the right; inches for the images of a side, and between two blocks
CURVE = np.linspace(0.0, 1.0, 24)


def genealogy_figure(flows: pd.DataFrame, epoch: int) -> Picture:
    """Bands from clusters of an epoch (left) to those of the next (right), as thick as the images that went this way.

    Args:
        flows: from `diagnose.genealogy.restless_flows`. What goes to clusters that are not drawn (the right side holds the 20
            that get most) or comes from such stays white.
        epoch: of the left side.
    """
    got = flows.groupby("next_cluster")["images"].sum().nlargest(MOST)
    drawn = flows[flows["next_cluster"].isin(got.index)]
    left = flows.groupby("cluster")["images"].sum()
    right = flows.groupby("next_cluster")["next_images"].first()[got.index].where(got.index != OUTLIER, got)
    scale = TALL / max(left.sum(), right.sum())
    first = _stack(left.loc[sorted(left.index, key=lambda name: (name == OUTLIER, name))] * scale)
    pull = (drawn["cluster"].map(first["top"]) * drawn["images"]).groupby(drawn["next_cluster"]).sum() / got
    second = _stack(right.loc[sorted(got.index, key=lambda name: (name == OUTLIER, pull[name]))] * scale)
    tall = max(float(side["top"].iloc[-1] + side["height"].iloc[-1]) for side in (first, second))
    figure = new_figure(10.0, tall + 0.5, margins={"left": 0.0, "right": 1.0, "bottom": 0.02, "top": 1 - 0.3 / (tall + 0.5)})
    axes = figure.subplots()
    _bands(axes, drawn, first, second, scale)
    _names(axes, 0.0, first, left)
    _names(axes, 1.0, second, right)
    for name, (colour, hatch) in (FATES | {"outliers that join": JOINING}).items():
        axes.fill_between([], [], color=colour, alpha=0.55, hatch=hatch, ec="white", label=name)
    axes.set(xlim=(-0.25, 1.55), ylim=(tall + 0.05, -0.05))
    axes.axis("off")
    axes.legend(loc="upper right", fontsize=7, frameon=False)
    axes.set_title(f"clusters that change most from epoch {epoch} to {epoch + 1}, and their images", fontsize=9, x=0.36)
    clusters = counted((left.index != OUTLIER).sum(), "cluster")
    return Picture(figure, f"Bands from {clusters} of epoch {epoch}, those that change most, to those of epoch {epoch + 1}.")


def _bands(axes: Axes, drawn: pd.DataFrame, first: pd.DataFrame, second: pd.DataFrame, scale: float) -> None:
    used, filled = first["top"].copy(), second["top"].copy()
    places = drawn.assign(a=drawn["cluster"].map(used), b=drawn["next_cluster"].map(filled))
    for row in places.sort_values(["a", "b"]).itertuples():
        thick, (colour, hatch) = row.images * scale, FATES.get(row.event, JOINING)
        low, high = used[row.cluster], filled[row.next_cluster]
        edge = low + (high - low) * (3 * CURVE**2 - 2 * CURVE**3)
        axes.fill_between(CURVE, edge, edge + thick, color=colour, alpha=0.55, hatch=hatch, ec="white", lw=0.3)
        used[row.cluster], filled[row.next_cluster] = low + thick, high + thick


def _names(axes: Axes, x: float, side: pd.DataFrame, sizes: pd.Series) -> None:
    for name, (top, height) in side.iterrows():
        axes.plot([x, x], [top, top + height], color="black", lw=2.5, solid_capstyle="butt")
        words = f"{'outliers' if name == OUTLIER else f'cluster {name}'}: {sizes[name]}"
        axes.text(x + (0.012 if x else -0.012), top + height / 2, words, ha="left" if x else "right", va="center", fontsize=6.5)


def _stack(heights: pd.Series) -> pd.DataFrame:
    """top and height of blocks in inches, one under the other with room between them, in the given order."""
    tops = np.r_[0.0, (heights.to_numpy() + ROOM).cumsum()[:-1]]
    return pd.DataFrame({"top": tops, "height": heights.to_numpy(np.float64)}, index=heights.index)
