"""What a layout is: how to recognise a folder, and how to read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from reidkit.errors import FormatError
from reidkit.records import Records, make_records


@dataclass(frozen=True)
class Layout:
    """One way in which a data set lies on disk.

    Attributes:
        name: as given to ``load(root, layout=name)``.
        about: one line for lists of layouts.
        recognises: whether a folder (or file) looks like this layout; cheap, never raises for a readable folder.
        read: ``read(root, **options)`` -> records.
    """

    name: str
    about: str
    recognises: Callable[[Path], bool]
    read: Callable[..., Records]


def finish(rows: list[dict[str, object]] | pd.DataFrame, root: Path, name: str, unparsed: list[str] | None = None) -> Records:
    """Records of rows that a reader has listed itself (so the files exist).

    The names left out stay with the records in ``frame.attrs["unparsed"]``.
    """
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows)
    records = make_records(frame, root=root, name=name, check_paths=False)
    records.frame.attrs["unparsed"] = list(unparsed or [])
    return records


def choose(value: str, known: tuple[str, ...], option: str) -> str:
    """`value` when it is one of the known ones."""
    if value not in known:
        raise FormatError(f"{option}={value!r} is unknown.", rule=f"{option} is one of {known}.", action="Choose one of them.")
    return value
