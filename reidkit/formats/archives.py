"""Safe extraction: an archive is checked as a whole before a byte is written, and stands complete or not at all.

Refused, always the whole archive: ``..``, absolute names, drive letters, backslashes and control characters, links, devices,
encryption, names that differ only in case, and more files, bytes or compression than the limits allow.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from reidkit.errors import FormatError, shown
from reidkit.formats.listing import inside
from reidkit.storage import filling, lock

STAMP = ".archives.json"
BLOCK = 1 << 20
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, OSError, EOFError, zlib.error, NotImplementedError, RuntimeError, ValueError)


@dataclass(frozen=True)
class Limits:
    """The most that an archive may hold: files, bytes of one file and of all, and times its own size when unpacked."""

    files: int = 2_000_000
    file_bytes: int = 8 << 30
    total_bytes: int = 400 << 30
    ratio: float = 200.0


@dataclass(frozen=True)
class Member:
    """A file in an archive, by its checked relative name."""

    name: str
    size: int
    handle: zipfile.ZipInfo | tarfile.TarInfo


def extract(archives: Sequence[Path], out: Path, *, limits: Limits | None = None) -> Path:
    """Extract zip and tar archives side by side into a new folder.

    The work is done in ``<out>.incomplete`` under a lock and renamed at the end, so an interrupted run leaves nothing under
    the final name, and the next one starts afresh. The same archives once more are a no-op.

    Returns:
        `out`.

    Raises:
        FormatError: an archive is absent, damaged or unsafe; or `out` holds something else.
    """
    if not archives:
        raise FormatError("No archive was named.", rule="There is something to extract.", action="Pass one or more archives.")
    limits = limits or Limits()
    with lock(out.with_name(out.name + ".lock")):
        stamp = {path.name: _checksum(path) for path in archives}
        if _is_complete(out, stamp):
            return out
        with filling(out, out.with_name(out.name + ".incomplete")) as partial:
            taken: dict[str, str] = {}
            for path in archives:
                _extract_one(path, partial, limits, taken)
            (partial / STAMP).write_text(json.dumps(stamp, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return out


def _is_complete(out: Path, stamp: dict[str, str]) -> bool:
    """Whether `out` was made from these archives; an absent or empty folder was not, another one is refused."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    try:
        if json.loads((out / STAMP).read_text(encoding="utf-8")) == stamp:
            return True
    except (OSError, ValueError):
        pass
    raise FormatError(
        f"{out} exists and was not extracted from these archives.",
        rule="Nothing that stands there is overwritten.",
        action="Choose another folder, or remove this one.",
    )


def _checksum(path: Path) -> str:
    """SHA-256 of a file."""
    if not path.is_file():
        raise FormatError(f"{path}: no such archive.", rule="An archive is a file.", action="Check the path.")
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _extract_one(path: Path, folder: Path, limits: Limits, taken: dict[str, str]) -> None:
    """Check every member, then write them; `taken` holds the names that earlier archives wrote."""
    try:
        with closing(_opened(path)) as archive:
            members = list(_members(path, archive))
            _check_sizes(path, members, limits, folder)
            _check_names(path, members, taken)
            for member in members:
                _write(archive, member, folder / member.name)
    except DAMAGE as error:
        raise FormatError(
            f"{path}: damaged archive or full disk ({error}).",
            rule="An archive is extracted completely or not at all.",
            action="Check the free space, and download or copy the archive again.",
        ) from error


def _opened(path: Path) -> zipfile.ZipFile | tarfile.TarFile:
    if zipfile.is_zipfile(path):
        return zipfile.ZipFile(path)
    if tarfile.is_tarfile(path):
        return tarfile.open(path)
    raise FormatError(
        f"{path}: neither a zip nor a tar archive.", rule="The content, not the suffix, says so.", action="Copy it again."
    )


