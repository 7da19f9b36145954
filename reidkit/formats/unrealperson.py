"""UnrealPerson (Zhang et al. 2021, rendered; training only): ``unreal_v3.1/images/333_c001_78.jpg``.

In ``unreal_vX.Y`` X is the scene and Y the set of bodies; the name gives person, camera and frame. A person is the pair
(Y, person), a camera the pair (X, camera). ``list_unreal_train.txt``, where present, chooses the 120,000 images that papers use.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from reidkit.formats.layout import Layout
from reidkit.formats.listing import Parsed, compiled, folders_in, names_in, read_lines
from reidkit.records import Records, make_records

LIST = "list_unreal_train.txt"
FOLDER = compiled(r"unreal_v(?P<scene>\d)\.(?P<bodies>\d)")
PATTERN = compiled(r"unreal_v(?P<scene>\d)\.(?P<bodies>\d)/images/(?P<person>\d+)_c(?P<camera>\d+)_(?P<frame>\d+)\.(?:jpe?g|png)")
RULE = "UnrealPerson images are unreal_vX.Y/images/P_cD_F.jpg, for example unreal_v3.1/images/333_c001_78.jpg."


def read(root: Path) -> Records:
    """Records of the list's images, or of all when there is no list; everything is ``train``. Of names that agree but for
    their case the first counts.

    Raises:
        FormatError: too many names or lines do not parse.
        RecordsError: a listed file does not exist.
    """
    parsed, seen = Parsed(), set()
    for name in _listed(root) if (root / LIST).is_file() else _present(root):
        match = PATTERN.fullmatch(name)
        if match is None or name.lower() in seen:
            parsed.unparsed.append(name)
            continue
        seen.add(name.lower())
        scene, bodies, person, camera, frame = match.group("scene", "bodies", "person", "camera", "frame")
        identity, seen_by = f"{bodies}.{int(person):05d}", f"scene {scene} camera {int(camera):03d}"
        parsed.rows.append(
            {"path": name, "identity": f"p{identity}", "camera": seen_by, "frame": int(frame), "scene": int(scene)}
        )
    parsed.checked(str(root), RULE)
    records = make_records(pd.DataFrame(parsed.rows), root=root, name="UnrealPerson")
    records.frame.attrs["unparsed"] = parsed.unparsed
    return records


def _listed(root: Path) -> list[str]:
    """Paths of the list, from ``unreal_v…`` on: releases of it begin with their authors' own folders."""
    paths = [line.split()[0] for line in read_lines(root / LIST)]
    return [path[max(path.find("unreal_v"), 0) :] for path in paths]


def _present(root: Path) -> list[str]:
    """Every image below ``unreal_vX.Y/images``, sorted."""
    parts = [part for part in folders_in(root) if FOLDER.fullmatch(part) and (root / part / "images").is_dir()]
    return [f"{part}/images/{name}" for part in parts for name in names_in(root / part / "images")]


def recognises(root: Path) -> bool:
    return root.is_dir() and any(FOLDER.fullmatch(name) for name in folders_in(root))


LAYOUT = Layout("unrealperson", "UnrealPerson (training only)", recognises, read)
