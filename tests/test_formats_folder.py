"""A folder of identities, with and without splits and cameras."""

from __future__ import annotations

from pathlib import Path

import pytest

from reidkit.errors import FormatError, RecordsError
from reidkit.formats import load
from tests import trees


def test_a_folder_of_identities(tmp_path: Path) -> None:
    trees.fill(tmp_path, ["7/a_c2.jpg", "0007/a_c1.jpg", "10/x_c2.JPG", "9/y_c10.png", "Zoë Ünal/z_c1.webp"])
    records = load(tmp_path)
    assert records.frame["identity_name"].tolist() == ["0007", "10", "7", "9", "Zoë Ünal"]
    assert records.identity.tolist() == [1, 4, 2, 3, 5], "numbered from 1 in natural order; 0007 and 7 are two people"
    assert records.num_cameras == 1
    seen = load(tmp_path, camera=r"_c(\d+)")
    assert seen.camera_names == ("1", "2", "10")
    assert load(tmp_path, camera=r"_c(?P<camera>\d+)").camera.tolist() == seen.camera.tolist()


def test_folders_called_0_and_minus_1_are_people(tmp_path: Path) -> None:
    records = load(trees.fill(tmp_path, ["0/a.jpg", "-1/b.jpg"]))
    assert sorted(records.identity.tolist()) == [1, 2]


def test_a_folder_with_splits(tmp_path: Path) -> None:
    trees.fill(tmp_path, ["train/anna/1.jpg", "query/bob/1.jpg", "gallery/bob/2.jpg", "gallery/eve/1.jpg"])
    assert load(tmp_path).summary()["images"].tolist() == [1, 1, 2]
    trees.fill(tmp_path, ["other/anna/1.jpg"])
    with pytest.raises(FormatError, match="splits"):
        load(tmp_path, "folder")


def test_an_identity_in_train_and_test_is_refused(tmp_path: Path) -> None:
    trees.fill(tmp_path, ["train/anna/1.jpg", "query/anna/2.jpg", "gallery/anna/3.jpg"])
    with pytest.raises(RecordsError, match="disjoint"):
        load(tmp_path)


@pytest.mark.parametrize("pattern", ["(", "c", r"camera(\d)"])
def test_a_camera_pattern_that_finds_nothing(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(FormatError, match="camera"):
        load(trees.fill(tmp_path, ["anna/1_c1.jpg"]), camera=pattern)
