"""Print how many images a second this machine renders: whole pictures on the CPU, and bodies alone in batches on a device.

python data_scripts/bench_world.py
python data_scripts/bench_world.py --device cuda --height 256 --images 4096 --batch 256

A whole picture is ground, shadow, bodies, occluder, camera and JPEG, and is always made on the CPU, so that a world has the same
bytes everywhere. Bodies alone are the rays of the renderer (colour, part, depth), in one pass for a whole batch. A GPU is held to
`REACHED` of the CPU's rays: the same part, and depth within `DEPTH` pixels; the rest graze an outline.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
import torch

from reidkit.compute import Compute, describe_device
from reidkit.threads import threads
from reidkit.world import PRESETS, WorldSettings, make_world
from reidkit.world.body import pose
from reidkit.world.cameras import make_cameras
from reidkit.world.network import draw_cast, plan
from reidkit.world.renderer import Rendering, Scene, render
from reidkit.world.stage import RAYS, build_scene, place, shot_of, standing

REACHED, DEPTH = 0.999, 0.05


def batches(settings: WorldSettings, images: int, size: int) -> list[Scene]:
    """Bodies of the first `images` pictures of a world, `size` pictures a scene."""
    cast, cameras = draw_cast(settings, 0), make_cameras(settings, 0)
    frame = plan(settings, 0, cast, cameras)
    rows = np.flatnonzero(frame["person"] > 0)
    scenes = []
    for first in range(0, images, size):
        figures, light, ambient = [], [], []
        for number in range(min(size, images - first)):
            shot = shot_of(frame, int(rows[(first + number) % len(rows)]), settings, 0)
            camera, person = cameras[shot.camera - 1], cast.people[shot.person - 1]
            body = pose(person, shot.phase)
            figures.append((number, 0, person, body, place(body, shot.yaw, camera, *standing(shot, settings))))
            light.append(camera.light)
            ambient.append(camera.ambient)
        scenes.append(build_scene(figures, np.stack(light), np.array(ambient)))
    return scenes


def agreement(one: Rendering, other: Rendering) -> float:
    """Share of rays with the same part and a depth within `DEPTH` pixels."""
    part, depth = other.part.to(one.part.device), other.depth.to(one.depth.device)
    near = torch.isinf(one.depth) | ((one.depth - depth).abs() <= DEPTH)
    return float(((one.part == part) & near).float().mean())


def bodies_a_second(scenes: list[Scene], settings: WorldSettings, device: torch.device) -> float:
    """Scenes are moved to the device within the time measured; the first one warms up outside of it."""

    def finish() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    render(scenes[0].to(device), settings.height, settings.width, RAYS)
    finish()
    begun = time.perf_counter()
    for scene in scenes:
        render(scene.to(device), settings.height, settings.width, RAYS)
    finish()
    return sum(len(scene.light) for scene in scenes) / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--height", type=int, default=128, help="of a picture; it is half as wide")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--batch", type=int, default=64)
    given = parser.parse_args()
    settings = replace(PRESETS["summer"], height=given.height, width=given.height // 2)
    whole = replace(settings, train_identities=max(2, given.images // 12), test_identities=0)
    begun, worked = time.perf_counter(), time.process_time()
    made = len(make_world(whole, 0))
    speed, work = made / (time.perf_counter() - begun), 1000 * (time.process_time() - worked) / made
    shape = f"{settings.height}x{settings.width}"
    print(f"whole pictures, {shape}, CPU, {threads()} threads: {speed:.0f} images/s; {work:.1f} ms of one core an image")
    device = Compute(given.device).torch_device
    scenes = batches(settings, given.images, given.batch)
    print(f"bodies alone, {shape}, {describe_device() if device.type == 'cuda' else 'cpu'}, batches of {given.batch}:", end=" ")
    print(f"{bodies_a_second(scenes, settings, device):.0f} images/s")
    if device.type != "cpu":
        share = agreement(*(render(scenes[0].to(d), settings.height, settings.width, RAYS) for d in ("cpu", device)))
        print(f"rays as on the CPU: {share:.5f} ({'within' if share >= REACHED else 'OUTSIDE'} the tolerance of {REACHED})")


if __name__ == "__main__":
    main()
