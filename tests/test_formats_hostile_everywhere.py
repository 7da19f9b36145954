"""The same hostile names in every layout of the field, whether names or lists decide what is read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from reidkit.errors import FormatError, RecordsError
from reidkit.evaluate import evaluate_ranking
from reidkit.formats import load
from reidkit.images.decode import check_images
from tests import trees
from tests.test_formats_hostile import market
from tests.test_formats_layouts import TREES

BY_NAME: dict[str, Callable[[Path], Path]] = {
    **{name: make for name, make in TREES.items() if name not in ("msmt17", "mars", "unrealperson", "folder")},
    "unrealperson": lambda root: trees.unrealperson(root, listed=False),
}
BY_LIST: dict[str, Callable[[Path], Path]] = {
    "msmt17": trees.msmt17,
    "mars": trees.mars,
    "cuhk03": trees.cuhk03_mat,
    "unrealperson": lambda root: trees.unrealperson(root, listed=True),
}
SPOILS: dict[str, Callable[[str], str]] = {
    "copy": lambda name: name.replace(".", " (1)."),
    "space": lambda name: f" {name}",
    "newline": lambda name: name.replace(".", "\n."),
    "newline at the end": lambda name: f"{name}\n",
    "other digits": lambda name: "".join(chr(0x0660 + int(c)) if c.isdecimal() else c for c in name),
    "other letters": lambda name: f"姓{name}",
}


@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize("layout", BY_NAME)
def test_a_spoilt_name_is_refused_and_shown_where_names_decide(tmp_path: Path, layout: str, spoil: str) -> None:
    root = BY_NAME[layout](tmp_path)
    good = Path(load(root, layout).paths[0])
    odd = good.with_name(SPOILS[spoil](good.name))
    odd.write_bytes(trees.picture(9000))
    with pytest.raises(FormatError, match="do not parse") as caught:
        load(root, layout)
    assert repr(odd.name)[1:] in caught.value.what
    assert caught.value.rule and caught.value.action


@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize("layout", BY_LIST)
def test_a_spoilt_name_beside_the_listed_ones_changes_nothing(tmp_path: Path, layout: str, spoil: str) -> None:
    root = BY_LIST[layout](tmp_path)
    records = load(root, layout)
    good = Path(records.paths[0])
    good.with_name(SPOILS[spoil](good.name)).write_bytes(trees.picture(9000))
    pd.testing.assert_frame_equal(load(root, layout).frame, records.frame)


@pytest.mark.parametrize(
    ("layout", "listing", "line"),
    [
        ("msmt17", "list_query.txt", "0000/0000_000_01_0303morning_0030_0 (1).jpg 0"),
        ("msmt17", "list_query.txt", "0000/0000_000_01_0303morning_0030_0.jpg"),
        ("unrealperson", "list_unreal_train.txt", "unreal_v1.1/images/333_c002_9(1).jpg 0 2"),
        ("unrealperson", "list_unreal_train.txt", "unreal_v1.1/images/333_c002_姓.jpg 0 2"),
        ("mars", "info/train_name.txt", "0001C1T0001F002 (1).jpg"),
    ],
)
def test_a_spoilt_line_of_a_list_is_refused_and_shown(tmp_path: Path, layout: str, listing: str, line: str) -> None:
    root = BY_LIST[layout](tmp_path)
    lines = (root / listing).read_text(encoding="utf-8").splitlines()
    lines[-1] = line
    (root / listing).write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(FormatError, match=r"do not (parse|fit)") as caught:
        load(root, layout)
    assert line.split(".jpg")[0] in caught.value.what


@pytest.mark.parametrize("layout", BY_NAME)
def test_mixed_case_is_read_in_every_layout_and_a_second_spelling_is_not(tmp_path: Path, layout: str) -> None:
    root = BY_NAME[layout](tmp_path)
    records = load(root, layout)
    good = Path(records.paths[0])
    spelt = good.with_name(good.stem + good.suffix.upper())
    content = good.read_bytes()
    good.rename(spelt)
    again = load(root, layout)
    assert len(again) == len(records) and sorted(again.identity.tolist()) == sorted(records.identity.tolist())
    good.write_bytes(content)
    with pytest.raises(FormatError) as caught:  # one name of a handful is more than 1 %
        load(root, layout)
    assert good.stem in caught.value.what


@pytest.mark.parametrize("layout", ["msmt17", "mars"])
def test_an_image_that_a_list_names_twice_is_refused(tmp_path: Path, layout: str) -> None:
    root = BY_LIST[layout](tmp_path)
    listing = root / {"msmt17": "list_gallery.txt", "mars": "info/train_name.txt"}[layout]
    lines = listing.read_text().splitlines()
    listing.write_text("\n".join([lines[0], lines[0], *lines[2:]]))
    with pytest.raises(RecordsError, match="one row only"):
        load(root, layout)


@pytest.mark.parametrize("splits", [("train", "train"), ("train", "gallery"), ("query", "gallery")])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_that_names_an_image_twice_is_refused(tmp_path: Path, splits: tuple[str, str], suffix: str) -> None:
    trees.fill(tmp_path, ["a b.jpg", "ü\n.jpg", "c.jpg"])
    frame = pd.DataFrame({"path": ["ü\n.jpg", "ü\n.jpg", "a b.jpg"], "identity": [1, 1, 2], "camera": [1, 2, 1]})
    frame["split"] = [*splits, "train"]
    table = tmp_path / f"set{suffix}"
    write = frame.to_csv if suffix == ".csv" else frame.to_parquet
    write(table, index=False)
    with pytest.raises(RecordsError, match="one row only"):
        load(table)
    write = frame.iloc[1:].to_csv if suffix == ".csv" else frame.iloc[1:].to_parquet
    write(table, index=False)
    assert load(table).frame["path"].tolist() == ["ü\n.jpg", "a b.jpg"]


@pytest.mark.parametrize("layout", TREES)
def test_pictures_are_decoded_by_content_in_every_layout(tmp_path: Path, layout: str) -> None:
    """Every tree holds JPEG data, also under .png and .bmp."""
    records = load(TREES[layout](tmp_path))
    assert check_images(records, progress=False).empty


def test_a_name_in_query_and_gallery_is_said_and_scores_stay(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = market(tmp_path)
    before = load(root)
    (root / "bounding_box_test" / "9001_C1s1_000001_00.jpg").write_bytes(trees.picture(7))
    with caplog.at_level(logging.WARNING):
        after = load(root)
    assert "1 names stand in query and gallery: '9001_c1s1_000001_00.jpg'" in caplog.text
    scores = []
    for records in (before, after):
        query, gallery = records.query, records.gallery
        distance = (gallery.identity[None] != query.identity[:, None]).astype(float)
        distance[:, gallery.camera == query.camera[0]] = 0.0  # the copy would be found first
        scores.append(evaluate_ranking(distance, query.identity, gallery.identity, query.camera, gallery.camera).mean_ap)
    assert scores[0] == scores[1] > 0


def test_people_with_one_image_are_people(tmp_path: Path) -> None:
    root = market(tmp_path)
    trees.fill(root / "bounding_box_train", ["0044_c1s1_000001_00.jpg"])
    trees.fill(root / "query", ["9002_c1s1_000001_00.jpg"])
    trees.fill(root / "bounding_box_test", ["9003_c1s1_000001_00.jpg"])
    records = load(root)
    assert (records.train.identity == 44).sum() == 1 and {9002} == set(records.query.identity) - set(records.gallery.identity)
    assert 9003 in records.gallery.identity
