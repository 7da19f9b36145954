"""Measure how many images a second this machine renders; write docs/records/world_bench.json and its text in docs/worlds.md.

python data_scripts/bench_world.py
python data_scripts/bench_world.py --device cuda --height 256 --images 4096 --batch 256 --out FILE

Whole pictures as `make_world` takes them by default (on the CPU, each what it would be alone, shared out among all cores) and
whole pictures in batches on a device: ground, shadow, bodies, occluder, camera, JPEG. The median of three repeats counts.
`remainder_ms` is what the CPU still does for a picture of a batch: it puts bodies into place (in one thread), and it blurs, adds
noise and compresses (in all threads). Bodies alone are the rays of the renderer; a GPU is held to `REACHED` of the CPU's rays
(same part, depth within `DEPTH` pixels).
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from reidkit.compute import Compute, describe_device
from reidkit.storage import write_atomically, write_json
from reidkit.threads import threads
from reidkit.world import PRESETS, WorldSettings, make_world
from reidkit.world.batches import take_pictures
from reidkit.world.cameras import make_cameras, record
from reidkit.world.figures import RAYS, build_scene
from reidkit.world.network import draw_cast, plan
from reidkit.world.renderer import Rendering, Scene, render
from reidkit.world.stage import arrangement, figures_of, shots_of

REACHED, DEPTH, REPEATS = 0.999, 0.05, 3
DOCS = Path(__file__).parents[1] / "docs"
RECORD, PAGE = DOCS / "records" / "world_bench.json", DOCS / "worlds.md"
BEGIN, END = "<!-- speed: written by data_scripts/bench_world.py -->\n", "<!-- end of speed -->\n"


def sized(height: int, images: int) -> WorldSettings:
    """`summer` with pictures `height` high and about `images` of them, all of the training side."""
    return replace(PRESETS["summer"], height=height, width=height // 2, train_identities=max(2, images // 12), test_identities=0)


def batches(settings: WorldSettings, images: int, size: int) -> list[Scene]:
    """Bodies of the first `images` pictures of a world, `size` pictures a scene."""
    cast, cameras = draw_cast(settings, 0), make_cameras(settings, 0)
    shots = [shot for shot in shots_of(plan(settings, 0, cast, cameras), settings, 0) if shot.person]
    shots = [replace(shots[number % len(shots)], passer=0) for number in range(images)]
    scenes = []
    for first in range(0, images, size):
        some = shots[first : first + size]
        own = [cameras[shot.camera - 1] for shot in some]
        figures = [figures_of(shot, cast, camera, settings, n)[0] for n, (shot, camera) in enumerate(zip(some, own))]
        ambient = np.array([camera.ambient for camera in own])
        scenes.append(build_scene(figures, np.stack([camera.light for camera in own]), ambient))
    return scenes


def agreement(one: Rendering, other: Rendering) -> float:
    """Share of rays with the same part and a depth within `DEPTH` pixels."""
    part, depth = other.part.to(one.part.device), other.depth.to(one.depth.device)
    near = torch.isinf(one.depth) | ((one.depth - depth).abs() <= DEPTH)
    return float(((one.part == part) & near).float().mean())


def speed(make: Callable[[], int]) -> dict[str, float]:
    """Median over `REPEATS` calls, after one to warm up; `make` returns the number of its images.

    `cores` is how many cores the measurement got: fewer than the machine has, and others were at work beside it.
    """
    make()
    rates, work, cores = [], [], []
    for _ in range(REPEATS):
        begun, worked = time.perf_counter(), _core_seconds()
        made = make()
        elapsed, worked = time.perf_counter() - begun, _core_seconds() - worked
        rates.append(made / elapsed)
        work.append(1000 * worked / made)
        cores.append(worked / elapsed)
    found = {"images_a_second": median(rates), "core_ms_an_image": median(work), "cores": median(cores)}
    return {name: round(value, 1 if name == "images_a_second" else 2) for name, value in found.items()}


def _core_seconds() -> float:
    """What this process and the forks that it has ended took of cores so far."""
    return sum(os.times()[:4])


def in_batches(settings: WorldSettings, device: torch.device, batch: int) -> int:
    """Whole pictures of the world of `settings`, `batch` at a time on `device`; how many."""
    cast, cameras = draw_cast(settings, 0), make_cameras(settings, 0)
    shots = shots_of(plan(settings, 0, cast, cameras), settings, 0)
    with ThreadPoolExecutor(max(1, threads())) as pool:
        return sum(1 for _ in take_pictures(shots, cast, cameras, settings, device, pool, batch))


def remainder(settings: WorldSettings, images: int) -> dict[str, float]:
    """Milliseconds of one core that a picture of a batch costs the CPU: bodies put into place, and the camera's sensor."""
    cast, cameras = draw_cast(settings, 0), make_cameras(settings, 0)
    shots = shots_of(plan(settings, 0, cast, cameras), settings, 0)[:images]
    own = [cameras[shot.camera - 1] for shot in shots]
    begun = time.process_time()
    figures = [figures_of(shot, cast, camera, settings, n) for n, (shot, camera) in enumerate(zip(shots, own))]
    build_scene([figure for picture in figures for figure in picture], np.zeros((len(shots), 3)), np.zeros(len(shots)))
    for shot, camera in zip(shots, own):
        arrangement(shot, camera, settings)
    placed = time.process_time()
    levels = np.random.default_rng(0).integers(90, 120, (settings.height, settings.width, 3), np.uint8)
    drawn = time.process_time()
    for shot, camera in zip(shots, own):
        record(levels, camera, np.random.default_rng(shot.seed))
    ended = time.process_time()
    return {
        "placing": round(1000 * (placed - begun) / len(shots), 2),
        "sensor": round(1000 * (ended - drawn) / len(shots), 2),
    }


