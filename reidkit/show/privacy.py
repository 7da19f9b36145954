"""Whose pictures are shown: drawn ones always, photographs of people only when asked for.

A notebook keeps every picture it showed, and notebooks are mailed, committed and published. So thumbnails of photographs are
off until the environment says ``REIDKIT_PHOTOGRAPHS=1``. Synthetic worlds and handwriting are no photographs; pixels in memory
may be anything, so they are shown only when their table says that they are drawn.
"""

from __future__ import annotations

import os
import re

from reidkit.records import ImageTable

CARD = "world.json"
HANDWRITING = re.compile(r"character\d+/\d{4}_\d{2}\.png$", re.IGNORECASE)
NOTE = " Pictures are blank: photographs of people are shown only with REIDKIT_PHOTOGRAPHS=1, as a notebook keeps what it showed."


def shows_pictures(table: ImageTable) -> bool:
    """Whether the pictures of `table` are drawn ones, or photographs were asked for."""
    if table.drawn or os.environ.get("REIDKIT_PHOTOGRAPHS", "0") not in ("", "0"):
        return True
    if table.root is not None and (table.root / CARD).is_file():
        return True
    return bool(len(table)) and bool(HANDWRITING.search(str(table.frame["path"].iloc[0])))


def hidden_note(table: ImageTable) -> str:
    """What a description adds when pictures were left blank."""
    return "" if shows_pictures(table) else NOTE
