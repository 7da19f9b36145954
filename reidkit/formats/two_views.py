"""Small sets of two views: VIPeR, PRID 2011, GRID and CUHK01; published as averages over ten splits of their people.

``split=0`` to ``9`` chooses a split. GRID's ten are given with the set and are read. For the others papers and common code
(deep-person-reid, say) draw their own, and so do we: the first people of ``default_rng(split).permutation`` over the sorted
people train. Ours are therefore comparable with publications on average over the ten, not split by split. PRID's owners
describe a search without any training people, ``training="none"``.
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
TESTING = {"half": None, "hundred": 100}
TRAINING = ("half", "none")
VIPER = compiled(r"(?P<person>\d{3,4})_(?P<angle>\d{1,3})\.(?:bmp|png|jpg)")
PRID = compiled(r"person_(?P<person>\d{4})\.png")
GRID = compiled(r"(?P<identity>\d{4})_(?P<camera>\d)(?:_-?\d+)+\.jpe?g")
CUHK01 = compiled(r"(?P<person>\d{4})(?P<image>\d{3})\.png")
PRID_SHARED = 200


def read_viper(root: Path, *, split: int = 0, direction: str = "a-to-b") -> Records:
    """VIPeR: ``cam_a/000_45.bmp`` and ``cam_b/000_90.bmp``, one image of 632 people in each view.

    Args:
        root: the folder of the two views.
        split: 0-9, which half of the people trains: 316 of 632.
        direction: which view asks. Common code averages both directions of ten splits, twenty figures.
    """
    parsed = Parsed()
    for camera in ("a", "b"):
        parsed += parse_folder(root, need_folder(root, f"cam_{camera}"), VIPER, camera=camera)
    frame = pd.DataFrame(parsed.checked(str(root), "VIPeR names are III_AAA.bmp: person and angle.").rows)
    frame = frame.assign(identity=_named(frame["person"]))
    views = frame.groupby("camera")["person"].agg(set)
    _same_people(root, views["a"] ^ views["b"])
    return _halved(frame.drop(columns="person"), root, "VIPeR", split, direction, parsed.unparsed)


def read_cuhk01(root: Path, *, split: int = 0, direction: str = "a-to-b", testing: str = "half") -> Records:
    """CUHK01: ``campus/0001001.png``, people 1-971; images 1 and 2 show one view, 3 and 4 the other.

    Query and gallery have two images a person: `evaluate_ranking` scores that as it stands, `evaluate_cmc` with
    ``protocol="cuhk03", camera_rule="no-camera"`` draws one of the two (single shot).

    Args:
        root, split, direction: as for VIPeR.
        testing: ``"half"``, 485 people train and 486 are searched; ``"hundred"``, 871 train and 100 are searched, as papers on
            deep networks do.
    """
    choose(testing, tuple(TESTING), "testing")
    parsed = parse_folder(root, find_folder(root, "campus") or root, CUHK01)
    frame = pd.DataFrame(parsed.checked(str(root), "CUHK01 names are IIIINNN.png: person and image 001-004.").rows)
    frame = frame.assign(identity=_named(frame["person"]), camera=np.where(frame["image"] <= 2, "a", "b"))
    name = "CUHK01" if testing == "half" else f"CUHK01 {testing}"
    return _halved(frame.drop(columns="person"), root, name, split, direction, parsed.unparsed, TESTING[testing])


def read_prid(root: Path, *, split: int = 0, direction: str = "a-to-b", training: str = "half") -> Records:
    """PRID 2011, single shot: ``cam_a/person_0001.png``; people 1-200 in both views, those above only in one.

    One view asks for people seen in both; the other answers, with everybody who is seen only there. People above 200 in the
    view that asks are other people than those with the same numbers in the other one; they are not used.

    Args:
        root: the folder that holds ``single_shot``, or the folder of the two views.
        split: 0-9, which half of the people of both views trains.
        direction: which view asks; a to b in the owners' paper and in common code.
        training: ``"half"``, 100 people train and 100 ask; ``"none"``, all 200 ask, as on the owners' page.
    """
    choose(direction, DIRECTIONS, "direction")
    choose(training, TRAINING, "training")
    base = find_folder(root, "single_shot") or root
    views = {camera: parse_folder(root, need_folder(base, f"cam_{camera}"), PRID, camera=camera) for camera in ("a", "b")}
    parsed = Parsed(views["a"].rows + views["b"].rows, views["a"].unparsed + views["b"].unparsed)
    frame = pd.DataFrame(parsed.checked(str(root), "PRID names are person_NNNN.png.").rows)
    shared = frame[frame["person"] <= PRID_SHARED].groupby("camera")["person"].agg(set)
    _same_people(root, shared.get("a", set()) ^ shared.get("b", set()))
    frame = frame[(frame["camera"] == direction[-1]) | (frame["person"] <= PRID_SHARED)].reset_index(drop=True)
    learnt = _drawn(shared.get("a", set()), split) if training == "half" else []
    asks = np.where(frame["camera"] == direction[0], "query", "gallery")
    frame["split"] = np.where(frame["person"].isin(learnt), "train", asks)
    kinds = ["untrained"] * (training == "none") + [direction] * (direction != DIRECTIONS[0])
    frame = frame.rename(columns={"person": "identity"})
    return finish(frame, root, " ".join(["PRID-2011", *kinds]), parsed.unparsed)


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


def _halved(
    frame: pd.DataFrame, root: Path, name: str, split: int, direction: str, unparsed: list[str], tested: int | None = None
) -> Records:
    """Half of the people train, or all but `tested`; of the others one view asks and the other answers."""
    choose(direction, DIRECTIONS, "direction")
    learnt = _drawn(frame["identity"], split, tested)
    asks = np.where(frame["camera"] == direction[0], "query", "gallery")
    split_of = np.where(frame["identity"].isin(learnt), "train", asks)
    return finish(frame.assign(split=split_of), root, name, unparsed)


def _drawn(people: Iterable[object], split: int, tested: int | None = None) -> list[object]:
    """Half of the people (rounded down), or all but `tested` of them, drawn by the number of the split."""
    names = np.unique(np.asarray(list(people)))
    train = len(names) // 2 if tested is None else len(names) - tested
    if train < 1:
        raise FormatError(
            f"{len(names)} people, of whom {tested or 'half'} are searched.",
            rule="Somebody is left to train.",
            action="Complete the copy, or choose testing='half'.",
        )
    return list(np.random.default_rng(_number(split)).permutation(names)[:train])


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
