"""Omniglot (Lake et al. 2015, MIT licence): handwritten characters, each drawn once by 20 people.

Real input without a person in it: the identity is the character, the camera its drawer. Files are
``…/Greek/character01/0394_05.png``: number of the character, drawer 01-20. Drawers differ from alphabet to alphabet
although their numbers repeat; as identities never cross alphabets, no comparison of one identity is affected.
Published at github.com/brendenlake/omniglot (folder ``python``).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from reidkit.environment import checkout
from reidkit.errors import FormatError, shown
from reidkit.formats.archives import Limits, extract
from reidkit.formats.layout import Layout, finish
from reidkit.formats.listing import Parsed, compiled, folders_in, parse_folder
from reidkit.formats.splits import split_identities
from reidkit.records import Records

PATTERN = compiled(r"(?P<number>\d{4})_(?P<camera>\d{2})\.png")
CHARACTER = re.compile(r"character\d+", re.ASCII | re.IGNORECASE)
RULE = "Omniglot lies as Alphabet/characterNN/IIII_DD.png, for example Greek/character01/0394_05.png."
DEPTH = 4
LIMITS = Limits(files=100_000, file_bytes=1 << 20, total_bytes=1 << 30)


def find_archives() -> list[Path]:
    """The archives at hand, in order of their names; none when there are none.

    Looked for in the folder that REIDKIT_OMNIGLOT names, else in ``data/omniglot`` of the project, else in
    ``shared/data/omniglot`` beside it.
    """
    named = os.environ.get("REIDKIT_OMNIGLOT")
    places = [Path(named)] if named else [checkout() / "data/omniglot", checkout().parent / "shared/data/omniglot"]
    return next((found for place in places if (found := sorted(place.glob("*.zip")))), [])


def unpack(archives: Sequence[str | Path], out: str | Path, *, train: float = 0.6, queries: int = 2, seed: int = 0) -> Records:
    """Extract Omniglot archives safely below `out` and read them.

    Args:
        archives: for example ``images_background_small1.zip``; several may hold the same alphabets.
        out: folder to make; a second call with the same archives extracts nothing.
        train, queries, seed: as in `read`.

    Raises:
        FormatError: an archive is damaged or unsafe, `out` holds something else, or the names are not Omniglot's.
    """
    return read(
        extract([Path(archive) for archive in archives], Path(out), limits=LIMITS), train=train, queries=queries, seed=seed
    )


def read(root: Path, *, train: float = 0.6, queries: int = 2, seed: int = 0) -> Records:
    """Records of every character below `root`, with the extra column `alphabet`.

    Omniglot has no re-ID split; this one is ours. A share `train` of the characters is drawn for training; of each other
    character the drawings of `queries` drawers are queries and the rest is the gallery (`splits.split_identities`).
    A character that lies there twice with the same bytes (the two small background sets share Greek and Latin) counts once.

    Raises:
        FormatError: other files, or two different drawings under one name.
    """
    parsed = Parsed()
    for folder in _characters(root, DEPTH):
        alphabet = folder.parent.name
        parsed += parse_folder(root, folder, PATTERN, identity=f"{alphabet}/{folder.name.lower()}", alphabet=alphabet)
    parsed.checked(str(root), RULE)
    frame = _each_once(pd.DataFrame(parsed.rows), root)
    frame["split"] = split_identities(frame, train=train, queries=queries, seed=seed)
    return finish(frame.drop(columns="number"), root, "Omniglot", parsed.unparsed)


def _characters(folder: Path, depth: int) -> Iterator[Path]:
    """Folders called characterNN at most `depth` levels below, in order of their paths."""
    for name in folders_in(folder):
        if CHARACTER.fullmatch(name):
            yield folder / name
        elif depth > 1:
            yield from _characters(folder / name, depth - 1)


def _each_once(frame: pd.DataFrame, root: Path) -> pd.DataFrame:
    """Drop the second copy of a drawing; two different drawings under one name are refused."""
    again = frame[frame.duplicated(["identity", "camera"], keep=False)]
    content = [hashlib.sha256((root / path).read_bytes()).hexdigest() for path in again["path"]]
    kinds = again.assign(content=content).groupby(["identity", "camera"])["content"].nunique()
    if (kinds > 1).any():
        names = [f"{identity} by drawer {drawer}" for identity, drawer in kinds[kinds > 1].index]
        raise FormatError(
            f"{root}: different drawings of {shown(names)}.",
            rule="A drawer draws a character once.",
            action="Keep the files of one release only.",
        )
    return frame.drop_duplicates(["identity", "camera"]).reset_index(drop=True)


def recognises(root: Path) -> bool:
    return root.is_dir() and next(_characters(root, 3), None) is not None


LAYOUT = Layout("omniglot", "Omniglot: characters as identities, drawers as cameras", recognises, read)
