"""The browser of these tests, found on this machine; without one they skip, or fail where they are required."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "artifacts" / "browser"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage")
PATIENCE = 180  # seconds for one thing to happen; a busy machine needs them


def find_chromium() -> str:
    """Path of a Chromium; skips the test without one, fails it when REIDKIT_REQUIRE_BROWSER is set."""
    named = os.environ.get("REIDKIT_CHROMIUM")
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        required = os.environ.get("REIDKIT_REQUIRE_BROWSER", "0") not in ("", "0")
        (pytest.fail if required else pytest.skip)("No Chromium here: install one, or name it in REIDKIT_CHROMIUM.")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def opened_browser() -> Iterator[Page]:
    """A page in headless Chromium with a software WebGL; requests that leave this machine are refused."""
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=list(FLAGS))
        try:
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.set_default_timeout(1000 * PATIENCE)
            page.route(
                lambda url: "//127.0.0.1" not in url and not url.startswith(("data:", "blob:", "file:")), lambda r: r.abort()
            )
            yield page
        finally:
            browser.close()


@contextmanager
def served(command: list[str], folder: Path, address: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process of its own, with Jupyter's folders below `folder`; ended politely, its kernels with it."""
    home = {
        name: str(folder / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    }
    own = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "TQDM_DISABLE": "1"}
    environment = {k: v for k, v in os.environ.items() if k != "REIDKIT_HEADLESS"} | own | home | variables
    log = (folder / "server.log").open("wb")
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        _until_it_answers(process, address, folder / "server.log")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _until_it_answers(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=PATIENCE).close()
            return
        except urllib.error.HTTPError:
            return  # it answers, if only to ask for the token
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"The server did not come up:\n{log.read_text(errors='replace')[-2000:]}")


def picture(page: Page, name: str) -> None:
    """Keep what the page shows now."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=False)
