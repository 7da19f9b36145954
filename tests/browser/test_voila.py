"""`reidkit analyst` as a real process, looked at in headless Chromium."""

from __future__ import annotations

import http.client
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.browser import scene
from tests.browser.chromium import find_chromium, free_port, opened_browser, picture, served

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


def test_the_application_opens_and_its_parts_are_linked(tmp_path: Path) -> None:
    find_chromium()
    images, port = scene.images(), free_port()
    frame = pd.DataFrame({"label": scene.labels(), "camid": images.camera, "pid": images.identity})
    frame.to_csv(tmp_path / "labels.csv", index=False)
    np.save(tmp_path / "features.npy", scene.features())
    words = ["-m", "reidkit", "analyst", str(tmp_path / "labels.csv"), "--features", str(tmp_path / "features.npy")]
    address = f"http://127.0.0.1:{port}"
    with served([sys.executable, *words, "--port", str(port), "--no-browser"], tmp_path, address):
        stranger = http.client.HTTPConnection("127.0.0.1", port)
        stranger.request("GET", "/")
        refused = stranger.getresponse()  # nobody without the token
        assert refused.status == 302 and "/login" in str(refused.getheader("Location"))
        log = (tmp_path / "server.log").read_text(encoding="utf-8")
        assert "48 images" in log
        link = re.search(rf"{address}/\S*token=\S+", log)
        assert link is not None, log
        with opened_browser() as page:
            page.goto(link[0])
            page.locator(".reidkit-map-frame canvas").first.wait_for()
            page.get_by_text("At eps").first.wait_for()
            assert page.get_by_text("48 images").first.is_visible()
            assert page.locator("h2").all_inner_texts() == [
                "Map",
                "Tables",
                "Clusters",
                "Radius",
                "Lost identities",
                "Cameras",
                "Scores",
            ]
            picture(page, "analyst")
            chosen = page.locator("select", has=page.locator("option", has_text=re.compile("^none$"))).first
            chosen.select_option(index=1)
            page.get_by_text(re.compile(r"Selected: \d+ images? of 1 cluster ")).wait_for()
            assert page.locator("[role=alert]:visible").count() <= 1  # the alarms of the summary, no failure
            picture(page, "analyst_selected")
            page.get_by_text("Values to point at").last.click()
            page.locator(".js-plotly-plot .nsewdrag").first.wait_for()
            picture(page, "analyst_chart")
