"""What real folders hold besides the right files: copies, odd names, damage, duplicates, and pictures of every size."""

from __future__ import annotations

import io
import logging
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reidkit.errors import FormatError, RecordsError
from reidkit.formats import load
from reidkit.formats.duplicates import find_duplicates, refuse_leaks
from reidkit.images.batches import load_batch
from reidkit.images.decode import check_images
from reidkit.images.views import make_view
from reidkit.records import make_records
from tests import trees

ODD = [
    "0002_c1s1_000451_03 (1).jpg",
    "0002_c1s1_000451_03 - Copy.jpg",
    "0002_c1s1_000451_03.jpg.txt",
    "0002_c1s1_000451_03.jpg\n",
    "0002_c1s1_000451_03\n.jpg",
    " 0002_c1s1_000451_04.jpg",
    "0002_c1s1_000451.jpg",
    "0002_cXs1_000451_03.jpg",
    "-2_c1s1_000451_03.jpg",
    "٠٠٠٢_c1s1_000451_03.jpg",
    "0002_c1s1_000451_03.jpg.",
    "姓名_c1s1_000451_03.jpg",
    "notes.txt",
]


def market(root: Path, train: int = 3) -> Path:
    """A Market tree whose training folder has `train` images."""
    names = [f"{2 + n // 4:04d}_c{1 + n % 4}s1_{n:06d}_00.jpg" for n in range(train)]
    return trees.three_folders(
        root,
        {
            "bounding_box_train": names,
            "query": ["9001_c1s1_000001_00.jpg"],
            "bounding_box_test": ["9001_c2s1_000001_00.jpg", "0000_c1s1_000007_00.jpg", "-1_c1s1_000009_00.jpg"],
        },
    )


@pytest.mark.parametrize("odd", ODD)
def test_one_odd_name_in_a_small_set_is_a_refusal_that_shows_it(tmp_path: Path, odd: str) -> None:
    root = market(tmp_path)
    (root / "bounding_box_train" / odd).write_bytes(trees.picture(77))
    with pytest.raises(FormatError) as caught:
        load(root)
    assert repr(f"bounding_box_train/{odd}") in caught.value.what
    assert caught.value.rule and caught.value.action


def test_up_to_one_percent_is_left_out_and_listed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = market(tmp_path, train=394)
    odd = ["0002_c1s1_000000_00 (1).jpg", "notes.txt"]
    trees.fill(root / "bounding_box_train", odd)
    with caplog.at_level(logging.WARNING):
        records = load(root)
    assert len(records) == 398
    assert records.frame.attrs["unparsed"] == [f"bounding_box_train/{name}" for name in odd]
    assert "left out 2 names" in caplog.text and "(1)" in caplog.text
    trees.fill(root / "bounding_box_train", ["a.jpg", "b.jpg", "c.jpg"])
    with pytest.raises(FormatError, match="5 of 403 names"):
        load(root)


def test_a_refusal_shows_the_first_five(tmp_path: Path) -> None:
    root = market(tmp_path)
    trees.fill(root / "query", [f"x{n}.jpg" for n in range(8)])
    with pytest.raises(FormatError) as caught:
        load(root)
    assert all(f"'query/x{n}.jpg'" in caught.value.what for n in range(5)) and "x5" not in caught.value.what
    assert "and 3 more" in caught.value.what


def test_no_name_at_all_parses(tmp_path: Path) -> None:
    trees.three_folders(tmp_path, {folder: ["a.jpg", "b.jpg"] for folder in trees.MARKET})
    with pytest.raises(FormatError, match=r"6 of 6 names do not parse: 'bounding_box_train/a\.jpg'"):
        load(tmp_path)


def test_an_empty_split_and_a_missing_folder_are_named(tmp_path: Path) -> None:
    root = market(tmp_path)
    (root / "query" / "9001_c1s1_000001_00.jpg").unlink()
    with pytest.raises(FormatError, match="query: no images"):
        load(root)
    (root / "query").rmdir()
    with pytest.raises(FormatError, match="no folder 'query'"):
        load(root)


