"""Whole pictures in batches on a device: bodies, ground, shadow, obstacles and exposure there; the camera's sensor on the CPU.

Everything up to the exposed levels is the code of single pictures (`stage`) with one more axis. Resolution, blur, noise (drawn
from each picture's own seed) and JPEG are made in threads by the same function as for single pictures, while the device works
on the next batch. A device rounds otherwise than NumPy, so its pictures may differ from the CPU's by a level here and there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import fields
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from reidkit.world.cameras import GREY, Camera, Look, expose, record
from reidkit.world.figures import render_bodies
from reidkit.world.network import Cast
from reidkit.world.scenery import Obstacle, Shadow, covered, ground, places
from reidkit.world.settings import WorldSettings
from reidkit.world.stage import Shot, arrangement, compose, cut_share, figures_of, hidden_share

BATCH = 128
Numbers = TypeVar("Numbers", Shadow, Obstacle, Look)


def take_pictures(
    shots: Sequence[Shot],
    cast: Cast,
    cameras: list[Camera],
    settings: WorldSettings,
    device: torch.device | str,
    pool: Executor,
    batch: int = BATCH,
) -> Iterator[tuple[bytes, float, float]]:
    """`take_picture` of every shot, in order, `batch` pictures at a time; `pool` has the threads that compress."""
    backgrounds = [torch.from_numpy(camera.background).to(device) for camera in cameras]
    ready: Iterable[tuple[bytes, float, float]] = ()
    for first in range(0, len(shots), batch):
        some = shots[first : first + batch]
        own = [cameras[shot.camera - 1] for shot in some]
        levels, hidden, cut = _exposed(some, own, cast, [backgrounds[shot.camera - 1] for shot in some], settings, device)
        seeds = [shot.seed for shot in some]
        following = pool.map(_recorded, levels, own, seeds, hidden, cut)
        yield from ready
        ready = following
    yield from ready


def _exposed(
    shots: Sequence[Shot],
    cameras: list[Camera],
    cast: Cast,
    backgrounds: list[Tensor],
    settings: WorldSettings,
    device: torch.device | str,
) -> tuple[np.ndarray, list[float], list[float]]:
    """Levels uint8 (B, H, W, 3), and of each picture what an occluder hides and what the box cuts off."""
    size = settings.height, settings.width
    figures = [figures_of(shot, cast, camera, settings, number) for number, (shot, camera) in enumerate(zip(shots, cameras))]
    bodies = render_bodies(figures, cameras, settings, device)
    arranged = [arrangement(shot, camera, settings) for shot, camera in zip(shots, cameras)]
    shadow, obstacle, look = (_stacked(numbers, device) for numbers in zip(*arranged))
    y, x = (torch.from_numpy(place).to(device) for place in places(size))
    pieces = [ground(whole, size, shot.ground, shot.box_x, shot.box_y) for shot, whole in zip(shots, backgrounds)]
    picture = compose(torch.stack(pieces), bodies.colour, bodies.alpha, shadow, obstacle, y, x)
    levels = expose(picture, look, torch.from_numpy(GREY).to(device)).to(torch.uint8)
    over = (bodies.alpha * covered(obstacle, y)).flatten(1).sum(1)
    shares = torch.stack([over, bodies.alpha.flatten(1).sum(1), *bodies.counts.unbind(1)], dim=1).cpu()
    hidden = [hidden_share(over, body, int(alone), int(left)) for over, body, alone, left in shares.tolist()]
    return levels.cpu().numpy(), hidden, [cut_share(picture, settings) for picture in figures]


def _stacked(numbers: Sequence[Numbers], device: torch.device | str) -> Numbers:
    """One batch of what is known about single pictures, each field with one more axis in front."""
    columns = {field.name: np.stack([getattr(one, field.name) for one in numbers]) for field in fields(numbers[0])}
    return type(numbers[0])(**{name: torch.from_numpy(column).to(device) for name, column in columns.items()})


def _recorded(levels: np.ndarray, camera: Camera, seed: int, hidden: float, cut: float) -> tuple[bytes, float, float]:
    return record(levels, camera, np.random.default_rng(seed)), hidden, cut
