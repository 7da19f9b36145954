"""The script about the autopsy: plants that are what they say, counts of an invented record, and a run at the smallest size."""

from __future__ import annotations

import json
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from scipy import sparse

from reidkit.world import PRESETS, make_world
from tests.test_formats_data_scripts import SCRIPTS


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import measure_autopsy as module  # type: ignore[import-not-found]

    return module


def test_pictures_and_names_are_changed_for_the_planted_only(script):
    plan = replace(PRESETS["winter"], height=32, width=16, train_identities=7, test_identities=0, visits=4.0, frames=2)
    world = make_world(replace(plan, visits_spread=0), 0).train
    strangers = make_world(replace(plan, train_identities=10), 1).train
    names = ("too few images", "twin", "merged", "cameras apart", "scattered")
    given = {name: [int(who)] for name, who in zip(names, np.unique(world.truth()))}
    made, cause = script.planted_in_pictures(world, strangers, given)
    sizes = {name: sorted(int((made.truth() == who).sum()) for who in cause if cause[who] == name) for name in names}
    assert sizes == {"too few images": [3], "twin": [4, 4], "merged": [2, 3, 3], "cameras apart": [8], "scattered": [8]}
    assert len(made) == len(world) - 5
    few = given["too few images"][0]
    who = world.truth()[world.truth() != few]
    changed = (world.pixels[world.truth() != few] != made.pixels[made.truth() != few]).any(axis=(1, 2, 3))
    assert not changed[~np.isin(who, [given["cameras apart"][0], given["scattered"][0]])].any()
    assert changed[who == given["scattered"][0]].all()


def test_own_pairs_are_stretched_beyond_eps_or_cut_and_no_others(script):
    person = np.repeat([1, 2, 3], 8)
    graph = sparse.csr_array(0.3 * (1 - np.eye(24)))
    scene = script.Scene(np.zeros((24, 1, 1, 3), np.uint8), person % 2, person, np.eye(24), graph)
    found = script.planted_in_graph(scene, {"eps too strict": [1], "broken reciprocity": [2]}).graph.toarray()
    own = (person[:, None] == person) & ~np.eye(24, dtype=bool)
    assert (found[own & (person == 1)] > script.EPS).all() and found.max() < 1
    assert (found[own & (person == 2)] == 0).mean() > 0.8
    assert np.array_equal(found[~own], graph.toarray()[~own]) and np.array_equal(found[16:, 16:], graph.toarray()[16:, 16:])
    assert np.array_equal(found, found.T)


def test_the_summary_counts_causes_and_changes(script):
    rows = [
        {"planted": "twin", "cause": "twin", "came_back": None},
        {"planted": "twin", "cause": "merged", "came_back": True},
        {"planted": "scattered", "cause": "scattered", "came_back": False},
    ]
    found = script.summary({"worlds": {"standard": {"1": {"lost": rows[:2]}, "2": {"lost": rows[2:]}}}})
    assert (found["lost"], found["right"], found["changes_named"], found["changes_good"]) == (3, 2, 2, 1)
    assert found["causes"]["twin"] == {"lost": 2, "right": 1} and found["causes"]["merged"] == {"lost": 0, "right": 0}


def test_people_of_the_network_are_refused(script, tmp_path, capsys):
    assert script.main(["--seeds", "0", "--out", str(tmp_path)]) == 2
    assert "1 or more" in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.slow
def test_smoke_from_end_to_end(script, tmp_path, monkeypatch):
    monkeypatch.setenv("REIDKIT_CACHE", str(tmp_path / "cache"))
    arguments = ["--profile", "smoke", "--worlds", "standard", "--seeds", "1", "--each", "1", "--out", str(tmp_path)]
    assert script.main(arguments) == 0
    made = json.loads((tmp_path / "records" / "autopsy.json").read_text(encoding="utf-8"))
    assert set(made["worlds"]["standard"]) == {"1"} and made["summary"]["lost"] == len(made["worlds"]["standard"]["1"]["lost"])