def _members(path: Path, archive: zipfile.ZipFile | tarfile.TarFile) -> Iterator[Member]:
    """Files of an archive; folders are made as needed, and anything else is refused."""
    if isinstance(archive, zipfile.ZipFile):
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                _refuse(path, info.filename, "links and devices")
            if info.flag_bits & 1:
                _refuse(path, info.filename, "encrypted files")
            if not info.is_dir():
                yield Member(_checked_name(path, info.orig_filename), info.file_size, info)
            else:
                _checked_name(path, info.orig_filename.rstrip("/"))
    else:
        for entry in archive:
            if not (entry.isreg() or entry.isdir()):
                _refuse(path, entry.name, "links and devices")
            name = _checked_name(path, entry.name.removeprefix("./").rstrip("/") or ".")
            if entry.isreg():
                yield Member(name, entry.size, entry)


def _checked_name(path: Path, name: str) -> str:
    """A name that stays below the folder on every system."""
    odd = any(unicodedata.category(character) in ("Cc", "Cs") or character in '<>:"|?*' for character in name)
    parts = name.split("/")
    if odd or not inside(name) or (name != "." and any(part in ("", ".") or part.endswith((" ", ".")) for part in parts)):
        _refuse(path, name, "names with '..', roots, drives, backslashes or control characters")
    return name


def _check_names(path: Path, members: Iterable[Member], taken: dict[str, str]) -> None:
    """Refuse two files, or a file and a folder, that are one on a system that ignores case."""
    folders: dict[str, str] = {}
    for member in members:
        parts = member.name.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folders.setdefault(_folded(folder), folder) != folder:
                _refuse(path, folder, "names that differ only in case")
        if _folded(member.name) in taken:
            _refuse(path, member.name, "names twice, or that differ only in case")
        taken[_folded(member.name)] = member.name
    for folded, folder in folders.items():
        if folded in taken:
            _refuse(path, folder, "a file and a folder of one name")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _check_sizes(path: Path, members: Sequence[Member], limits: Limits, folder: Path) -> None:
    total, packed = sum(member.size for member in members), max(path.stat().st_size, 1)
    big = [member.name for member in members if member.size > limits.file_bytes]
    if len(members) > limits.files or total > limits.total_bytes or big or total > limits.ratio * packed:
        raise FormatError(
            f"{path}: {len(members):,} files, {total:,} bytes from an archive of {packed:,}"
            + (f"; {shown(big)} alone too large." if big else "."),
            rule=f"At most {limits.files:,} files, {limits.total_bytes:,} bytes, {limits.file_bytes:,} bytes a file "
            f"and {limits.ratio:g} times the archive's size (a bomb unpacks to far more).",
            action="If you trust the archive, extract it yourself and read the folder.",
        )
    free = shutil.disk_usage(folder).free
    if total > free:
        raise FormatError(
            f"{path}: needs {total:,} bytes, but only {free:,} are free in {folder.parent}.",
            rule="There is room for all of it.",
            action="Free some space or choose another disk.",
        )


def _write(archive: zipfile.ZipFile | tarfile.TarFile, member: Member, target: Path) -> None:
    """Write one file; its readers give no more bytes than the archive declared, and fewer are an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source: IO[bytes] | None
    if isinstance(archive, zipfile.ZipFile):
        assert isinstance(member.handle, zipfile.ZipInfo)
        source = archive.open(member.handle)
    else:
        assert isinstance(member.handle, tarfile.TarInfo)
        source = archive.extractfile(member.handle)
    assert source is not None
    written = 0
    with source, target.open("xb") as handle:
        while block := source.read(BLOCK):
            written += handle.write(block)
    if written != member.size:
        raise EOFError(f"{member.name} ends after {written} of {member.size} bytes")


def _refuse(path: Path, name: str, what: str) -> NoReturn:
    raise FormatError(
        f"{path}: member {name!r}.",
        rule=f"An archive with {what} is refused as a whole.",
        action="Get the archive from its owner again; if you trust it, extract it yourself and read the folder.",
    )
