"""Every widget in a real JupyterLab, in headless Chromium, used with mouse and keys; pictures are kept in artifacts/browser."""

from __future__ import annotations

import json
import re
import secrets
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, Page

from reidkit.show import EmbeddingMap, EpsExplorer, RunHistory
from tests.browser import scene
from tests.browser.chromium import find_chromium, free_port, opened_browser, picture, served

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none", "maxNumberOutputs": 100},
    "docmanager-extension/plugin": {"autosave": False},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
}
RUN = """async (path) => {
  const app = window.jupyterapp;
  await app.restored;
  const panel = await app.commands.execute("docmanager:open", { path, factory: "Notebook" });
  await panel.revealed;
  await panel.sessionContext.ready;
  window.faults = [];
  window.busy = new Set();
  panel.sessionContext.iopubMessage.connect((_, { header, parent_header, content }) => {
    if (header.msg_type === "error") window.faults.push(`${content.ename}: ${content.evalue}`);
    if (header.msg_type === "status") window.busy[content.execution_state === "busy" ? "add" : "delete"](parent_header.msg_id);
  });
  window.panel = panel;
  app.shell.activateById(panel.id);
  return await app.commands.execute("notebook:run-all-cells");
}"""
CLOSE = "async () => { await window.panel.sessionContext.shutdown(); window.panel.dispose(); }"


