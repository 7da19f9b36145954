"""Where a world goes: pictures in memory, or a folder in the Market-1501 layout with a table of every nuisance."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from reidkit.errors import FormatError
from reidkit.records import Records, make_records
from reidkit.storage import filling

TABLE, CARD = "world.parquet", "world.json"


def in_memory(frame: pd.DataFrame, pictures: Iterable[tuple[bytes, float, float]], name: str, size: tuple[int, int]) -> Records:
    """Records with decoded pixels, the same bytes that a reader of the folder would decode."""
    pixels = np.empty((len(frame), *size, 3), np.uint8)
    truth = []
    for row, (data, hidden, cut) in enumerate(pictures):
        pixels[row] = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        truth.append((hidden, cut))
    return make_records(_with_truth(frame, truth), name=name, pixels=pixels, drawn=True, check_paths=False)


def to_folder(
    frame: pd.DataFrame, pictures: Iterable[tuple[bytes, float, float]], name: str, out: Path, settings: dict[str, object]
) -> Records:
    """Write everything into a folder beside `out` and rename it at the end: `out` is complete or absent.

    Raises:
        FormatError: `out` exists and is not an empty folder.
        StorageError: the file system refuses.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FormatError(
            f"{out} exists already.",
            rule="A world is written into a new or empty folder.",
            action="Remove the folder or choose another name.",
        )
    with filling(out, out.with_name(f"{out.name}.{os.getpid()}.incomplete")) as partial:
        for folder in ("bounding_box_train", "query", "bounding_box_test"):
            (partial / folder).mkdir()
        truth = []
        for path, (data, hidden, cut) in zip(frame["path"], pictures):
            (partial / path).write_bytes(data)
            truth.append((hidden, cut))
        frame = _with_truth(frame, truth)
        frame.to_parquet(partial / TABLE, index=False)
        (partial / CARD).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    return make_records(frame, root=out, name=name, drawn=True)


def _with_truth(frame: pd.DataFrame, truth: list[tuple[float, float]]) -> pd.DataFrame:
    hidden, cut = zip(*truth)
    return frame.assign(hidden=np.asarray(hidden, np.float64), cut=np.asarray(cut, np.float64))
