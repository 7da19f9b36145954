"""`MapWidget`: the live half of the embedding map, a small widget of our own that stores no plotting library."""

from __future__ import annotations

import io
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from jaxtyping import Float, Int, UInt8
from PIL import Image

from reidkit.show.palette import COLOURS

HERE = Path(__file__).parent
FORMS, NOTHING = 4, (200, 200, 200)


class MapWidget(anywidget.AnyWidget):
    """Points in [-1, 1] with colours, shapes, thumbnails in one sheet, and a selection that goes both ways."""

    _esm = HERE / "embedding_map.js"
    _css = HERE / "embedding_map.css"
    xy = traitlets.Bytes(b"").tag(sync=True)
    rows = traitlets.Bytes(b"").tag(sync=True)
    rgb = traitlets.Bytes(b"").tag(sync=True)
    forms = traitlets.Bytes(b"").tag(sync=True)
    codes = traitlets.Dict({}).tag(sync=True)
    names = traitlets.Dict({}).tag(sync=True)
    sprite = traitlets.Bytes(b"").tag(sync=True)
    places = traitlets.Bytes(b"").tag(sync=True)
    tile = traitlets.List([32, 64, 1]).tag(sync=True)
    selected = traitlets.Bytes(b"").tag(sync=True, from_json=lambda value, widget: bytes(value or b""))  # a memoryview arrives
    low, high = traitlets.List([0.0, 0.0]).tag(sync=True), traitlets.List([1.0, 1.0]).tag(sync=True)
    labels = traitlets.List(["", ""]).tag(sync=True)
    size = traitlets.Float(5.0).tag(sync=True)
    height = traitlets.Int(460).tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)

    def place(self, points: Float[np.ndarray, "n 2"], rows: Int[np.ndarray, " n"]) -> None:
        """Put the points; their ranges become the axes."""
        low, high = points.min(axis=0), points.max(axis=0)
        high = np.where(high > low, high, low + 1)
        scaled = (points - low) / (high - low) * 2 - 1
        with self.hold_sync():
            self.rows = rows.astype("<i4").tobytes()
            self.low, self.high = low.astype(float).tolist(), high.astype(float).tolist()
            self.size = float(np.clip(700 / np.sqrt(len(points)), 3.0, 9.0))
            self.xy = scaled.astype("<f4").tobytes()

    def colour(self, codes: Int[np.ndarray, " n"]) -> None:
        """One colour and shape a code: eight colours, then the next shape; -1 is grey."""
        hues = np.array([*(tuple(bytes.fromhex(c[1:])) for c in COLOURS), NOTHING], np.uint8)
        with self.hold_sync():
            self.forms = np.where(codes < 0, 0, codes // len(COLOURS) % FORMS).astype(np.uint8).tobytes()
            self.rgb = hues[np.where(codes < 0, len(COLOURS), codes % len(COLOURS))].tobytes()

    def picture(self, sheet: UInt8[np.ndarray, "a b 3"], tile: tuple[int, int, int], places: Int[np.ndarray, " n"]) -> None:
        """The sheet of thumbnails: (width, height, columns) of a tile, and each point's number in it (-1: none)."""
        buffer = io.BytesIO()
        Image.fromarray(sheet).save(buffer, "JPEG", quality=80)
        with self.hold_sync():
            self.tile, self.places = list(tile), places.astype("<i4").tobytes()
            self.sprite = buffer.getvalue()
