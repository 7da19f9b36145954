"""Tables in CSV and Parquet: with and without cameras, other column names, and paths that lead away."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from reidkit.errors import FormatError, RecordsError
from reidkit.formats import load
from tests import trees

ROWS = [("a.jpg", 1, "north", "train"), ("b.jpg", 2, "south", "query"), ("sub/c d.jpg", 2, "north", "gallery")]


def table(root: Path, text: str, name: str = "set.csv", encoding: str = "utf-8") -> Path:
    trees.fill(root, [path for path, *_ in ROWS])
    (root / name).write_text(text, encoding=encoding, newline="")
    return root / name


def lines(separator: str = ",", end: str = "\n") -> str:
    return end.join(
        [separator.join(("path", "identity", "camera", "split")), *(separator.join(map(str, row)) for row in ROWS), ""]
    )


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_as_programs_write_it(tmp_path: Path, separator: str, end: str, encoding: str) -> None:
    records = load(table(tmp_path, lines(separator, end), encoding=encoding))
    assert records.identity.tolist() == [1, 2, 2]
    assert records.camera_names == ("north", "south") and records.camera.tolist() == [0, 1, 0]
    assert records.frame["path"].tolist() == ["a.jpg", "b.jpg", "sub/c d.jpg"]
    assert records.name == "set" and records.root == tmp_path


def test_parquet_equals_csv(tmp_path: Path) -> None:
    records = load(table(tmp_path, lines()))
    pd.DataFrame(ROWS, columns=["path", "identity", "camera", "split"]).to_parquet(tmp_path / "set.parquet")
    pd.testing.assert_frame_equal(load(tmp_path / "set.parquet").frame, records.frame)


def test_without_cameras_and_splits(tmp_path: Path) -> None:
    records = load(table(tmp_path, "path,identity\na.jpg,x\nb.jpg,y\n"))
    assert records.num_cameras == 1
    assert records.frame["split"].tolist() == ["train", "train"]
    assert records.frame["identity_name"].tolist() == ["x", "y"]


def test_other_column_names(tmp_path: Path) -> None:
    path = table(tmp_path, "file,pid,camid,identity\na.jpg,4,1,old\nb.jpg,5,2,old\n")
    records = load(path, columns={"path": "file", "identity": "pid", "camera": "camid"})
    assert records.identity.tolist() == [4, 5]
    with pytest.raises(FormatError, match="'path'") as caught:
        load(path)
    assert "columns=" in caught.value.action and "'file'" in caught.value.what
    with pytest.raises(FormatError, match="no column 'pidd'") as caught:
        load(path, columns={"identity": "pidd"})
    assert "'pid'" in caught.value.action


def test_people_called_na_and_files_called_like_numbers(tmp_path: Path) -> None:
    trees.fill(tmp_path, ["001", "1e5"])
    records = load(table(tmp_path, "path,identity\n001,NA\n1e5,null\n"))
    assert records.frame["path"].tolist() == ["001", "1e5"]
    assert records.frame["identity_name"].tolist() == ["NA", "null"]


def test_distractors_and_junk_are_kept(tmp_path: Path) -> None:
    records = load(table(tmp_path, "path,identity,split\na.jpg,-1,gallery\nb.jpg,0,gallery\nsub/c d.jpg,3,query\n"))
    assert records.identity.tolist() == [-1, 0, 3]


@pytest.mark.parametrize("hole", ["a.jpg,,1\nb.jpg,2,1", ",1,1\nb.jpg,2,1", "a.jpg,1,\nb.jpg,2,1"])
def test_holes_are_named_by_row(tmp_path: Path, hole: str) -> None:
    with pytest.raises(RecordsError, match="row 0"):
        load(table(tmp_path, f"path,identity,camera\n{hole}\n"))


@pytest.mark.parametrize(
    "path",
    ["../x.jpg", "sub/../../x.jpg", "/etc/passwd", "C:/x.jpg", "C:x.jpg", "\\\\host\\x.jpg", "https://a.b/x.jpg", "~/x.jpg"],
)
def test_paths_that_lead_away_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(FormatError, match="lead outside"):
        load(table(tmp_path, f"path,identity\na.jpg,1\n{path},2\n"), check_paths=False)


def test_absolute_paths_below_the_folder_of_images(tmp_path: Path) -> None:
    images = trees.fill(tmp_path / "images", ["x/a.jpg", "b.jpg"])
    path = table(tmp_path / "tables", f"path,identity\n{images}/x/a.jpg,1\nb.jpg,2\n")
    records = load(path, images=images)
    assert records.frame["path"].tolist() == ["x/a.jpg", "b.jpg"] and records.root == images


def test_missing_files_are_named(tmp_path: Path) -> None:
    path = table(tmp_path, "path,identity\na.jpg,1\nnone.jpg,2\n")
    with pytest.raises(RecordsError, match=r"none\.jpg"):
        load(path)
    assert len(load(path, check_paths=False)) == 2


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00binary", b'path,identity\n"open'])
def test_what_is_no_csv(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(FormatError, match=r"x\.csv"):
        load(tmp_path / "x.csv")


def test_what_is_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(FormatError, match=r"x\.parquet"):
        load(tmp_path / "x.parquet")
    with pytest.raises(FormatError):
        load(tmp_path, "table")


def test_a_header_and_no_rows(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="no rows"):
        load(table(tmp_path, "path,identity\n"))
