"""Small sets of two views: VIPeR, PRID 2011, GRID and CUHK01; published as averages over ten splits into halves.

``split=0`` to ``9`` chooses a split. GRID's are given with the set. The others' authors drew theirs at random and left no
common list, so ours are seeded draws: comparable with publications on average, not split by split.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import loadmat

from reidkit.errors import FormatError, shown
from reidkit.formats.layout import Layout, choose, finish
from reidkit.formats.listing import Parsed, compiled, files_in, find_folder, need_file, need_folder, parse_folder
from reidkit.records import Records

SPLITS_PUBLISHED = 10
DIRECTIONS = ("a-to-b", "b-to-a")
VIPER = compiled(r"(?P<person>\d{3,4})_(?P<angle>\d{1,3})\.(?:bmp|png|jpg)")
PRID = compiled(r"person_(?P<person>\d{4})\.png")
GRID = compiled(r"(?P<identity>\d{4})_(?P<camera>\d)_.*\.jpe?g")
CUHK01 = compiled(r"(?P<person>\d{4})(?P<image>\d{3})\.png")
PRID_SHARED = 200


def read_viper(root: Path, *, split: int = 0, direction: str = "a-to-b") -> Records:
    """VIPeR: ``cam_a/000_45.bmp`` and ``cam_b/000_90.bmp``, one image of 632 people in each view.

    Args:
        root: the folder of the two views.
        split: 0-9, which half of the people trains.
        direction: which view asks. Published figures average both directions of ten splits.
    """
    parsed = Parsed()
    for camera in ("a", "b"):
        parsed += parse_folder(root, need_folder(root, f"cam_{camera}"), VIPER, camera=camera)
    frame = pd.DataFrame(parsed.checked(str(root), "VIPeR names are III_AAA.bmp: person and angle.").rows)
    frame = frame.assign(identity=_named(frame["person"]))
    views = frame.groupby("camera")["person"].agg(set)
    _same_people(root, views["a"] ^ views["b"])
    return _halved(frame.drop(columns="person"), root, "VIPeR", split, direction, parsed.unparsed)


def read_cuhk01(root: Path, *, split: int = 0, direction: str = "a-to-b") -> Records:
    """CUHK01: ``campus/0001001.png``, people 1-971; images 1 and 2 show one view, 3 and 4 the other. Arguments as for VIPeR."""
    parsed = parse_folder(root, find_folder(root, "campus") or root, CUHK01)
    frame = pd.DataFrame(parsed.checked(str(root), "CUHK01 names are IIIINNN.png: person and image 001-004.").rows)
    frame = frame.assign(identity=_named(frame["person"]), camera=np.where(frame["image"] <= 2, "a", "b"))
    return _halved(frame.drop(columns="person"), root, "CUHK01", split, direction, parsed.unparsed)


def read_prid(root: Path, *, split: int = 0) -> Records:
    """PRID 2011, single shot: ``cam_a/person_0001.png``; people 1-200 in both views, those above only in one.

    Half of the people of both views train. View a of the others asks, and view b answers, with everybody who is seen only
    there. People above 200 in view a are other people than those with the same numbers in view b; they are not used.
    """
    base = find_folder(root, "single_shot") or root
    views = {camera: parse_folder(root, need_folder(base, f"cam_{camera}"), PRID, camera=camera) for camera in ("a", "b")}
    parsed = Parsed(views["a"].rows + views["b"].rows, views["a"].unparsed + views["b"].unparsed)
    frame = pd.DataFrame(parsed.checked(str(root), "PRID names are person_NNNN.png.").rows)
    frame = frame[(frame["camera"] == "b") | (frame["person"] <= PRID_SHARED)].reset_index(drop=True)
    both = frame["person"].isin(frame.loc[frame["camera"] == "a", "person"]) & frame["person"].le(PRID_SHARED)
    frame["identity"] = frame["person"]
    learnt = _half(frame.loc[both, "person"], split)
    asks = np.where(frame["camera"] == "a", "query", "gallery")
    frame["split"] = np.where(frame["person"].isin(learnt), "train", asks)
    return finish(frame.drop(columns="person"), root, "PRID-2011", parsed.unparsed)


def read_grid(root: Path, *, split: int = 0) -> Records:
    """GRID: ``probe/`` and ``gallery/`` with ``0001_1_….jpeg`` = person (0000: a distractor) and camera 1-8.

    The training people of each of the ten splits are given in ``features_and_partitions.mat``.
    """
    base = find_folder(root, "underground_reid") or root
    parsed = Parsed()
    for folder, part in (("probe", "query"), ("gallery", "gallery")):
        parsed += parse_folder(root, need_folder(base, folder), GRID, split=part)
    frame = pd.DataFrame(parsed.checked(str(root), "GRID names are IIII_C_….jpeg: person and camera.").rows)
    partitions = need_file(base, "features_and_partitions.mat")
    try:
        learnt = np.asarray(loadmat(partitions)["trainIdxAll"][0][_number(split)][0][0][2]).ravel().astype(int)
    except (KeyError, IndexError, ValueError, TypeError, OSError, NotImplementedError) as error:
        raise FormatError(
            f"{partitions}: no partition {split} ({error}).", rule="It holds ten in trainIdxAll.", action="Restore the file."
        ) from error
    frame.loc[frame["identity"].isin(learnt) & (frame["identity"] > 0), "split"] = "train"
    return finish(frame, root, "GRID", parsed.unparsed)


def _halved(frame: pd.DataFrame, root: Path, name: str, split: int, direction: str, unparsed: list[str]) -> Records:
    """Half of the people train; of the others one view asks and the other answers."""
    choose(direction, DIRECTIONS, "direction")
    learnt = _half(frame["identity"], split)
    asks = np.where(frame["camera"] == direction[0], "query", "gallery")
    split_of = np.where(frame["identity"].isin(learnt), "train", asks)
    return finish(frame.assign(split=split_of), root, name, unparsed)


def _half(people: Iterable[object], split: int) -> list[object]:
    """Half of the people (rounded down), drawn by the number of the split."""
    names = np.unique(np.asarray(list(people)))
    return list(np.random.default_rng(_number(split)).permutation(names)[: len(names) // 2])


def _number(split: int) -> int:
    if split not in range(SPLITS_PUBLISHED):
        raise FormatError(f"split={split}.", rule="There are ten splits, 0 to 9.", action="Choose one of them.")
    return split


def _named(people: pd.Series) -> pd.Series:
    """Numbers of people as names: person 0 is somebody, not a distractor."""
    return people.map("person {:04d}".format)


def _same_people(root: Path, alone: set[int]) -> None:
    if alone:
        raise FormatError(
            f"{root}: people in one view only: {shown(sorted(alone))}.",
            rule="Each person has one image in each view.",
            action="Complete the extraction.",
        )


def _holds(folder: Path | None, pattern_name: str) -> bool:
    """Whether the first files of a folder follow a pattern."""
    pattern = {"viper": VIPER, "prid": PRID, "grid": GRID, "cuhk01": CUHK01}[pattern_name]
    names = files_in(folder)[:20] if folder is not None else []
    return bool(names) and 2 * sum(pattern.fullmatch(name) is not None for name in names) > len(names)


def _is_viper(root: Path) -> bool:
    return root.is_dir() and _holds(find_folder(root, "cam_a"), "viper") and _holds(find_folder(root, "cam_b"), "viper")


def _is_prid(root: Path) -> bool:
    return root.is_dir() and _holds(find_folder(find_folder(root, "single_shot") or root, "cam_a"), "prid")


def _is_grid(root: Path) -> bool:
    return root.is_dir() and _holds(find_folder(find_folder(root, "underground_reid") or root, "probe"), "grid")


def _is_cuhk01(root: Path) -> bool:
    return root.is_dir() and _holds(find_folder(root, "campus") or root, "cuhk01")


LAYOUTS = (
    Layout("viper", "VIPeR", _is_viper, read_viper),
    Layout("prid", "PRID 2011, single shot", _is_prid, read_prid),
    Layout("grid", "GRID (underground)", _is_grid, read_grid),
    Layout("cuhk01", "CUHK01 (campus)", _is_cuhk01, read_cuhk01),
)
