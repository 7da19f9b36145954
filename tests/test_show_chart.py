"""Charts to be pointed at: the numbers of the view, drawn when the fold is opened, without plotly in the notebook."""

import json

import ipywidgets
import numpy as np
import pytest
from ipywidgets.embed import dependency_state

from reidkit.diagnose import diagnose
from reidkit.show import CameraInformation, EpsExplorer, RunHistory, View
from reidkit.show.chart import MIME, line_chart, matrix_chart
from tests.show_toys import records
from tests.test_show_eps import ring_graph


def history() -> RunHistory:
    images = records(np.repeat(np.arange(1, 7), 5), np.arange(30) % 3)
    labels = np.random.default_rng(0).integers(-1, 6, (4, 30))
    return RunHistory(labels, images.camera, images.identity)


def radius() -> EpsExplorer:
    return EpsExplorer(*ring_graph(96))


def information() -> CameraInformation:
    return CameraInformation(diagnose([0, 0, 1, 1, -1], ["a", "b", "a", "<b>$x$", "b"], identities=[1, 1, 2, 2, 2]))


def opened(view: View) -> tuple[ipywidgets.VBox, ipywidgets.Output]:
    live = view.live()
    fold = live.children[4]
    assert fold.children[0].outputs == ()
    fold.selected_index = 0
    return live, fold.children[0]


def drawn(place: ipywidgets.Output) -> dict:
    (output,) = place.outputs
    return json.loads(json.dumps(output["data"][MIME]))


@pytest.mark.parametrize(("view", "x"), [(history, "epoch"), (radius, "eps")])
def test_curves_are_the_numbers_of_the_view_and_the_line_follows(view, x: str) -> None:
    shown: RunHistory | EpsExplorer = view()
    table = shown.epochs if x == "epoch" else shown.curve
    live, place = opened(shown)
    figure = drawn(place)
    assert len(figure["data"]) >= 4 and {tuple(curve["x"]) for curve in figure["data"]} == {tuple(table[x].astype(float))}
    found = {curve["name"]: [np.nan if v is None else v for v in curve["y"]] for curve in figure["data"]}
    np.testing.assert_array_equal(found["outliers"], table["outliers"])
    np.testing.assert_array_equal(found["pairwise F"], table["f1"])
    before = figure["layout"]["shapes"][0]["x0"]
    live.children[0].children[0].value = 1 if x == "epoch" else 0.2
    assert drawn(place)["layout"]["shapes"][0]["x0"] == (1 if x == "epoch" else 0.2) != before
    assert live.children[3].value == ""


def test_a_matrix_names_its_cameras_and_leaves_undefined_cells_open() -> None:
    view = information()
    figure = drawn(opened(view)[1])
    assert figure["data"][0]["x"] == ["&lt;b&gt;$x$", "a", "b"] and figure["layout"]["title"]["text"] == view.matrix
    cells = np.array([[np.nan if v is None else v for v in row] for row in figure["data"][0]["z"]])
    np.testing.assert_array_equal(cells, view.square())
    assert matrix_chart(np.array([[np.nan]]), ["a"], "t")["data"][0]["z"] == [[None]]


def test_a_notebook_keeps_the_numbers_and_none_of_plotly() -> None:
    live, _ = opened(history())
    text = json.dumps(dependency_state(live), default=str)
    assert len(text) < 600_000 and "anywidget" not in text and "function" not in text


def test_columns_that_are_not_there_are_left_out() -> None:
    view = RunHistory(np.array([[0, 0, 1, 1], [0, 0, -1, -1]]), [0, 1, 0, 1])
    names = [curve["name"] for curve in view.chart()["data"]]
    assert "clusters" in names and not {"pairwise F", "mAP (test)", "majority of no cluster"} & set(names)
    assert line_chart(view.epochs, "epoch", [("none", "unit", {"nothing": "x"}), ("a", "b", {"clusters": "c"})])["data"][0][
        "y"
    ] == [2, 1]


def test_a_chart_that_fails_is_told_in_the_widget() -> None:
    class Broken(CameraInformation):
        def chart(self) -> dict:
            raise ValueError("no chart")

    live = Broken(information().diagnosis).live()
    with pytest.raises(ValueError, match="no chart"):
        live.children[4].selected_index = 0
    assert "no chart" in live.children[3].value
