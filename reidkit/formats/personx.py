"""PersonX (Sun and Zheng 2019, rendered): ``0001_c1s1_33.jpg`` = identity, camera, a constant, viewpoint 1-36 (10 degrees each).

Either one set of Market-style folders, or version 1 with one such set for each background (folders ``1`` to ``6``), where the
same people stand before other backgrounds and the camera number tells which.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from reidkit.errors import FormatError, shown
from reidkit.formats.layout import Layout, finish
from reidkit.formats.listing import SUFFIX, Parsed, compiled, folders_in
from reidkit.formats.three_folders import looks_like, parse_three_folders
from reidkit.records import Records

PATTERN = compiled(rf"(?P<identity>\d{{1,6}})_c(?P<camera>\d+)s(?P<sequence>\d+)_(?P<viewpoint>\d+){SUFFIX}")
RULE = "PersonX names are IIII_cCsS_VV.jpg, for example 0001_c1s1_33.jpg."


def read(root: Path, *, backgrounds: tuple[int, ...] = ()) -> Records:
    """Records with the extra columns `viewpoint` (1-36) and, in version 1, `background`.

    Args:
        root: the folder of the three folders, or of version 1's numbered ones.
        backgrounds: which of those to read; all that are there when empty.
    """
    if looks_like(root, None):
        parsed = parse_three_folders(root, root, PATTERN)
    else:
        present = [int(name) for name in folders_in(root) if name.isdecimal()]
        absent = sorted(set(backgrounds) - set(present))
        if absent or not present:
            raise FormatError(
                f"{root}: no background {shown(absent or [1])}; found {shown(present, 8) or 'none'}.",
                rule="PersonX version 1 has one numbered folder for each background.",
                action="Point to the folder that holds them, or name those that are there.",
            )
        parsed = Parsed()
        for background in sorted(backgrounds or present):
            parsed += parse_three_folders(root, root / str(background), PATTERN, background=background)
    parsed.checked(str(root), RULE)
    return finish(pd.DataFrame(parsed.rows).drop(columns="sequence"), root, "PersonX", parsed.unparsed)


def recognises(root: Path) -> bool:
    if not root.is_dir():
        return False
    numbered = [name for name in folders_in(root) if name.isdecimal()]
    return looks_like(root, PATTERN) or (bool(numbered) and looks_like(root / numbered[0], PATTERN))


LAYOUT = Layout("personx", "PersonX, the subset or version 1 with its backgrounds", recognises, read)
