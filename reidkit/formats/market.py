"""Market-1501 (Zheng et al. 2015): ``0002_c1s1_000451_03.jpg`` = identity, camera 1-6, sequence, frame, box.

Identity 0000 is a distractor and -1 junk; both are kept, as the protocol says: junk is dropped and distractors are wrong
answers when a ranking is scored. Rendered worlds are written in this layout too, with ``world.parquet`` beside it.
"""

from __future__ import annotations

from pathlib import Path

from reidkit.formats.layout import Layout
from reidkit.formats.listing import SUFFIX, compiled
from reidkit.formats.three_folders import WORLD_TABLE, looks_like, read_three_folders
from reidkit.records import Records

PATTERN = compiled(rf"(?P<identity>-1|\d{{1,6}})_c(?P<camera>\d+)s(?P<sequence>\d+)_(?P<frame>\d+)_(?P<box>\d+){SUFFIX}")
RULE = "Market-1501 names are IIII_cCsS_FFFFFF_BB.jpg, for example 0002_c1s1_000451_03.jpg."


def read(root: Path) -> Records:
    """Records with the extra columns `sequence`, `frame` and `box`, and a world's nuisances where its table is present."""
    name = root.name if (root / WORLD_TABLE).is_file() else "Market-1501"
    return read_three_folders(root, PATTERN, name=name, rule=RULE)


LAYOUT = Layout("market1501", "Market-1501, and rendered worlds", lambda root: looks_like(root, None), read)
