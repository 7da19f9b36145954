"""A table in CSV or Parquet, one row an image: `path` and `identity`, and when known `camera`, `split` and anything else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from reidkit.errors import FormatError, nearest_name, shown
from reidkit.formats.layout import Layout
from reidkit.formats.listing import refuse_outside
from reidkit.records import Records, make_records

SUFFIXES = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".pq": "parquet"}
SEPARATORS = (",", ";", "\t", "|")


def read(
    root: Path, *, images: str | Path | None = None, columns: Mapping[str, str] | None = None, check_paths: bool = True
) -> Records:
    """Read a table of images.

    Args:
        root: the table's file.
        images: folder that the column `path` is relative to; the table's own folder when not given. Absolute paths below
            it are made relative.
        columns: our name -> the table's name, for example ``{"identity": "pid", "camera": "camid"}``.
        check_paths: whether every file must exist.

    Raises:
        FormatError: the file is not such a table, or a path leads out of the folder.
        RecordsError: from the checks that all records go through.
    """
    base = Path(images) if images is not None else root.parent
    named = dict(columns or {})
    frame = _renamed(_frame(root, named.get("path", "path")), named, root)
    if frame["path"].notna().all():
        frame["path"] = [_relative(str(path), base) for path in frame["path"]]
        refuse_outside(frame["path"], str(root))
    return make_records(frame, root=base, name=root.stem, check_paths=check_paths)


def _frame(path: Path, name: str) -> pd.DataFrame:
    """The table as it stands, column `name` as text; in CSV only an empty field is missing, so that a person called NA stays."""
    kind = SUFFIXES.get(path.suffix.lower(), "csv")
    try:
        if kind == "parquet":
            return pd.read_parquet(path)
        with path.open(encoding="utf-8-sig") as lines:
            header = lines.readline()
        separator = max(SEPARATORS, key=header.count)
        return pd.read_csv(path, sep=separator, encoding="utf-8-sig", keep_default_na=False, na_values=[""], dtype={name: str})
    except Exception as error:  # pandas, pyarrow and csv each raise their own
        raise FormatError(
            f"{path}: cannot be read as {kind} ({error}).",
            rule="A table is CSV in UTF-8 with a header line, or Parquet.",
            action="Export it again.",
        ) from error


def _renamed(frame: pd.DataFrame, columns: dict[str, str], path: Path) -> pd.DataFrame:
    """`frame` under our column names."""
    frame = frame.rename(columns=lambda name: str(name).strip())
    absent = [theirs for theirs in columns.values() if theirs not in frame]
    if absent:
        raise FormatError(
            f"{path}: no column {shown(absent)}; found {shown(frame.columns, 12)}.",
            rule="columns= maps our name to one of the table's.",
            action=nearest_name(absent[0], map(str, frame.columns)),
        )
    clash = [ours for ours, theirs in columns.items() if ours in frame and ours != theirs]
    frame = frame.drop(columns=clash).rename(columns={theirs: ours for ours, theirs in columns.items()})
    for needed in ("path", "identity"):
        if needed not in frame:
            raise FormatError(
                f"{path}: no column {needed!r}; found {shown(frame.columns, 12)}.",
                rule="A table has the columns path and identity, and may have camera, split and others.",
                action=f"Pass columns={{{needed!r}: <the name it has in the table>}}.",
            )
    return frame


def _relative(path: str, base: Path) -> str:
    """A path below `base`, with forward slashes; others as they are, to be refused."""
    given = Path(path)
    if given.is_absolute() and given.is_relative_to(base.absolute()) and ".." not in given.parts:
        return given.relative_to(base.absolute()).as_posix()
    return path


def recognises(root: Path) -> bool:
    return root.is_file() and root.suffix.lower() in SUFFIXES


LAYOUT = Layout("table", "a CSV or Parquet table", recognises, read)
