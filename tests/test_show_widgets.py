"""Widgets: four faces each, driven from Python as a browser would drive them; and callbacks that fail loudly."""

import json
from dataclasses import replace

import ipywidgets
import numpy as np
import pandas as pd
import pytest
from ipywidgets.embed import dependency_state
from PIL import Image

from reidkit.capsule import CapsuleWriter
from reidkit.diagnose import Diagnosis, diagnose, identity_fates
from reidkit.diagnose.deletion import ORDERS, SHARES, SIDES, PairDeletion, marked
from reidkit.diagnose.feature_maps import FeatureMaps
from reidkit.errors import DiagnosisError, ReidkitError
from reidkit.jaccard import dense_steps, jaccard_graph
from reidkit.labels import dbscan
from reidkit.records import Records, make_records
from reidkit.show import (
    ERRORS,
    BatchNormGroups,
    CameraInformation,
    CameraPairMap,
    ClusterGallery,
    EmbeddingMap,
    EpsExplorer,
    FeatureLooks,
    JaccardSteps,
    LostIdentities,
    PairCam,
    PartGallery,
    Picture,
    RunHistory,
    TableBrowser,
    View,
    strict,
)
from tests.show_toys import explorer, records


def history(table: bool = True) -> RunHistory:
    generator = np.random.default_rng(0)
    images = records(np.repeat(np.arange(1, 7), 5), np.arange(30) % 3)
    labels = np.where(generator.random((4, 30)) < 0.7, images.identity, generator.integers(-1, 6, (4, 30)))
    scores = pd.DataFrame({"epoch": [0, 3], "mean_ap": [0.2, 0.6], "rank1": [0.3, 0.7]})
    return RunHistory(labels, images.camera, images.identity, scores=scores, table=images if table else None)


def gallery() -> ClusterGallery:
    generator = np.random.default_rng(0)
    images = records(np.repeat(np.arange(1, 9), 5), np.arange(40) % 3)
    label = np.where(generator.random(40) < 0.7, images.identity, generator.integers(-1, 8, 40))
    return ClusterGallery(diagnose(label, images.camera, identities=images.identity), images, rows=3)


def diagnosed() -> tuple[Diagnosis, Records]:
    generator = np.random.default_rng(1)
    images = records(np.repeat(np.arange(1, 13), 6), np.arange(72) % 3)
    label = np.where(generator.random(72) < 0.5, images.identity, generator.integers(-1, 12, 72))
    features = np.eye(13)[images.identity] + 0.3 * generator.normal(size=(72, 13)) + np.eye(13)[images.camera] * 0.5
    return diagnose(label, images.camera, identities=images.identity, features=features.astype(np.float32)), images


def lost() -> LostIdentities:
    return LostIdentities(*diagnosed(), rows=2)


def information() -> CameraInformation:
    return CameraInformation(diagnosed()[0])


def pair_map() -> CameraPairMap:
    found, images = diagnosed()
    return CameraPairMap(found.space.features, images.camera)


def radius() -> EpsExplorer:
    found, images = diagnosed()
    graph = jaccard_graph(found.space.features, k1=6, k2=2)
    return EpsExplorer(graph, images.camera, images.identity, table=images, eps=0.5)


def jaccard_steps() -> JaccardSteps:
    found, images = diagnosed()
    return JaccardSteps(dense_steps(found.space.features, k1=8, k2=3, variant="full"), images, 8, image=2, partner=4)


def tables() -> TableBrowser:
    return TableBrowser(diagnosed()[0], rows=5).set(sort="images")


def pair() -> PairCam:
    generator = np.random.default_rng(0)
    maps, chance = generator.random((2, 16, 8), np.float32), generator.random((3, 16, 8), np.float32)
    shares = [*SHARES, *(marked(saliency) for saliency in maps)]
    rows = [(side, order, draw, share) for side in SIDES for order in ORDERS for draw in range(3) for share in shares]
    curve = pd.DataFrame(rows, columns=["side", "order", "draw", "share"])
    images = records(np.array([1, 1]), np.array([0, 1]))
    found = PairDeletion((0, 1), 0.9, 0.5, images.pixels, maps, chance, curve.assign(similarity=generator.random(len(curve))))
    return PairCam(found, images)


def looks() -> FeatureLooks:
    draw = np.random.default_rng(0)
    images = records(np.array([1, 1, 2]), np.array([0, 1, 0]))
    activity, loss, pooled, gates = (draw.random(k, np.float32) for k in ((5, 3, 4, 2), (5, 3, 16, 8), (2, 3, 12), (2, 3, 12)))
    return FeatureLooks(FeatureMaps(("g", "u", "l", "g+u", "g+l"), images.pixels, activity, loss, pooled, gates), images)


