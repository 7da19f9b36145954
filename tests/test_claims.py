"""The claims: verdicts on invented records with planted effects, a page that holds the record, and runs that are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reidkit.bench.claims import CLAIMS, NOT_ASKED, Claim, judge_claim, run_claims, verdicts
from reidkit.bench.claims import run as running
from reidkit.bench.claims.data import ABOVE, WITHIN, claims_named, more
from reidkit.bench.claims.measures import CURVES, curves, value
from reidkit.bench.claims.page import page, rule_text
from reidkit.bench.claims.recorded import recorded_claims
from reidkit.bench.claims.runs import RUNS, schedule_of
from reidkit.bench.claims.verdict import FAILS, HOLDS, UNDECIDED, decide, interval
from reidkit.capsule import CapsuleWriter
from reidkit.errors import BenchError
from reidkit.published import ablation
from reidkit.trials import PAIRS, SCALES, scaled

ROOT = Path(__file__).parent.parent
CLAIM = Claim("C-0", "a is better", "nowhere", more("a", "b", "map.last"), 0.01)


def seeds(*effects: float) -> dict[str, dict[str, dict[str, Any]]]:
    """Runs a and b whose last mAP differs by the effect, on worlds of very different difficulty."""
    hard = np.random.default_rng(0).uniform(0.1, 0.5, len(effects))
    return {
        str(seed): {"a": {"map": [0.0, base + effect]}, "b": {"map": [0.0, base]}}
        for seed, (base, effect) in enumerate(zip(hard, effects, strict=True))
    }


@pytest.mark.parametrize(
    ("effects", "word"),
    [
        ((0.05, 0.06, 0.05), HOLDS),
        ((-0.05, -0.06, -0.05), FAILS),
        ((0.005, 0.006, 0.005), FAILS),  # real, and below the margin
        ((0.3, -0.1, 0.1), UNDECIDED),
        ((0.05, 0.06), HOLDS),
        ((0.05, 0.15), UNDECIDED),  # two seeds: t is 6.3
        ((0.05,), UNDECIDED),
        ((), UNDECIDED),
    ],
)
def test_planted_effects_get_their_word(effects: tuple[float, ...], word: str) -> None:
    found = judge_claim(CLAIM, "standard", seeds(*effects))
    assert found.word == word
    assert list(found.effects.values()) == pytest.approx(list(effects))


def test_pairs_beat_the_spread_of_worlds() -> None:
    """The worlds differ by 40 points, the effect is 5: only a comparison in pairs can see it."""
    given = seeds(0.05, 0.055, 0.045)
    bases = [numbers["b"]["map"][-1] for numbers in given.values()]
    assert np.std(bases, ddof=1) > 0.05 and judge_claim(CLAIM, "standard", given).word == HOLDS


@pytest.mark.parametrize(
    ("low", "high", "word"), [(-0.005, 0.005, HOLDS), (0.02, 0.03, FAILS), (-0.03, -0.02, FAILS), (-0.005, 0.02, UNDECIDED)]
)
def test_a_claim_of_little_change_holds_inside_its_margin(low: float, high: float, word: str) -> None:
    assert decide(WITHIN, 0.01, low, high) == word


def test_the_interval_is_students() -> None:
    effects = [0.01, 0.05, 0.03, 0.02]
    assert interval(effects) == pytest.approx(stats.t.interval(0.9, 3, np.mean(effects), stats.sem(effects)))
    assert decide(ABOVE, 0.0, *interval([0.0, 0.0, 0.0])) == FAILS, "no effect at all is no effect"


def test_under_no_effect_one_claim_in_twenty_seems_to_hold() -> None:
    rng = np.random.default_rng(1)
    words = [decide(ABOVE, 0.0, *interval(rng.normal(size=3).tolist())) for _ in range(2000)]
    assert words.count(HOLDS) / 2000 == pytest.approx(0.05, abs=0.015)


def test_missing_runs_and_undefined_scores_leave_a_claim_open() -> None:
    given = seeds(0.05, 0.06, 0.05)
    del given["0"]["a"]
    given["1"]["b"]["map"] = [None]
    found = judge_claim(CLAIM, "standard", given)
    assert found.word == UNDECIDED and list(found.effects) == ["2"]


def test_measures_read_curves() -> None:
    numbers = {"map": [0.1, 0.4996, 0.5, 0.2], "reranked_map": 0.7, "lost": [None, 2]}
    assert [value(numbers, name) for name in ("map.first", "map.last", "map.peak", "reranked_map")] == [0.1, 0.2, 1.0, 0.7]
    assert np.isnan(value(numbers, "lost.first")) and np.isnan(value(numbers, "portion.last"))
    with pytest.raises(BenchError, match=r"map\.best"):
        value(numbers, "map.best")


def test_claims_are_of_the_table_and_ask_for_runs_that_exist() -> None:
    ids = [claim.id for claim in CLAIMS]
    assert len(set(ids)) == len(ids)
    numbers = {name[:4] for name in ids}
    assert numbers.isdisjoint(NOT_ASKED) and numbers | set(NOT_ASKED) == {f"C-{n:02d}" for n in range(1, 42)}
    for claim in CLAIMS:
        assert set(claim.worlds) <= set(PAIRS) and claim.sentence and claim.source
        for term in claim.contrast:
            run, _, measure = term.partition(": ")
            assert run in RUNS
            name = measure.partition(".")[0]
            assert name in CURVES or name.startswith(("reranked_", "alone_", "fused_"))
        balanced = {term.partition(": ")[2].partition(".")[0] for term in claim.contrast}
        assert abs(sum(claim.contrast.values())) < 1e-9 or len(balanced) > 1
    assert [claim.id for claim in claims_named(("C-29",))] == ["C-29"]
    with pytest.raises(BenchError, match="C-29"):
        claims_named(("C-290",))


def test_runs_are_rows_of_the_papers_at_the_size_of_the_profile() -> None:
    for name, run in RUNS.items():
        if run.paper:
            row = ablation(run.paper, run.row)
            method = row.build(3, np.arange(4), "tiny", 0, **scaled("demo", row, 100))
            base = getattr(method, "base", method)
            assert all(getattr(base.recipe, key) == wanted for key, wanted in scaled("demo", row, 100).items())
            assert schedule_of("demo", name).judge_every == 1
    assert scaled("demo", ablation("LF2", "LF2, M = 700"), 751) == {"clusters": 700}
    scale = SCALES["demo"]
    assert schedule_of("demo", "guess").epochs == scale.steps * (scale.frozen_epochs + scale.epochs)


def test_curves_have_one_entry_a_clustering(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    camera, truth = rng.integers(0, 3, 40), np.repeat(np.arange(1, 9), 5)
    writer = CapsuleWriter.create(tmp_path, pd.DataFrame({"path": [str(i) for i in range(40)], "camera": camera}), {})
    first, second = np.where(truth <= 2, -1, truth % 3), truth - 1
    for epoch, (labels, history) in enumerate(
        [(first, {"step": "begins"}), (first, {"step": "goes on"}), (second, {"step": "begins"}), (second, {"step": "goes on"})]
    ):
        writer.add_labels(labels, history)
        writer.add_scores(epoch, {"mean_ap": epoch / 10, "rank1": epoch / 5})
    found = curves(writer, camera, truth)
    assert set(found) == set(CURVES) and all(len(curve) == 2 for curve in found.values())
    assert found["map"] == [0.1, 0.3] and found["clusters"] == [3, 8] and found["portion"] == [0.75, 1.0]
    assert found["identity"][1] == pytest.approx(1.0) and found["lost"][1] == 0
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def invented() -> dict[str, Any]:
    """A record in which every claim has what it asks for, three seeds on every world."""
    rng = np.random.default_rng(3)

    def numbers() -> dict[str, Any]:
        made: dict[str, Any] = {name: rng.uniform(0.2, 0.6, 4).tolist() for name in CURVES}
        extra = ("reranked_map", "reranked_rank1", *(f"{a}_{b}" for a in ("alone", "fused") for b in ("whole", "upper", "lower")))
        return made | {name: float(rng.uniform(0.2, 0.6)) for name in extra}

    runs = {world: {str(seed): {run: numbers() for run in RUNS} for seed in range(3)} for world in PAIRS}
    for world in runs.values():
        for seed in world.values():
            seed["facts"] = {"excess": 0.1, "identities": 100, "images": 1500}
    scale = {"rounds": 6, "steps": 5, "frozen_epochs": 1, "epochs": 2}
    setting = {"world": "S", "backbone": "tiny", "rho": 0.005, "scale": scale}
    return {"profile": "demo", "setting": setting, "version": "0", "runs": runs}


def test_the_page_holds_every_verdict_and_follows_the_record() -> None:
    record = invented()
    text = page(record)
    made = verdicts(record["runs"])
    assert len(made) == sum(len(claim.worlds) for claim in CLAIMS) and all(np.isfinite(v.mean) for v in made)
    lines = [line for line in text.splitlines() if line.startswith("| C-")]
    assert len(lines) == len(made) and "nan" not in text
    for seed in record["runs"]["hard"].values():
        seed["guess"]["map"][-1] = seed["guess selected"]["map"][-1] + 0.2
    row = next(line for line in page(record).splitlines() if line.startswith("| C-28") and "| hard |" in line)
    assert "+0.200 ± 0.000 (3)" in row and "**holds**" in row
    assert rule_text(CLAIMS[0]) == "baseline map.last − direct map.last > 0.01"


def test_a_record_is_kept_for_the_same_code_only(tmp_path: Path) -> None:
    path = tmp_path / "records" / "claims.json"
    record = running.begin(path, "demo")
    record["runs"] = invented()["runs"]
    running.write(record, tmp_path)
    assert set(running.begin(path, "demo")["runs"]) == set(PAIRS) and (tmp_path / "claims.md").is_file()
    assert running.begin(path, "smoke")["runs"] == {}
    other = json.loads(path.read_text(encoding="utf-8")) | {"code": {}}
    path.write_text(json.dumps(other), encoding="utf-8")
    assert running.begin(path, "demo")["runs"] == {}


def test_only_the_runs_that_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    todo = running.jobs(claims_named(("C-33a",)), ("standard", "dependent"), (0, 1))
    assert todo == [("standard", 0, "guess"), ("standard", 1, "guess")]
    monkeypatch.setattr(running, "is_done", lambda profile, job: job[1] == 0)
    assert running.estimate("smoke", todo).startswith("2 runs, 1 of them to do: about")
    monkeypatch.setattr(running, "is_done", lambda profile, job: True)
    assert "all of them in the cache" in running.estimate("smoke", todo)


def test_unknown_worlds_and_seeds_are_refused(tmp_path: Path) -> None:
    for wrong in ({"worlds": ("easy",)}, {"seeds": (-1,)}, {"seeds": ()}, {"claims": ("C-0",)}):
        with pytest.raises(BenchError):
            run_claims(tmp_path, profile="smoke", progress=False, **wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_smoke_from_end_to_end_and_again_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run of the standard world, one seed: each curve is there, one seed decides nothing, and again nothing runs."""
    monkeypatch.setenv("REIDKIT_CACHE", str(tmp_path / "cache"))
    told: list[str] = []
    given: dict[str, Any] = {"profile": "smoke", "seeds": (0,), "worlds": ("standard",), "progress": False, "say": told.append}
    record = run_claims(tmp_path, **given)
    assert "CPU minutes" in told[0] and len(told) == 1 + len(RUNS)
    found = record["runs"]["standard"]["0"]
    assert set(found) == set(RUNS)
    for name, numbers in found.items():
        if RUNS[name].paper:
            assert set(CURVES) <= set(numbers) and len(numbers["map"]) == 2, name
            assert 0 < numbers["map"][-1] <= 1
    made = verdicts(record["runs"])
    assert all(one.word == UNDECIDED and one.mean is not None for one in made), [one for one in made if one.mean is None]
    whole = (tmp_path / "records" / "claims.json").read_bytes()
    monkeypatch.setattr("reidkit.trials.fit", None)
    (tmp_path / "records" / "claims.json").unlink()
    told.clear()
    run_claims(tmp_path, **given)
    assert "all of them in the cache" in told[0]
    assert (tmp_path / "records" / "claims.json").read_bytes() == whole


def test_the_page_in_the_repository_is_what_its_record_says() -> None:
    record = json.loads((ROOT / "docs" / "records" / "claims.json").read_text(encoding="utf-8"))
    assert (ROOT / "docs" / "claims.md").read_text(encoding="utf-8") == page(record)
    asked = {(world, run) for claim in CLAIMS for world in claim.worlds for run in claim.runs}
    for world, run in asked:
        assert sum(run in runs for runs in record["runs"][world].values()) >= 3, (world, run)
    assert record["profile"] == "demo" and len(recorded_claims()) == sum(len(claim.worlds) for claim in CLAIMS)
    assert "docs/claims.md" in (ROOT / "README.md").read_text(encoding="utf-8")
