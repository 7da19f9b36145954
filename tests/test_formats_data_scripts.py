"""Data scripts: one a set, a card that machines read, terms that are recorded, and findings that are written."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from reidkit.formats import LAYOUTS, load
from reidkit.formats.counts import PUBLISHED
from tests import trees

SCRIPTS = Path(__file__).parents[1] / "data_scripts"
CARDS = sorted(path.stem for path in (SCRIPTS / "cards").glob("*.md") if not path.stem.startswith("world_"))
FACTS = {
    *("name", "layout", "version", "year", "owner", "source", "status", "terms", "must_accept", "consent", "not_for", "cameras"),
    *("files", "protocol", "faces", "checksums", "detection", "last_verified"),
}


@pytest.fixture
def prepare(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import prepare as module  # type: ignore[import-not-found]

    return module


def test_every_published_layout_has_a_card_and_a_script() -> None:
    assert set(CARDS) == set(LAYOUTS) - {"table", "folder"}
    assert all((SCRIPTS / f"{name}.py").is_file() for name in CARDS)


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_complete_and_true_to_the_code(prepare: ModuleType, name: str) -> None:
    card = prepare.read_card(name)
    assert set(card.facts) == FACTS
    assert card.facts["layout"] == name
    assert all(card.facts[key] for key in FACTS - {"must_accept"})
    if name not in ("omniglot", "msmt17", "cuhk03"):
        assert card.facts["name"] in PUBLISHED


def test_without_arguments_a_script_prints_its_card(prepare: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare.prepare("msmt17", []) == 0
    shown = capsys.readouterr().out
    assert "signed research agreement" in shown and "pkuvmc.com" in shown


def market_archive(folder: Path) -> Path:
    tree = trees.three_folders(folder / "Market-1501-v15.09.15", trees.MARKET)
    with zipfile.ZipFile(folder / "market.zip", "w") as target:
        for file in sorted(tree.rglob("*.jpg")):
            target.write(file, file.relative_to(folder).as_posix())
    return folder / "market.zip"


def test_terms_must_be_accepted_first(prepare: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = market_archive(tmp_path)
    assert prepare.prepare("market1501", ["--archive", str(archive), "--out", str(tmp_path / "out")]) == 2
    assert "--accept-terms" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_archive_becomes_a_verified_set(prepare: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive, out = market_archive(tmp_path), tmp_path / "out"
    call = ["--archive", str(archive), "--out", str(out), "--accept-terms"]
    assert prepare.prepare("market1501", call) == 2, "nine images are not the published set"
    assert "12936" in capsys.readouterr().err
    assert prepare.prepare("market1501", [*call, "--partial"]) == 0
    kept = out / "Market-1501-v15.09.15" / ".reidkit" / "Market-1501"
    terms = json.loads((kept / "terms.json").read_text())
    assert terms["accepted"] is True and terms["when"].startswith("20") and "research" in terms["terms"]
    findings = json.loads((kept / "findings.json").read_text())
    assert findings["unreadable"] == [] and findings["splits"]["query"]["images"] == 2 and findings["decoded"]
    assert len(json.loads((kept / "manifest.json").read_text())) == 9
    assert "# Market-1501" in (kept / "CARD.md").read_text()
    assert len(load(out)) == 9, "what the script writes does not disturb the reader"
    assert prepare.prepare("market1501", [*call, "--partial"]) == 0, "again"


def test_damage_and_changes_are_found(prepare: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = trees.three_folders(tmp_path, trees.MARKET)
    call = ["--root", str(root), "--accept-terms", "--partial"]
    assert prepare.prepare("market1501", call) == 0
    (root / "query" / "0001_c1s1_001051_00.jpg").write_bytes(trees.picture()[:300])
    (root / "query" / "0003_c4s2_000001_00.jpg").unlink()
    trees.fill(root / "query", ["0003_c4s2_000009_00.jpg"])
    assert prepare.prepare("market1501", call) == 1
    shown = capsys.readouterr().out
    assert "changed: query/0001_c1s1_001051_00.jpg" in shown
    assert "missing: query/0003_c4s2_000001_00.jpg" in shown and "new: query/0003_c4s2_000009_00.jpg" in shown
    findings = json.loads((root / ".reidkit" / "Market-1501" / "findings.json").read_text())
    assert len(findings["unreadable"]) == 1
    assert prepare.prepare("market1501", [*call, "--quick"]) == 0, "names alone are in order"


def test_a_withdrawn_set_is_never_unpacked(prepare: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = market_archive(tmp_path)
    assert prepare.prepare("dukemtmc", ["--archive", str(archive), "--out", str(tmp_path / "out"), "--accept-terms"]) == 2
    assert "withdrawn" in capsys.readouterr().err and not (tmp_path / "out").exists()
    root = trees.three_folders(tmp_path / "held", trees.DUKE)
    assert prepare.prepare("dukemtmc", ["--root", str(root), "--accept-terms", "--partial"]) == 0


def test_omniglot_needs_no_acceptance(prepare: ModuleType, tmp_path: Path) -> None:
    root = trees.omniglot(tmp_path)
    assert prepare.prepare("omniglot", ["--root", str(root)]) == 0
    terms = json.loads((root / ".reidkit" / "Omniglot" / "terms.json").read_text())
    assert terms["terms"] == "MIT licence." and terms["accepted"] is False


def cuhk03_raw(root: Path) -> Path:
    """A tiny cuhk-03.mat: pictures as MATLAB 7.3 stores them, cells of references to transposed arrays."""
    names = []
    (root / "cuhk03_release").mkdir(parents=True)
    with h5py.File(root / "cuhk03_release" / "cuhk-03.mat", "w") as content:
        kind = h5py.special_dtype(ref=h5py.Reference)
        for boxes in ("detected", "labeled"):
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
    for boxes in ("detected", "labeled"):
        files = np.empty((4, 1), object)
        files[:, 0] = names
        config = {"labels": np.array([[1], [1], [2], [2]]), "filelist": files}
        config |= {"train_idx": np.array([[1], [2]]), "query_idx": np.array([[3]]), "gallery_idx": np.array([[4]])}
        savemat(root / f"cuhk03_new_protocol_config_{boxes}.mat", config)
    return root


def test_cuhk03_is_converted_and_both_box_sets_verified(
    prepare: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = cuhk03_raw(tmp_path / "cuhk03")
    monkeypatch.setattr(sys, "argv", ["cuhk03.py", "--root", str(root), "--accept-terms", "--partial"])
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(SCRIPTS / "cuhk03.py"), run_name="__main__")
        assert ended.value.code == 0, capsys.readouterr()
    for boxes in ("detected", "labeled"):
        image = np.asarray(Image.open(root / f"images_{boxes}" / "1_002_2_06.png"))
        assert image.shape == (16, 8, 3) and (image[0] == 200).all() and (image[1:] == 45).all(), "rows are rows again"
        assert sorted(p.name for p in (root / f"images_{boxes}").iterdir()) == [
            f"1_00{p}_{v}_{i}.png" for p in (1, 2) for v, i in ((1, "01"), (2, "06"))
        ]
        assert (root / ".reidkit" / f"CUHK03-NP {boxes}" / "findings.json").is_file()


@pytest.mark.slow
def test_a_script_runs_as_a_program(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(SCRIPTS / "viper.py"), "--root", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 2 and "terms were not accepted" in done.stderr
