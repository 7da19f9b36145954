"""A folder of identities: ``identity/image.jpg``, or ``train|query|gallery/identity/image.jpg``.

The folder's name is the identity, kept in `identity_name`; identities are numbered from 1 in natural order, so that a
folder called ``0`` or ``-1`` is a person like any other. Cameras come from the file names when a pattern says where.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd

from reidkit.errors import FormatError, shown
from reidkit.formats.layout import Layout, finish
from reidkit.formats.listing import IMAGE_SUFFIXES, Parsed, folders_in, is_text, names_in
from reidkit.records import SPLITS, Records

RULE = "A folder of identities is identity/image, with image files only and at most the splits train, query, gallery above."


def read(root: Path, *, camera: str | None = None) -> Records:
    """Read ``root/identity/*`` or ``root/split/identity/*``.

    Args:
        root: the data set's folder.
        camera: regular expression, searched in each file name; its group ``camera``, or else its first group, is the camera,
            for example ``r"_c(\\d+)"``. Without it, all images belong to one camera.

    Raises:
        FormatError: no identities, other files, or names in which `camera` is not found.
    """
    found = _camera(camera)
    tops = folders_in(root)
    splits = [name for name in tops if name in SPLITS]
    if splits and len(splits) != len(tops):
        raise FormatError(
            f"{root}: split folders {shown(splits)} beside {shown(set(tops) - set(splits))}.",
            rule="Either all folders are splits, or none is.",
            action="Move the identities below the splits.",
        )
    parsed = Parsed(unparsed=[name for name in names_in(root) if not name.endswith("/")])
    for split in splits or [""]:
        top = root / split
        parsed.unparsed += [f"{split}/{name}" for name in names_in(top) if split and not name.endswith("/")]
        for identity in folders_in(top):
            parsed += _identity(root, top / identity, split or "train", found)
    parsed.checked(str(root), RULE if camera is None else f"{RULE} Camera pattern: {camera!r}.")
    return finish(pd.DataFrame(parsed.rows), root, root.name, parsed.unparsed)


def _identity(root: Path, folder: Path, split: str, camera: re.Pattern[str] | None) -> Parsed:
    """The images of one identity; its name is text, whatever it looks like."""
    parsed = Parsed()
    for name in names_in(folder):
        path = (folder / name).relative_to(root).as_posix() + "/" * name.endswith("/")
        match = camera.search(name) if camera else None
        if not name.lower().endswith(IMAGE_SUFFIXES) or not is_text(path) or (camera and not match):
            parsed.unparsed.append(path)
            continue
        row: dict[str, Any] = {"path": path, "identity": f"{folder.name}", "split": split}
        if match:
            row["camera"] = match["camera"] if "camera" in match.groupdict() else match[1]
        parsed.rows.append(row)
    return parsed


def _camera(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise FormatError(
            f"camera={pattern!r} is not a regular expression ({error}).", rule="It has one group.", action="Correct it."
        ) from error
    if not compiled.groups:
        raise FormatError(
            f"camera={pattern!r} has no group.",
            rule="The group is what names the camera.",
            action=r"Write, for example, _c(\d+).",
        )
    return compiled


def recognises(root: Path) -> bool:
    """Whether every sub-folder of a sample holds images (or is a split that holds such folders)."""
    if not root.is_dir():
        return False
    tops = folders_in(root)
    if tops and set(tops) <= set(SPLITS):
        return any(recognises(root / split) for split in tops)
    sample = [names_in(root / name) for name in tops[:20]]
    return bool(sample) and all(any(n.lower().endswith(IMAGE_SUFFIXES) for n in names) for names in sample)


LAYOUT = Layout("folder", "a folder for each identity", recognises, read)
