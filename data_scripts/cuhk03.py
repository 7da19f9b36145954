"""CUHK03, new protocol: unpack or convert, and verify a copy that you hold.

python data_scripts/cuhk03.py                                       # the card
python data_scripts/cuhk03.py --root FOLDER --accept-terms
python data_scripts/cuhk03.py --archive FILE --out FOLDER --accept-terms

A folder that holds ``cuhk03_release/cuhk-03.mat`` (or ``cuhk-03.mat``) is converted first: its pictures are written to
``images_detected`` and ``images_labeled`` beside it, under the names that the protocol's files list. That needs h5py. Either
folder appears when it is complete; two runs at once wait for each other, and one that was killed is done again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from prepare import prepare

from reidkit.errors import FormatError
from reidkit.storage import filling, lock

BOXES = ("detected", "labeled")
VIEW_IMAGES = 5


def convert(root: Path) -> None:
    """Write the pictures of ``cuhk-03.mat`` (MATLAB 7.3, which is HDF5) as PNG, once; other folders stay as they are."""
    configs = [*root.glob("cuhk03_new_protocol_config_*.mat"), *root.glob("*/cuhk03_new_protocol_config_*.mat")]
    base = configs[0].parent if configs else root
    found = [path for path in (base / "cuhk-03.mat", base / "cuhk03_release" / "cuhk-03.mat") if path.is_file()]
    if not found or all((base / f"images_{boxes}").is_dir() for boxes in BOXES):
        return
    try:
        import h5py
    except ImportError as error:
        raise FormatError(
            f"{found[0]}: h5py is not installed.", rule="The file is HDF5.", action="Run: python -m pip install h5py"
        ) from error
    with lock(base / ".cuhk03.lock"), h5py.File(found[0]) as content:
        for boxes in BOXES:
            out = base / f"images_{boxes}"
            if out.is_dir():
                continue
            with filling(out, out.with_name(out.name + ".incomplete")) as partial:
                for pair, group in enumerate(content[boxes][0], 1):
                    for person, images in enumerate(content[group][:].T, 1):
                        _person(content, images, partial, pair, person)


def _person(content, images, folder: Path, pair: int, person: int) -> None:
    """Pictures 1-5 show the first view, 6-10 the second; absent ones are empty. MATLAB stores them column by column."""
    for number, reference in enumerate(images, 1):
        pixels = content[reference][:].T
        if pixels.ndim == 3 and pixels.size:
            view = 1 if number <= VIEW_IMAGES else 2
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{pair:d}_{person:03d}_{view:d}_{number:02d}.png")


if __name__ == "__main__":
    sys.exit(prepare("cuhk03", convert=convert, variants=[{"boxes": boxes} for boxes in BOXES]))
