"""The browser of any records and the statistics behind it, against counting by hand."""

from collections import Counter
from itertools import pairwise

import ipywidgets
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from reidkit.diagnose.records_summary import MOST_VALUES, group_table, image_groups, records_summary
from reidkit.errors import DiagnosisError, ReidkitError
from reidkit.records import Records, make_records
from reidkit.show import Picture, RecordsBrowser
from reidkit.show import galleries as module
from reidkit.show.thumbnails import MOST


def records(images: int = 40, seed: int = 0, **columns: object) -> Records:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"path": [f"{i}.png" for i in range(images)], "identity": rng.integers(-1, 8, images)})
    frame["camera"] = [f"gate {c}" for c in rng.integers(0, 3, images)]
    pixels = rng.integers(0, 256, (images, 16, 8, 3), np.uint8)
    return make_records(frame.assign(**columns), pixels=pixels, drawn=True, check_paths=False, name="toy")


def nuisances(images: int = 40) -> Records:
    rng = np.random.default_rng(1)
    yaw = np.where(np.arange(images) < 3, np.nan, rng.random(images) * 360)
    return records(images, yaw=yaw, occluded=rng.random(images) < 0.3, tracklet=np.arange(images) // 2)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_the_summary_equals_counting_by_hand(seed, images):
    table = records(images, seed)
    found, people = records_summary(table, permutations=3), [(i, c) for i, c in zip(table.identity, table.camera) if i > 0]
    sizes = sorted(Counter(i for i, _ in people).values())
    assert found.value("images") == images and found.value("identities") == len(sizes)
    assert found.value("junk") == sum(table.identity == -1) and found.value("distractors") == sum(table.identity == 0)
    if sizes:
        wanted = [sizes[0], np.median(sizes), sizes[-1]]
        assert [found.value(f"images_per_identity_{name}") for name in ("min", "median", "max")] == wanted
        nats = mutual_info_score(*zip(*people))
        assert found.value("camera_information") == pytest.approx(nats, abs=1e-9)
        assert found.value("camera_information_bits") == pytest.approx(nats / np.log(2), abs=1e-9)
    else:
        assert np.isnan(found.value("camera_information"))
    views = Counter(len({c for i, c in people if i == who}) for who in {i for i, _ in people})
    assert dict(found.cameras_per_identity.itertuples(index=False)) == views
    for row in found.per_camera.itertuples():
        who = table.identity[table.camera == table.camera_names.index(row.camera)]
        assert (row.images, row.identities) == (len(who), len(set(who[who > 0].tolist())))
        assert (row.distractors, row.junk) == (sum(who == 0), sum(who == -1))
    assert str(images) in found.describe()


def test_one_camera_a_person_tells_everything_and_names_are_checked():
    table = make_records(
        pd.DataFrame({"path": list("abcd"), "identity": [1, 1, 2, 2], "camera": [0, 0, 1, 1]}), check_paths=False
    )
    found = records_summary(table)
    assert found.value("camera_information_bits") == pytest.approx(1.0)
    assert found.value("camera_entropy") == pytest.approx(np.log(2))
    assert 0 <= found.value("camera_information_chance") < np.log(2)
    assert "2 seen by one camera only" in found.describe()
    with pytest.raises(DiagnosisError, match="Did you mean 'images'"):
        found.value("image")


def test_groups_are_values_names_or_ranges_and_every_image_has_one():
    table = nuisances(60)
    camera = image_groups(table, "camera")
    assert camera.astype(str).tolist() == [table.camera_names[c] for c in table.camera]
    assert image_groups(table, "tracklet").cat.categories.tolist() == [str(n) for n in range(30)]
    yaw = image_groups(table, "yaw")
    assert yaw.iloc[:3].tolist() == ["unknown"] * 3 and yaw.cat.categories[-1] == "unknown"
    assert table.frame["yaw"].nunique() > MOST_VALUES and len(yaw.cat.categories) == 7
    ranges = [table.frame["yaw"][yaw == name] for name in yaw.cat.categories[:-1]]
    assert all(a.max() <= b.min() for a, b in pairwise(ranges)) and sum(map(len, ranges)) == 57
    counted = group_table(table, image_groups(table, "occluded")).set_index("group")
    for value, name in ((False, "False"), (True, "True")):
        rows = (table.frame["occluded"] == value).to_numpy()
        wanted = [rows.sum(), len(set(table.camera[rows])), len({i for i in table.identity[rows] if i > 0})]
        assert counted.loc[name, ["images", "cameras", "identities"]].tolist() == wanted
    assert "identities" not in group_table(table.blind(), camera)
    with pytest.raises(DiagnosisError, match="Did you mean 'yaw'"):
        image_groups(table, "yaws")


def test_four_faces_and_a_headless_twin(monkeypatch):
    monkeypatch.delenv("REIDKIT_HEADLESS", raising=False)
    view = RecordsBrowser(nuisances())
    live = view.show()
    bar, picture, sentence, status = live.children
    assert all(isinstance(c, ipywidgets.Dropdown | ipywidgets.IntSlider) and c.description for c in bar.children)
    assert 'alt="' in picture.value and "aria-live" in sentence.value and status.value == ""
    assert len(view.data()) and "groups by identity" in view.describe()
    monkeypatch.setenv("REIDKIT_HEADLESS", "1")
    shown = view.show()
    assert isinstance(shown, Picture) and shown.png == view.static().png


@pytest.mark.parametrize("by", ["identity", "camera", "split", "yaw", "occluded", "tracklet"])
def test_every_column_can_be_browsed_alone_or_by_camera(by):
    table = nuisances()
    view = RecordsBrowser(table, by=by)
    assert by in view.columns and "path" not in view.columns
    assert view.data()["images"].sum() == len(table)
    assert f"{by} {view.data()['group'].iloc[0]}" in view.static().alt
    whole = dict(view.data()[["group", "images"]].itertuples(index=False))
    view.set(camera="gate 1")
    assert all(images <= whole[group] for group, images in view.data()[["group", "images"]].itertuples(index=False))
    assert view.data()["images"].sum() == (table.camera == 1).sum() and "camera gate 1" in view.describe()


def test_a_page_shows_its_groups_pictures_only(monkeypatch):
    asked = []

    def keep(table, rows, **options):
        asked.append((table, list(rows)))
        return np.zeros((len(rows), 8, 4, 3), np.uint8)

    monkeypatch.setattr(module, "thumbnails", keep)
    view = RecordsBrowser(records(60), rows=2, across=3)
    groups = view.data()["group"].tolist()
    for page in range(1, 6):
        view.set(page=page).static()
        table, rows = asked.pop()
        assert {str(i) for i in table.identity[rows]} == set(groups[2 * page - 2 : 2 * page]) and len(rows) <= 6
    view.set(by="split").static()
    assert len(asked.pop()[1]) == 3 and "1 group by" in view.describe()
    RecordsBrowser(records(600), by="split", rows=50, across=900).static()
    assert len(asked.pop()[1]) <= MOST


def test_controls_turn_the_picture_and_refusals_name_the_rule():
    view = RecordsBrowser(nuisances(), rows=3)
    live = view.live()
    bar, picture = live.children[:2]
    for control, value in zip(bar.children, ("yaw", "gate 2", 2)):
        before = picture.value
        control.value = value
        assert picture.value != before
    assert (view.by, view.camera, view.page) == ("yaw", "gate 2", 2)
    for wrong in ({"by": "path"}, {"camera": "gate 9"}, {"page": 999}, {"color": 1}):
        with pytest.raises(ReidkitError):
            view.set(**wrong)
    with pytest.raises(ReidkitError, match="by='colour'"):
        RecordsBrowser(nuisances(), by="colour")


def test_images_without_identities_empty_sets_and_hostile_names():
    empty = RecordsBrowser(records(8).split("query"))
    assert empty.describe().startswith("0 images") and empty.static().png and not len(empty.data())
    table = nuisances()
    assert RecordsBrowser(table.blind()).by == "camera"
    hostile = records(8, note=["<script>\x07"] * 8)
    assert "<script>" not in RecordsBrowser(hostile, by="note").static().html()
