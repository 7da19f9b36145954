"""DukeMTMC-reID (Zheng et al. 2017): ``0001_c2_f0046182.jpg`` = identity, camera 1-8, frame.

A reader for those who hold the set. Its owners withdrew it in 2019; there is no download and nothing uses it by default.
Its 408 distractor identities are ordinary identities that never occur among the queries.
"""

from __future__ import annotations

from pathlib import Path

from reidkit.formats.layout import Layout
from reidkit.formats.listing import SUFFIX, compiled
from reidkit.formats.three_folders import looks_like, read_three_folders
from reidkit.records import Records

PATTERN = compiled(rf"(?P<identity>\d{{1,6}})_c(?P<camera>\d+)_f(?P<frame>\d+){SUFFIX}")
RULE = "DukeMTMC-reID names are IIII_cC_fFFFFFFF.jpg, for example 0001_c2_f0046182.jpg."


def read(root: Path) -> Records:
    """Records with the extra column `frame`."""
    return read_three_folders(root, PATTERN, name="DukeMTMC-reID", rule=RULE)


LAYOUT = Layout("dukemtmc", "DukeMTMC-reID (reader only; withdrawn)", lambda root: looks_like(root, PATTERN), read)
