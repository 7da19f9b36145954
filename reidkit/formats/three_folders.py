"""The layout that Market-1501 made common: ``bounding_box_train/``, ``query/`` and ``bounding_box_test/``."""

from __future__ import annotations

import logging
import re
from itertools import islice
from pathlib import Path

import pandas as pd

from reidkit.errors import FormatError, shown
from reidkit.formats.layout import finish
from reidkit.formats.listing import Parsed, files_in, find_folder, need_folder, parse_folder
from reidkit.records import DISTRACTOR, Records

FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
WORLD_TABLE = "world.parquet"
SAMPLE = 200
log = logging.getLogger(__name__)


def read_three_folders(root: Path, pattern: re.Pattern[str], *, name: str, rule: str) -> Records:
    """Read the three folders; names give identity, camera and whatever else the pattern's groups say.

    Boxes of nobody (identity 0 and -1) belong in the gallery only.

    Raises:
        FormatError: a folder is absent, or too many names break the pattern.
    """
    parsed = parse_three_folders(root, root, pattern)
    parsed.checked(str(root), rule)
    return finish(with_nuisances(root, pd.DataFrame(parsed.rows)), root, name, parsed.unparsed)


def parse_three_folders(root: Path, base: Path, pattern: re.Pattern[str], **constant: object) -> Parsed:
    """Rows of the three folders below `base`, paths relative to `root`; `constant` columns have one value in every row.

    A name that stands in query and gallery is said, not refused: protocols that remove the query's own camera do not count it.
    Copies under other names are found by `duplicates`, which reads the files.
    """
    parsed = Parsed()
    for split, folder in {split: need_folder(base, name) for split, name in FOLDERS.items()}.items():
        part = parse_folder(root, folder, pattern, split=split, **constant)
        nobody = [row["path"] for row in part.rows if split != "gallery" and row["identity"] <= DISTRACTOR]
        if nobody:
            raise FormatError(
                f"{folder}: {len(nobody)} boxes of nobody: {shown(nobody)}.",
                rule="Identities 0 (distractor) and -1 (junk) stand in the gallery only.",
                action="Move these files to the gallery folder or remove them.",
            )
        if not part.rows and not part.unparsed and not _left_out(base, split):
            raise FormatError(f"{folder}: no images.", rule="No split is empty.", action="Complete the extraction.")
        parsed += part
    asked, answers = ({Path(row["path"]).name.lower() for row in parsed.rows if row["split"] == s} for s in ("query", "gallery"))
    if both := sorted(asked & answers):
        log.warning("%s: %d names stand in query and gallery: %s", base, len(both), shown(both))
    return parsed


def _left_out(base: Path, split: str) -> bool:
    """Whether a rendered world's own table says that it has no image of `split` (a world of test people only, say)."""
    table = base / WORLD_TABLE
    return table.is_file() and split not in set(_read_world(table).get("split", [split]))


def looks_like(root: Path, pattern: re.Pattern[str] | None) -> bool:
    """Whether `root` has such folders and, given a pattern, whether most of a sample of names match it."""
    if not root.is_dir():
        return False
    present = [folder for name in FOLDERS.values() if (folder := find_folder(root, name)) is not None]
    if not any(folder.name.lower().startswith("bounding_box") for folder in present):
        return False
    names = [name for folder in present for name in islice(files_in(folder), SAMPLE)]
    return pattern is None or 2 * sum(pattern.fullmatch(name) is not None for name in names) > len(names)


def with_nuisances(root: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` with the columns of ``world.parquet`` (a rendered world's ground truth), joined by path, where there is one.

    Raises:
        FormatError: when table and folders do not hold the same images.
    """
    if not (root / WORLD_TABLE).is_file():
        return frame
    world = _read_world(root / WORLD_TABLE)
    if "path" not in world or world["path"].duplicated().any():
        raise FormatError(
            f"{root / WORLD_TABLE}: column 'path' is missing or repeats a file; columns {shown(world.columns, 8)}.",
            rule="The table has one row for each image.",
            action="Render the world again.",
        )
    differing = sorted(set(world["path"]) ^ set(frame["path"]))
    if differing:
        raise FormatError(
            f"{root}: {len(differing)} images stand only in {WORLD_TABLE} or only in the folders: {shown(differing)}.",
            rule="Table and folders hold the same images.",
            action=f"Render the world again, or remove {WORLD_TABLE} to read the folders alone.",
        )
    new = ["path", *(column for column in world if column not in frame)]
    return frame.merge(world[new], on="path", how="left", validate="one_to_one")


def _read_world(table: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(table)
    except Exception as error:  # pyarrow raises its own family of errors
        raise FormatError(
            f"{table}: cannot be read ({error}).", rule="It is a parquet table.", action="Render the world again."
        ) from error
