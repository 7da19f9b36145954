"""MSMT17 (Wei et al. 2018), version 1 (``train/``, ``test/``) and version 2 with blurred faces (``mask_train_v2/``, …).

Four lists say what belongs where: ``0000/0000_000_01_0303morning_0008_0.jpg 0`` is a path below the folder and a label. The
third field of the name is the camera, 1-15. Label 0 is a person, and train and test labels both begin at 0 although their
people differ: identities are therefore label + 1 in training and continue from there in the test part.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from reidkit.errors import FormatError
from reidkit.formats.layout import Layout, choose
from reidkit.formats.listing import Parsed, compiled, find_folder, need_file, numbers, read_lines, refuse_outside
from reidkit.records import Records, make_records

VERSIONS = {"MSMT17-V1": ("train", "test"), "MSMT17-V2": ("mask_train_v2", "mask_test_v2")}
TRAINING = ("train+val", "train")
PATTERN = compiled(
    r"(?:[^/]+/)*\d+_(?P<image>\d+)_(?P<camera>\d+)_(?P<slot>\d{4}[a-z]+)_(?P<frame>\d+)_(?P<box>\d+)(?:_ex)?\.jpg"
)
LINE = re.compile(r"(?P<path>.+\S)\s+(?P<label>[0-9]+)\s*")
RULE = "MSMT17 lists hold lines such as '0000/0000_000_01_0303morning_0008_0.jpg 0'."


def read(root: Path, *, training: str = "train+val") -> Records:
    """Records with the extra columns `slot` (date and time of day), `frame`, `box` and `label` (the list's own).

    Args:
        root: the folder with the lists.
        training: ``"train+val"`` as all unsupervised methods do (32,621 images), or ``"train"`` alone.

    Raises:
        FormatError: a list or folder is absent, or too many lines do not parse.
        RecordsError: a listed file does not exist.
    """
    choose(training, TRAINING, "training")
    name, train, test = _version(root)
    parts = [("train", train, "list_train.txt"), ("query", test, "list_query.txt"), ("gallery", test, "list_gallery.txt")]
    if training == "train+val":
        parts.insert(1, ("train", train, "list_val.txt"))
    parsed = Parsed()
    for split, folder, listing in parts:
        parsed += _list(root, folder, need_file(root, listing), split)
    parsed.checked(str(root), RULE)
    frame = pd.DataFrame(parsed.rows)
    trained = frame["split"] == "train"
    frame["identity"] = frame["label"] + 1 + (~trained) * (frame.loc[trained, "label"].max() + 1)
    records = make_records(frame, root=root, name=name)
    records.frame.attrs["unparsed"] = parsed.unparsed
    return records


def _version(root: Path) -> tuple[str, Path, Path]:
    """Name, training folder and test folder of the version that lies there."""
    for name, (train, test) in VERSIONS.items():
        folders = find_folder(root, train), find_folder(root, test)
        if folders[0] is not None and folders[1] is not None:
            return name, folders[0], folders[1]
    raise FormatError(
        f"{root}: neither train/ and test/ nor mask_train_v2/ and mask_test_v2/.",
        rule="MSMT17 has one of these pairs of folders beside its lists.",
        action="Point to MSMT17_V1 or MSMT17_V2, or complete the extraction.",
    )


def _list(root: Path, folder: Path, listing: Path, split: str) -> Parsed:
    """One list as rows."""
    parsed, inside = Parsed(), folder.relative_to(root).as_posix()
    for line in read_lines(listing):
        match = LINE.fullmatch(line)
        named = PATTERN.fullmatch(match["path"]) if match else None
        if match is None or named is None:
            parsed.unparsed.append(f"{listing.name}: {line}")
            continue
        fields = numbers(named.groupdict())
        fields.pop("image")
        parsed.rows.append({"path": f"{inside}/{match['path']}", "label": int(match["label"]), **fields, "split": split})
    refuse_outside((row["path"] for row in parsed.rows), str(listing))
    return parsed


def recognises(root: Path) -> bool:
    return root.is_dir() and (root / "list_train.txt").is_file() and (root / "list_query.txt").is_file()


LAYOUT = Layout("msmt17", "MSMT17, versions 1 and 2", recognises, read)
