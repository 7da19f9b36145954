"""Writing files so that nothing half-written ever stands under its final name."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from reidkit.errors import StorageError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make the folder of `path`; what the file system refuses in here is told of `path`.

    Raises:
        StorageError: no room, no permission, a folder where a file should be, and the like.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        blocked = isinstance(error, FileExistsError | NotADirectoryError)
        raise StorageError(
            f"{path} cannot be written: {'a file stands where its folder should be' if blocked else error.strerror or error}.",
            rule="A result is written whole or not at all; what stood there stays.",
            action="Free some room, or name another place." if error.errno in FULL else "Name a place that can be written to.",
        ) from error


def lock(path: Path, *, wait: bool = True) -> FileLock:
    """A lock on `path` that processes take in turns; without `wait`, one that another holds is a `filelock.Timeout`."""
    with writing(path):
        path.touch()
    return FileLock(path, timeout=-1 if wait else 0)


@contextmanager
def filling(path: Path, partial: Path) -> Iterator[Path]:
    """Make the folder `partial`, beside `path`, to be filled; in the end it is renamed to `path`, or removed on the way.

    What an earlier process left at `partial` goes; `path` may be absent or an empty folder.

    Raises:
        StorageError: the file system refuses.
    """
    with writing(path):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            yield partial
            if path.exists():
                path.rmdir()
            partial.rename(path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def write_atomically(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a temporary file beside `path`, flush it to disk, then rename it.

    When `write` raises, the temporary file is removed and whatever stood at `path` stays.

    Raises:
        StorageError: the file system refuses.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with writing(path):
        try:
            write(partial)
            with partial.open("rb") as handle:
                os.fsync(handle.fileno())
            return partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def write_json(path: Path, content: object) -> Path:
    """Store `content` as indented JSON with sorted keys."""
    text = json.dumps(content, indent=1, sort_keys=True, default=_plain, allow_nan=True)
    return write_atomically(path, lambda partial: partial.write_text(text + "\n", encoding="utf-8"))


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    """Store arrays compressed, readable without pickle."""

    def save(partial: Path) -> None:
        with partial.open("wb") as handle:
            np.savez_compressed(handle, **arrays)  # type: ignore[arg-type]

    return write_atomically(path, save)


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fingerprint(content: object) -> str:
    """Short hash of anything JSON can hold; equal content gives an equal hash in every process."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=_plain).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """NumPy and path objects as JSON values."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")
