"""Runs of the tables' rows: scaled to a profile, made once, found again; the paper's own settings at full size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reidkit import stages, trials
from reidkit.bench.claims.recorded import recorded_claims
from reidkit.errors import BenchError, ReidkitError
from reidkit.published import ablation, published
from reidkit.storage import write_json


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REIDKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("REIDKIT_DATA", raising=False)
    return tmp_path / "cache"


@pytest.mark.slow
def test_a_trial_is_made_once_and_again_with_other_options(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = trials.trial("smoke", "standard", "MMT", "MMT-500", rounds=1)
    assert not first.method.training and first.capsule.epochs == 1 and first.capsule.scores["mean_ap"].between(0, 1).all()
    people = len(set(first.world.train.truth()))
    assert first.method.recipe.clusters == max(8, round(500 * people / 751)) and first.world.name == "winter"
    other = trials.trial("smoke", "standard", "MMT", "MMT-500", rounds=1, clusters=9)
    assert other.method.recipe.clusters == 9 and other.capsule.labels[0].max() == 8
    assert len(list((cache / "trials").glob("*/.done"))) == 2

    def never(*given: object, **more: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(trials, "fit", never)
    again = trials.trial("smoke", "standard", "MMT", "MMT-500", rounds=1)
    ours, theirs = again.method.state_dict(), first.method.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name].nan_to_num(-1.0), theirs[name].nan_to_num(-1.0)) for name in ours)
    with pytest.raises(AssertionError, match="trained again"):
        trials.trial("smoke", "standard", "MMT", "MMT-500", rounds=1, seed=1)


def test_rows_of_direct_transfer_and_unknown_pairs_are_refused() -> None:
    with pytest.raises(ReidkitError, match=r"trials\.direct"):
        trials.trial("smoke", "standard", "Learn by Guessing", "ResNet-50")
    with pytest.raises(ReidkitError, match="standard"):
        trials.pair_of("smoke", "standart")
    with pytest.raises(ReidkitError, match="MMT-500"):
        trials.trial("smoke", "standard", "MMT", "MMT-5000")


def test_full_size_is_the_papers_experiment() -> None:
    for paper, name in (
        ("MMT", "MMT-500"),
        ("CANU on SSG", "CANU-SSG"),
        ("Learn by Guessing", "DBSCAN"),
        ("LF2", "LF2, M = 700"),
    ):
        row = ablation(paper, name)
        assert trials.schedule_of("full", row) == published(row.of).schedule and trials.scaled("full", row, 32_000) == {}
    assert trials.schedule_of("full", ablation("MMT", "MMT-500"), 3).epochs == 3
    long, short = ablation("MMT", "800 iterations"), ablation("CANU on SSG", "one pass a round")
    assert trials.schedule_of("full", long) == replace(published("MMT-500").schedule, steps=800)
    assert trials.schedule_of("demo", long).steps == 2 * stages.profile("demo").target.steps
    assert trials.schedule_of("full", short) == replace(published("CANU-SSG").schedule, passes=1)
    inside = ablation("Learn by Guessing", "frozen epochs inside")
    for profile, scale in trials.SCALES.items():
        assert trials.schedule_of(profile, inside).epochs == scale.steps * scale.epochs
    one = trials.schedule_of("demo", ablation("Learn by Guessing", "+ domain adaptation"))
    assert one.epochs == trials.SCALES["demo"].frozen_epochs + trials.SCALES["demo"].epochs


def test_full_size_trains_the_papers_network_as_its_source_stage_says(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []

    def pretrained(profile: str, preset: str, seed: int, **given: object) -> object:
        asked.append({"preset": preset, "seed": seed, **given})
        return stages.build_embedder("tiny", seed=seed)

    monkeypatch.setattr(stages, "pretrained", pretrained)
    for paper, row, backbone, recipe in (
        ("CANU on MMT", "CANU-MMT", "resnet50-ibn-a", "mmt"),
        ("SSG", "SSG", "resnet50", "udap"),
        ("Learn by Guessing", "DBSCAN", "resnet50-ibn-a", "learn-by-guessing"),
    ):
        trials.networks("full", "standard", 0, ablation(paper, row))(3, "bn")
        stride = 2 if recipe == "udap" else 1
        assert {"seed": 3, "backbone": backbone, "recipe": recipe, "last_stride": stride}.items() <= asked[-1].items()
    trials.networks("demo", "hard", 5, ablation("SSG", "SSG"))(3, "bn")
    assert {"preset": "hard-summer", "world_seed": 5, "backbone": "tiny", "last_stride": 1}.items() <= asked[-1].items()


def test_a_trunk_keeps_the_stride_that_its_source_trained_it_with(monkeypatch: pytest.MonkeyPatch) -> None:
    def pretrained(profile: str, preset: str, seed: int, *, last_stride: int, **given: object) -> object:
        return stages.build_embedder("tiny", last_stride=last_stride, seed=seed)

    monkeypatch.setattr(stages, "pretrained", pretrained)
    images = torch.zeros(2, 3, 64, 32)
    for profile, rows in (("demo", 4), ("full", 2)):
        row = replace(ablation("SSG", "SSG"), backbone="tiny")
        for neck in ("bn", "relu"):
            assert trials.networks(profile, "standard", 0, row)(0, neck).backbone(images).shape[2] == rows


def test_the_record_of_claims_is_read_as_a_table(tmp_path: Path) -> None:
    runs = {"direct": {"map": [0.2]}, "baseline": {"map": [0.3, 0.41]}, "guess raw": {"map": [0.3, 0.4]}}
    better = {"direct": {"map": [0.2]}, "baseline": {"map": [0.3, 0.43]}, "guess raw": {"map": [0.3, 0.4]}}
    path = tmp_path / "claims.json"
    write_json(path, {"runs": {"standard": {"0": runs, "1": better}}})
    table = recorded_claims("C-03", path=path)
    assert list(table.index) == [("C-03", "standard")]
    row = table.iloc[0]
    assert row["effect"] == pytest.approx(0.22) and row["seeds"] == 2 and row["verdict"] == "holds" and row["low"] > 0.01
    whole = recorded_claims(path=path)
    assert whole.loc[("C-25", "standard"), "effect"] == pytest.approx(0.1)
    assert np.isnan(float(whole.loc[("C-07", "standard"), "effect"]))  # runs that are missing
    with pytest.raises(BenchError, match="C-03"):
        recorded_claims("C-003", path=path)
