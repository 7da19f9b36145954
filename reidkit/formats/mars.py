"""MARS (Zheng et al. 2016), the video version of Market-1501: tracklets of frames such as ``0065C1T0002F016.jpg``.

``info/`` holds the lists of frames, the tables of tracklets (first and last frame counted from 1, identity, camera 1-6) and the
query tracklets. Identity 0 is a distractor, -1 junk (folder ``00-1``).

Two query counts are published for one set of files. The official tool ranks all test tracklets, queries among them, and keeps
1,980 queries; most code takes the queries out of the gallery, after which 140 of them have no match left and 1,840 count. Rows
of query tracklets carry `also_gallery`, so that either can be scored.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import loadmat

from reidkit.errors import FormatError, shown
from reidkit.formats.layout import Layout
from reidkit.formats.listing import compiled, need_file, read_lines, refuse_outside
from reidkit.records import Records, make_records

NAME = compiled(r"(?P<person>\d{4}|00-1)C(?P<camera>\d)T(?P<track>\d{4})F(?P<frame>\d{3,4})\.jpg")
RULE = "MARS frames are IIIICcTttttFfff.jpg, for example 0065C1T0002F016.jpg, one identity and camera in a tracklet."


def read(root: Path, *, check_paths: bool = True) -> Records:
    """Records with one row a frame and the extra columns `tracklet`, `frame` and `also_gallery`.

    Args:
        root: the folder that holds ``bbox_train``, ``bbox_test`` and ``info``.
        check_paths: whether each of the 1.2 million files must exist.

    Raises:
        FormatError: a list is absent or damaged, or a tracklet mixes people or cameras.
    """
    trained = _frames(root, "train", "bbox_train", first=0)
    tested = _frames(root, "test", "bbox_test", first=int(trained["tracklet"].max()) + 1)
    first = int(tested["tracklet"].min())
    queries = _matrix(need_file(root, "info/query_IDX.mat"), "query_IDX").ravel() - 1 + first
    unknown = sorted(set(queries.tolist()) - set(tested["tracklet"].tolist()))
    if unknown:
        raise FormatError(
            f"{root}: query_IDX.mat names tracklets that do not exist: {shown(unknown)}.",
            rule="Queries are test tracklets.",
            action="Restore info/ from the release.",
        )
    asked = tested["tracklet"].isin(queries)
    tested["split"] = np.where(asked, "query", "gallery")
    frame = pd.concat([trained.assign(split="train"), tested], ignore_index=True)
    frame["also_gallery"] = frame["split"] == "query"
    return make_records(frame, root=root, name="MARS", check_paths=check_paths)


def _frames(root: Path, part: str, folder: str, first: int) -> pd.DataFrame:
    """The frames of all tracklets of one part; tracklets are numbered from `first`."""
    listing = need_file(root, f"info/{part}_name.txt")
    names = [line.strip() for line in read_lines(listing)]
    refuse_outside(names, str(listing))
    tracks = _matrix(need_file(root, f"info/tracks_{part}_info.mat"), f"track_{part}_info")
    if tracks.ndim != 2 or tracks.shape[1] != 4 or (tracks[:, 0] < 1).any() or (tracks[:, 1] > len(names)).any():
        raise FormatError(
            f"{listing.parent}: tracks_{part}_info.mat ({tracks.shape}) does not fit {len(names)} names.",
            rule="A tracklet is (first, last, identity, camera), frames counted from 1.",
            action="Restore info/ from the release.",
        )
    rows, wrong = [], []
    for number, (start, stop, identity, camera) in enumerate(tracks.tolist()):
        for name in names[start - 1 : stop]:
            match = NAME.fullmatch(name)
            if match is None or int(match["person"].lstrip("0") or 0) != identity or int(match["camera"]) != camera:
                wrong.append(f"{name} in tracklet {number + 1} of identity {identity}, camera {camera}")
                continue
            path = f"{folder}/{match['person']}/{name}"
            rows.append((path, identity, camera, first + number, int(match["frame"])))
    if wrong or not rows:
        raise FormatError(
            f"{listing}: {len(wrong)} frames do not fit their tracklet: {shown(wrong)}.", rule=RULE, action="Restore info/."
        )
    return pd.DataFrame(rows, columns=["path", "identity", "camera", "tracklet", "frame"])


def _matrix(path: Path, name: str) -> np.ndarray:
    try:
        return np.asarray(loadmat(path)[name]).astype(np.int64)
    except (KeyError, ValueError, OSError, NotImplementedError) as error:
        raise FormatError(f"{path}: cannot be read ({error}).", rule=f"It holds {name}.", action="Restore info/.") from error


def recognises(root: Path) -> bool:
    return (root / "info" / "tracks_train_info.mat").is_file()


LAYOUT = Layout("mars", "MARS: tracklets", recognises, read)
