"""The table of images: what it accepts, what it refuses and how, and that methods cannot see identities."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.errors import RecordsError
from reidkit.records import SPLITS, ImageTable, Records, make_records, read_records


def frame_of(**columns: object) -> pd.DataFrame:
    """Six images: identities 7 and 9 train, 12 is searched for, one distractor, one junk box."""
    base: dict[str, object] = {
        "path": [f"{name}.jpg" for name in "abcdef"],
        "identity": [7, 9, 12, 12, 0, -1],
        "camera": [3, 1, 1, 3, 8, 8],
        "split": ["train", "train", "query", "gallery", "gallery", "gallery"],
    }
    return pd.DataFrame(base | columns)


def made(**columns: object) -> Records:
    return make_records(frame_of(**columns), check_paths=False)


def refusal(frame: pd.DataFrame, **options: object) -> str:
    """The text of the refusal, which always has three parts."""
    with pytest.raises(RecordsError) as caught:
        make_records(frame, name="set", **({"check_paths": False} | options))
    assert caught.value.rule and caught.value.action
    assert caught.value.what.startswith("set: ")
    return str(caught.value)


def test_cameras_are_numbered_from_zero_and_keep_their_names() -> None:
    records = made()
    assert records.camera.tolist() == [1, 0, 0, 1, 2, 2]
    assert records.camera.dtype == np.int64
    assert records.camera_names == ("1", "3", "8")
    assert records.num_cameras == 3


def test_camera_names_sort_as_people_count() -> None:
    records = made(camera=["cam10", "cam2", "10", "9", "007", "7"])
    assert records.camera_names == ("007", "7", "9", "10", "cam10", "cam2")


@pytest.mark.parametrize("odd", ["nan", "inf", "-inf", "NaN", "Infinity"])
def test_a_camera_called_nan_is_a_word_like_any_other(odd: str) -> None:
    cameras = ["b", odd, "2", "a", odd, "1"]
    one = made(camera=cameras)
    other = make_records(frame_of(camera=cameras).iloc[::-1], check_paths=False)
    assert one.camera_names == other.camera_names
    assert one.camera_names[:2] == ("1", "2")


def test_numbers_that_a_gap_turned_into_floats_are_numbers_again() -> None:
    records = made(identity=[7.0, 9.0, 12.0, 12.0, 0.0, -1.0], camera=[3.0, 1.0, 1.0, 3.0, 8.0, 8.0])
    assert records.identity.tolist() == [7, 9, 12, 12, 0, -1]
    assert records.camera_names == ("1", "3", "8")
    assert "identity_name" not in records.frame


def test_identities_by_name_are_numbered_from_one_in_natural_order() -> None:
    records = made(identity=["b", "10", "9", "9", "a", "0"])
    assert records.identity.tolist() == [5, 3, 2, 2, 4, 1]
    assert records.frame["identity_name"].tolist() == ["b", "10", "9", "9", "a", "0"]


def test_a_table_without_cameras_and_splits_is_one_camera_of_training_images() -> None:
    records = make_records(pd.DataFrame({"path": ["a", "b"], "identity": [1, 1]}), check_paths=False)
    assert records.camera.tolist() == [0, 0]
    assert records.frame["split"].tolist() == ["train", "train"]
    assert len(records.query) == len(records.gallery) == 0


def test_the_callers_frame_stays_as_it_was() -> None:
    frame = frame_of().set_index(pd.Index(list("uvwxyz")))
    before = frame.copy()
    make_records(frame, check_paths=False)
    pd.testing.assert_frame_equal(frame, before)


def test_extra_columns_stay() -> None:
    assert made(yaw=range(6)).frame["yaw"].tolist() == list(range(6))


@pytest.mark.parametrize("missing", ["path", "identity"])
def test_a_missing_column_is_named(missing: str) -> None:
    assert f"'{missing}' is missing" in refusal(frame_of().drop(columns=missing))


def test_no_rows() -> None:
    assert "no rows" in refusal(frame_of().iloc[:0])


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("path", ["a", "a", "b", "c", "d", "e"], ["row 0", "row 1", "one row only"]),
        ("path", ["a", "./a", "b", "c", "x/../b", "e"], ["row 0", "row 1", "row 2", "row 4"]),
        ("path", ["a", None, "b", "c", "d", "e"], ["row 1", "has a path"]),
        ("identity", [7, 9, 12, 12, 0, -2], ["row 5: identity=-2"]),
        ("identity", [7, None, 12, 12, 0, -1], ["row 1", "has an identity"]),
        ("identity", [12, 9, 12, 12, 0, -1], ["row 2", "row 3", "disjoint"]),
        ("camera", [3, 1, None, 3, 8, 8], ["row 2", "Every image has a camera"]),
        ("split", ["train", "test", "query", "gallery", "gallery", "val"], ["row 1: split='test'", "row 5: split='val'"]),
        ("split", ["train", None, "query", "gallery", "gallery", "gallery"], ["row 1"]),
    ],
)
def test_wrong_rows_are_named(column: str, values: list[object], words: list[str]) -> None:
    text = refusal(frame_of(**{column: values}))
    assert all(word in text for word in words), text


def test_five_rows_are_shown_and_the_rest_counted() -> None:
    text = refusal(frame_of(split=["x"] * 6))
    assert text.count("row ") == 5
    assert "1 more" in text


def test_distractors_and_junk_may_share_a_number_with_nobody() -> None:
    assert (
        made(split=["train", "train", "query", "gallery", "gallery", "gallery"], identity=[7, 0, 12, 12, 0, -1])
        .summary()
        .loc["train", "distractors"]
        == 1
    )


def test_missing_files_are_named_and_relative_to_the_root(tmp_path: Path) -> None:
    frame = frame_of()
    for path in frame["path"].iloc[:5]:
        (tmp_path / path).touch()
    text = refusal(frame, root=tmp_path, check_paths=True)
    assert "row 5" in text and "'f.jpg'" in text and str(tmp_path) in text
    (tmp_path / "f.jpg").mkdir()
    assert "row 5" in refusal(frame, root=tmp_path, check_paths=True)
    (tmp_path / "f.jpg").rmdir()
    (tmp_path / "f.jpg").touch()
    records = make_records(frame, root=tmp_path)
    assert records.paths == [str(tmp_path / path) for path in frame["path"]]


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((5, 4, 2, 3), np.uint8),
        np.zeros((6, 4, 2, 3), np.float32),
        np.zeros((6, 3, 4, 2), np.uint8),
        np.zeros((6, 4, 2), np.uint8),
    ],
)
def test_pixels_of_another_shape_or_type_are_refused(pixels: np.ndarray) -> None:
    assert "uint8 (N, H, W, 3)" in refusal(frame_of(), pixels=pixels)


def test_take_keeps_pixels_beside_their_rows() -> None:
    pixels = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1) * np.ones((1, 2, 2, 3), np.uint8)
    records = make_records(frame_of(), pixels=pixels)
    part = records.take([4, 0])
    assert part.pixels is not None
    assert part.pixels[:, 0, 0, 0].tolist() == [4, 0]
    assert part.frame["path"].tolist() == ["e.jpg", "a.jpg"]
    assert part.frame.index.tolist() == [0, 1]
    assert records.take(records.camera == 1).pixels[:, 0, 0, 0].tolist() == [0, 3]  # type: ignore[index]
    assert len(records.take([])) == 0


def test_a_split_keeps_the_cameras_of_the_whole_set() -> None:
    train = made().train
    assert train.num_cameras == 3
    assert train.camera_names == ("1", "3", "8")
    assert made().split("query", "gallery").identity.tolist() == [12, 12, 0, -1]


def test_an_unknown_split_is_named() -> None:
    with pytest.raises(RecordsError, match="val") as caught:
        made().split("val")
    assert caught.value.action


def test_blind_images_have_no_identity_anywhere() -> None:
    blind = made(yaw=range(6), frame=range(6), identity_name=list("uvwxyz")).blind()
    assert type(blind) is ImageTable
    assert set(blind.frame.columns) == {"path", "camera", "split", "frame"}
    assert not hasattr(blind, "identity") and not hasattr(blind, "truth") and not hasattr(blind, "class_labels")
    assert blind.camera_names == made().camera_names


@settings(max_examples=25, deadline=None)
@given(st.permutations([7, 9, 12, 13, 14, 15]))
def test_permuting_identities_changes_nothing_that_methods_see(identities: list[int]) -> None:
    plain = make_records(frame_of(identity=[7, 9, 12, 13, 14, 15]), check_paths=False).blind()
    other = make_records(frame_of(identity=identities), check_paths=False).blind()
    pd.testing.assert_frame_equal(plain.frame, other.frame)
    assert plain.frame.attrs == other.frame.attrs


def test_blinding_copies_so_that_writing_back_is_not_possible() -> None:
    records = made()
    frame = records.blind().frame
    frame.loc[0, "camera"] = 99
    assert records.camera[0] == 1


def test_fields_cannot_be_replaced() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        made().name = "other"  # type: ignore[misc]


def test_class_labels_are_contiguous_and_in_order_of_identity() -> None:
    records = made(identity=[90, 7, 12, 12, 0, -1]).train
    assert records.class_labels().tolist() == [1, 0]


def test_summary_counts_nobody_apart() -> None:
    summary = made().summary()
    assert list(summary.index) == list(SPLITS)
    assert summary.loc["gallery"].to_dict() == {"images": 3, "identities": 1, "cameras": 2, "distractors": 1, "junk": 1}
    assert summary["images"].sum() == 6


def test_write_and_read_give_the_same_table(tmp_path: Path) -> None:
    records = made(yaw=np.linspace(0, 1, 6))
    path = records.write(tmp_path / "deep" / "set.parquet")
    again = read_records(path)
    pd.testing.assert_frame_equal(again.frame, records.frame)
    assert again.camera_names == records.camera_names
    assert again.name == "set"
    assert [p.name for p in path.parent.iterdir()] == ["set.parquet"]


def test_a_split_that_lacks_a_camera_reads_back_with_the_same_indices(tmp_path: Path) -> None:
    part = made().split("query", "gallery").take([1, 2])
    assert part.camera.tolist() == [1, 2]
    again = read_records(part.write(tmp_path / "part.parquet"))
    assert again.camera.tolist() == [1, 2]
    assert again.num_cameras == 3
    assert again.camera_names == ("1", "3", "8")


def test_reading_under_a_root_checks_the_files(tmp_path: Path) -> None:
    path = made().write(tmp_path / "set.parquet")
    with pytest.raises(RecordsError, match="Every path is a file"):
        read_records(path, root=tmp_path)


def test_one_image_is_a_set() -> None:
    records = make_records(pd.DataFrame({"path": ["ä b\n.jpg"], "identity": ["only"], "camera": ["Nord"]}), check_paths=False)
    assert records.camera_names == ("Nord",)
    assert records.class_labels().tolist() == [0]
    assert records.summary().loc["train", "identities"] == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-1, 6), st.sampled_from([5, 2, 11]), st.sampled_from(SPLITS)),
        min_size=1,
        max_size=30,
    )
)
def test_a_table_is_accepted_exactly_when_train_and_test_are_disjoint(rows: list[tuple[int, int, str]]) -> None:
    frame = pd.DataFrame(rows, columns=["identity", "camera", "split"]).assign(path=[f"{i}" for i in range(len(rows))])
    train = {i for i, _, s in rows if s == "train" and i > 0}
    test = {i for i, _, s in rows if s != "train" and i > 0}
    if train & test:
        with pytest.raises(RecordsError, match="disjoint"):
            make_records(frame, check_paths=False)
        return
    records = make_records(frame, check_paths=False)
    assert [records.camera_names[c] for c in records.camera] == [str(c) for _, c, _ in rows]
    assert sorted(set(records.camera.tolist())) == list(range(records.num_cameras))
    assert sum(len(records.split(s)) for s in SPLITS) == len(rows)
