"""Small pictures for galleries: decoded strictly, fitted into one size, at most 400 a gallery."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from reidkit.errors import ReidkitError
from reidkit.images.decode import decode
from reidkit.records import ImageTable
from reidkit.show.privacy import shows_pictures

MOST = 400
TALL = 0.75
VEIL = 0.85  # how white a picture becomes outside of a stripe


def thumbnails(
    table: ImageTable, rows: Sequence[int] | np.ndarray, *, height: int = 64, width: int | None = None, most: int = MOST
) -> UInt8[np.ndarray, "n h w 3"]:
    """The pictures of some rows, shrunk or widened to fit (height, width); what is left over is white.

    Photographs are left blank unless they were asked for (see `privacy`).

    Args:
        table: with pixels in memory, or paths.
        rows: at most `most` row numbers.
        width: in pixels; None takes half the height for upright pictures, else the height.

    Raises:
        ReidkitError: when more than `MOST` are asked for.
        ImageError: naming a file that cannot be decoded.
    """
    index = np.asarray(rows, np.int64)
    if len(index) > most:
        raise ReidkitError(
            f"{len(index)} thumbnails were asked for.", rule=f"A view shows at most {most:,}.", action="Show fewer rows."
        )
    if not shows_pictures(table):
        return np.full((len(index), height, width or height // 2, 3), 235, np.uint8)
    images = _images(table, index)
    if width is None:
        upright = not images or images[0].width < TALL * images[0].height
        width = height // 2 if upright else height
    fitted = [np.asarray(ImageOps.pad(image, (width, height), Image.Resampling.BILINEAR, color="white")) for image in images]
    return np.stack(fitted) if fitted else np.zeros((0, height, width, 3), np.uint8)


def sprite(pictures: UInt8[np.ndarray, "n h w 3"], *, columns: int | None = None) -> tuple[UInt8[np.ndarray, "a b 3"], int]:
    """One sheet with all pictures, row by row, and its number of columns; unused places are white."""
    n, height, width, _ = pictures.shape
    across = columns or max(1, math.ceil(math.sqrt(n * height / width)))
    down = max(1, math.ceil(n / across))
    sheet = np.full((down * across, height, width, 3), 255, np.uint8)
    sheet[:n] = pictures
    grid = sheet.reshape(down, across, height, width, 3).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(grid.reshape(down * height, across * width, 3)), across


def veiled(pictures: UInt8[np.ndarray, "n h w 3"], stripe: int, stripes: int) -> UInt8[np.ndarray, "n h w 3"]:
    """The pictures with all but one of equal stripes (1 the uppermost; 0 stands for the whole) under a white veil."""
    top, bottom = (pictures.shape[1] * edge // stripes for edge in ((stripe - 1, stripe) if stripe else (0, stripes)))
    seen = (255 - (1 - VEIL) * (255.0 - pictures)).astype(np.uint8)
    seen[:, top:bottom] = pictures[:, top:bottom]
    return seen


def _images(table: ImageTable, rows: np.ndarray) -> list[Image.Image]:
    if table.pixels is not None:
        return [Image.fromarray(table.pixels[row]) for row in rows]
    names = table.frame["path"].to_numpy()[rows]  # `table.paths` would make those of all images
    return [decode(name if table.root is None else table.root / name) for name in names]
