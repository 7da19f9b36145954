"""The table of images: one row an image, checked once at the door, and who may see which column.

`ImageTable` is what a method may see: pictures and cameras. `Records` adds the identities, for evaluation, diagnosis
and supervised training. ``records.blind()`` turns the second into the first; nothing turns the first into the second.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from reidkit.errors import RecordsError, shown
from reidkit.storage import write_atomically

JUNK, DISTRACTOR = -1, 0
Table = TypeVar("Table", bound="ImageTable")
SPLITS = ("train", "query", "gallery")
SEEN_BY_METHODS = ("path", "camera", "split", "frame")


@dataclass(frozen=True, eq=False)
class ImageTable:
    """Images without identities.

    Attributes:
        frame: data frame with a range index and at least `path` (text, relative to `root`), `camera` (0..C-1) and
            `split` (``train``, ``query`` or ``gallery``).
        root: folder that the paths are relative to; None when the pixels are in memory.
        name: what to call this set in titles.
        camera_names: the original name of each camera index.
        pixels: uint8 (N, H, W, 3), row by row the images of `frame`; None when they are files.
        drawn: whether these pictures are known to show nobody real; only then are they shown without being asked for.
    """

    frame: pd.DataFrame
    root: Path | None = None
    name: str = "records"
    camera_names: tuple[str, ...] = ()
    pixels: np.ndarray | None = field(default=None, repr=False)
    drawn: bool = False

    def __post_init__(self) -> None:
        frame = self.frame.reset_index(drop=True)
        object.__setattr__(self, "frame", frame)
        if not self.camera_names and len(frame):
            object.__setattr__(self, "camera_names", tuple(str(c) for c in range(int(frame["camera"].max()) + 1)))
        pixels = self.pixels
        if pixels is not None and (pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[::3] != (len(frame), 3)):
            raise RecordsError(
                f"{self.name}: {len(frame)} rows, but pictures in memory of shape {pixels.shape} and type {pixels.dtype}.",
                rule="Pixels are uint8 (N, H, W, 3), row by row.",
                action="Pass one RGB picture of 0..255 for each row.",
            )

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def camera(self) -> np.ndarray:
        """int64 (N,), camera index 0..C-1."""
        return self.frame["camera"].to_numpy(np.int64)

    @property
    def num_cameras(self) -> int:
        """C, the number of cameras of the whole set (a split may show fewer)."""
        return len(self.camera_names)

    @property
    def paths(self) -> list[str]:
        """Absolute paths, or the names of pictures in memory."""
        return [os.fspath(self.root / p) if self.root is not None else p for p in self.frame["path"]]

    def take(self: Table, rows: np.ndarray | Sequence[int]) -> Table:
        """The given rows (indices or a mask), in the order given."""
        index = np.asarray(rows)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64)
        pixels = None if self.pixels is None else self.pixels[index]
        return replace(self, frame=self.frame.iloc[index].reset_index(drop=True), pixels=pixels)

    def split(self: Table, *names: str) -> Table:
        """The rows of the named splits."""
        wrong = set(names) - set(SPLITS)
        if wrong:
            raise RecordsError(f"No split is called {shown(wrong)}.", rule=f"Splits are {SPLITS}.", action="Use one of them.")
        return self.take(self.frame["split"].isin(names).to_numpy())

    @property
    def train(self: Table) -> Table:
        return self.split("train")

    @property
    def query(self: Table) -> Table:
        return self.split("query")

    @property
    def gallery(self: Table) -> Table:
        return self.split("gallery")


@dataclass(frozen=True, eq=False)
class Records(ImageTable):
    """Images with identities: `frame` also has `identity` (int64; -1 junk, 0 distractor) and any nuisance known."""

    @property
    def identity(self) -> np.ndarray:
        """int64 (N,), the true identity; -1 is a junk box, 0 a distractor (Market-1501's convention)."""
        return self.frame["identity"].to_numpy(np.int64)

    def truth(self) -> np.ndarray:
        """The identities, for evaluation and diagnosis only."""
        return self.identity

    def class_labels(self) -> np.ndarray:
        """int64 (N,), identities renumbered 0..M-1 in ascending order, for supervised training."""
        return np.unique(self.identity, return_inverse=True)[1].astype(np.int64)

    def blind(self) -> ImageTable:
        """The same images without identities, nuisances or anything else that training must not see."""
        kept = [c for c in SEEN_BY_METHODS if c in self.frame]
        return ImageTable(self.frame[kept].copy(), self.root, self.name, self.camera_names, self.pixels, self.drawn)

    def summary(self) -> pd.DataFrame:
        """Images, identities and cameras of each split (distractors and junk counted apart)."""
        rows = []
        for split in SPLITS:
            part = self.frame[self.frame["split"] == split]
            people = part[part["identity"] > DISTRACTOR]
            rows.append(
                {
                    "split": split,
                    "images": len(part),
                    "identities": people["identity"].nunique(),
                    "cameras": part["camera"].nunique(),
                    "distractors": int((part["identity"] == DISTRACTOR).sum()),
                    "junk": int((part["identity"] == JUNK).sum()),
                }
            )
        return pd.DataFrame(rows).set_index("split")

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Store the table (not the pictures) as parquet, under a temporary name first."""
        frame = self.frame.copy()
        frame.attrs = {**self.frame.attrs, "camera_names": list(self.camera_names)}
        return write_atomically(Path(path), frame.to_parquet)


def make_records(
    frame: pd.DataFrame,
    *,
    root: str | os.PathLike[str] | None = None,
    name: str = "records",
    pixels: np.ndarray | None = None,
    drawn: bool = False,
    check_paths: bool = True,
) -> Records:
    """Check a data frame and turn it into `Records`; the door that every reader goes through.

    Args:
        frame: one row an image with `path`, `identity` (integers or names) and, when known, `camera` (numbers or names),
            `split` and anything else. Without `camera` all images belong to one camera; without `split` all are ``train``.
        root: folder that the paths are relative to.
        pixels: uint8 (N, H, W, 3) instead of files.
        drawn: whether the pictures show nobody real (see `ImageTable`).
        check_paths: whether every file must exist.

    Raises:
        RecordsError: naming the rows, the rule and the next action.
    """
    frame = frame.reset_index(drop=True).copy()
    _require(len(frame) > 0, name, "the table has no rows", "A data set has at least one image.", "Check what was selected.")
    for column in ("path", "identity"):
        _require(
            column in frame,
            name,
            f"column {column!r} is missing; found {shown(frame.columns, 12)}",
            "A table needs the columns path and identity.",
            f"Add or rename a column to {column!r}.",
        )
    _refuse_rows(frame, frame["path"].isna(), name, "Every image has a path.", "Fill the column or drop the rows.", "path")
    frame["path"] = frame["path"].astype(str)
    frame["split"] = frame["split"].astype(str) if "split" in frame else "train"
    _refuse_rows(frame, ~frame["split"].isin(SPLITS), name, f"A split is one of {SPLITS}.", "Correct the column split.", "split")
    frame["identity"] = _integers(frame, name)
    if "camera" not in frame:
        frame["camera"] = 0
    _refuse_rows(
        frame, frame["camera"].isna(), name, "Every image has a camera, or none has.", "Fill or drop the column.", "camera"
    )
    frame["camera"] = _whole(frame["camera"])
    cameras = sorted(frame["camera"].unique(), key=_natural)
    frame["camera"] = frame["camera"].map({camera: index for index, camera in enumerate(cameras)}).astype(np.int64)
    _refuse_rows(frame, _repeated(frame["path"]), name, "A file stands in one row only.", "Drop the repeated rows.", "path")
    _check_splits(frame, name)
    base = Path(root) if root is not None else None
    if pixels is None and check_paths:
        missing = pd.Series([not ((base / p) if base else Path(p)).is_file() for p in frame["path"]])
        _refuse_rows(frame, missing, name, "Every path is a file.", f"Check the root folder {base} or restore the files.", "path")
    return Records(frame, base, name, tuple(str(c) for c in cameras), pixels, drawn)


def read_records(path: str | os.PathLike[str], *, root: str | os.PathLike[str] | None = None) -> Records:
    """Read a table that `Records.write` stored."""
    frame = pd.read_parquet(path)
    names = tuple(frame.attrs.pop("camera_names", ()))
    index = frame["camera"].copy()
    table = make_records(frame, root=root, name=Path(path).stem, check_paths=root is not None)
    return replace(table, frame=table.frame.assign(camera=index), camera_names=names) if names else table


def _integers(frame: pd.DataFrame, name: str) -> pd.Series:
    """Identities as integers; names are numbered from 1 in sorted order and kept in `identity_name`."""
    column = frame["identity"]
    _refuse_rows(
        frame, column.isna(), name, "Every image has an identity (0 distractor, -1 junk).", "Fill the column.", "identity"
    )
    column = _whole(column)
    if pd.api.types.is_integer_dtype(column):
        low = column < JUNK
        _refuse_rows(frame, low, name, "Identities are -1 (junk), 0 (distractor) or positive.", "Renumber them.", "identity")
        return column.astype(np.int64)
    names = column.astype(str)
    frame["identity_name"] = names
    return names.map({n: i + 1 for i, n in enumerate(sorted(names.unique(), key=_natural))}).astype(np.int64)


def _repeated(paths: pd.Series) -> pd.Series:
    """Rows whose file another row names too, however it is spelt (``a.jpg`` and ``./a.jpg``)."""
    return paths.map(os.path.normpath).duplicated(keep=False)


def _whole(column: pd.Series) -> pd.Series:
    """Numbers such as 3.0, which a gap in a CSV column leaves behind, as integers; other columns unchanged."""
    if not pd.api.types.is_float_dtype(column) or not np.isfinite(column).all() or (column % 1 != 0).any():
        return column
    return column.astype(np.int64)


def _check_splits(frame: pd.DataFrame, name: str) -> None:
    """Train and test share no identity."""
    people = frame[frame["identity"] > DISTRACTOR]
    train = set(people.loc[people["split"] == "train", "identity"])
    test = people["split"].ne("train") & people["identity"].isin(train)
    shared = test.reindex(frame.index, fill_value=False)
    rule = "Identities of train and test are disjoint (re-ID is tested on people never seen)."
    _refuse_rows(frame, shared, name, rule, "Move each of these identities to one side.", "identity")


def _natural(value: object) -> tuple[int, float, str]:
    """Sort numbers by value and before words; equal numbers (``7`` and ``007``) by their text."""
    text = str(value)
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    return (0, number, text) if np.isfinite(number) else (1, 0.0, text)


def _require(holds: bool, name: str, what: str, rule: str, action: str) -> None:
    if not holds:
        raise RecordsError(f"{name}: {what}.", rule=rule, action=action)


def _refuse_rows(frame: pd.DataFrame, wrong: pd.Series, name: str, rule: str, action: str, column: str) -> None:
    """Raise when any row is wrong, naming the first five with the value found."""
    if not wrong.any():
        return
    rows = [
        f"row {i}: {column}={shown([frame.at[i, column]])} ({frame.at[i, 'path']!r})" for i in frame.index[wrong.to_numpy()][:5]
    ]
    more = int(wrong.sum()) - len(rows)
    raise RecordsError(f"{name}: " + "; ".join(rows) + (f"; and {more} more rows." if more else "."), rule=rule, action=action)
