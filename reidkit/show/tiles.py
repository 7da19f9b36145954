"""Rows of small pictures, each with a border, a sign and a caption: what every gallery is drawn with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reidkit.diagnose.text import pictured
from reidkit.show.palette import MARKS
from reidkit.show.picture import DPI

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP, LINE, LEGEND = 8, 12, 26  # pixels between pictures, for a line of text, for the legend
LETTER, ENTRY = 5.2, 190  # pixels a letter of a title, and an entry of the legend, at most take
WORDS = 160  # letters of a title


@dataclass(frozen=True)
class Tile:
    """One place of a gallery: which picture, how it is marked, and up to two lines of short words under it."""

    picture: int
    mark: str = "plain"
    caption: str = ""


def draw_tiles(
    pictures: UInt8[np.ndarray, "n h w 3"], rows: list[list[Tile]], *, titles: list[str] | None = None, least_width: int = 320
) -> Figure:
    """Rows of tiles with a title above each row and a legend of the marks in use, pixel by pixel.

    Args:
        pictures: the thumbnails that tiles refer to by number.
        rows: tiles row by row; rows may differ in length.
        titles: one line of text above each row.
        least_width: of the figure, in pixels.
    """
    _, height, width, _ = pictures.shape
    tiles = [tile for row in rows for tile in row]
    lines = max((tile.caption.count("\n") + 1 for tile in tiles if tile.caption), default=0)
    marks = [name for name in MARKS if name != "plain" and any(tile.mark == name for tile in tiles)]
    head = LINE if titles else 0
    step = head + height + GAP + lines * LINE
    widths = [max((len(row) for row in rows), default=1) * (width + GAP), least_width, len(marks) * ENTRY]
    across = int(max([*widths, *(min(len(title), WORDS) * LETTER for title in titles or [])]))
    down = max(len(rows), 1) * step + LEGEND * bool(marks)
    sheet = np.full((down, across, 3), 255, np.uint8)
    places = [
        (tile, r * step + head + GAP // 2, c * (width + GAP) + GAP // 2)
        for r, row in enumerate(rows)
        for c, tile in enumerate(row)
    ]
    for tile, top, left in places:
        sheet[top : top + height, left : left + width] = pictures[tile.picture]
    figure, axes = _canvas(sheet)
    for number, title in enumerate(titles or []):
        axes.text(3, number * step + 1, pictured(title, WORDS), va="top", fontsize=7.5)
    _borders(axes, places, height, width)
    for tile, top, left in places:
        _decorate(axes, tile, top, left, height, width)
    if marks:
        axes.legend(
            handles=[_key(name) for name in marks], loc="lower left", ncols=len(marks), fontsize=7.5, frameon=False, borderpad=0
        )
    return figure


def _canvas(sheet: np.ndarray) -> tuple[Figure, Axes]:
    """A figure that shows `sheet` one to one, with axes in pixels from the upper left corner."""
    down, across, _ = sheet.shape
    figure = Figure(figsize=(across / DPI, down / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.imshow(sheet, extent=(0, across, down, 0), interpolation="nearest", aspect="auto")
    axes.axis("off")
    return figure, axes


def _borders(axes: Axes, places: list[tuple[Tile, int, int]], height: int, width: int) -> None:
    """All borders of a kind at once, which takes a fraction of the time."""
    corners = np.array([(-1, -1), (width + 1, -1), (width + 1, height + 1), (-1, height + 1)])
    for name in sorted({tile.mark for tile, _, _ in places}):
        mark = MARKS[name]
        boxes = [corners + np.array((left, top)) for tile, top, left in places if tile.mark == name]
        if mark.colour != "none":
            lines = PolyCollection(boxes, facecolors="none", edgecolors=mark.colour, linewidths=2.4, linestyles=mark.line)
            axes.add_collection(lines, autolim=False)


def _decorate(axes: Axes, tile: Tile, top: int, left: int, height: int, width: int) -> None:
    mark = MARKS[tile.mark]
    if mark.sign:
        box = {"facecolor": mark.colour, "edgecolor": "none", "pad": 1.2}
        axes.text(left + 3, top + 3, mark.sign, color="white", va="top", fontsize=7.5, fontweight="bold", bbox=box)
    if tile.caption:
        words = "\n".join(pictured(line) for line in tile.caption.split("\n"))
        axes.text(left + width / 2, top + height + 3, words, ha="center", va="top", fontsize=6.5, linespacing=1.05)


def _key(name: str) -> Line2D:
    mark = MARKS[name]
    return Line2D([], [], color=mark.colour, ls=mark.line, lw=2.4, label=f"{mark.sign} {mark.meaning}".strip())
