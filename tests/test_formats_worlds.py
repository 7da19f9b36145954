"""Rendered worlds read back with their nuisances, and splits for sets that come without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reidkit.diagnose import mutual_information
from reidkit.diagnose.records_summary import records_summary
from reidkit.errors import FormatError
from reidkit.formats import load
from reidkit.formats.splits import split_identities
from reidkit.show import RecordsBrowser
from reidkit.world import WorldSettings, make_world
from tests.test_formats_hostile import market


def world_of(root: Path) -> pd.DataFrame:
    """A ground-truth table for the tree, in another order than the folders."""
    paths = load(root).frame["path"].tolist()[::-1]
    return pd.DataFrame({"path": paths, "camera": 0, "identity": 5, "yaw": np.arange(len(paths), dtype=float), "hat": "red"})


def test_a_worlds_nuisances_join_by_path(tmp_path: Path) -> None:
    root = market(tmp_path / "summer")
    world = world_of(root)
    world.to_parquet(root / "world.parquet")
    records = load(root)
    assert records.name == "summer"
    assert dict(zip(records.frame["path"], records.frame["yaw"], strict=True)) == dict(
        zip(world["path"], world["yaw"], strict=True)
    )
    assert set(records.frame["hat"]) == {"red"}
    assert set(records.identity.tolist()) != {5} and records.num_cameras > 1, "names, not the table, say who and where"
    assert "yaw" not in records.blind().frame


@pytest.mark.parametrize("change", ["less", "more", "twice", "damaged", "no path"])
def test_a_world_table_that_does_not_fit_is_refused(tmp_path: Path, change: str) -> None:
    root = market(tmp_path)
    world = world_of(root)
    changed = {
        "less": world.iloc[1:],
        "more": pd.concat([world, world.iloc[:1].assign(path="query/none.jpg")]),
        "twice": pd.concat([world, world.iloc[:1]]),
        "no path": world.drop(columns="path"),
        "damaged": world,
    }[change]
    changed.to_parquet(root / "world.parquet")
    if change == "damaged":
        (root / "world.parquet").write_bytes((root / "world.parquet").read_bytes()[:100])
    with pytest.raises(FormatError, match=r"world\.parquet"):
        load(root)


def test_a_worlds_nuisances_are_browsed_and_its_information_summed_up(tmp_path: Path) -> None:
    settings = WorldSettings(height=32, width=16, train_identities=5, test_identities=4, visits=3.0, frames=2, occlusion=0.6)
    make_world(settings, 0, out=tmp_path / "world")
    records = load(tmp_path / "world")
    for nuisance in ("yaw", "occluder", "hidden", "hour", "box_scale", "twin_of", "upper", "bag"):
        view = RecordsBrowser(records, by=nuisance)
        assert view.data()["images"].sum() == len(records) and len(view.data()) > (nuisance != "twin_of"), nuisance
    assert len(RecordsBrowser(records, camera="2").data())
    found = records_summary(records)
    people = records.identity > 0
    expected = mutual_information(records.identity[people], records.camera[people])
    assert found.value("camera_information") == pytest.approx(float(expected))
    assert f"I(identity; camera) {float(expected):.2f} nats" in found.describe()


def test_splits_by_identity_follow_their_rule() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"identity": rng.integers(-1, 21, 600), "camera": rng.integers(0, 5, 600)})
    frame.loc[frame["identity"] == 20, "camera"] = 3
    frame["split"] = split_identities(frame, train=0.5, queries=2, seed=3)
    assert frame["split"].equals(split_identities(frame, train=0.5, queries=2, seed=3))
    assert not frame["split"].equals(split_identities(frame, train=0.5, queries=2, seed=4))
    people = frame[frame["identity"] > 0]
    learnt = set(people.loc[people["split"] == "train", "identity"])
    assert len(learnt) == 10
    assert (frame.loc[frame["identity"] <= 0, "split"] == "gallery").all()
    for identity, group in people.groupby("identity"):
        if identity in learnt:
            assert (group["split"] == "train").all()
            continue
        asks, answers = (set(group.loc[group["split"] == s, "camera"]) for s in ("query", "gallery"))
        assert not asks & answers and len(asks) == (0 if identity == 20 else 2) and answers
    for options in ({"train": 1.5}, {"queries": 0}):
        with pytest.raises(FormatError):
            split_identities(frame, **options)
