"""One step of the k-reciprocal encoding as a picture: the images of its sets, who is tied to whom, and the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reidkit.records import ImageTable, Records
from reidkit.show.palette import BLACK, BLUE, GREEN, MARKS, ORANGE, VERMILLION
from reidkit.show.picture import Picture, new_figure
from reidkit.show.privacy import hidden_note
from reidkit.show.stack import stacked
from reidkit.show.thumbnails import thumbnails
from reidkit.show.tiles import Tile, draw_tiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ACROSS = 16
TITLES = {
    "neighbours": "the nearest of image {image}, itself first",
    "reciprocal": "which of them have image {image} in their own list?",
    "expansion": "members whose friends are mostly shared bring them all",
    "weights": "the row V of image {image}, before and after averaging over its first neighbours",
    "overlap": "the rows of image {image} and image {partner}, side by side",
}


def step_figure(rows: pd.DataFrame, step: str, image: int, partner: int, k1: int, table: ImageTable) -> Picture:
    """Pictures of the step's images with their marks; below, their ties and their numbers.

    Args:
        rows: of `jaccard.trace.rows_of`.
        k1: length of the lists.
        table: the images.
    """
    marks = [mark_of(row, step, image, partner) for row in rows.to_dict("records")]
    tiles = [Tile(place, mark, _caption(table, row)) for place, (mark, row) in enumerate(zip(marks, rows["image"]))]
    cut = [tiles[start : start + ACROSS] for start in range(0, len(tiles), ACROSS)]
    title = TITLES[step].format(image=image, partner=partner)
    head = f"{step}: {title}"
    pictures = draw_tiles(thumbnails(table, rows["image"].to_numpy(), height=72), cut, titles=[head] + [""] * (len(cut) - 1))
    figure = new_figure(8.6, 3.0)
    ties, numbers = figure.subplots(1, 2, width_ratios=(1, 1.7))
    draw_ties(ties, rows, step, image, partner, marks)
    draw_numbers(numbers, rows, step, image, partner, k1, marks)
    counts = ", ".join(f"{marks.count(mark)} {MARKS[mark].meaning}" for mark in dict.fromkeys(marks))
    words = f"Step {step}, {title}: {len(rows)} pictures ({counts}), a graph of their ties and a chart of their numbers."
    return Picture(stacked(pictures, figure), words + hidden_note(table))


def mark_of(row: dict[str, object], step: str, image: int, partner: int) -> str:
    """How a picture is marked in a step (a name in `MARKS`)."""
    if row["image"] == image:
        return "centre"
    if step == "neighbours":
        return "listed"
    if step == "overlap":
        if row["image"] == partner:
            return "partner"
        return "shared" if row["smaller"] > 0 else "unshared"  # type: ignore[operator]
    if row["mutual"]:
        return "mutual"
    if step == "reciprocal":
        return "one-way"
    return "joined" if row["expanded"] else "lent"


def ties_of(rows: pd.DataFrame, step: str, image: int, partner: int) -> list[tuple[int, int]]:
    """Pairs of images that are joined by a line in a step."""
    others = rows[rows["image"] != image]
    if step == "neighbours":
        return [(image, int(j)) for j in others["image"]]
    if step == "reciprocal":
        return [(image, int(j)) for j in others["image"][others["mutual"]]]
    if step == "overlap":
        ends = (("encoding", image), ("partner", partner))
        return [(end, int(j)) for column, end in ends for j in rows["image"][rows[column] > 0] if j not in (image, partner)]
    own = [(image, int(j)) for j in others["image"][others["mutual"]]]
    return own + [(giver, int(j)) for j, givers in zip(others["image"], others["brought_by"]) for giver in givers]


def draw_ties(axes: Axes, rows: pd.DataFrame, step: str, image: int, partner: int, marks: list[str]) -> None:
    """The step's images on a circle, the image itself in its middle (two images: at its sides), tied by lines."""
    ends = {image: (-1.5, 0.0), partner: (1.5, 0.0)} if step == "overlap" and image != partner else {image: (0.0, 0.0)}
    ring = [int(j) for j in rows["image"] if j not in ends]
    angles = np.pi / 2 - 2 * np.pi * np.arange(len(ring)) / max(len(ring), 1)
    places = ends | {j: (float(np.cos(a)), float(np.sin(a))) for j, a in zip(ring, angles)}
    for start, stop in ties_of(rows, step, image, partner):
        if start in places and stop in places:
            line = BLUE if start not in ends else "0.6"
            axes.plot(*zip(places[start], places[stop]), color=line, lw=1.2, ls="--" if start not in ends else "-", zorder=1)
    for j, mark in zip(rows["image"], marks):
        colour = MARKS[mark].colour
        axes.scatter(*places[int(j)], s=210, color="white", edgecolor=colour, lw=2, zorder=2)
        axes.text(*places[int(j)], str(j), ha="center", va="center", fontsize=7, zorder=3)
    axes.set(xlim=(-1.8, 1.8), ylim=(-1.25, 1.25))
    axes.set_title("ties (numbers are rows)", fontsize=9)
    axes.axis("off")


def draw_numbers(axes: Axes, rows: pd.DataFrame, step: str, image: int, partner: int, k1: int, marks: list[str]) -> None:
    """The numbers that the step is decided by, one bar an image."""
    if step == "expansion":
        kept = rows["share"].notna().to_numpy()
        rows, marks = rows[kept], [mark for mark, keep in zip(marks, kept) if keep]
    at, colours = np.arange(len(rows)), [MARKS[mark].colour for mark in marks]
    if step == "neighbours":
        axes.bar(at, rows["distance"], color=colours)
        axes.set_ylabel("squared distance")
    elif step == "reciprocal":
        back = rows["rank_back"].astype("Float64").fillna(2 * k1).to_numpy(np.float64)
        axes.bar(at, np.minimum(back, 2 * k1), color=colours)
        axes.axhline(k1, color=BLACK, lw=1, ls=":")
        axes.set_ylabel(f"place of image {image}\nin its list (line: {k1}, top: {2 * k1} or more)", fontsize=8)
    elif step == "expansion":
        axes.bar(at, rows["share"], color=[GREEN if share > 2 / 3 else VERMILLION for share in rows["share"]])
        axes.axhline(2 / 3, color=BLACK, lw=1, ls=":")
        axes.set_ylabel("share of its half-size set\nin R (line: two thirds)", fontsize=8)
    else:
        pair = (("weight", "before"), ("encoding", "after")) if step == "weights" else _rows_of_two(image, partner)
        for shift, colour, (column, label) in zip((-0.2, 0.2), (ORANGE, BLUE), pair):
            axes.bar(at + shift, rows[column], 0.4, color=colour, label=label)
        axes.set_ylabel("weight (a row sums to 1)")
        axes.legend(fontsize=7)
    axes.set_xticks(at, [str(j) for j in rows["image"]], fontsize=6 if len(at) > 18 else 7, rotation=90 if len(at) > 18 else 0)
    axes.set_xlabel("image (row)")


def _rows_of_two(image: int, partner: int) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("encoding", f"image {image}"), ("partner", f"image {partner}")


def _caption(table: ImageTable, row: int) -> str:
    camera = table.camera_names[int(table.camera[row])]
    who = f"\nid {int(table.identity[row])}" if isinstance(table, Records) else ""
    return f"{row} · c{camera}{who}"
