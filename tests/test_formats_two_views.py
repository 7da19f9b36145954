"""VIPeR, PRID 2011, GRID and CUHK01: who trains, who asks and who answers, in each published way."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from reidkit.errors import FormatError
from reidkit.evaluate import evaluate_cmc, evaluate_ranking
from reidkit.formats import load
from reidkit.formats.counts import PUBLISHED, require_counts
from reidkit.records import Records
from tests import trees


def identities(records: Records, split: str) -> list[int]:
    return records.split(split).identity.tolist()


@pytest.mark.parametrize("name", ["viper", "cuhk01"])
def test_halves_of_two_views(tmp_path: Path, name: str) -> None:
    root = getattr(trees, name)(tmp_path)
    for split in range(10):
        records = load(root, split=split)
        assert len(set(identities(records, "train"))) == 2
        assert set(identities(records, "query")) == set(identities(records, "gallery"))
        assert {records.camera_names[c] for c in records.query.camera} == {"a"}
        assert {records.camera_names[c] for c in records.gallery.camera} == {"b"}
    other = load(root, direction="b-to-a")
    assert {other.camera_names[c] for c in other.query.camera} == {"b"}
    assert len({tuple(load(root, split=s).frame["split"]) for s in range(10)}) > 1
    assert (load(root, split=3).frame["split"] == load(root, split=3).frame["split"]).all()
    for options in ({"split": 10}, {"split": -1}, {"direction": "up"}):
        with pytest.raises(FormatError):
            load(root, **options)


def test_viper_person_0_is_somebody(tmp_path: Path) -> None:
    records = load(trees.viper(tmp_path))
    assert sorted(set(records.identity.tolist())) == [1, 2, 3, 4]
    (tmp_path / "cam_b" / "005_90.bmp").unlink()
    with pytest.raises(FormatError, match="one view only: 5"):
        load(tmp_path)


def test_prid(tmp_path: Path) -> None:
    records = load(trees.prid(tmp_path))
    assert len(records.train) == 4 and len(set(identities(records, "train"))) == 2
    assert len(records.query) == 2 and set(identities(records, "query")) <= set(identities(records, "gallery"))
    assert {201, 749} <= set(identities(records, "gallery")), "people seen only in view b are wrong answers"
    assert not any("cam_a/person_0201" in path or "cam_a/person_0385" in path for path in records.frame["path"])


def test_grid(tmp_path: Path) -> None:
    records = load(trees.grid(tmp_path))
    assert sorted(set(identities(records, "train"))) == [1, 4]
    assert identities(records, "query") == [2, 3]
    assert sorted(identities(records, "gallery")) == [0, 0, 2, 3]
    assert sorted(set(identities(load(tmp_path, split=1), "train"))) == [2, 3]
    with pytest.raises(FormatError, match="split=10"):
        load(tmp_path, split=10)


def test_our_splits_are_the_documented_draws(tmp_path: Path) -> None:
    root = trees.viper(tmp_path)
    people = np.array([f"person {n:04d}" for n in (0, 1, 5, 872)])
    for split in range(10):
        frame = load(root, split=split).frame
        learnt = set(np.random.default_rng(split).permutation(people)[:2])
        assert set(frame.loc[frame["split"] == "train", "identity_name"]) == learnt


def test_prid_in_the_other_direction_and_as_its_owners_search(tmp_path: Path) -> None:
    root = trees.prid(tmp_path)
    back = load(root, direction="b-to-a")
    assert {back.camera_names[c] for c in back.query.camera} == {"b"}
    assert {201, 385} <= set(identities(back, "gallery")) and 749 not in identities(back, "gallery")
    whole = load(root, training="none")
    assert len(whole.train) == 0 and identities(whole, "query") == [1, 2, 3, 200]
    assert sorted(identities(whole, "gallery")) == [1, 2, 3, 200, 201, 749]
    assert sorted(identities(load(root, training="none", direction="b-to-a"), "gallery")) == [1, 2, 3, 200, 201, 385]
    with pytest.raises(FormatError, match="training"):
        load(root, training="all")
    (root / "single_shot" / "cam_b" / "person_0003.png").unlink()
    with pytest.raises(FormatError, match="one view only: 3"):
        load(root)


def test_cuhk01_with_a_hundred_people_searched(tmp_path: Path) -> None:
    names = [f"{person:04d}{image:03d}.png" for person in range(1, 103) for image in (1, 2, 3, 4)]
    root = trees.fill(tmp_path / "campus", names).parent
    records = load(root, testing="hundred", split=4)
    assert len(set(identities(records, "train"))) == 2 and len(set(identities(records, "query"))) == 100
    assert len(records.query) == len(records.gallery) == 200
    assert set(load(root, split=4).frame["split"]) == {"train", "query", "gallery"}
    with pytest.raises(FormatError, match="testing"):
        load(root, testing="ten")
    small = trees.cuhk01(tmp_path / "small")
    with pytest.raises(FormatError, match="4 people, of whom 100"):
        load(small, testing="hundred")


def test_cuhk01_is_scored_with_one_image_drawn_or_with_both(tmp_path: Path) -> None:
    records = load(trees.cuhk01(tmp_path))
    query, gallery = records.query, records.gallery
    distance = 1.0 - (query.identity[:, None] == gallery.identity)
    drawn = evaluate_cmc(distance, query.identity, gallery.identity, camera_rule="no-camera")
    both = evaluate_ranking(distance, query.identity, gallery.identity, protocol="no-camera")
    assert drawn.rank(1) == both.rank(1) == both.mean_ap == 1.0 and drawn.answered == len(query) == 4


PRID_WAYS: dict[str, dict[str, str]] = {  # name under which the counts are published -> options
    "PRID-2011": {},
    "PRID-2011 b-to-a": {"direction": "b-to-a"},
    "PRID-2011 untrained": {"training": "none"},
    "PRID-2011 untrained b-to-a": {"training": "none", "direction": "b-to-a"},
}


@pytest.fixture(scope="module")
def whole_prid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many files as the published set has, all of one small picture."""
    root = tmp_path_factory.mktemp("prid")
    for camera, people in (("a", 385), ("b", 749)):
        folder = root / "single_shot" / f"cam_{camera}"
        folder.mkdir(parents=True)
        for person in range(1, people + 1):
            (folder / f"person_{person:04d}.png").write_bytes(trees.picture())
    return root


@pytest.mark.parametrize("name", PRID_WAYS)
def test_prid_of_full_size_has_the_published_counts(whole_prid: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        records = load(whole_prid, **PRID_WAYS[name])
    assert records.name == name in PUBLISHED
    assert require_counts(records) is records and not caplog.text


def test_viper_and_cuhk01_of_full_size_have_the_published_counts(tmp_path: Path) -> None:
    for camera, angle in (("a", 0), ("b", 90)):
        (tmp_path / "viper" / f"cam_{camera}").mkdir(parents=True)
        for person in range(632):
            (tmp_path / "viper" / f"cam_{camera}" / f"{person:03d}_{angle}.bmp").write_bytes(b"x")
    require_counts(load(tmp_path / "viper"))
    (tmp_path / "cuhk01" / "campus").mkdir(parents=True)
    for person in range(1, 972):
        for image in range(1, 5):
            (tmp_path / "cuhk01" / "campus" / f"{person:04d}{image:03d}.png").write_bytes(b"x")
    for testing in ("half", "hundred"):
        require_counts(load(tmp_path / "cuhk01", testing=testing))
