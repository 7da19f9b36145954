"""Finished figures, one above the other, as one."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from reidkit.show.picture import DPI, new_figure


def stacked(*figures: Figure) -> Figure:
    """The figures as one, left-aligned on white, pixel by pixel."""
    sheets = [pixels_of(figure) for figure in figures]
    width, height = max(sheet.shape[1] for sheet in sheets), sum(sheet.shape[0] for sheet in sheets)
    canvas, row = np.full((height, width, 3), 255, np.uint8), 0
    for sheet in sheets:
        canvas[row : row + sheet.shape[0], : sheet.shape[1]] = sheet
        row += sheet.shape[0]
    whole = new_figure(width / DPI, height / DPI)
    whole.figimage(canvas)
    return whole


def pixels_of(figure: Figure) -> np.ndarray:
    """uint8 (height, width, 3): the figure as `Picture` draws it."""
    figure.set_dpi(DPI)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]