def test_mixed_case_is_read_and_copies_that_differ_in_case_are_not(tmp_path: Path) -> None:
    root = market(tmp_path, train=200)
    (root / "bounding_box_train" / "0009_C1S1_000451_03.JPG").write_bytes(trees.picture(9))
    assert len(load(root).train) == 201
    (root / "bounding_box_train" / "0009_c1s1_000451_03.jpg").write_bytes(trees.picture(9))
    records = load(root)
    assert len(records.train) == 201
    assert records.frame.attrs["unparsed"] == ["bounding_box_train/0009_c1s1_000451_03.jpg"]


def test_folder_names_in_any_case_but_not_twice(tmp_path: Path) -> None:
    root = market(tmp_path)
    (root / "query").rename(root / "Query")
    assert len(load(root).query) == 1
    (root / "query").mkdir()
    with pytest.raises(FormatError, match="differ only in case"):
        load(root)


def test_housekeeping_files_do_not_count(tmp_path: Path) -> None:
    root = market(tmp_path)
    for name in ("Thumbs.db", ".DS_Store", "desktop.ini", "._0002_c1s1_000451_03.jpg", "readme.txt"):
        (root / "bounding_box_test" / name).write_bytes(b"x")
    assert load(root).frame.attrs["unparsed"] == []


@pytest.mark.parametrize("folder", ["bounding_box_train", "query"])
@pytest.mark.parametrize("name", ["0000_c1s1_000451_03.jpg", "-1_c1s1_000451_03.jpg"])
def test_nobody_belongs_in_the_gallery_only(tmp_path: Path, folder: str, name: str) -> None:
    root = market(tmp_path)
    trees.fill(root / folder, [name])
    with pytest.raises(FormatError, match="boxes of nobody") as caught:
        load(root)
    assert name in caught.value.what


def test_folders_dead_links_and_pipes_are_no_images(tmp_path: Path) -> None:
    root = market(tmp_path)
    odd = ["0005_c1s1_000451_03.jpg", "0006_c1s1_000451_03.jpg", "0007_c1s1_000451_03.jpg"]
    (root / "query" / odd[0]).mkdir()
    (root / "query" / odd[1]).symlink_to(tmp_path / "gone.jpg")
    os.mkfifo(root / "query" / odd[2])
    with pytest.raises(FormatError, match="3 of 10 names"):
        load(root)


def test_links_to_pictures_are_read(tmp_path: Path) -> None:
    root = market(tmp_path / "set")
    (tmp_path / "store.jpg").write_bytes(trees.picture(5))
    (root / "query" / "9002_c1s1_000451_03.jpg").symlink_to(tmp_path / "store.jpg")
    assert len(load(root).query) == 2


def test_names_that_are_not_unicode_are_refused_not_crashed_on(tmp_path: Path) -> None:
    trees.fill(tmp_path, ["anna/1.jpg"])
    try:
        Path(os.fsdecode(os.fsencode(tmp_path / "anna") + b"/\xff\xfe.jpg")).write_bytes(trees.picture())
    except OSError:
        pytest.skip("this file system stores Unicode names only")
    with pytest.raises(FormatError) as caught:
        load(tmp_path)
    str(caught.value).encode()


def test_a_folder_set_with_spaces_newlines_and_other_scripts(tmp_path: Path) -> None:
    names = ["Ann Ä/a b.jpg", "Ann Ä/line\nbreak.PNG", "王/图 (1).jpeg", "<b>x/=cmd.jpg"]
    records = load(trees.fill(tmp_path, names))
    assert sorted(records.frame["path"]) == sorted(names)
    assert check_images(records, progress=False).empty
    again = records.write(tmp_path / "t.parquet")
    assert sorted(pd.read_parquet(again)["path"]) == sorted(names)


