"""A selection that several widgets share: whatever one selects, the others show, whichever of them began."""

import numpy as np
import pandas as pd
import pytest

from reidkit.diagnose import diagnose
from reidkit.records import make_records
from reidkit.show import ClusterGallery, EmbeddingMap, RecordsBrowser, Selection, TableBrowser, link

LABEL = np.r_[np.repeat([10, 11, 12, 13], 5), [-1, -1]]
N = len(LABEL)


def linked() -> tuple[EmbeddingMap, ClusterGallery, RecordsBrowser, TableBrowser]:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"path": [f"{i}.png" for i in range(N)], "identity": np.arange(N) // 6 + 1, "camera": np.arange(N) % 3})
    table = make_records(frame, pixels=generator.integers(0, 255, (N, 16, 8, 3), np.uint8), drawn=True, check_paths=False)
    found = diagnose(LABEL, table.camera, identities=table.identity, features=generator.normal(size=(N, 6)))
    views = EmbeddingMap(found, table), ClusterGallery(found, table), RecordsBrowser(table), TableBrowser(found)
    link(*views)
    return views


def lasso(chart, rows) -> None:
    """As the browser does it: positions on the map."""
    chart.set_state({"selected": memoryview(np.array(rows, "<i4").tobytes())})


def test_a_lasso_in_the_map_reaches_gallery_browser_and_table() -> None:
    views = linked()
    lives = [view.live() for view in views]
    lasso(lives[0].children[1], [0, 1, 7])
    _, gallery, browser, table = views
    assert gallery.data()["cluster"].tolist() == [10, 11] and table.data()["cluster"].tolist() == [10, 11]
    assert browser.data()["images"].sum() == 3 and table.set(table="images").data()["image"].tolist() == [0, 1, 7]
    assert "2 clusters" in lives[1].children[2].value and "cluster 10" in lives[1].children[1].value
    assert "3 images from all cameras" in lives[2].children[2].value and "3 images selected" in lives[3].children[2].value
    assert all(live.children[-1].value == "" for live in lives)
    lasso(lives[0].children[1], [])
    assert len(gallery.data()) == 4 and browser.data()["images"].sum() == N


@pytest.mark.parametrize(
    ("which", "group", "rows"), [(1, "12", np.arange(10, 15)), (2, "2", np.arange(6, 12)), (3, "13", np.arange(15, 20))]
)
def test_choosing_a_group_selects_its_images_everywhere(which: int, group: str, rows: np.ndarray) -> None:
    views = linked()
    lives = [view.live() for view in views]
    control = lives[which].children[0].children[-1]
    control.value = group
    np.testing.assert_array_equal(views[0].selection.rows, rows)
    np.testing.assert_array_equal(np.frombuffer(lives[0].children[1].selected, "<i4"), rows)
    assert f"Selected: {len(rows)} images" in lives[0].children[2].value and views[2].data()["images"].sum() == len(rows)
    lasso(lives[0].children[1], [20])
    assert control.value == "none" and views[0].selection.rows.tolist() == [20]
    control.value = group
    control.value = "none"
    assert not len(views[0].selection.rows)


def test_outliers_alone_leave_an_empty_gallery_that_says_so() -> None:
    views = linked()
    live = views[1].live()
    views[0].selection.select([20, 21])
    assert "Selected: 2 images of 0 clusters" in views[0].describe()
    assert "every image is an outlier" in live.children[2].value and live.children[-1].value == ""
    assert views[1].static().alt.startswith("Pictures of 0 clusters")


def test_what_the_map_does_not_draw_stays_selected() -> None:
    chart = linked()[0]
    live = chart.live()
    chart._made["PCA"] = type(chart.made())("PCA", chart.made().points[:10], np.arange(10), chart.made().axes, "drawn")
    chart.selection.select([3, 15])
    assert np.frombuffer(live.children[1].selected, "<i4").tolist() == [3] and chart.selection.rows.tolist() == [3, 15]


def test_other_columns_renew_the_choices_and_let_go_of_the_group() -> None:
    browser = linked()[2]
    bar = browser.live().children[0].children
    bar[-1].value = "2"
    bar[0].value = "camera"
    assert bar[-1].options == ("none", "0", "1", "2") and bar[-1].value == "none"
    assert browser.data()["images"].sum() == 6


def test_observers_hear_of_changes_only() -> None:
    heard, selection = [], Selection()
    selection.observe(lambda change: heard.append(change["new"].tolist()), names="rows")
    for rows in ([3, 1, 3], np.array([1, 3]), [], []):
        selection.select(rows)
    assert heard == [[1, 3], []]


def test_tables_sort_page_and_show_hostile_names_as_text() -> None:
    names = np.array(["<script>alert(1)</script>", "a", "b\x07"])[np.arange(N) % 3]
    view = TableBrowser(diagnose(LABEL, names, identities=np.arange(N) // 6), rows=3)
    view.set(table="camera_pairs")
    assert "&lt;script&gt;" in view.drawn() and "<script" not in view.drawn() and view.static().png
    view.set(table="clusters", sort="images", order="ascending")
    assert view.data()["images"].is_monotonic_increasing and len(view.shown()) == 3
    view.set(page=2)
    assert len(view.shown()) == 1 and view.shown()["cluster"].iloc[0] == view.data()["cluster"].iloc[3]
