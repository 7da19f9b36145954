"""CUHK03 (Li et al. 2014) under the new protocol (Zhong et al. 2017): 767 training and 700 test identities.

Two ways in which people hold it, each with hand-labelled and detected boxes, which are reported separately:
    - ``cuhk03-np/{detected,labeled}/`` with Market-style folders and names ``0001_c1_1.png``;
    - ``cuhk03_new_protocol_config_{detected,labeled}.mat`` beside the exported pictures
      ``images_{detected,labeled}/1_001_1_01.png`` = camera pair, person, view, image.
The camera is the view, 1 or 2, as in the protocol's own code.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from scipy.io import loadmat

from reidkit.errors import FormatError
from reidkit.formats.layout import Layout, choose
from reidkit.formats.listing import SUFFIX, Parsed, compiled, find_folder, need_folder, numbers
from reidkit.formats.three_folders import looks_like, read_three_folders
from reidkit.records import SPLITS, Records, make_records

BOXES = ("detected", "labeled")
PATTERN = compiled(rf"(?P<identity>\d{{1,6}})_c(?P<camera>\d)_(?P<image>\d+){SUFFIX}")
RULE = "CUHK03-NP names are IIII_cC_N.png, for example 0001_c1_1.png."
EXPORTED = compiled(r"(?P<pair>\d)_(?P<person>\d{3,4})_(?P<camera>[12])_(?P<image>\d{2})\.png")
EXPORTED_RULE = "Exported CUHK03 pictures are P_III_V_NN.png: camera pair, person, view, image."


def read(root: Path, *, boxes: str = "detected") -> Records:
    """Records of one kind of boxes.

    Args:
        root: the folder that holds both kinds, or a Market-style folder of one kind.
        boxes: ``"detected"`` or ``"labeled"``.
    """
    choose(boxes, BOXES, "boxes")
    config = root / f"cuhk03_new_protocol_config_{boxes}.mat"
    if config.is_file():
        return _from_config(root, config, boxes)
    folder = find_folder(root, boxes)
    if folder is None and looks_like(root, PATTERN):
        folder, boxes = root, next((kind for kind in BOXES if kind in root.name.lower()), boxes)
    if folder is None:
        folder = need_folder(root, boxes)
    return read_three_folders(folder, PATTERN, name=f"CUHK03-NP {boxes}", rule=RULE)


def _from_config(root: Path, config: Path, boxes: str) -> Records:
    """Records as the protocol's file lists them (its indices count from 1)."""
    try:
        content = loadmat(config)
        names = [str(cell[0]) for cell in content["filelist"].ravel()]
        labels = content["labels"].ravel().astype(int)
        splits = {split: content[f"{split}_idx"].ravel().astype(int) - 1 for split in SPLITS}
    except (KeyError, ValueError, IndexError, OSError, NotImplementedError) as error:
        raise FormatError(
            f"{config}: not a protocol file ({error}).",
            rule="It holds filelist, labels, train_idx, query_idx and gallery_idx.",
            action="Get the file again from the authors of the new protocol.",
        ) from error
    folder = need_folder(root, f"images_{boxes}").name
    parsed = Parsed()
    for split, rows in splits.items():
        for row in rows.tolist():
            match = EXPORTED.fullmatch(names[row]) if 0 <= row < len(names) else None
            if match is None:
                parsed.unparsed.append(names[row] if 0 <= row < len(names) else f"index {row + 1}")
                continue
            person = {"identity": int(labels[row]), "split": split}
            parsed.rows.append({"path": f"{folder}/{names[row]}", **numbers(match.groupdict()), **person})
    parsed.checked(str(config), EXPORTED_RULE)
    records = make_records(pd.DataFrame(parsed.rows), root=root, name=f"CUHK03-NP {boxes}")
    records.frame.attrs["unparsed"] = parsed.unparsed
    return records


def recognises(root: Path) -> bool:
    """The protocol's files, a Market-style folder with such names, or a folder that holds one."""
    if not root.is_dir():
        return False
    if any((root / f"cuhk03_new_protocol_config_{boxes}.mat").is_file() for boxes in BOXES) or looks_like(root, PATTERN):
        return True
    return any((folder := find_folder(root, boxes)) is not None and looks_like(folder, PATTERN) for boxes in BOXES)


LAYOUT = Layout("cuhk03", "CUHK03, new protocol, detected or labelled boxes", recognises, read)
