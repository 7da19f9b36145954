"""Strict decoding: what a file contains decides, and a damaged picture is an error, never a grey area.

What becomes RGB, and how:
    - grey, black-and-white and palette pictures are widened to three channels;
    - 16-bit grey is scaled to 8 bit (65535 becomes 255), not cut off at 255;
    - CMYK is converted by Pillow's plain formula, without a colour profile;
    - transparent pixels are laid on white;
    - a picture is turned as its EXIF orientation says, as every viewer shows it (public re-ID sets have no such tag).
Refused: missing, empty and truncated files, other content, animations, float or 32-bit data, more than 64 megapixels.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageFile, ImageOps
from tqdm.auto import tqdm

from reidkit.errors import ImageError, shown
from reidkit.records import ImageTable

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF", "PPM")
MOST_PIXELS = 64_000_000
WIDENED = ("L", "1", "P", "CMYK", "YCbCr", "HSV")
SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N", "I")
ORIENTATION = 0x0112
JPEG_START, JPEG_SCAN, JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"


def decode(source: str | os.PathLike[str] | bytes, *, most_pixels: int = MOST_PIXELS) -> Image.Image:
    """Decode one picture completely.

    Args:
        source: a path, or the bytes of a file.
        most_pixels: refuse larger pictures before decoding them.

    Returns:
        A Pillow image of mode RGB.

    Raises:
        ImageError: naming the file, the rule it breaks and what to do.
    """
    name = "bytes in memory" if isinstance(source, bytes) else repr(os.fspath(source))
    data = source if isinstance(source, bytes) else _read(Path(source), name)
    if not data:
        raise ImageError(f"{name} is empty (0 bytes).", rule="A picture has content.", action="Copy the file again.")
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise ImageError(
            f"{name} is not decoded: PIL.ImageFile.LOAD_TRUNCATED_IMAGES is switched on in this process.",
            rule="Missing parts of a picture are never filled with grey.",
            action="Set PIL.ImageFile.LOAD_TRUNCATED_IMAGES = False, and repair the damaged files.",
        )
    if data.startswith(JPEG_START) and data.rfind(JPEG_END) < data.rfind(JPEG_SCAN):
        raise _truncated(name, "a JPEG without its end marker")  # libjpeg accepts a tail of zeros, as torn downloads have
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        _check_header(image, name, most_pixels)
        try:
            image.load()
        except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, zlib.error, struct.error and more
            raise _truncated(name, str(error)) from error
        return _as_rgb(_upright(image), name)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name, str(error), most_pixels) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ImageError(
            f"{name} cannot be read as a picture ({len(data)} bytes, beginning with {data[:8]!r}).",
            rule=f"The content, not the suffix, is one of {', '.join(FORMATS)}.",
            action="Remove the file from the set, or replace it by a picture.",
        ) from error


def check_images(table: ImageTable, *, strict: bool = True, progress: bool = True) -> pd.DataFrame:
    """Decode every file of a table and list those that fail.

    More severe than `decode` in one point: it also finds a JPEG whose data stop too early although its end marker stands.

    Args:
        table: images; those held in memory need no check.
        strict: raise when there is any such file; otherwise only return the list.
        progress: show a progress bar.

    Returns:
        Data frame with `row`, `path` and `problem`, one row for each unreadable file.

    Raises:
        ImageError: in strict mode, naming the first five files.
    """
    problems = []
    paths = [] if table.pixels is not None else table.paths
    for row, path in enumerate(tqdm(paths, desc="decoding", unit="image", disable=not progress)):
        try:
            _decode_twice(path)
        except ImageError as error:
            problems.append({"row": row, "path": path, "problem": error.what})
    if problems and strict:
        raise ImageError(
            f"{table.name}: {len(problems)} of {len(table)} files cannot be decoded: {shown(p['problem'] for p in problems)}",
            rule="Every file of a set is a whole picture.",
            action="Repair or drop these files; check_images(table, strict=False) lists them all.",
        )
    return pd.DataFrame(problems, columns=["row", "path", "problem"])


def _decode_twice(path: str) -> None:
    """Decode a file; a JPEG once more with filling before its end marker.

    libjpeg skips what follows complete data, and takes it for pixels where data are missing: only then the pictures differ.
    """
    data = _read(Path(path), repr(path))
    image = decode(path)
    end = data.rfind(JPEG_END)
    if data.startswith(JPEG_START) and decode(data[:end] + bytes(range(1, 251)) + data[end:]).tobytes() != image.tobytes():
        raise _truncated(repr(path), "its data stop before the picture is complete")


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(
            f"{name} cannot be opened: {error.strerror or error}.",
            rule="A picture is a readable file.",
            action="Check the path, its spelling and its permissions.",
        ) from error


def _check_header(image: Image.Image, name: str, most_pixels: int) -> None:
    """Refuse by what the header says, before any pixel is decoded."""
    width, height = image.size
    if width * height > most_pixels:
        raise _too_large(name, f"{width} x {height} pixels", most_pixels)
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise ImageError(
            f"{name} is an animation or has several pages ({image.format}).",
            rule="A file is one picture.",
            action="Store the frame that you mean as a file of its own.",
        )


def _upright(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF tag says; unchanged when the tag is absent or damaged."""
    try:
        return ImageOps.exif_transpose(image) if image.getexif().get(ORIENTATION, 1) != 1 else image
    except Exception:  # a damaged EXIF block says nothing about the pixels
        return image


def _as_rgb(image: Image.Image, name: str) -> Image.Image:
    """Convert any mode that has one meaning in 8-bit RGB; refuse the others."""
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        return Image.alpha_composite(white, coloured).convert("RGB")
    if image.mode == "RGB":
        return image
    if image.mode in WIDENED:
        return image.convert("RGB")
    if image.mode in SIXTEEN_BIT:
        values = np.asarray(image).astype(np.int64)
        if values.min() >= 0 and values.max() <= 65535:
            return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8)).convert("RGB")
    raise ImageError(
        f"{name} has pixels of mode {image.mode!r}.",
        rule="Pixels are 8-bit, or 16-bit grey; other number ranges have no agreed meaning as a picture.",
        action="Export the picture as 8-bit RGB.",
    )


def _truncated(name: str, detail: str) -> ImageError:
    return ImageError(
        f"{name} is truncated or damaged: {detail}.",
        rule="A picture is decoded completely or not at all.",
        action="Copy or extract the file again.",
    )


def _too_large(name: str, detail: str, most_pixels: int) -> ImageError:
    return ImageError(
        f"{name} is too large: {detail}.",
        rule=f"A picture has at most {most_pixels:,} pixels (a small file that claims more is a decompression bomb).",
        action="Shrink the picture, or pass most_pixels= if you trust the file.",
    )
