"""Which real sets a full run takes, and that it takes none unasked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reidkit import datasets, stages, trials
from reidkit.errors import FormatError
from reidkit.world import make_world
from reidkit.world.settings import resolve

WORLDS = ("summer", "winter")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REIDKIT_DATA", str(tmp_path))
    return tmp_path


def market(folder: Path) -> None:
    """Drawn people in the Market-1501 layout."""
    make_world(replace(resolve("winter", "XS"), train_identities=3, test_identities=3, height=64, width=32), seed=0, out=folder)
    (folder / "world.parquet").unlink()
    (folder / "world.json").unlink()


def test_worlds_when_there_is_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "notes").mkdir()
    assert datasets.real_pair(*WORLDS) == WORLDS
    monkeypatch.delenv("REIDKIT_DATA")
    assert datasets.real_pair(*WORLDS) == WORLDS and datasets.data_fingerprint(*WORLDS) == ""
    with pytest.raises(FormatError, match="REIDKIT_DATA is not set"):
        datasets.open_real("data:market")


def test_a_folder_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REIDKIT_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FormatError, match="nowhere is no folder"):
        datasets.real_pair(*WORLDS)


def test_a_single_set_is_the_target_and_msmt17_comes_after_market(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    market(root / "my market")
    assert datasets.real_pair(*WORLDS) == ("summer", "data:my market")
    found = {"market1501": "m", "msmt17": "s", "dukemtmc": "d"}
    monkeypatch.setattr(datasets, "real_sets", lambda _: found)
    assert datasets.real_pair(*WORLDS) == ("data:m", "data:s")
    del found["msmt17"]
    assert datasets.real_pair(*WORLDS) == ("summer", "data:m")
    del found["market1501"]
    assert datasets.real_pair(*WORLDS) == WORLDS, "Duke is never a default"


def test_folders_called_source_and_target_decide(root: Path) -> None:
    market(root / "my market")
    (root / "target").symlink_to(root / "my market")
    assert datasets.real_pair(*WORLDS) == ("summer", "data:target")
    (root / "source").symlink_to(root / "my market")
    assert datasets.real_pair(*WORLDS) == ("data:source", "data:target")


def test_only_the_standard_pair_at_full_size_takes_them(root: Path) -> None:
    market(root / "m")
    assert trials.pair_of("full", "standard") == ("summer", "data:m")
    assert trials.pair_of("demo", "standard") == WORLDS and trials.pair_of("full", "hard") == trials.PAIRS["hard"]
    world = trials.target_of("full", "standard")
    assert world.name == "m" and len(set(world.train.truth())) == 3 and world.train.pixels is None
    assert stages.shared_world("full", "data:m").name == "m"


def test_the_fingerprint_follows_the_files(root: Path) -> None:
    market(root / "m")
    before = datasets.data_fingerprint("summer", "data:m")
    assert before and before == datasets.data_fingerprint("winter", "data:m")
    next((root / "m" / "bounding_box_train").iterdir()).unlink()
    assert datasets.data_fingerprint("summer", "data:m") != before
