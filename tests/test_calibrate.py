"""The calibration script: verdicts on invented records, tables that hold the record's numbers, and runs that are kept."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reidkit.capsule import CapsuleWriter
from reidkit.diagnose import mutual_information

SCRIPTS = Path(__file__).parents[1] / "data_scripts"
GOOD = {
    "standard": {
        **{"supervised_map": 0.74, "home_map": 0.8, "direct_map": 0.25, "plain_map": 0.34, "normalised_map": 0.5},
        **{"plain_information_first": 0.9, "identity_information": 0.4, "plain_lost_first": 3.0, "camera_entropy": 1.79},
    },
    "hard": {
        **{"direct_map": 0.09, "plain_map": 0.04, "normalised_map": 0.28},
        **{"plain_information_last": 1.7, "identity_information": 0.4, "camera_entropy": 1.79},
    },
    "dependent": {"identity_information": 0.9},
}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import calibrate as module  # type: ignore[import-not-found]

    return module


@pytest.fixture
def pages(script: ModuleType) -> ModuleType:
    import calibration_page as module  # type: ignore[import-not-found]

    return module


def record(script: ModuleType, tmp_path: Path, **changes: dict[str, float]) -> dict[str, Any]:
    """Two seeds around the good values, changed where asked."""
    made = script.begin(tmp_path / "none.json", "demo")
    for pair, numbers in GOOD.items():
        wanted = numbers | changes.get(pair, {})
        made["pairs"][pair] = {
            s: {name: value * factor for name, value in wanted.items()} for s, factor in (("0", 0.98), ("1", 1.02))
        }
    return made


def test_a_world_as_wanted_meets_every_wish(script, tmp_path):
    found = script.verdicts(record(script, tmp_path))
    assert [v.wish.pair for v in found] == ["standard"] * 5 + ["hard"] * 2 + ["dependent"]
    assert all((v.met, v.seeds) == (True, "2 of 2") for v in found)


@pytest.mark.parametrize(
    ("pair", "change", "place"),
    [
        ("standard", {"supervised_map": 0.69}, [0]),
        ("standard", {"direct_map": 0.14}, [1]),
        ("standard", {"direct_map": 0.46}, [1, 2]),
        ("standard", {"plain_map": 0.32}, [2]),
        ("standard", {"plain_information_first": 0.39}, [3]),
        ("standard", {"plain_lost_first": 0.0}, [4]),
        ("hard", {"plain_information_last": 1.0}, [5]),
        ("hard", {"normalised_map": 0.11}, [6]),
        ("hard", {"direct_map": 0.3}, [6]),
        ("dependent", {"identity_information": 0.6}, [7]),
    ],
)
def test_each_wish_can_fail_alone_and_the_page_says_so(script, pages, tmp_path, pair, change, place):
    changed = record(script, tmp_path, **{pair: change})
    assert [n for n, v in enumerate(script.verdicts(changed)) if v.met is not True] == place
    assert pages.page(changed).count("**not met**") == len(place)


def test_what_was_not_measured_is_not_judged(script, pages, tmp_path):
    made = record(script, tmp_path, standard={"plain_map": float("nan")})
    del made["pairs"]["hard"]["0"]["normalised_map"], made["pairs"]["hard"]["1"]["normalised_map"]
    missing = [v for v in script.verdicts(made) if v.met is None]
    assert [v.wish.pair for v in missing] == ["standard", "hard"] and all(v.found == "not measured" for v in missing)
    page = pages.page(made)
    assert "| – |" in page and "| undefined |" in page and "nan" not in page


def test_the_page_holds_the_means_of_the_record(script, pages, tmp_path):
    text = pages.page(record(script, tmp_path))
    row = next(line for line in text.splitlines() if line.startswith("| direct transfer"))
    assert row == "| direct transfer, mAP % | 25.0 ± 0.7 (2) | 9.0 ± 0.3 (2) | – |"
    assert "74.0% | met" in text and "summer → winter" in text
    entropy = next(line for line in text.splitlines() if line.startswith("| H(camera)"))
    assert "(2)" in entropy  # a world a seed


def test_seeds_are_counted_where_the_mean_hides_them(script, pages, tmp_path):
    made = record(script, tmp_path)
    made["pairs"]["standard"]["0"]["direct_map"] = 0.09
    (direct,) = (v for v in pages.verdicts(made) if v.wish.measured == ("direct_map",))
    assert (direct.met, direct.seeds) == (True, "1 of 2")
    assert "| 17.2% | met | 1 of 2 |" in pages.page(made)
    made["pairs"]["standard"]["1"]["direct_map"] = 0.55
    assert "| 32.0% | on the mean only | 0 of 2 |" in pages.page(made)


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        ({"adversarial_information_last": 1.3}, [True, True, True, True]),
        ({"adversarial_information_last": 1.5}, [False, True, True, True]),
        ({"adversarial_map": 0.35}, [True, False, False, True]),
        ({"conditional_map": 0.1}, [True, True, False, True]),
    ],
)
def test_what_resists_is_reported_expectation_by_expectation(script, pages, tmp_path, changes, held):
    good = {"plain_information_last": 1.55, "adversarial_information_last": 1.3, "plain_map": 0.3}
    good |= {"adversarial_map": 0.2, "conditional_map": 0.33}
    standard = {"adversarial_map": 0.36, "conditional_map": 0.4}
    made = record(script, tmp_path, dependent=good | changes, standard=standard)
    found = pages.verdicts(made, pages.EXPECTED)
    assert {v.wish.wanted: v.met for v in found} == dict(zip((w.wanted for w in pages.EXPECTED), held))
    assert pages.page(made).count("**does not hold**") == held.count(False)


def test_the_page_in_the_documents_is_the_committed_record(pages):
    kept = json.loads((pages.DOCS / "calibration.json").read_text(encoding="utf-8"))
    assert (pages.DOCS / "calibration.md").read_text(encoding="utf-8") == pages.page(kept)
    assert kept["profile"] == "demo" and set(kept["pairs"]) == set(pages.PAIRS)
    for numbers in kept["pairs"].values():
        assert len(numbers) >= 3 and all(set(pages.COLUMNS) <= set(seed) for seed in numbers.values())


def test_the_page_alone_can_be_written_anew(script, pages, tmp_path):
    pages.write(record(script, tmp_path), tmp_path)
    before = [(tmp_path / f"calibration.{kind}").read_bytes() for kind in ("json", "md")]
    (tmp_path / "calibration.md").write_text("older")
    assert pages.main(["--out", str(tmp_path)]) == 0
    assert [(tmp_path / f"calibration.{kind}").read_bytes() for kind in ("json", "md")] == before


def test_a_run_is_read_against_cameras_and_truth(script, tmp_path):
    rng = np.random.default_rng(0)
    camera, truth = rng.integers(0, 3, 40), np.repeat(np.arange(1, 9), 5)
    writer = CapsuleWriter.create(tmp_path, pd.DataFrame({"path": [str(i) for i in range(40)], "camera": camera}), {})
    first = np.where(truth <= 2, -1, truth % 3)
    for labels, score in ((first, 0.2), (np.unique(truth, return_inverse=True)[1], 0.6)):
        writer.add_labels(labels, {})
        writer.add_scores(writer.epochs - 1, {"mean_ap": score})
    numbers = script.read_run(writer, camera, truth)
    assert numbers["map"] == 0.6 and numbers["unseen_first"] == 2 and numbers["lost_first"] >= 2
    assert (numbers["lost_last"], numbers["clusters_last"]) == (0, 8)
    assert numbers["information_first"] == pytest.approx(float(mutual_information(first, camera)))


def test_a_record_is_kept_for_the_same_code_only(script, tmp_path):
    path = tmp_path / "calibration.json"
    script.write(record(script, tmp_path), tmp_path)
    assert set(script.begin(path, "demo")["pairs"]) == set(GOOD)
    assert script.begin(path, "smoke")["pairs"] == {}
    other = json.loads(path.read_text(encoding="utf-8"))
    other["code"]["labels"] = "older"
    path.write_text(json.dumps(other), encoding="utf-8")
    assert script.begin(path, "demo")["pairs"] == {}


def test_record_and_page_are_written_after_every_run(script, pages, tmp_path, monkeypatch, capsys):
    made, whole = [], GOOD["standard"] | {"plain_information_last": 0.8}

    def measured(profile, pair, run, seed):
        made.append((pair, seed, run))
        if len(made) > 1:
            kept = json.loads((tmp_path / "calibration.json").read_text(encoding="utf-8"))
            assert (tmp_path / "calibration.md").read_text(encoding="utf-8") == pages.page(kept)
        return whole if run == "plain" else {}

    monkeypatch.setattr(script, "measure", measured)
    assert script.main(["--pairs", "standard", "--seeds", "0", "4", "--out", str(tmp_path)]) == 0
    assert made == [("standard", seed, run) for seed in (0, 4) for run in script.RUNS]
    told = capsys.readouterr().out
    assert "standard, seed 4, plain: " in told and "5 of 5 wishes met" in told
    assert set(json.loads((tmp_path / "calibration.json").read_text())["pairs"]["standard"]) == {"0", "4"}


def test_seeds_and_names_are_refused_with_a_status(script, tmp_path, capsys):
    assert script.main(["--seeds", "-1", "--out", str(tmp_path)]) == 2
    assert "0 or more" in capsys.readouterr().err and not list(tmp_path.iterdir())
    with pytest.raises(SystemExit, match="2"):
        script.main(["--pairs", "easy"])


@pytest.mark.slow
def test_smoke_from_end_to_end_and_again_from_the_cache(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REIDKIT_CACHE", str(tmp_path / "cache"))
    arguments = ["--profile", "smoke", "--pairs", "standard", "--seeds", "0", "--out", str(tmp_path)]
    assert script.main(arguments) == 0
    told = capsys.readouterr().out
    assert [line.split(",")[2].split(":")[0].strip() for line in told.splitlines()[:-1]] == list(script.RUNS)
    whole = (tmp_path / "calibration.json").read_bytes()
    numbers = json.loads(whole)["pairs"]["standard"]["0"]
    assert set(script.COLUMNS) <= set(numbers)
    assert all(0 <= numbers[name] <= 1 for name in script.COLUMNS if name.endswith("_map"))
    monkeypatch.setattr(script, "fit", None)
    monkeypatch.setattr(script, "judged", None)
    (tmp_path / "calibration.json").unlink()
    assert script.main(arguments) == 0
    assert (tmp_path / "calibration.json").read_bytes() == whole
