"""Real data sets below REIDKIT_DATA: which pair of them a full run takes. Nothing is downloaded, and Duke is never a default."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from reidkit.errors import FormatError
from reidkit.formats import detect, load
from reidkit.records import Records
from reidkit.storage import fingerprint

PREFIX = "data:"
PREFERRED = ("market1501", "msmt17")  # source and target; of the papers' pairs the one without DukeMTMC
BY_HAND = ("source", "target")


def data_root() -> Path | None:
    """The folder that REIDKIT_DATA names; None when it is not set.

    Raises:
        FormatError: it names no folder.
    """
    text = os.environ.get("REIDKIT_DATA", "")
    if not text:
        return None
    if not Path(text).is_dir():
        rule = "REIDKIT_DATA names the folder that holds data sets, one folder each."
        raise FormatError(f"REIDKIT_DATA: {text} is no folder.", rule=rule, action="Correct it or unset it.")
    return Path(text)


def real_pair(source: str, target: str) -> tuple[str, str]:
    """Names of source and target for a full run: real sets where REIDKIT_DATA holds them, else the worlds given.

    Folders (or links) called ``source`` and ``target`` there decide by hand, either one alone too; otherwise Market-1501 is
    the source and MSMT17 the target when both are there, and a single one of them is the target.
    """
    root = data_root()
    if root is None:
        return source, target
    chosen = [f"{PREFIX}{name}" if (root / name).is_dir() else "" for name in BY_HAND]
    if any(chosen):
        return chosen[0] or source, chosen[1] or target
    found = real_sets(root)
    here = [f"{PREFIX}{found[layout]}" for layout in PREFERRED if layout in found]
    if len(here) == len(PREFERRED):
        return here[0], here[1]
    return source, here[0] if here else target


def real_sets(root: Path) -> dict[str, str]:
    """Layout -> name of the first folder below `root` that has it; folders of no known layout are left out."""
    found: dict[str, str] = {}
    for child in sorted(path for path in root.iterdir() if path.is_dir()):
        try:
            layout = detect(child)[0].name
        except FormatError:
            continue
        found.setdefault(layout, child.name)
    return found


def is_real(name: str) -> bool:
    """Whether a name stands for a set below REIDKIT_DATA."""
    return name.startswith(PREFIX)


def open_real(name: str) -> Records:
    """The records of ``"data:FOLDER"`` below REIDKIT_DATA."""
    root = data_root()
    if root is None:
        rule = "Real sets lie below REIDKIT_DATA."
        raise FormatError(f"{name!r}: REIDKIT_DATA is not set.", rule=rule, action="Set it, or use a synthetic world.")
    folder = name.removeprefix(PREFIX)
    return replace(load(root / folder), name=folder)


def data_fingerprint(*names: str) -> str:
    """A hash of what the real sets among `names` hold (files and identities); empty when all are worlds, which a seed tells."""
    held = [[name, list(r.paths), r.identity.tolist()] for name in names if is_real(name) for r in [open_real(name)]]
    return fingerprint(held) if held else ""
