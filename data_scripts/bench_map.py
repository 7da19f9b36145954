#!/usr/bin/env python3
"""Measure how fluid the embedding map is: frames a second in headless Chromium, for several numbers of points.

The page holds nothing but the map, with `embedding_map.js` as the package ships it. While the wheel turns, the map is dragged
or the pointer moves over it, the page notes when each frame is drawn. Without a graphics card WebGL is drawn by the processor:
the record says so, and the figures are then a lower bound. Goals are judged only where, in the two seconds before the start,
less than half of the cores had work, and the page at rest (row "idle") reaches 50 frames a second. Processor time a frame is
what a busy machine can still tell.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.sync_api import Page, sync_playwright

from reidkit.environment import usable_cores
from reidkit.show.map_widget import HERE, MapWidget
from reidkit.storage import write_json

WATCHED, HALF = 2.0, 50.0  # seconds before the start, and the most percent of the cores that may have work then
FLAGS = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage")
POINTS, SECONDS, EVERY = (13_000, 33_000, 100_000), 3.0, 0.03
QUIET = 50.0  # frames a second of a page at rest, below which the machine had no time for the page
GOALS = {13_000: 30.0, 33_000: 30.0, 100_000: 10.0}  # frames a second: fluid, fluid, usable
PAGE = """
const state = %s;
const decode = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const value = (v) => v && v.bytes !== undefined ? decode(v.bytes) : v && typeof v === "object" && !Array.isArray(v)
  ? Object.fromEntries(Object.entries(v).map(([k, w]) => [k, value(w)])) : v;
const held = Object.fromEntries(Object.entries(state).map(([k, v]) => [k, value(v)]));
const model = { get: (k) => held[k], set: (k, v) => { held[k] = v; }, save_changes() {}, on() {}, off() {} };
map.render({ model, el: document.getElementById("here") });
window.frames_seen = [];
const note = (now) => { window.frames_seen.push(now); requestAnimationFrame(note); };
requestAnimationFrame(note);
"""


def packed(value: Any) -> Any:
    """A widget's state as JSON: bytes as base64."""
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    return {k: packed(v) for k, v in value.items()} if isinstance(value, dict) else value


def page_of(points: int, seed: int = 0) -> str:
    """An HTML page with a map of so many random points in 50 clouds."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 50, points)
    chart = MapWidget()
    chart.codes = {"cluster": group.astype("<i4").tobytes()}
    chart.names = {"cluster": [str(n) for n in range(50)]}
    chart.place((rng.normal(size=(50, 2))[group] * 3 + rng.normal(size=(points, 2))).astype(np.float64), np.arange(points))
    chart.colour(group)
    chart.picture(rng.integers(0, 255, (20 * 64, 20 * 32, 3), np.uint8), (32, 64, 20), np.arange(points) % 400)
    state = {name: packed(value) for name, value in chart.get_state().items() if not name.startswith("_")}
    script = (
        (HERE / "embedding_map.js").read_text(encoding="utf-8").replace("export default { render }", "const map = { render }")
    )
    style = (HERE / "embedding_map.css").read_text(encoding="utf-8")
    body = f'<div id="here" style="width:640px"></div><script type="module">{script}\n{PAGE % json.dumps(state)}</script>'
    return f"<!doctype html><meta charset=utf-8><style>{style}</style>{body}"


def gesture(page: Page, name: str, box: dict[str, float], seconds: float) -> dict[str, float]:
    """Do one thing for so long; frames a second and the longest gap in milliseconds."""
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    if name == "drag":
        page.mouse.down()
    start = page.evaluate("() => { window.frames_seen = []; return performance.now(); }")
    spent, step, end = processor_seconds(), 0, start
    while end - start < 1000 * seconds:
        turn = step * 0.35
        if name == "wheel":
            page.mouse.wheel(0, -60 if step // 12 % 2 else 60)
        elif name != "idle":
            page.mouse.move(middle[0] + 150 * np.cos(turn), middle[1] + 120 * np.sin(turn))
        page.wait_for_timeout(1000 * EVERY)
        step, end = step + 1, page.evaluate("() => performance.now()")
    seen, spent = np.array(page.evaluate("() => window.frames_seen")), processor_seconds() - spent
    if name == "drag":
        page.mouse.up()
    gaps = np.diff(np.r_[start, seen])
    return {
        "frames_per_second": round(float(1000 * len(seen) / (end - start)), 1),
        "longest_gap_ms": round(float(gaps.max()), 1),
        "processor_ms_a_frame": round(1000 * spent / max(len(seen), 1), 1),
    }


def processor_seconds() -> float:
    """What the browser, all of its processes together, has used so far."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            times = process.cpu_times()
            total += times.user + times.system if "chrom" in process.name().lower() else 0.0
        except psutil.NoSuchProcess:
            continue
    return total


