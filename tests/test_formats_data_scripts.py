"""Data scripts: one a set, a card that machines read, terms that are recorded, and findings that are written."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from reidkit.formats import LAYOUTS, load
from reidkit.formats.counts import PUBLISHED
from tests import trees
from tests.test_formats_layouts import TREES

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


def test_accepted_terms_are_recorded_before_anything_is_read(prepare: ModuleType, tmp_path: Path) -> None:
    archive, out = market_archive(tmp_path), tmp_path / "out"
    call = ["--archive", str(archive), "--out", str(out), "--accept-terms"]
    assert prepare.prepare("market1501", call) == 2, "the numbers are wrong, but the terms were accepted"
    kept = out / ".reidkit" / "Market-1501" / "terms.json"
    terms = json.loads(kept.read_text())
    card = prepare.read_card("market1501")
    assert terms["accepted"] is True and terms["when"].startswith("20")
    assert (terms["terms"], terms["source"]) == (card.facts["terms"], card.facts["source"])
    kept.write_text(json.dumps(terms | {"when": "2001-01-01"}))
    assert prepare.prepare("market1501", [*call, "--partial"]) == 0
    assert json.loads(kept.read_text())["when"] == "2001-01-01", "the day on which this text was first accepted stays"
    kept.write_text(json.dumps(terms | {"terms": "an older text", "when": "2001-01-01"}))
    assert prepare.prepare("market1501", [*call, "--partial"]) == 0
    assert json.loads(kept.read_text())["when"] != "2001-01-01", "another text is accepted anew"
    assert prepare.prepare("market1501", ["--root", str(tmp_path / "none"), "--accept-terms"]) == 2


def test_copies_are_told(prepare: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = trees.three_folders(tmp_path, trees.MARKET)
    (root / "query" / "0001_c1s1_001051_00.jpg").write_bytes(trees.picture(1))
    (root / "bounding_box_test" / "0001_c3s1_000551_00.jpg").write_bytes(trees.picture(1))
    assert prepare.prepare("market1501", ["--root", str(root), "--accept-terms", "--partial"]) == 0
    assert "0 within a split, 3 across splits" in capsys.readouterr().out, "the training set has that picture too"


def run_script(name: str, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Exit status of a data script, run here as the program."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")
    return int(ended.value.code or 0)


@pytest.mark.parametrize("name", sorted(path.stem for path in SCRIPTS.glob("*.py") if path.stem != "prepare"))
def test_every_script_says_how_it_is_called(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_script(name, "--help", monkeypatch=monkeypatch) == 0
    assert f"usage: {name}.py" in capsys.readouterr().out


@pytest.mark.parametrize("name", CARDS)
def test_every_sets_script_verifies_a_tiny_copy(
    prepare: ModuleType, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = trees.cuhk03_mat(tmp_path) if name == "cuhk03" else TREES[name](tmp_path)
    card = prepare.read_card(name)
    refused = run_script(name, "--root", str(root), "--partial", monkeypatch=monkeypatch)
    assert refused == (2 if card.facts["must_accept"] else 0)
    assert run_script(name, "--root", str(root), "--accept-terms", "--partial", monkeypatch=monkeypatch) == 0
    assert "0 problems" in capsys.readouterr().out
    found = sorted(path.name for path in (root / ".reidkit").glob("*/*"))
    both = 2 if name == "cuhk03" else 1
    assert found == sorted(["terms.json", *both * ["CARD.md", "findings.json", "manifest.json", "records.parquet"]])
    (findings,) = {path.read_text() for path in (root / ".reidkit").glob("*/findings.json")} if both == 1 else ("{}",)
    assert json.loads(findings).get("unreadable", []) == []


def test_nothing_is_fetched_and_duke_has_no_address(prepare: ModuleType) -> None:
    """No script opens a connection; the withdrawn set's card names no place to get it from, and says why."""
    for path in SCRIPTS.glob("*.py"):
        assert not re.search(r"\b(urllib|requests|httpx?|socket|wget|gdown)\b", path.read_text()), path
    card = prepare.read_card("dukemtmc")
    assert card.withdrawn and card.facts["source"] == "none" and "://" not in prepare.about(card)
    assert "2019" in card.facts["consent"] and "Why nothing more" in card.text


@pytest.mark.slow
def test_a_script_runs_as_a_program(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(SCRIPTS / "viper.py"), "--root", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 2 and "terms were not accepted" in done.stderr
