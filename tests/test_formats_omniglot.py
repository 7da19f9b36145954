"""Omniglot: tiny trees always, and the real archives where they are present."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from reidkit.errors import FormatError
from reidkit.formats import load, omniglot
from reidkit.images.batches import load_batch
from reidkit.images.decode import check_images
from reidkit.images.views import make_view
from tests import trees

REPOSITORY = Path(__file__).parents[1]
PLACES = [REPOSITORY / "data" / "omniglot", REPOSITORY.parent / "shared" / "data" / "omniglot"]
FOLDER = Path(os.environ.get("REIDKIT_OMNIGLOT") or next((place for place in PLACES if place.is_dir()), PLACES[0]))
ARCHIVES = [FOLDER / f"images_background_small{n}.zip" for n in (1, 2)]
real = pytest.mark.skipif(
    not all(path.is_file() for path in ARCHIVES),
    reason="images_background_small1.zip and 2.zip not found; get them from github.com/brendenlake/omniglot (folder python) "
    "and set REIDKIT_OMNIGLOT to their folder",
)


def archive(path: Path, tree: Path) -> Path:
    with zipfile.ZipFile(path, "w") as target:
        for file in sorted(tree.rglob("*.png")):
            target.write(file, file.relative_to(tree.parent).as_posix())
    return path


def test_a_tiny_archive_goes_all_the_way(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.zip", trees.omniglot(tmp_path / "images_small"))
    records = omniglot.unpack([path], tmp_path / "out")
    assert len(records) == 40 and records.root == tmp_path / "out"
    assert records.camera_names == ("1", "2", "3", "4")
    assert records.frame["identity_name"].nunique() == 10
    assert set(records.frame["alphabet"]) == {"Greek", "Latin"}
    assert "Greek/character01" in set(records.frame["identity_name"])
    assert len(set(records.train.identity.tolist())) == 6, "60 % of ten characters"
    again = omniglot.unpack([str(path)], str(tmp_path / "out"))
    assert again.frame.equals(records.frame) and load(tmp_path / "out").frame.equals(records.frame)


def test_queries_are_whole_drawers_of_a_character(tmp_path: Path) -> None:
    records = load(trees.omniglot(tmp_path), train=0.5, queries=3, seed=7)
    for identity in set(records.query.identity.tolist()):
        asks = records.query.camera[records.query.identity == identity]
        answers = records.gallery.camera[records.gallery.identity == identity]
        assert len(asks) == 3 and len(answers) == 1 and not set(asks) & set(answers)
    assert not load(tmp_path, seed=1).frame["split"].equals(load(tmp_path, seed=2).frame["split"])
    assert len(load(tmp_path, train=1.0).query) == 0


def test_the_same_drawing_in_two_sets_counts_once(tmp_path: Path) -> None:
    trees.omniglot(tmp_path / "small1", ("Greek",))
    trees.omniglot(tmp_path / "small2", ("Greek", "Latin"))
    records = load(tmp_path)
    assert len(records) == 40
    assert records.frame["path"].str.startswith("small1/Greek").sum() == 20
    (tmp_path / "small2" / "Greek" / "character02" / "0002_03.png").write_bytes(trees.picture(9))
    with pytest.raises(FormatError, match="'Greek/character02 by drawer 3'"):
        load(tmp_path)


def test_other_files_among_the_drawings(tmp_path: Path) -> None:
    trees.omniglot(tmp_path)
    trees.fill(tmp_path / "Greek" / "character01", ["0001_01 (1).png"])
    with pytest.raises(FormatError, match=r"0001_01 \(1\)\.png"):
        load(tmp_path)


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.zip", trees.fill(tmp_path / "set", ["a/1.png", "b/2.png"]))
    with pytest.raises(FormatError, match="Omniglot lies as"):
        omniglot.unpack([path], tmp_path / "out")


@real
def test_the_published_archives(tmp_path: Path) -> None:
    records = omniglot.unpack(ARCHIVES, tmp_path / "omniglot")
    assert len(records) == 4840, "2,720 + 3,120 drawings, of which Greek and Latin (1,000) stand in both"
    assert records.num_cameras == 20
    assert records.frame["identity_name"].nunique() == 242
    assert records.frame["alphabet"].nunique() == 8
    assert (records.frame.groupby("identity")["camera"].nunique() == 20).all()
    assert records.summary()["images"].tolist() == [2900, 194, 1746]
    assert records.name == "Omniglot" and records.frame.attrs["unparsed"] == []
    some = records.take(np.arange(0, 4840, 10))
    assert check_images(some, progress=False).empty
    (seen,) = load_batch(some, np.arange(16), [make_view("none", (64, 64))], seed=(0,))
    assert seen.shape == (16, 3, 64, 64)
    assert seen.std() > 0.3, "black strokes on white"
