"""A figure that never goes without words: a picture with its text description."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from reidkit.diagnose.text import plain
from reidkit.storage import write_atomically

DPI = 90


@dataclass(frozen=True, eq=False)
class Picture:
    """A matplotlib figure and what it shows, for those who cannot see it.

    In a notebook it is an image with an alternative text and the same words under it; where no HTML is drawn, the words.

    Attributes:
        figure: made without pyplot, so nothing keeps it alive and nothing needs closing.
        alt: what the picture shows, one or two sentences of plain text.
    """

    figure: Figure = field(repr=False)
    alt: str

    @cached_property
    def png(self) -> bytes:
        """The picture at 90 dots per inch, the same bytes for the same figure."""
        buffer, sheet = io.BytesIO(), _sheet_of(self.figure)
        if sheet is not None:
            Image.fromarray(sheet).save(buffer, "PNG")
        else:
            self.figure.savefig(buffer, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
        return buffer.getvalue()

    def html(self, *, caption: bool = True) -> str:
        """An ``<img>`` that needs no other file; everything escaped."""
        words = escape(plain(self.alt), quote=True)
        under = f"<figcaption style='font-size:.9em;max-width:60em'>{words}</figcaption>" if caption else ""
        data = base64.b64encode(self.png).decode()
        image = f'<img src="data:image/png;base64,{data}" alt="{words}" style="max-width:100%">'
        return f"<figure style='margin:.4em 0'>{image}{under}</figure>"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the PNG file."""
        return write_atomically(Path(path), lambda partial: partial.write_bytes(self.png))

    def _repr_mimebundle_(self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None) -> dict[str, str]:
        """What a notebook stores: HTML with the picture inside, and plain text."""
        return {"text/html": self.html(), "text/plain": f"[figure] {plain(self.alt)}"}


def new_figure(width: float, height: float, *, margins: Mapping[str, float] | None = None) -> Figure:
    """An empty figure, in inches, laid out so that nothing overlaps; or with fixed margins, which draws twice as fast."""
    figure = Figure(figsize=(width, height), layout=None if margins else "constrained")
    if margins:
        figure.subplots_adjust(**margins)
    FigureCanvasAgg(figure)
    return figure


def _sheet_of(figure: Figure) -> np.ndarray | None:
    """The pixels of a figure that is nothing but one image of its own size, which need not be drawn again; else None."""
    if figure.axes or figure.artists or figure.lines or figure.texts or len(figure.images) != 1:
        return None
    sheet = np.asarray(figure.images[0].get_array())
    width, height = (round(inches * DPI) for inches in figure.get_size_inches())
    return sheet if sheet.shape == (height, width, 3) and sheet.dtype == np.uint8 else None