def test_a_file_beside_the_identities_is_said(tmp_path: Path) -> None:
    root = trees.fill(tmp_path, ["anna/1.jpg", "anna/2.jpg", "bob/1.jpg"])
    (root / "list.csv").write_text("x")
    with pytest.raises(FormatError, match=r"list\.csv"):
        load(root, "folder")
    (root / "list.csv").unlink()
    (root / "bob" / "deeper").mkdir()
    with pytest.raises(FormatError, match="bob/deeper/"):
        load(root, "folder")


def test_a_listing_is_sorted_whatever_the_disk_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = market(tmp_path, train=40)
    first = load(root).frame
    real = os.scandir

    class Backwards:
        def __init__(self, path: object) -> None:
            with real(path) as entries:  # type: ignore[arg-type]
                self.entries = sorted(entries, key=lambda entry: entry.name, reverse=True)

        def __enter__(self):
            return iter(self.entries)

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr("reidkit.formats.listing.os.scandir", Backwards)
    pd.testing.assert_frame_equal(load(root).frame, first)


def test_jpeg_called_png_and_sizes_from_20_to_4000_pixels_reach_the_network(tmp_path: Path) -> None:
    sizes = {"anna/a.png": (20, 20), "anna/b.png": (4000, 58), "bob/c.png": (58, 3928), "eve/only.png": (300, 120)}
    for name, (height, width) in sizes.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        buffer = io.BytesIO()
        Image.new("RGB", (width, height), (10, 200, 90)).save(buffer, "JPEG")
        path.write_bytes(buffer.getvalue())
    records = load(tmp_path)
    assert check_images(records, progress=False).empty
    (seen,) = load_batch(records, np.arange(4), [make_view("strong", (64, 32))], seed=(0,))
    assert seen.shape == (4, 3, 64, 32)
    assert (records.frame["identity_name"] == "eve").sum() == 1, "one image is enough to be a person"


def test_copies_are_found_by_content_within_and_across_splits(tmp_path: Path) -> None:
    root = market(tmp_path)
    same, leak = trees.picture(500), trees.picture(501)
    (root / "bounding_box_train" / "0007_c1s1_000451_03.jpg").write_bytes(same)
    (root / "bounding_box_train" / "0008_c2s1_000451_03.jpg").write_bytes(same)
    copies = refuse_leaks(load(root))
    assert copies["path"].tolist() == [f"bounding_box_train/000{n}_c{c}s1_000451_03.jpg" for n, c in ((7, 1), (8, 2))]
    assert not copies["across"].any()
    (root / "query" / "9001_c1s1_000001_00.jpg").write_bytes(leak)
    (root / "bounding_box_test" / "9001_c2s1_000001_00.jpg").write_bytes(leak)
    found = find_duplicates(load(root))
    assert found.groupby("content")["across"].first().sort_values().tolist() == [False, True]
    with pytest.raises(FormatError, match="several splits") as caught:
        refuse_leaks(load(root))
    assert "query: query/9001" in caught.value.what and "gallery: bounding_box_test/9001" in caught.value.what


def test_copies_in_memory() -> None:
    pixels = np.zeros((3, 2, 2, 3), np.uint8)
    pixels[1] = 1
    table = make_records(pd.DataFrame({"path": list("abc"), "identity": [1, 2, 3]}), pixels=pixels)
    assert find_duplicates(table)["row"].tolist() == [0, 2]


def test_a_query_that_is_a_gallery_file_is_refused(tmp_path: Path) -> None:
    trees.fill(tmp_path, ["a.jpg", "b.jpg"])
    (tmp_path / "t.csv").write_text("path,identity,camera,split\na.jpg,1,1,query\nb.jpg,1,2,gallery\n./a.jpg,1,1,gallery\n")
    with pytest.raises(RecordsError, match="one row only"):
        load(tmp_path / "t.csv")
