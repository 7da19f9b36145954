"""The picture of one radius: curves over all of them with this one marked, sizes of clusters, and some of the clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reidkit.diagnose.inputs import Labelling
from reidkit.diagnose.text import counted
from reidkit.records import ImageTable
from reidkit.show.chart import line_chart
from reidkit.show.galleries import draw_clusters
from reidkit.show.palette import BLUE, GREEN, ORANGE
from reidkit.show.picture import Picture, new_figure
from reidkit.show.stack import pixels_of, stacked

SIZE = (11.0, 2.6)
MARGINS = {"left": 0.065, "right": 0.985, "top": 0.84, "bottom": 0.19, "wspace": 0.62}
SHARES = (("f1", "pairwise F", BLUE, "-"), ("camera_homogeneity", "I(label; camera) / H(camera)", GREEN, "-."))
PANELS = (
    ("Clusters", "clusters", {"clusters": "clusters"}),
    ("Outliers", "images", {"outliers": "outliers"}),
    ("Shares", "share, 0 to 1", {column: name for column, name, *_ in SHARES}),
    ("Lost identities", "identities", {"lost": "lost identities"}),
)


@dataclass(frozen=True, eq=False)
class CurveSheet:
    """The panels over eps, drawn once; a step of the slider only marks its radius on them, in half the time.

    Attributes:
        pixels: uint8 (height, width, 3), with room for one panel more.
        panels: (left, bottom, width, height) of each panel, in shares of the figure; the last one is free.
        radii: first and last eps of the axes.
        words: what is drawn.
    """

    pixels: np.ndarray
    panels: tuple[tuple[float, float, float, float], ...]
    radii: tuple[float, float]
    words: str


def curve_sheet(curve: pd.DataFrame) -> CurveSheet:
    """Draw `AllEps.curve` with the columns of `diagnose.radii.label_curve`."""
    figure = new_figure(*SIZE, margins=MARGINS)
    panels = figure.subplots(1, 3)
    radii = (0.0, float(curve["eps"].max()))
    for axes, draw in zip(panels, (_counts, _shares)):
        draw(axes, curve)
        axes.set(xlabel="eps", xlim=radii)
    panels[2].set_visible(False)
    named = [name for column, name, *_ in SHARES if column in curve] + ["lost identities"] * ("lost" in curve)
    boxes = tuple(axes.get_position().bounds for axes in panels)
    return CurveSheet(pixels_of(figure), boxes, radii, ", ".join(["clusters", "outliers", *named]))


def eps_figure(
    sheet: CurveSheet, eps: float, labelling: Labelling, order: pd.DataFrame | None, table: ImageTable | None, fault: str
) -> Picture:
    """The curves with `eps` marked, the sizes there, and with `table` the first clusters of `order`."""
    figure = new_figure(*SIZE, margins=MARGINS)
    figure.figimage(sheet.pixels, zorder=-1)
    for left, bottom, width, height in sheet.panels[:-1]:
        x = left + width * (eps - sheet.radii[0]) / (sheet.radii[1] - sheet.radii[0])
        figure.add_artist(Line2D([x, x], [bottom, bottom + height], color="black", lw=1, ls=":"))
    axes = figure.add_axes(sheet.panels[-1])
    sizes = np.sort(np.bincount(labelling.label[labelling.inlier]))[::-1]
    axes.stairs(sizes, np.arange(len(sizes) + 1) + 0.5, fill=True, color=BLUE)  # one shape: a thousand bars take a second
    axes.set(xlabel="cluster, the largest first", ylabel="images")
    axes.set_title(f"sizes at eps {eps:.2f}", fontsize=9)
    words = f"Curves over eps, {eps:.2f} marked: {sheet.words}. Beside them the sizes of the clusters there."
    if table is None or order is None or not len(order):
        return Picture(figure, words)
    below = draw_clusters(labelling, order, table, words=f"{fault} first", rows=4, across=14)
    return Picture(stacked(figure, below.figure), f"{words} Below: {below.alt}")


def eps_chart(curve: pd.DataFrame, eps: float) -> dict[str, object]:
    """The same curves to be pointed at."""
    return line_chart(curve, "eps", PANELS, mark=eps)


def _counts(axes: Axes, curve: pd.DataFrame) -> None:
    """Clusters (left axis) and outliers (right)."""
    other = axes.twinx()
    axes.plot(curve["eps"], curve["clusters"], color=BLUE, label="clusters")
    other.plot(curve["eps"], curve["outliers"], color=ORANGE, ls="--", label="outliers")
    axes.set(ylabel="clusters", ylim=(0, None))
    other.set(ylabel="outliers", ylim=(0, None))
    _legend(axes, other)


def _shares(axes: Axes, curve: pd.DataFrame) -> None:
    """F and camera homogeneity (left axis, 0 to 1), lost identities (right)."""
    for column, name, colour, line in SHARES:
        if column in curve:
            axes.plot(curve["eps"], curve[column], color=colour, ls=line, label=name)
    axes.set(ylabel="share, 0 to 1", ylim=(0, 1.02))
    sides = [axes]
    if "lost" in curve:
        sides.append(axes.twinx())
        sides[1].plot(curve["eps"], curve["lost"], color=ORANGE, ls="--", label="lost identities")
        sides[1].set(ylabel="lost identities", ylim=(0, None))
    _legend(*sides)


def _legend(*sides: Axes) -> None:
    """One legend for both sides, above the panel."""
    lines = [line for side in sides for line in side.get_lines()]
    sides[0].legend(
        handles=lines,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=len(lines),
        fontsize=7,
        frameon=False,
        borderaxespad=0.2,
        columnspacing=0.8,
        handlelength=1.6,
    )


def eps_sentence(row: pd.Series) -> str:
    """One radius in one sentence."""
    parts = [f"{counted(row['clusters'], 'cluster')} and {counted(row['outliers'], 'outlier')}"]
    if "f1" in row:
        parts.append(f"pairwise F {row['f1']:.2f} ({row['f1_cross_camera']:.2f} across cameras)")
        parts.append(f"{counted(row['lost'], 'identity')} lost ({int(row['unseen'])} unseen)")
    chance = f"{row['camera_information_chance']:.2f} by chance" + (
        f", truth {row['camera_floor']:.2f}" if "camera_floor" in row else ""
    )
    return (
        f"At eps {row['eps']:.2f}: " + "; ".join(parts) + f"; I(label; camera) {row['camera_information']:.2f} nats ({chance})."
    )
