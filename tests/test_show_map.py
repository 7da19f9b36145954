"""The embedding map: projections, what goes to the browser, and the selection that goes both ways."""

import io

import ipywidgets
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.decomposition import PCA

from reidkit.diagnose import diagnose
from reidkit.diagnose.projection import MOST, project, project_by, sample_rows
from reidkit.errors import DiagnosisError
from reidkit.records import Records, make_records
from reidkit.show import EmbeddingMap
from reidkit.show.map_widget import HERE, MapWidget
from reidkit.show.palette import COLOURS


def view(n: int = 60, *, names: list[str] | None = None) -> EmbeddingMap:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"path": [f"{i}.png" for i in range(n)], "identity": np.arange(n) // 4 + 1, "camera": np.arange(n) % 3})
    table: Records = make_records(
        frame, pixels=generator.integers(0, 255, (n, 16, 8, 3), np.uint8), drawn=True, check_paths=False
    )
    label = np.where(generator.random(n) < 0.2, -1, np.arange(n) // 4)
    cameras = table.camera if names is None else np.array(names)[table.camera]
    return EmbeddingMap(diagnose(label, cameras, identities=table.identity, features=generator.normal(size=(n, 9))), table)


def parts(live: ipywidgets.VBox) -> tuple[list, MapWidget, str, str, str]:
    bar, chart, sentence, gallery, status = live.children
    return list(bar.children), chart, sentence.value, gallery.value, status.value


def test_projection_equals_scikit_learn_and_says_what_it_carries() -> None:
    features = np.random.default_rng(0).normal(size=(50, 7)) * np.arange(1, 8)
    points, share = project(features)
    oracle = PCA(2).fit(features)
    np.testing.assert_allclose(np.abs(points), np.abs(oracle.transform(features)), atol=1e-4)
    assert share == pytest.approx(oracle.explained_variance_ratio_.sum())
    np.testing.assert_array_equal(points, project(features)[0])
    assert project(features[:, :1])[0].shape == (50, 2)


def test_curved_maps_are_repeatable_and_measured() -> None:
    features = np.random.default_rng(0).normal(size=(40, 6)) + 8 * np.eye(6)[np.arange(40) % 3]
    first, second = project_by("t-SNE", features), project_by("t-SNE", features)
    np.testing.assert_array_equal(first.points, second.points)
    assert "Trustworthiness" in first.note and "distances between groups" in first.note
    for wrong in (
        {"name": "MDS", "features": features},
        {"name": "PCA", "features": None},
        {"name": "PCA", "features": features[:2]},
    ):
        with pytest.raises(DiagnosisError):
            project_by(**wrong)


def test_very_many_images_are_drawn_evenly_and_that_is_said() -> None:
    rows = sample_rows(MOST + 50_000)
    assert len(rows) == MOST and (np.diff(rows) > 0).all() and abs(rows.mean() - (MOST + 50_000) / 2) < 1_000
    small = project_by("PCA", np.random.default_rng(0).normal(size=(30, 4)), most=10)
    assert len(small.rows) == 10 and "10 of 30 images" in small.note


def test_four_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REIDKIT_HEADLESS", "1")
    shown = view()
    assert shown.show().png == shown.static().png and shown.data()["x"].notna().all()
    assert "carry" in shown.describe() and "identity" in shown.set(colour="identity").static().alt
    monkeypatch.delenv("REIDKIT_HEADLESS")
    assert isinstance(shown.show(), ipywidgets.VBox)


def test_what_goes_to_the_browser_is_the_table() -> None:
    shown = view()
    _, chart, sentence, gallery, status = parts(shown.live())
    assert (status, gallery) == ("", "") and "aria-live" in sentence
    points = np.frombuffer(chart.xy, "<f4").reshape(-1, 2)
    low, high = np.array(chart.low), np.array(chart.high)
    np.testing.assert_allclose((points + 1) / 2 * (high - low) + low, shown.data()[["x", "y"]], atol=1e-4)
    assert np.abs(points).max() == pytest.approx(1.0)
    np.testing.assert_array_equal(np.frombuffer(chart.rows, "<i4"), np.arange(60))
    np.testing.assert_array_equal(np.frombuffer(chart.codes["cluster"], "<i4"), shown.diagnosis.labelling.label)
    assert chart.names["camera"] == ["0", "1", "2"] and chart.labels[0] == "first principal component"
    sheet = Image.open(io.BytesIO(chart.sprite))
    width, height, across = chart.tile
    assert sheet.size[0] == width * across and sheet.size[1] >= height
    assert sorted(np.frombuffer(chart.places, "<i4").tolist()) == list(range(60))


def test_pictures_for_hovering_are_drawn_evenly_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reidkit.show.live_map.SHEET", 7)
    chart = parts(view().live())[1]
    places = np.frombuffer(chart.places, "<i4")
    where = np.flatnonzero(places >= 0)
    assert places[where].tolist() == list(range(7)) and where[[0, -1]].tolist() == [0, 59] and np.ptp(np.diff(where)) <= 1


def test_many_groups_are_drawn_at_once_and_in_the_same_colours() -> None:
    shown, few = view(400).set(colour="cluster"), view(400).set(colour="camera")
    assert len(shown.static().figure.axes[0].collections) == 1 + len(COLOURS) + 1  # outliers, colours, the ringed
    drawn = sum(len(part.get_offsets()) for part in shown.static().figure.axes[0].collections)
    assert drawn == 400 and "groups share 8 colours" in [text.get_text()[-22:] for text in shown.static().figure.axes[0].texts]
    assert len(few.static().figure.axes[0].collections) == 1 + 3 + 1


def test_colours_and_shapes_tell_groups_apart_and_outliers_are_grey() -> None:
    chart = MapWidget()
    codes = np.r_[-1, np.arange(32)]
    chart.colour(codes)
    rgb = np.frombuffer(chart.rgb, np.uint8).reshape(-1, 3)
    forms = np.frombuffer(chart.forms, np.uint8)
    assert (
        rgb[0].tolist() == [200, 200, 200]
        and len({(*c, f) for c, f in zip(rgb.tolist(), forms.tolist()) if True for c in [tuple(c)]}) == 33
    )
    assert rgb[1].tobytes() == bytes.fromhex(COLOURS[0][1:])


def test_a_selection_in_the_browser_reaches_table_gallery_and_sentence() -> None:
    shown = view()
    live = shown.live()
    chart = parts(live)[1]
    chart.set_state({"selected": memoryview(np.array([3, 7, 8], "<i4").tobytes())})
    assert shown.selection.rows.tolist() == [3, 7, 8] and np.flatnonzero(shown.data()["selected"]).tolist() == [3, 7, 8]
    _, _, sentence, gallery, status = parts(live)
    assert "Selected: 3 images" in sentence and "Contact sheet of 3 pictures" in gallery and status == ""
    chart.set_state({"selected": memoryview(b"")})
    assert parts(live)[3] == "" and "Selected" not in parts(live)[2]


def test_controls_recolour_and_move_the_map_and_failures_are_shown() -> None:
    shown = view()
    live = shown.live()
    controls, chart, *_ = parts(live)
    before = chart.rgb
    controls[0].value = "camera"
    assert chart.rgb != before and "coloured by camera" in parts(live)[2]
    shown.diagnosis = diagnose([0, 0, 1], [0, 1, 0])
    with pytest.raises(DiagnosisError):
        controls[1].value = "t-SNE"
    assert "No features" in parts(live)[4]


def test_the_script_is_small_and_the_widget_stores_no_plotting_library() -> None:
    assert (HERE / "embedding_map.js").stat().st_size < 30_000
    text = (HERE / "embedding_map.js").read_text(encoding="utf-8")
    assert "http" not in text and "innerHTML" not in text and "eval(" not in text
    chart = parts(view().live())[1]
    stored = {k: v for k, v in chart.get_state().items() if k not in ("_esm", "_css")}
    assert sum(len(v) if isinstance(v, bytes) else len(str(v)) for v in stored.values()) < 200_000


def test_hostile_names_reach_the_browser_as_plain_text() -> None:
    shown = view(names=["<script>alert(1)</script>", "bell\x07", "\u202eabc"])
    assert set(parts(shown.live())[1].names["camera"]) == {"<script>alert(1)</script>", "bell\\x07", "\\u202eabc"}
