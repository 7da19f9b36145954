"""Every layout of the field on a tiny tree with the published names: what is read, and that it is found without being named."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from reidkit.errors import FormatError, RecordsError
from reidkit.formats import LAYOUTS, detect, load
from reidkit.formats.counts import PUBLISHED, compare_counts, require_counts
from reidkit.records import Records
from tests import trees

TREES: dict[str, Callable[[Path], Path]] = {
    "market1501": lambda root: trees.three_folders(root, trees.MARKET),
    "dukemtmc": lambda root: trees.three_folders(root, trees.DUKE),
    "msmt17": trees.msmt17,
    "cuhk03": lambda root: trees.three_folders(root / "detected", trees.CUHK03_NP).parent,
    "mars": trees.mars,
    "personx": lambda root: trees.three_folders(root, trees.PERSONX),
    "unrealperson": lambda root: trees.unrealperson(root, listed=True),
    "viper": trees.viper,
    "prid": trees.prid,
    "grid": trees.grid,
    "cuhk01": trees.cuhk01,
    "omniglot": trees.omniglot,
    "folder": lambda root: trees.fill(root, ["anna/1.jpg", "anna/2.jpg", "bob/1.jpg"]),
}


@pytest.mark.parametrize("name", TREES)
def test_a_layout_is_found_without_its_name(name: str, tmp_path: Path) -> None:
    root = TREES[name](tmp_path / "set")
    layout, found = detect(root)
    assert (layout.name, found) == (name, root)
    named, detected = load(root, name), load(root)
    pd.testing.assert_frame_equal(named.frame, detected.frame)
    assert named.camera_names == detected.camera_names
    assert all(Path(path).is_file() for path in detected.paths)
    assert sorted(set(detected.camera.tolist())) == list(range(detected.num_cameras))


@pytest.mark.parametrize("name", [name for name in TREES if name != "folder"])
def test_the_folder_above_will_do(name: str, tmp_path: Path) -> None:
    root = TREES[name](tmp_path / "all" / "set")
    (tmp_path / "all" / "notes").mkdir()
    assert load(tmp_path / "all").paths == load(root).paths
    assert load(tmp_path / "all", name).paths == load(root).paths


def test_every_layout_has_a_tree_here() -> None:
    assert set(LAYOUTS) == {*TREES, "table"}


def test_two_sets_in_one_folder_must_be_named(tmp_path: Path) -> None:
    trees.three_folders(tmp_path / "a", trees.MARKET)
    trees.msmt17(tmp_path / "b")
    with pytest.raises(FormatError, match="several data sets: 'a', 'b'"):
        load(tmp_path)


def identities(records: Records, split: str) -> list[int]:
    return records.split(split).identity.tolist()


def test_market(tmp_path: Path) -> None:
    records = load(TREES["market1501"](tmp_path))
    assert len(records) == 9, "Thumbs.db, which the release holds, is no image"
    assert identities(records, "train") == [2, 2, 7]
    assert identities(records, "query") == [1, 3]
    assert identities(records, "gallery") == [-1, 0, 1, 3]
    assert records.camera_names == ("1", "2", "3", "4", "6"), "camera 5 is not there; the original numbers are kept"
    row = records.frame[records.frame["path"] == "bounding_box_test/0003_c1s6_015971_04.jpg"].iloc[0]
    assert (row["sequence"], row["frame"], row["box"], row["split"]) == (6, 15971, 4, "gallery")
    assert records.name == "Market-1501"
    assert records.frame.attrs["unparsed"] == []


def test_duke(tmp_path: Path) -> None:
    records = load(TREES["dukemtmc"](tmp_path))
    assert records.frame["frame"].tolist() == [46182, 51341, 46985, 51781, 1]
    assert records.camera_names == ("2", "5", "8")
    assert records.name == "DukeMTMC-reID"


@pytest.mark.parametrize("version", [1, 2])
def test_msmt17(tmp_path: Path, version: int) -> None:
    records = load(trees.msmt17(tmp_path, version))
    assert records.name == f"MSMT17-V{version}"
    assert identities(records, "train") == [1, 2, 1], "label 0 is a person, and list_val trains"
    assert identities(records, "query") == [3] and identities(records, "gallery") == [3, 4], "test labels name other people"
    assert records.camera_names == ("1", "7", "10", "15")
    assert records.frame["slot"].tolist()[:2] == ["0303morning", "0302noon"]
    assert records.frame["frame"].tolist()[:3] == [8, 1011, 1398]
    assert len(load(tmp_path, training="train").train) == 2
    with pytest.raises(FormatError, match="training"):
        load(tmp_path, training="val")


def test_msmt17_lists_must_name_files_that_exist(tmp_path: Path) -> None:
    root = trees.msmt17(tmp_path)
    (root / "test" / "0001" / "0001_004_01_0303morning_0033_2.jpg").unlink()
    with pytest.raises(RecordsError, match="0001_004_01_0303morning_0033_2"):
        load(root)


def test_msmt17_lists_lead_nowhere_else(tmp_path: Path) -> None:
    root = trees.msmt17(tmp_path)
    with (root / "list_gallery.txt").open("a") as lines:
        lines.write("../../0001_004_01_0303morning_0033_2.jpg 1\n")
    with pytest.raises(FormatError, match="outside"):
        load(root)


@pytest.mark.parametrize("boxes", ["detected", "labeled"])
def test_cuhk03_in_market_style(tmp_path: Path, boxes: str) -> None:
    for kind in ("detected", "labeled"):
        trees.three_folders(tmp_path / kind, trees.CUHK03_NP)
    (tmp_path / "labeled" / "query" / "0003_c2_27.png").unlink()
    records = load(tmp_path, boxes=boxes)
    assert records.name == f"CUHK03-NP {boxes}"
    assert len(records.query) == {"detected": 2, "labeled": 1}[boxes]
    assert records.camera_names == ("1", "2")
    alone = load(tmp_path / boxes)
    assert alone.name == records.name and alone.frame["path"].tolist() == records.frame["path"].tolist()


@pytest.mark.parametrize("boxes", ["detected", "labeled"])
def test_cuhk03_from_the_protocols_files(tmp_path: Path, boxes: str) -> None:
    records = load(trees.cuhk03_mat(tmp_path), boxes=boxes)
    assert records.frame["path"].tolist()[:3] == [f"images_{boxes}/{n}.png" for n in ("1_001_1_01", "1_001_2_06", "1_002_1_01")]
    assert identities(records, "train") == [1, 1]
    assert identities(records, "query") == [2, 1400] and identities(records, "gallery") == [2, 1400]
    assert records.camera_names == ("1", "2")
    assert records.frame["pair"].tolist() == [1, 1, 1, 5, 1, 5]


def test_cuhk03_damaged_protocol_file(tmp_path: Path) -> None:
    root = trees.cuhk03_mat(tmp_path)
    savemat(root / "cuhk03_new_protocol_config_detected.mat", {"labels": np.zeros(3)})
    with pytest.raises(FormatError, match="cuhk03_new_protocol_config_detected"):
        load(root)
    with pytest.raises(FormatError, match="boxes"):
        load(root, boxes="drawn")


def test_mars(tmp_path: Path) -> None:
    records = load(trees.mars(tmp_path))
    assert len(records) == 9
    frame = records.frame
    assert frame.loc[frame["split"] == "train", "tracklet"].tolist() == [0, 0, 1]
    assert identities(records, "query") == [2, 2, 6]
    assert identities(records, "gallery") == [-1, 0, 2]
    assert frame.loc[frame["identity"] == -1, "path"].tolist() == ["bbox_test/00-1/00-1C1T0001F001.jpg"]
    assert frame.loc[frame["also_gallery"], "split"].unique().tolist() == ["query"]
    assert frame.loc[frame["split"] == "query", "tracklet"].tolist() == [4, 4, 6]
    assert records.camera_names == ("1", "2", "3", "4")


@pytest.mark.parametrize(
    ("file", "variable", "value", "words"),
    [
        ("tracks_test_info.mat", "track_test_info", [[1, 99, 2, 1]], "does not fit"),
        ("tracks_test_info.mat", "track_test_info", [[0, 1, 2, 1]], "does not fit"),
        ("tracks_test_info.mat", "track_test_info", [[3, 4, 2, 2]], "do not fit their tracklet"),
        ("tracks_test_info.mat", "track_test_info", [[3, 4, 5, 1]], "do not fit their tracklet"),
        ("tracks_test_info.mat", "other", [[3, 4, 2, 1]], "cannot be read"),
        ("query_IDX.mat", "query_IDX", [[6]], "do not exist"),
    ],
)
def test_mars_tables_that_do_not_fit(tmp_path: Path, file: str, variable: str, value: list, words: str) -> None:
    root = trees.mars(tmp_path)
    savemat(root / "info" / file, {variable: np.array(value)})
    with pytest.raises(FormatError, match=words):
        load(root)


def test_personx_with_backgrounds(tmp_path: Path) -> None:
    records = load(trees.personx_v1(tmp_path))
    assert len(records) == 10
    assert sorted(set(records.frame["background"])) == [1, 4]
    assert records.camera_names == ("1", "4", "8")
    assert records.frame["viewpoint"].between(1, 36).all()
    assert set(load(tmp_path, backgrounds=(4,)).frame["background"]) == {4}
    with pytest.raises(FormatError, match="no background 3"):
        load(tmp_path, backgrounds=(3,))


def test_personx_subset_keeps_its_camera_labels(tmp_path: Path) -> None:
    records = load(TREES["personx"](tmp_path))
    assert records.camera_names == ("3", "4", "8")
    assert identities(records, "gallery") == [2, 2]


@pytest.mark.parametrize("listed", [True, False])
def test_unrealperson(tmp_path: Path, listed: bool) -> None:
    records = load(trees.unrealperson(tmp_path, listed=listed))
    assert len(records) == (3 if listed else 4)
    assert set(records.frame["split"]) == {"train"}
    people = dict(zip(records.frame["path"], records.identity.tolist(), strict=True))
    cameras = dict(zip(records.frame["path"], records.camera.tolist(), strict=True))
    same_body = ["unreal_v3.1/images/333_c001_78.jpg", "unreal_v1.1/images/333_c001_9.jpg"]
    assert people[same_body[0]] == people[same_body[1]], "a person is the pair (set of bodies, number)"
    assert cameras[same_body[0]] != cameras[same_body[1]], "a camera is the pair (scene, number)"
    if not listed:
        assert people["unreal_v3.2/images/333_c001_5.jpg"] != people[same_body[0]]
        assert cameras["unreal_v3.2/images/333_c001_5.jpg"] == cameras[same_body[0]]


def test_other_counts_than_the_published_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        records = load(TREES["market1501"](tmp_path))
    assert "published 12936 of 751" in caplog.text
    table = compare_counts(records)
    assert table["published_images"].tolist() == [12936, 3368, 19732]
    assert not table["agrees"].any()
    with pytest.raises(FormatError, match="12936"):
        require_counts(records)


def test_the_right_counts_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setitem(PUBLISHED, "Market-1501", {"train": (3, 2), "query": (2, None), "gallery": (4, 2)})
    records = load(TREES["market1501"](tmp_path))
    assert require_counts(records) is records
    assert not caplog.text


def test_published_counts_name_all_splits() -> None:
    assert all(set(splits) == {"train", "query", "gallery"} for splits in PUBLISHED.values())


def test_unknown_layouts_and_options_are_refused_with_a_hint(tmp_path: Path) -> None:
    root = TREES["market1501"](tmp_path)
    with pytest.raises(FormatError, match="market1501"):
        load(root, "market")
    with pytest.raises(FormatError, match="no option 'boxes'"):
        load(root, boxes="detected")
    with pytest.raises(FormatError, match="does not exist"):
        load(tmp_path / "nowhere")


def test_nothing_known(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="empty folder"):
        load(tmp_path)
    (tmp_path / "paper.pdf").write_bytes(b"x")
    with pytest.raises(FormatError, match=r"paper\.pdf"):
        load(tmp_path)
    with pytest.raises(FormatError, match=r"\.pdf"):
        load(tmp_path / "paper.pdf")
