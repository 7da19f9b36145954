"""CUHK03 as its owners store it: converted once, both box sets, and safe against kills and runs at once."""

from __future__ import annotations

import multiprocessing
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from reidkit.formats import load
from tests.test_formats_data_scripts import SCRIPTS, run_script

BOXES = ("detected", "labeled")


def cuhk03_raw(root: Path) -> Path:
    """A tiny cuhk-03.mat: pictures as MATLAB 7.3 stores them, cells of references to transposed arrays."""
    names = []
    (root / "cuhk03_release").mkdir(parents=True)
    with h5py.File(root / "cuhk03_release" / "cuhk-03.mat", "w") as content:
        kind = h5py.special_dtype(ref=h5py.Reference)
        for boxes in BOXES:
            pairs = content.create_dataset(boxes, (1, 1), dtype=kind)
            cells = content.create_dataset(f"store/{boxes}", (10, 2), dtype=kind)
            for person in range(2):
                for image in range(10):
                    there = image in (0, 5)
                    pixels = np.full((16, 8, 3), 40 * person + image, np.uint8) if there else np.zeros((0, 0))
                    pixels[:1] = 200
                    stored = content.create_dataset(f"store/{boxes}_{person}_{image}", data=pixels.T)
                    cells[image, person] = stored.ref
                    if there and boxes == "detected":
                        names.append(f"1_{person + 1:03d}_{1 if image < 5 else 2}_{image + 1:02d}.png")
            pairs[0, 0] = cells.ref
    for boxes in BOXES:
        files = np.empty((4, 1), object)
        files[:, 0] = names
        config = {"labels": np.array([[1], [1], [2], [2]]), "filelist": files}
        config |= {"train_idx": np.array([[1], [2]]), "query_idx": np.array([[3]]), "gallery_idx": np.array([[4]])}
        savemat(root / f"cuhk03_new_protocol_config_{boxes}.mat", config)
    return root


def test_cuhk03_is_converted_and_both_box_sets_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = cuhk03_raw(tmp_path / "cuhk03")
    for _ in range(2):
        status = run_script("cuhk03", "--root", str(root), "--accept-terms", "--partial", monkeypatch=monkeypatch)
        assert status == 0, capsys.readouterr()
    for boxes in BOXES:
        image = np.asarray(Image.open(root / f"images_{boxes}" / "1_002_2_06.png"))
        assert image.shape == (16, 8, 3) and (image[0] == 200).all() and (image[1:] == 45).all(), "rows are rows again"
        assert sorted(p.name for p in (root / f"images_{boxes}").iterdir()) == [
            f"1_00{p}_{v}_{i}.png" for p in (1, 2) for v, i in ((1, "01"), (2, "06"))
        ]
        assert (root / ".reidkit" / f"CUHK03-NP {boxes}" / "findings.json").is_file()


def _slowly(root: Path) -> None:
    """Convert with a pause at each person."""
    sys.path.insert(0, str(SCRIPTS))
    import cuhk03  # type: ignore[import-not-found]

    real = cuhk03._person
    cuhk03._person = lambda *given: (time.sleep(0.3), real(*given))
    cuhk03.convert(root)


@pytest.mark.slow
def test_a_killed_conversion_is_done_again_and_two_at_once_end_complete(tmp_path: Path) -> None:
    root = cuhk03_raw(tmp_path / "cuhk03")
    context = multiprocessing.get_context("spawn")
    victim = context.Process(target=_slowly, args=(root,))
    victim.start()
    deadline = time.monotonic() + 120
    while not (list(root.glob("images_*.incomplete/*.png")) and list(root.glob("images_detected"))):
        assert time.monotonic() < deadline and victim.is_alive()
        time.sleep(0.01)
    victim.kill()
    victim.join()
    assert (root / "images_detected").is_dir() and not (root / "images_labeled").exists()
    pair = [context.Process(target=_slowly, args=(root,)) for _ in range(2)]
    for process in pair:
        process.start()
    for process in pair:
        process.join(120)
    assert [process.exitcode for process in pair] == [0, 0] and not list(root.glob("*.incomplete"))
    for boxes in BOXES:
        assert len(load(root, boxes=boxes)) == len(list((root / f"images_{boxes}").iterdir())) == 4