def bodies_alone(scenes: list[Scene], settings: WorldSettings, device: torch.device) -> int:
    """Scenes are moved to the device within the time measured."""
    for scene in scenes:
        render(scene.to(device), settings.height, settings.width, RAYS)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return sum(len(scene.light) for scene in scenes)


def measured(height: int, images: int, batch: int, device: torch.device) -> dict[str, object]:
    """One entry of the record: all paths at one size of pictures."""
    settings = sized(height, images)
    scenes = batches(settings, min(images, 2 * batch), batch)
    found: dict[str, object] = {
        "by_default": speed(lambda: len(make_world(settings, 0))),
        "in_batches": speed(lambda: in_batches(settings, device, batch)),
        "bodies_alone": speed(lambda: bodies_alone(scenes, settings, device)),
        "remainder_ms": remainder(settings, min(images, 200)),
    }
    if device.type != "cpu":
        share = agreement(*(render(scenes[0].to(d), settings.height, settings.width, RAYS) for d in ("cpu", device)))
        found["rays_as_on_the_cpu"] = share
        print(f"rays as on the CPU: {share:.5f} ({'within' if share >= REACHED else 'OUTSIDE'} the tolerance of {REACHED})")
    return found


def paragraph(record: dict[str, Any]) -> str:
    """What docs/worlds.md says about speed, from a record."""
    lines = [
        f"Measured on {record['date']} on a machine of {record['machine']} with {record['threads']} threads and torch "
        f"{record['torch']}, median of {record['repeats']}; batches of {record['batch']} on: {record['device']}. "
        "Where it got fewer cores than there are, others were at work beside it.",
        "",
        "| picture | by default: images/s | ms of a core | cores it got | in batches: images/s | ms of a core | cores it got "
        "| placing, ms | sensor, ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for shape in (name for name in record if "x" in name and isinstance(record[name], dict)):
        alone, batch, left = (record[shape][name] for name in ("by_default", "in_batches", "remainder_ms"))
        cells = [way[name] for way in (alone, batch) for name in ("images_a_second", "core_ms_an_image", "cores")]
        lines.append(f"| {shape} | " + " | ".join(f"{cell:g}" for cell in [*cells, left["placing"], left["sensor"]]) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda: where batches are made")
    parser.add_argument("--height", type=int, nargs="+", default=[128, 256], help="of a picture; it is half as wide")
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--out", type=Path, default=RECORD)
    given = parser.parse_args()
    device = Compute(given.device).torch_device
    record: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "threads": threads(),
        "device": describe_device() if device.type == "cuda" else "cpu",
        "torch": torch.__version__.split("+")[0],
        "batch": given.batch,
        "repeats": REPEATS,
    }
    for height in given.height:
        shape = f"{height}x{height // 2}"
        record[shape] = measured(height, given.images, given.batch, device)
        print(shape, record[shape])
    given.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(given.out, record)
    if given.out == RECORD:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        text = before + BEGIN + paragraph(record) + END + rest.split(END)[1]
        write_atomically(PAGE, lambda partial: partial.write_text(text, encoding="utf-8"))


if __name__ == "__main__":
    main()
