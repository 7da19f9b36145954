"""The script about gauges: who earns trust on invented records, tables that hold the record's numbers, a run that is kept."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from reidkit.diagnose.radii import GAUGES
from tests.test_formats_data_scripts import SCRIPTS

CORRELATIONS = {"silhouette": 0.7, "clusters": 0.6, "camera_homogeneity": -0.8, "stability": 0.9}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import calibrate_gauges as module  # type: ignore[import-not-found]

    return module


def rows(shift: float, **regrets: float) -> list[dict[str, Any]]:
    """One case; gauges not in `CORRELATIONS` are undefined."""
    known = {gauge: CORRELATIONS[gauge] + shift for gauge in CORRELATIONS}
    numbers = {"picked_eps": 0.5, "picked_f1": 0.38, "best_f1": 0.4}
    return [
        {"case": "raw", "gauge": gauge, "correlation": known.get(gauge), **numbers, "regret": regrets.get(gauge, 0.02)}
        for gauge in GAUGES
    ]


def record(script: ModuleType, tmp_path: Path, **regrets: float) -> dict[str, Any]:
    """Two worlds, two seeds each."""
    made = script.begin(tmp_path / "none.json", "demo")
    made["worlds"] = {
        "standard": {"0": rows(0.05, **regrets), "1": rows(-0.05, **regrets)},
        "twins 0.5": {"0": rows(0.15, **regrets), "1": rows(0.05, **regrets)},
    }
    return made


def trusted(script: ModuleType, made: dict[str, Any]) -> set[str]:
    found = script.summary(made)
    return set(found.loc[found["trusted"], "gauge"])


def test_trust_needs_the_right_sign_enough_cases_and_little_given_away(script, tmp_path):
    made = record(script, tmp_path, stability=0.2)
    assert trusted(script, made) == {"silhouette", "clusters", "camera_homogeneity"}  # stability gives away too much
    turned = json.loads(json.dumps(made))
    for row in turned["worlds"]["standard"]["0"]:
        if row["gauge"] == "camera_homogeneity":
            row["correlation"] = 0.8  # the wrong sign in one case of four
        if row["gauge"] == "silhouette":
            row["correlation"] = None  # undefined in one of four
    assert trusted(script, turned) == {"clusters"}


def test_the_summary_is_the_mean_over_cases_and_the_spread_over_worlds(script, tmp_path):
    row = script.summary(record(script, tmp_path)).set_index("gauge").loc["silhouette"]
    assert row["correlation"] == pytest.approx(0.75) and row["spread"] == pytest.approx(np.std([0.7, 0.8], ddof=1))
    assert (row["lowest"], row["highest"], row["cases"]) == (pytest.approx(0.65), pytest.approx(0.85), 4)


def test_the_page_holds_the_numbers_of_the_record(script, tmp_path):
    text = script.page(record(script, tmp_path, stability=0.2))
    assert "| silhouette | 0.75 ± 0.07 | 0.65, 0.85 | 100% of 4 | 0.02 | earned |" in text
    assert "| stability | 0.95 ± 0.07 | 0.85, 1.05 | 100% of 4 | 0.20 | not earned |" in text
    world = next(line for line in text.splitlines() if line.startswith("| twins 0.5"))
    assert "| 0.40 ± 0.00 (2) | 0.80 ± 0.07 (2) |" in world and "undefined" in world
    assert "nan" not in text and all(f"**{gauge.replace('_', ' ')}**" in text for gauge in GAUGES)


def test_a_record_is_kept_for_the_same_code_only(script, tmp_path):
    path = tmp_path / "records" / "gauges.json"
    script.write(record(script, tmp_path), tmp_path)
    assert set(script.begin(path, "demo")["worlds"]) == {"standard", "twins 0.5"}
    assert script.begin(path, "smoke")["worlds"] == {}
    other = json.loads(path.read_text(encoding="utf-8"))
    other["code"]["gauges"] = "older"
    path.write_text(json.dumps(other), encoding="utf-8")
    assert script.begin(path, "demo")["worlds"] == {}


def test_seeds_and_names_are_refused_with_a_status(script, tmp_path, capsys):
    assert script.main(["--seeds", "-1", "--out", str(tmp_path)]) == 2
    assert "0 or more" in capsys.readouterr().err and not list(tmp_path.iterdir())
    with pytest.raises(SystemExit, match="2"):
        script.main(["--worlds", "easy"])


@pytest.mark.slow
def test_smoke_from_end_to_end_and_again_from_the_cache(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REIDKIT_CACHE", str(tmp_path / "cache"))
    arguments = ["--profile", "smoke", "--worlds", "standard", "adapted", "--seeds", "0", "--out", str(tmp_path)]
    assert script.main(arguments) == 0
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()[:-1]] == ["standard", "adapted"]
    whole, page = (tmp_path / "records" / "gauges.json").read_bytes(), (tmp_path / "gauges.md").read_bytes()
    found = json.loads(whole)["worlds"]
    assert {row["case"] for row in found["standard"]["0"]} == {"raw", "normalised"}
    assert {row["case"] for row in found["adapted"]["0"]} == {"epoch 0", "epoch 1"}
    assert all(len(seeds["0"]) == 2 * len(GAUGES) for seeds in found.values())
    for name in ("fit", "extract"):
        monkeypatch.setattr(script, name, None)
    (tmp_path / "records" / "gauges.json").unlink()
    assert script.main(arguments) == 0
    assert (tmp_path / "records" / "gauges.json").read_bytes() == whole and (tmp_path / "gauges.md").read_bytes() == page
