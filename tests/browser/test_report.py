"""The report as somebody opens it who has neither network nor server: sorted, pointed at, and full of hostile names."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from reidkit.diagnose import Diagnosis, diagnose
from reidkit.diagnose.text import plain
from tests.browser import scene
from tests.browser.chromium import find_chromium, opened_browser, picture
from tests.test_diagnose_report import HOSTILE, hostile

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    find_chromium()
    with opened_browser() as found:
        yield found


def opened(page: Page, found: Diagnosis, folder: Path) -> list[str]:
    """Open the report of `found` from its file; dialogs, errors and refused requests end up in the list."""
    faults: list[str] = []
    page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("requestfailed", lambda request: faults.append(request.url))
    page.goto(found.report(folder / "report.html").as_uri())
    return faults


def column(page: Page, section: str, name: str) -> list[str]:
    heads = page.locator(f"#{section} thead button").all_inner_texts()
    return page.locator(f"#{section} tbody td:nth-child({[h.strip(' ▲▼') for h in heads].index(name) + 1})").all_inner_texts()


def place(page: Page, row: int) -> tuple[float, float]:
    """Where the window shows the image of that row."""
    data = json.loads(page.locator("#map-data").inner_text() or page.locator("#map-data").text_content() or "")
    x, y = np.frombuffer(base64.b64decode(data["xy"]), "<u2").reshape(-1, 2)[row] / 65535
    box = page.locator("#points").bounding_box()
    assert box is not None
    scale = box["width"] / 900  # the canvas is 900 x 600 with a border of its own
    return box["x"] + 1 + (10 + x * 880) * scale, box["y"] + 1 + (10 + (1 - y) * 580) * scale


def test_tables_sort_by_number_by_word_and_with_undefined_values_last(page: Page, tmp_path: Path) -> None:
    found = scene.diagnosis()
    faults = opened(page, found, tmp_path)
    button = page.locator("#clusters thead button", has_text="images")
    button.click()
    assert column(page, "clusters", "images") == [str(n) for n in sorted(found.clusters["images"])]
    button.click()
    assert column(page, "clusters", "images") == [str(n) for n in sorted(found.clusters["images"], reverse=True)]
    assert page.locator("#clusters th[aria-sort=descending]").count() == 1
    page.locator("#images thead button", has_text="cluster_precision").focus()
    page.keyboard.press("Enter")
    values = column(page, "images", "cluster_precision")
    known = [float(value) for value in values if value != "–"]
    assert known == sorted(known) and 0 < len(known) < len(values) and values[len(known) :] == ["–"] * (len(values) - len(known))
    page.locator("#clusters thead button", has_text="status").click()
    assert column(page, "clusters", "status") == sorted(found.clusters["status"])
    picture(page, "report_tables")
    assert faults == []


def test_the_map_says_what_is_pointed_at_with_mouse_and_keys(page: Page, tmp_path: Path) -> None:
    found = scene.diagnosis()
    faults = opened(page, found, tmp_path)
    page.locator("#points").scroll_into_view_if_needed()
    for row in (0, 11, 40):
        page.mouse.move(*place(page, row))
        image = found.images.iloc[row]
        cluster = "outlier" if image["label"] == -1 else image["label"]
        words = f"{image['path']} · cluster {cluster} · camera {image['camera']} · identity {image['identity']}"
        assert page.locator("#hover").inner_text() == words
    picture(page, "report_map")
    drawn = "() => document.getElementById('points').toDataURL()"
    before = page.evaluate(drawn)
    page.locator("#colour").select_option("camera")
    assert page.evaluate(drawn) != before
    page.locator("#points").focus()
    said = set()
    for key in ["ArrowUp"] * 40 + ["ArrowLeft"] * 60 + ["ArrowDown"] * 80:
        page.keyboard.press(key)
        said.add(page.locator("#hover").inner_text())
    assert {text.split(" · ")[0] for text in said} & set(found.images["path"])
    assert faults == []


def test_hostile_names_are_read_as_text_and_nothing_of_them_runs(page: Page, tmp_path: Path) -> None:
    found = hostile()
    faults = opened(page, found, tmp_path)
    page.locator("#points").scroll_into_view_if_needed()
    for row, name in enumerate(HOSTILE[:7]):
        page.mouse.move(*place(page, row))
        assert page.locator("#hover").text_content().startswith(plain(f"{row} {name}") + " · cluster")
    names = {plain(name) for name in found.labelling.camera_names}
    assert set(page.locator("#camera_pairs tbody td:first-child").all_text_contents()) == names
    assert page.locator("main img, main script:not([type]), [onmouseover], [onerror]").count() == 0
    picture(page, "report_hostile")
    assert faults == []


def test_a_report_of_the_size_of_market_opens_and_answers(page: Page, tmp_path: Path) -> None:
    generator, n = np.random.default_rng(0), 33_000
    identity = generator.integers(0, 1500, n)
    features = generator.normal(size=(1500, 8))[identity] + 0.1 * generator.normal(size=(n, 8))
    label = np.where(generator.random(n) < 0.2, -1, identity // 2)
    found = diagnose(label, identity % 6, identities=identity, features=features, permutations=1)
    faults = opened(page, found, tmp_path)
    page.locator("#points").scroll_into_view_if_needed()
    page.mouse.move(*place(page, 500))
    assert page.locator("#hover").inner_text().split(" · ")[0] in set(found.images["path"])
    picture(page, "report_market")
    assert faults == []