def groups() -> BatchNormGroups:
    generator, labels = np.random.default_rng(0), np.arange(12) // 3
    place = generator.normal(size=(4, 5))[labels] + generator.normal(size=(12, 5))
    return BatchNormGroups({size: place + generator.normal(size=(3, 12, 5)) / size for size in (3, 6, 9, 12)}, labels, size=6)


def parts_of() -> PartGallery:
    images = records(np.repeat(np.arange(1, 9), 5), np.arange(40) % 3)
    label = np.random.default_rng(0).integers(-1, 6, (40, 3))
    return PartGallery(label, images, names=("full", "upper", "lower"), image=4)


VIEWS = {
    "QueryExplorer": explorer,
    "RunHistory": history,
    "ClusterGallery": gallery,
    "LostIdentities": lost,
    "CameraInformation": information,
    "CameraPairMap": pair_map,
    "EpsExplorer": radius,
    "JaccardSteps": jaccard_steps,
    "TableBrowser": tables,
    "PairCam": pair,
    "PartGallery": parts_of,
    "BatchNormGroups": groups,
    "FeatureLooks": looks,
}
SLIDERS = ipywidgets.IntSlider | ipywidgets.FloatSlider


def parts(live: ipywidgets.VBox) -> tuple[list[ipywidgets.ValueWidget], str, str, str]:
    bar, picture, sentence, status = live.children[:4]
    return list(bar.children), picture.value, sentence.value, status.value


