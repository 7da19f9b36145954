"""What every reader does with a folder: list it in sorted order, parse each name, and refuse when too many do not parse."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reidkit.errors import FormatError, shown

log = logging.getLogger(__name__)

MOST_UNPARSED = 0.01
HOUSEKEEPING = {"thumbs.db", ".ds_store", "desktop.ini", "readme.txt", "readme.md", "readme", "license", "license.txt"}
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm")
SUFFIX = r"\.(?:jpe?g|png|bmp)"


@dataclass
class Parsed:
    """Rows read from names, and what could not be read.

    Attributes:
        rows: one dictionary an image, with `path` relative to the data set's folder, in ``/`` form.
        unparsed: relative names that break the pattern, in the order met.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    unparsed: list[str] = field(default_factory=list)

    def __iadd__(self, other: Parsed) -> Parsed:
        self.rows += other.rows
        self.unparsed += other.unparsed
        return self

    def checked(self, what: str, rule: str) -> Parsed:
        """Itself, when at least one name and no less than 99 % were read; logs the others.

        Raises:
            FormatError: showing the first five names that were not.
        """
        total = len(self.rows) + len(self.unparsed)
        if not self.rows or len(self.unparsed) > MOST_UNPARSED * total:
            found = f"{len(self.unparsed)} of {total} names do not parse: {shown(self.unparsed)}" if total else "no images"
            raise FormatError(
                f"{what}: {found}.",
                rule=f"{rule} At most 1 % of the names may differ.",
                action="Restore the original names, remove copies and other files, or name another layout.",
            )
        if self.unparsed:
            log.warning("%s: left out %d names that do not parse: %s", what, len(self.unparsed), shown(self.unparsed))
        return self


def names_in(folder: Path) -> list[str]:
    """Names in a folder, sorted, without housekeeping; ``/`` follows a sub-folder, ``@`` what is neither folder nor file."""
    try:
        with os.scandir(folder) as entries:
            found = [entry.name + _kind(entry) for entry in entries if not is_housekeeping(entry.name)]
    except OSError as error:
        raise FormatError(
            f"{folder}: cannot be listed ({error.strerror or error}).",
            rule="A data set is a readable folder.",
            action="Check the path and its permissions.",
        ) from error
    return sorted(found)


def _kind(entry: os.DirEntry[str]) -> str:
    return "/" if entry.is_dir() else "" if entry.is_file() else "@"


def files_in(folder: Path) -> list[str]:
    """Names of the files in a folder, sorted."""
    return [name for name in names_in(folder) if not name.endswith(("/", "@"))]


def folders_in(folder: Path) -> list[str]:
    """Names of the sub-folders, sorted, without the slash."""
    return [name[:-1] for name in names_in(folder) if name.endswith("/")]


def is_housekeeping(name: str) -> bool:
    """Whether a file is one that operating systems and owners leave in every folder."""
    return name.lower() in HOUSEKEEPING or name.startswith(("._", ".")) or name == "__MACOSX"


def is_text(name: str) -> bool:
    """Whether a file name is proper Unicode, so that tables and reports can store it."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def find_folder(root: Path, *names: str) -> Path | None:
    """The sub-folder with one of these names, whatever the case; None when there is none.

    Raises:
        FormatError: when two sub-folders differ only in case.
    """
    for name in names:
        found = [folder for folder in folders_in(root) if folder.lower() == name.lower()]
        if len(found) > 1:
            raise FormatError(
                f"{root}: the folders {shown(found)} differ only in case.",
                rule="A folder stands there once.",
                action="Merge them or remove one.",
            )
        if found:
            return root / found[0]
    return None


def need_folder(root: Path, *names: str) -> Path:
    """As `find_folder`, but its absence is a refusal."""
    folder = find_folder(root, *names)
    if folder is None:
        raise FormatError(
            f"{root}: no folder {' or '.join(repr(n) for n in names)}; found {shown(names_in(root), 8) or 'nothing'}.",
            rule="This layout needs it.",
            action="Point to the data set's own folder, or complete the extraction.",
        )
    return folder


def need_file(root: Path, *names: str) -> Path:
    """The first of these files (paths relative to `root`) that exists."""
    for name in names:
        if (root / name).is_file():
            return root / name
    raise FormatError(
        f"{root}: no file {' or '.join(repr(n) for n in names)}; found {shown(names_in(root), 8) or 'nothing'}.",
        rule="This layout needs it.",
        action="Complete the copy of the data set.",
    )


def parse_folder(root: Path, folder: Path, pattern: re.Pattern[str], **constant: object) -> Parsed:
    """Parse each name of a folder by `pattern`; named groups become columns, digits become integers.

    Names that agree but for their case are copies of one image; the first in sorted order is kept.

    Args:
        root: folder that `path` is relative to.
        constant: further columns with the same value in every row.
    """
    parsed, seen = Parsed(), set()
    inside = folder.relative_to(root).as_posix()
    prefix = "" if inside == "." else inside + "/"
    for name in names_in(folder):
        match = pattern.fullmatch(name)
        if match is None or name.lower() in seen:
            parsed.unparsed.append(prefix + name)
            continue
        seen.add(name.lower())
        parsed.rows.append({"path": prefix + name, **numbers(match.groupdict()), **constant})
    return parsed


def numbers(groups: dict[str, str | None]) -> dict[str, Any]:
    """Groups of a match, without those that are absent; whole numbers as integers."""
    return {key: int(v) if re.fullmatch(r"-?[0-9]+", v) else v for key, v in groups.items() if v is not None}


def compiled(pattern: str) -> re.Pattern[str]:
    """A name pattern: whole names, any case, ASCII digits only."""
    return re.compile(pattern, re.ASCII | re.IGNORECASE)


def inside(name: str) -> bool:
    """Whether a path found in a list or table stays below its folder: no ``..``, root, drive, backslash or URL."""
    parts = name.split("/")
    return bool(name) and not (
        name.startswith(("/", "~")) or "\\" in name or "\0" in name or ".." in parts or re.match(r"[A-Za-z][\w+.-]*:", name)
    )


def refuse_outside(names: Iterable[str], where: str) -> None:
    """Refuse lists and tables that name files outside of their folder."""
    wrong = [name for name in names if not inside(name)]
    if wrong:
        raise FormatError(
            f"{where}: {shown(wrong)} lead outside of the folder.",
            rule="Paths are relative, below the folder, with '/' between the parts.",
            action="Make the paths relative to the folder of images.",
        )


def read_lines(path: Path) -> Sequence[str]:
    """Lines of a UTF-8 list file, without blank ones."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(
            f"{path}: cannot be read ({error}).", rule="Lists are text in UTF-8.", action="Restore the file from the archive."
        ) from error
    return [line.strip("\r") for line in text.split("\n") if line.strip()]