def measure(chromium: str, points: tuple[int, ...], seconds: float) -> dict[str, Any]:
    """The record: one row a number of points and gesture."""
    rows: list[dict[str, Any]] = []
    busy = psutil.cpu_percent(WATCHED)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=list(FLAGS))
        for count in points:
            page = browser.new_page(viewport={"width": 700, "height": 620})  # its own: a page counts until it is closed
            page.set_content(page_of(count))
            box = page.locator(".reidkit-map-frame").bounding_box()
            assert box is not None
            page.wait_for_timeout(1000)
            gesture(page, "wheel", dict(box), seconds)  # warms up: shaders and scripts are compiled at first use
            for name in ("idle", "wheel", "drag", "hover"):
                rows.append({"points": count, "gesture": name, **gesture(page, name, dict(box), seconds)})
            page.close()
        page = browser.new_page()
        ask = "() => { const g = document.createElement('canvas').getContext('webgl2');"
        ask += " return g.getParameter(g.getExtension('WEBGL_debug_renderer_info').UNMASKED_RENDERER_WEBGL); }"
        renderer, version = str(page.evaluate(ask)), browser.version
        browser.close()
    software = any(word in renderer.lower() for word in ("swiftshader", "llvmpipe", "software"))
    goals = [verdict(rows, count, busy <= HALF) for count in points if count in GOALS]
    return {
        "what": "frames a second of the embedding map in headless Chromium",
        "renderer": renderer,
        "software_rendering": software,
        "chromium": version,
        "cores": usable_cores(),
        "busy_before_percent": busy,
        "system": platform.system(),
        "map_pixels": [640, 460],
        "seconds_a_gesture": seconds,
        "rows": rows,
        "goals": goals,
    }


def verdict(rows: list[dict[str, Any]], points: int, quiet: bool = True) -> dict[str, Any]:
    """The slowest gesture against its goal; not judged on a machine with other work, or too busy for an empty page."""
    speed = {row["gesture"]: row["frames_per_second"] for row in rows if row["points"] == points}
    idle, slowest = speed.pop("idle"), min(speed.values())
    judged = {"reached": slowest >= GOALS[points]} if quiet and idle > QUIET else {"not_judged": "the machine was busy"}
    return {"points": points, "slowest": slowest, "idle": idle, "goal": GOALS[points], **judged}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/records/map_fps.json"))
    parser.add_argument("--points", type=int, nargs="+", default=list(POINTS))
    parser.add_argument("--seconds", type=float, default=SECONDS, help="a gesture")
    parser.add_argument("--chromium", default=os.environ.get("REIDKIT_CHROMIUM") or shutil.which("chromium") or "google-chrome")
    given = parser.parse_args()
    record = measure(given.chromium, tuple(given.points), given.seconds)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(given.out, record)
    for row in record["rows"]:
        speed = f"{row['frames_per_second']:>5} frames/s, longest gap {row['longest_gap_ms']} ms"
        print(f"{row['points']:>7,} points  {row['gesture']:<6} {speed}")
    print(f"{record['renderer']}; {record['busy_before_percent']:g} % of the cores had work before; {given.out}")


if __name__ == "__main__":
    main()