@pytest.mark.parametrize("name", VIEWS)
def test_four_faces(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REIDKIT_HEADLESS", raising=False)
    view = VIEWS[name]()
    controls, picture, sentence, status = parts(view.show())
    assert controls and all(control.description for control in controls) and status == ""
    assert ('<img src="data:image/png;base64,' in picture and 'alt="' in picture) or "<table" in picture
    assert "aria-live" in sentence and len(view.describe()) > 20
    assert isinstance(view.static(), Picture) and view.static().alt
    assert isinstance(view.data(), pd.DataFrame) and len(view.data())


@pytest.mark.parametrize("name", VIEWS)
def test_headless_shows_the_static_twin(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REIDKIT_HEADLESS", "1")
    view = VIEWS[name]()
    shown = view.show()
    assert isinstance(shown, Picture) and shown.png == view.static().png
    bundle = shown._repr_mimebundle_()
    assert bundle["text/plain"] and sum(map(len, bundle.values())) < 400_000
    monkeypatch.setenv("REIDKIT_HEADLESS", "0")
    assert isinstance(view.show(), ipywidgets.VBox)


@pytest.mark.parametrize("name", VIEWS)
def test_every_control_turns_the_picture_and_keyboards_reach_it(name: str) -> None:
    for place, state in enumerate(VIEWS[name]().controls()):
        view = VIEWS[name]()
        live = view.live()
        control = parts(live)[0][place]
        assert isinstance(control, SLIDERS | ipywidgets.Dropdown)
        other = control.min if isinstance(control, SLIDERS) else control.options[-1]
        if control.value == other:
            other = control.max if isinstance(control, SLIDERS) else control.options[0]
        before = parts(live)[1:3]
        control.value = other
        assert getattr(view, state) == other
        assert parts(live)[1:3] != before, state
        assert view.describe() in parts(live)[2].replace("&#x27;", "'").replace("&quot;", '"')


@pytest.mark.parametrize("name", VIEWS)
def test_set_refuses_what_no_control_offers(name: str) -> None:
    view = VIEWS[name]()
    with pytest.raises(ReidkitError, match="has no 'epok'"):
        view.set(epok=1)
    for state, control in view.controls().items():
        with pytest.raises(ReidkitError, match=state):
            view.set(**{state: 10**6 if isinstance(control, SLIDERS) else "nothing"})
        assert getattr(view, state) == control.value


class Broken(View):
    def __init__(self) -> None:
        self.level = 0

    def controls(self) -> dict[str, ipywidgets.ValueWidget]:
        return {"level": ipywidgets.IntSlider(self.level, 0, 9, description="level")}

    def static(self) -> Picture:
        if self.level == 5:
            raise ValueError("no <b>level</b> five")
        return gallery().static()

    def data(self) -> pd.DataFrame:
        return pd.DataFrame()

    def describe(self) -> str:
        return f"level {self.level}"


def test_an_exception_in_a_callback_is_shown_kept_and_raised() -> None:
    kept = len(ERRORS)
    live = Broken().live()
    control = parts(live)[0][0]
    with pytest.raises(ValueError, match="five"):
        control.value = 5
    assert len(ERRORS) == kept + 1 and isinstance(ERRORS[-1], ValueError)
    status = parts(live)[3]
    assert "ValueError: no &lt;b&gt;level&lt;/b&gt; five" in status and 'role="alert"' in status and "color:#B30000" in status
    control.value = 6
    assert parts(live)[3] == "" and "level 6" in parts(live)[2]
    del ERRORS[kept:]


def test_strict_keeps_results_and_names() -> None:
    @strict(ipywidgets.HTML())
    def double(x: int) -> int:
        """Twice."""
        return 2 * x

    assert double(4) == 8 and double.__name__ == "double" and double.__doc__ == "Twice."


@pytest.mark.parametrize("name", VIEWS)
def test_a_live_widget_stores_no_plotting_library(name: str) -> None:
    """What a notebook keeps of a widget: every model that hangs on it, with its whole state."""
    state = dependency_state(VIEWS[name]().live())
    assert {model["model_module"] for model in state.values()} <= {
        "@jupyter-widgets/base",
        "@jupyter-widgets/controls",
        "@jupyter-widgets/output",
    }
    text = json.dumps(state, default=str)
    assert len(text) < 600_000 and "plotly" not in text.lower() and "<script" not in text.lower()


def test_run_history_equals_a_diagnosis_of_each_epoch() -> None:
    view = history()
    for epoch, row in view.data().iterrows():
        found = diagnose(view.labels[epoch], view.cameras, identities=view.identities, permutations=5)
        for column, name, options in (
            ("clusters", "clusters", {}),
            ("outliers", "outliers", {}),
            ("camera_information", "camera_information", {}),
            ("camera_information_chance", "camera_information_chance", {}),
            ("camera_floor", "camera_floor", {}),
            ("precision", "precision", {}),
            ("recall", "recall", {"outliers": "singletons"}),
            ("f1", "f1", {"outliers": "singletons"}),
            ("f1_cross_camera", "f1", {"outliers": "singletons", "pairs": "cross-camera"}),
            ("lost", "lost", {}),
            ("unseen", "unseen", {}),
        ):
            assert row[column] == pytest.approx(found.score(name, **options)), column
    assert view.data()["mean_ap"].tolist()[::3] == [0.2, 0.6] and view.data()["mean_ap"].isna().sum() == 2
    assert "next its clusters: " in view.set(epoch=1).describe() and "next" not in view.set(epoch=3).describe()
    assert np.isnan(view.data()["agreement"][0]) and view.data()["agreement"][1:].between(-1, 1).all()
    gone = identity_fates(view.labels, view.cameras, view.identities)["lost_for_good"]
    assert view.data()["lost_for_good"].tolist() == [int((gone <= epoch).sum()) for epoch in range(len(view.labels))]
    for epoch, first in enumerate((0, 1, 2, 2)):  # the last epoch is shown with what led to it
        assert (
            f"clusters of epoch {first}, those that change most, to those of epoch {first + 1}"
            in view.set(epoch=epoch).static().alt
        )


def test_run_history_without_truth_scores_or_pictures() -> None:
    view = RunHistory(np.array([[0, 0, 1, 1], [0, 0, -1, -1]]), [0, 1, 0, 1])
    assert list(view.controls()) == ["epoch"] and not {"f1", "lost", "mean_ap"} & set(view.data())
    assert "identities" not in view.describe() and view.static().png
    with pytest.raises(DiagnosisError, match="Train for an epoch first"):
        RunHistory(np.zeros((0, 4), int), [0, 1, 0, 1])


def test_run_history_of_an_epoch_without_clusters() -> None:
    images = records(np.repeat([1, 2], 4), np.arange(8) % 2)
    view = RunHistory(np.array([[-1] * 8, [0] * 8]), images.camera, images.identity, table=images)
    assert "0 clusters and 8 outliers" in view.set(epoch=0).describe() and view.static().png and parts(view.live())[3] == ""


def test_run_history_reads_a_capsule(tmp_path) -> None:
    other = history()
    writer = CapsuleWriter.create(tmp_path / "run", other.table.frame, {"method": "toy"})
    for label in other.labels:
        writer.add_labels(label, {"eps": 0.5})
    writer.add_scores(0, {"mean_ap": 0.2, "rank1": 0.3})
    writer.add_scores(3, {"mean_ap": 0.6, "rank1": 0.7})
    view = RunHistory.from_capsule(writer, table=other.table)
    pd.testing.assert_frame_equal(view.data().drop(columns="eps"), other.data(), check_dtype=False)
    assert view.data()["eps"].tolist() == [0.5] * 4
    assert view.describe() == other.describe() and "mAP 60.0%" in view.describe()


def test_cluster_gallery_pages_through_all_clusters() -> None:
    view = gallery()
    pages = view.controls()["page"].max
    seen = [view.set(page=page).static().alt for page in range(1, pages + 1)]
    found = [f"cluster {number}:" for number in view.diagnosis.clusters["cluster"]]
    assert all(sum(name in alt for alt in seen) == 1 for name in found)


def test_eps_explorer_shows_dbscan_at_the_present_radius() -> None:
    view = radius()
    found, images = diagnosed()
    graph = jaccard_graph(found.space.features, k1=6, k2=2)
    for eps in (0.3, 0.5, 0.7):
        np.testing.assert_array_equal(view.set(eps=eps).labels, dbscan(graph, eps))
        wanted = diagnose(dbscan(graph, eps), images.camera, identities=images.identity)
        row = view.data().iloc[0]
        assert (row["clusters"], row["lost"]) == (wanted.score("clusters"), wanted.score("lost"))
        assert row["f1"] == pytest.approx(wanted.score("f1", outliers="singletons"))
        at = view.curve.loc[np.isclose(view.curve["eps"], eps)].iloc[0]
        assert (at["clusters"], at["outliers"]) == (row["clusters"], row["outliers"])


def test_lost_identities_lists_each_status_and_names_the_cause() -> None:
    found, images = diagnosed()
    causes = found.identities[found.identities["lost"]].assign(cause="twin", evidence="", change="eps")
    view = LostIdentities(
        found, images, causes=causes.drop(columns=[c for c in causes if c not in ("identity", "images", "status", "cause")])
    )
    for status in ("lost", "kept", "swallowed", "unseen", "split otherwise"):
        shown = view.set(status=status).data()
        wanted = found.identities["lost"] if status == "lost" else found.identities["status"] == status
        assert shown["identity"].tolist() == found.identities.loc[wanted, "identity"].tolist()
    assert "twin" in view.set(status="lost").describe() and "twin" in view.static().alt
    with pytest.raises(DiagnosisError, match="Pass identities"):
        LostIdentities(diagnose([0, 0], [0, 1]), images)


def test_camera_information_draws_a_symmetric_matrix_of_the_chosen_column() -> None:
    view = information().set(matrix="recall")
    square, table = view.square(), view.diagnosis.camera_pairs
    np.testing.assert_array_equal(square, square.T)
    for row in table.itertuples():
        assert square[row.camera_a, row.camera_b] == row.recall
    assert "nats about the camera" in view.describe()


def test_camera_pair_map_tells_separate_cameras_from_mixed_ones() -> None:
    generator = np.random.default_rng(0)
    camera = np.arange(200) % 2
    apart = generator.normal(size=(200, 6)) + 4 * camera[:, None]
    mixed = CameraPairMap(generator.normal(size=(200, 6)), camera).found()[1]
    found = CameraPairMap(apart, camera).found()[1]
    assert found["map_accuracy"] > 0.98 and found["full_accuracy"] > 0.98
    assert abs(mixed["map_accuracy"] - 0.5) < 0.12 and abs(mixed["full_accuracy"] - 0.5) < 0.12
    assert "too few images" in CameraPairMap(apart[:6], camera[:6]).describe()
    with pytest.raises(DiagnosisError, match="images of two cameras"):
        CameraPairMap(apart, np.zeros(200, int)).found()


def test_a_widget_with_thumbnails_of_photographs_leaves_them_blank_and_says_why(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, images = diagnosed()
    for row, name in enumerate(images.frame["path"]):
        Image.fromarray(images.pixels[row]).save(tmp_path / name)
    stored = make_records(images.frame, root=tmp_path)
    monkeypatch.delenv("REIDKIT_PHOTOGRAPHS", raising=False)
    blank = ClusterGallery(found, stored).static()
    assert "REIDKIT_PHOTOGRAPHS=1" in blank.alt and blank.png != ClusterGallery(found, images).static().png
    monkeypatch.setenv("REIDKIT_PHOTOGRAPHS", "1")
    assert ClusterGallery(found, stored).static().png == ClusterGallery(found, images).static().png
    monkeypatch.delenv("REIDKIT_PHOTOGRAPHS")
    loaded = replace(images, drawn=False)  # photographs that were read into memory are photographs still
    assert (
        ClusterGallery(found, loaded).static().png == blank.png
        and "REIDKIT_PHOTOGRAPHS=1" in ClusterGallery(found, loaded).static().alt
    )
    assert ClusterGallery(found, images.take(np.arange(len(images))).blind()).static().png != blank.png
    said = [kind(found, stored).live().children[2].value for kind in (ClusterGallery, LostIdentities, EmbeddingMap)]
    assert all("REIDKIT_PHOTOGRAPHS=1" in words for words in said)
    assert EmbeddingMap(found, stored).live().children[1].sprite == b""
    (tmp_path / "world.json").write_text("{}")
    assert "REIDKIT_PHOTOGRAPHS" not in ClusterGallery(found, stored).static().alt
    assert "REIDKIT_PHOTOGRAPHS" not in parts(ClusterGallery(found, stored).live())[2]
