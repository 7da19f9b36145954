"""Cards of rendered worlds are complete and true, and the picture of the dials shows every dial."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from reidkit.world import DIALS, PRESETS
from reidkit.world.cameras import make_cameras
from reidkit.world.network import draw_cast, plan
from tests.test_formats_data_scripts import FACTS, SCRIPTS

CARDS = sorted((SCRIPTS / "cards").glob("world_*.md"))


def facts_of(path: Path) -> dict[str, object]:
    return tomllib.loads(path.read_text(encoding="utf-8").split("+++\n", 2)[1])


def test_every_preset_stands_on_one_card() -> None:
    listed = [preset for path in CARDS for preset in facts_of(path)["presets"]]  # type: ignore[attr-defined]
    assert sorted(listed) == sorted(PRESETS)


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_a_card_is_complete(path: Path) -> None:
    facts = facts_of(path)
    assert set(facts) == FACTS | {"presets", "counts", "measured"}
    assert set(facts["counts"]) == set(facts["measured"]) == set(facts["presets"])  # type: ignore[call-overload]


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_counts_of_a_card_are_true(preset: str) -> None:
    (facts,) = (facts for path in CARDS if preset in (facts := facts_of(path))["presets"])  # type: ignore[operator]
    settings = PRESETS[preset]
    frame = plan(settings, 0, draw_cast(settings, 0), make_cameras(settings, 0))
    found = {split: int((frame["split"] == split).sum()) for split in ("train", "query", "gallery")}
    found |= {"distractors": int((frame["identity"] == 0).sum()), "junk": int((frame["identity"] == -1).sum())}
    assert facts["counts"][preset] == found | {"tracklets": frame["tracklet"].nunique()}  # type: ignore[index]
    assert facts["cameras"] == settings.cameras


@pytest.mark.parametrize("preset", ["winter", "dependent-winter", "fifteen"])
def test_the_figures_of_a_card_are_those_of_a_run(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import measure_worlds  # type: ignore[import-not-found]

    (facts,) = (facts for path in CARDS if preset in (facts := facts_of(path))["presets"])  # type: ignore[operator]
    kept = facts["measured"][preset]  # type: ignore[index]
    assert measure_worlds.measured(preset, kept["seeds"][0]) == {name: kept[name][0] for name in set(kept) - {"seeds"}}


@pytest.fixture
def dial_strips(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import dial_strips as module  # type: ignore[import-not-found]

    return module


def test_each_dial_changes_its_strip_and_is_documented(dial_strips: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial_strips, "STEPS", 2)
    sheet = np.asarray(dial_strips.dial_strips(seed=0, height=32)).astype(np.int64)
    rows = 32 + dial_strips.LINE + dial_strips.MARGIN
    cell, step = dial_strips.ABREAST * 16, dial_strips.ABREAST * 16 + dial_strips.GAP
    for number, dial in enumerate(DIALS):
        top = dial_strips.MARGIN + number * rows + dial_strips.LINE
        first, last = (sheet[top : top + 32, left : left + cell] for left in (dial_strips.LABEL, dial_strips.LABEL + step))
        assert first.std() > 5 and np.abs(first - last).mean() > 2, dial
    docs = SCRIPTS.parent / "docs"
    text = (docs / "worlds.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in (*DIALS, *PRESETS))
    picture = docs / "pictures" / "dials.png"
    assert picture.stat().st_size < 400_000 and min(Image.open(picture).size) > 800


@pytest.mark.parametrize("name", ["contact_sheet", "dials"])
def test_the_pictures_in_the_documents_are_what_their_scripts_render(
    dial_strips: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    import contact_sheet  # type: ignore[import-not-found]

    made = {"contact_sheet": contact_sheet.contact_sheet, "dials": dial_strips.dial_strips}[name]()
    kept = Image.open(SCRIPTS.parent / "docs" / "pictures" / f"{name}.png").convert("RGB")
    assert kept.size == made.size
    far = np.abs(np.asarray(kept).astype(np.int64) - np.asarray(made)).mean(2)
    assert far.mean() < 5 and (far > 40).mean() < 0.002, "256 colours, and rounding of other machines"