@dataclass
class Lab:
    """A JupyterLab with one page open on it."""

    page: Page
    folder: Path
    errors: list[str] = field(default_factory=list)

    def run(self, name: str, *cells: str) -> Locator:
        """Open a notebook of these cells, run it to its end, and give its panel."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.folder / f"{name}.ipynb")
        assert self.page.evaluate(RUN, f"{name}.ipynb"), self.faults()
        assert self.faults() == []
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def faults(self) -> list[str]:
        """Exceptions of cells and of callbacks, and errors of the page itself, once the kernel has done all that it began.

        The kernel sends what a callback changed at once, and its exception only when the traceback is written, a second later.
        """
        self.page.wait_for_function("() => window.busy.size === 0")
        return [*self.page.evaluate("() => window.faults"), *self.errors]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One server and one page for all tests of this file."""
    find_chromium()
    folder, port, token = tmp_path_factory.mktemp("lab"), free_port(), secrets.token_hex(8)
    for name, values in SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    words = [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", "--no-browser"]
    words += [f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True", "--allow-root"]
    own = {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces")}
    address = f"http://127.0.0.1:{port}"
    with (
        served([sys.executable, "-m", "jupyterlab", *words], folder, f"{address}/api?token={token}", **own),
        opened_browser() as page,
    ):
        found = Lab(page, folder)
        page.on("pageerror", lambda error: found.errors.append(str(error)))
        page.goto(f"{address}/lab?token={token}&reset")
        page.wait_for_function("() => window.jupyterapp")
        yield found


@pytest.fixture
def run(lab: Lab) -> Iterator[Callable[..., Locator]]:
    """`Lab.run`; the kernel ends with the test."""
    yield lab.run
    lab.page.evaluate(CLOSE)


SCENE = "from reidkit.show import *\nfrom tests.browser import scene\nfound, table = scene.diagnosis(), scene.images()"
GRAPH = "from reidkit.jaccard import dense_steps, jaccard_graph\ngraph = jaccard_graph(scene.features(), k1=6, k2=2)"


def said(panel: Locator, number: int = 0) -> str:
    """The sentence under the widget of that number."""
    return panel.locator(".widget-html-content [aria-live=polite]").nth(number).inner_text()


def until(page: Page, panel: Locator, pattern: str, number: int = 0) -> re.Match[str]:
    """Wait until that sentence fits; the match."""
    for _ in range(600):
        found = re.search(pattern, said(panel, number))
        if found:
            return found
        page.wait_for_timeout(100)
    raise AssertionError(f"{pattern!r} never came; it says: {said(panel, number)}")


def lasso(page: Page, panel: Locator, left: float, right: float) -> None:
    """Draw around everything between two shares of the map's width."""
    panel.get_by_role("button", name="Lasso").click()
    box = panel.locator(".reidkit-map-frame").bounding_box()
    assert box is not None
    corners = [(left, 0.03), (right, 0.03), (right, 0.9), (left, 0.9), (left, 0.05)]
    places = [(box["x"] + 53 + x * (box["width"] - 64), box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def test_a_lasso_in_the_map_reaches_gallery_and_table(lab: Lab, run: Callable[..., Locator]) -> None:
    views = "views = [EmbeddingMap(found, table), ClusterGallery(found, table), TableBrowser(found)]\nlink(*views);"
    panel = run("lasso", SCENE, views, *(f"views[{number}].show()" for number in range(3)))
    whole = until(lab.page, panel, r"(\d+) clusters", 1)
    lasso(lab.page, panel, 0.0, 0.45)
    chosen = until(lab.page, panel, r"Selected: (\d+) images of (\d+) clusters")
    assert 0 < int(chosen[1]) < len(scene.images()) and int(chosen[2]) < int(whole[1])
    assert until(lab.page, panel, rf"^{chosen[2]} clusters", 1) and until(lab.page, panel, rf"^{chosen[2]} rows of clusters", 2)
    assert panel.locator(".reidkit-map-words").inner_text() == f"{chosen[1]} selected"
    picture(lab.page, "lasso")
    panel.locator(".widget-dropdown select").nth(3).select_option(index=1)  # the gallery's: back to the map
    assert until(lab.page, panel, r"Selected: \d+ images? of 1 cluster ")
    assert until(lab.page, panel, r"^1 row of clusters", 2) and lab.faults() == []


ALIKE = """(canvas, colour) => {
  const { width, height } = canvas, bytes = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  let found = 0;
  for (let i = 0; i < bytes.length; i += 4) found += [0, 1, 2].every((k) => Math.abs(bytes[i + k] - colour[k]) < 25) ? 1 : 0;
  return found;
}"""


def test_pointing_at_the_map_shows_the_picture_without_the_kernel(lab: Lab, run: Callable[..., Locator]) -> None:
    table, points = scene.images(), EmbeddingMap(scene.diagnosis()).data()[["x", "y"]].to_numpy()
    panel = run("hover", SCENE, "EmbeddingMap(found, table).show()")
    lab.page.evaluate("() => window.panel.sessionContext.session.kernel.requestExecute({ code: 'import time; time.sleep(30)' })")
    over = panel.locator(".reidkit-map-frame canvas").nth(1)
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    low, high = points.min(axis=0), points.max(axis=0)
    for row in (0, 20, 41):
        height, width = table.pixels[row].shape[:2]
        shirt = table.pixels[row][height // 4 : height // 3, width // 2 - 2 : width // 2 + 2].reshape(-1, 3).mean(axis=0).tolist()
        lab.page.mouse.move(box["x"] + 5, box["y"] + 5)
        before = over.evaluate(ALIKE, shirt)
        x, y = (((points[row] - low) / (high - low) * 2 - 1) * 0.95).tolist()
        lab.page.mouse.move(box["x"] + 52 + (x + 1) / 2 * (box["width"] - 62), box["y"] + 10 + (1 - y) / 2 * (box["height"] - 44))
        lab.page.wait_for_timeout(500)
        after = over.evaluate(ALIKE, shirt)
        assert before < 50 and after > 300, (row, before, after)
    picture(lab.page, "hover")
    lab.page.evaluate("async () => { await window.panel.sessionContext.session.kernel.interrupt(); }")
    assert lab.faults()[1:] == [] and lab.faults()[0].startswith("KeyboardInterrupt")  # the kernel slept all the while


def test_the_slider_moves_the_labels(lab: Lab, run: Callable[..., Locator]) -> None:
    from reidkit.jaccard import jaccard_graph

    table = scene.images()
    twin = EpsExplorer(jaccard_graph(scene.features(), k1=6, k2=2), table.camera, table.identity, table=table, eps=0.3)
    panel = run("slider", SCENE, GRAPH, "EpsExplorer(graph, table.camera, table.identity, table=table, eps=0.3).show()")
    assert said(panel) == twin.describe()
    before = panel.locator(".widget-html-content img").first.get_attribute("src")
    panel.locator(".noUi-handle").first.focus()
    for _ in range(3):
        lab.page.keyboard.press("ArrowRight")
    until(lab.page, panel, r"^At eps 0\.33")
    assert said(panel) == twin.set(eps=0.33).describe()
    assert panel.locator(".widget-html-content img").first.get_attribute("src") != before and lab.faults() == []
    picture(lab.page, "slider")


def test_the_epoch_moves_the_map(lab: Lab, run: Callable[..., Locator]) -> None:
    table = scene.images()
    stack = "np.stack([scene.labels(epoch) for epoch in range(scene.EPOCHS)])"
    twin = RunHistory(eval(stack, {"np": __import__("numpy"), "scene": scene}), table.camera, table.identity)
    options = "table=table, features=lambda epoch: scene.features()"
    panel = run("epoch", SCENE, f"import numpy as np\nRunHistory({stack}, table.camera, table.identity, {options}).show()")
    image = panel.locator(".widget-html-content img").first
    before = image.get_attribute("src")
    assert "Below, map of epoch 2: PCA map" in str(image.get_attribute("alt"))
    panel.locator(".noUi-handle").first.focus()
    lab.page.keyboard.press("ArrowLeft")
    until(lab.page, panel, r"^Epoch 1 of")
    assert said(panel) == twin.set(epoch=1).describe() and image.get_attribute("src") != before
    assert "Below, map of epoch 1: PCA map" in str(image.get_attribute("alt")) and lab.faults() == []
    picture(lab.page, "epoch")


def test_the_chart_in_a_fold_answers_the_pointer(lab: Lab, run: Callable[..., Locator]) -> None:
    panel = run("chart", SCENE, "CameraInformation(found).show()")
    assert panel.locator(".js-plotly-plot").count() == 0
    panel.get_by_text("Values to point at").click()
    drawn = panel.locator(".js-plotly-plot .nsewdrag").first
    drawn.wait_for()
    drawn.hover(position={"x": 40, "y": 40})
    panel.locator(".js-plotly-plot .hovertext").first.wait_for()
    picture(lab.page, "chart")
    assert lab.faults() == []


WIDGETS = {
    "BatchNormGroups": "BatchNormGroups(scene.groups(), table.identity)",
    "CameraInformation": "CameraInformation(found)",
    "CameraPairMap": "CameraPairMap(scene.features(), table.camera)",
    "ClusterGallery": "ClusterGallery(found, table)",
    "EmbeddingMap": "EmbeddingMap(found, table)",
    "EpsExplorer": "EpsExplorer(graph, table.camera, table.identity, table=table, eps=0.3)",
    "FeatureLooks": "FeatureLooks(scene.looks(), table)",
    "JaccardSteps": "JaccardSteps(dense_steps(scene.features(), k1=8, k2=3), table, 8)",
    "LostIdentities": "LostIdentities(found, table)",
    "PairCam": "PairCam(scene.deletion(), table)",
    "PartGallery": 'PartGallery(scene.part_labels(), table, names=("whole", "upper", "lower"))',
    "QueryExplorer": "QueryExplorer(scene.distances(), table, table)",
    "RecordsBrowser": "RecordsBrowser(table)",
    "RunHistory": "RunHistory(scene.labels()[None], table.camera, table.identity)",
    "TableBrowser": "TableBrowser(found)",
}


def test_every_widget_opens_and_is_drawn(lab: Lab, run: Callable[..., Locator]) -> None:
    shown = {name: code for name, code in WIDGETS.items() if code}
    panel = run("widgets", SCENE, GRAPH, *(f"{code}.show()" for code in shown.values()))
    areas = panel.locator(".jp-CodeCell .jp-Cell-outputArea:has(.jupyter-widgets)")
    assert areas.count() == len(shown)
    for number, name in enumerate(shown):
        area = areas.nth(number)
        area.scroll_into_view_if_needed()
        drawn = area.locator("img, canvas, table").first
        drawn.wait_for(state="visible")
        box = drawn.bounding_box()
        assert box is not None and box["width"] > 60 and box["height"] > 60, name
        told = area.locator(".widget-html-content [aria-live=polite]").first.inner_text()
        assert area.locator("[role=alert]").count() == 0 and len(told) > 20, name
        picture(lab.page, f"widget_{name}")
    assert lab.faults() == []


def test_no_widget_is_forgotten() -> None:
    import reidkit.show as show

    kinds = [getattr(show, name) for name in show.__all__]
    assert {kind.__name__ for kind in kinds if isinstance(kind, type) and issubclass(kind, show.View)} - {"View"} == set(WIDGETS)


BROKEN = """
class Broken(TableBrowser):
    def drawn(self):
        if self.page > 1:
            raise ValueError("no <b>second</b> page")
        return super().drawn()
Broken(found, rows=1).show()
"""


def test_an_exception_in_a_callback_is_shown_in_the_widget(lab: Lab, run: Callable[..., Locator]) -> None:
    panel = run("broken", SCENE, BROKEN)
    assert panel.locator("[role=alert]").count() == 0
    panel.locator(".noUi-handle").first.focus()
    lab.page.keyboard.press("ArrowRight")
    panel.locator("[role=alert]").wait_for()
    assert "ValueError: no <b>second</b> page" in panel.locator("[role=alert]").inner_text()
    assert any("second" in fault for fault in lab.faults())
    picture(lab.page, "broken")
