"""The embedding map as a picture, and in a sentence."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Int

from reidkit.diagnose.inputs import OUTLIER
from reidkit.diagnose.projection import Projection
from reidkit.diagnose.text import counted, pictured
from reidkit.show.palette import COLOURS, GREY, style
from reidkit.show.picture import Picture, new_figure

LEGEND = 8


def map_figure(table: pd.DataFrame, codes: Int[np.ndarray, " n"], made: Projection, colour: str) -> Picture:
    """A scatter of `table` (columns x, y, selected, and the one that `codes` number), the selected points ringed."""
    figure = new_figure(6.6, 4.8)
    axes = figure.subplots()
    column, groups = {"cluster": "label"}.get(colour, colour), np.unique(codes[codes >= 0])
    without = codes < 0
    axes.scatter(table["x"][without], table["y"][without], s=8, c="#c8c8c8", lw=0, label="none" if without.any() else None)
    few = len(groups) <= LEGEND
    for group in groups if few else range(len(COLOURS)):  # many groups that look alike are drawn at once
        part = codes == group if few else (codes >= 0) & (codes % len(COLOURS) == group)
        hue, marker, _ = style(int(group))
        name = f"{colour} {pictured(table[column][np.flatnonzero(part)[0]], 30)}" if few else None
        axes.scatter(table["x"][part], table["y"][part], s=10, c=hue, marker=marker, lw=0, alpha=0.8, label=name)
    ringed = table[table["selected"]]
    axes.scatter(ringed["x"], ringed["y"], s=50, facecolors="none", edgecolors="black", lw=1)
    axes.set(xlabel=made.axes[0], ylabel=made.axes[1])
    axes.set_title(f"{made.name} of {len(table)} images, coloured by {colour}", fontsize=9)
    if few:
        axes.legend(fontsize=7)
    else:
        axes.text(
            0.01, 0.01, f"{len(groups)} groups share {len(COLOURS)} colours", transform=axes.transAxes, fontsize=7, color=GREY
        )
    return Picture(figure, f"{made.name} map of {len(table)} images, coloured by {colour}: {counted(len(groups), 'group')}.")


def map_sentence(table: pd.DataFrame, made: Projection, colour: str) -> str:
    """What the map can and cannot tell, in a sentence or two."""
    text = f"{made.name} of {len(table)} images, coloured by {colour}. {made.note}"
    chosen = table[table["selected"]]
    if len(chosen):
        clusters = counted(chosen.loc[chosen["label"] != OUTLIER, "label"].nunique(), "cluster")
        cameras = counted(chosen["camera"].nunique(), "camera")
        text += f" Selected: {counted(len(chosen), 'image')} of {clusters} from {cameras}."
    return text
