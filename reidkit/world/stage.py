"""From a row of the plan to a picture: bodies are put before the camera, rendered, and set on their ground."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
import torch

from reidkit.compute import derive_seed
from reidkit.world.body import MATERIALS, Body, pose
from reidkit.world.cameras import Camera, develop
from reidkit.world.network import Cast
from reidkit.world.people import Colour, Person
from reidkit.world.renderer import Rendering, Scene, render
from reidkit.world.scenery import cast_shadow, ground, put_obstacle
from reidkit.world.settings import WorldSettings

PATTERNS = ("plain", "stripes", "bars", "checks", "logo", "block", "open")
RAYS = 2  # a pixel
FILLS = 0.90  # share of an exact box's height that a person takes
_TIGHTS: Colour = (0.15, 0.14, 0.17)


@dataclass(frozen=True)
class Shot:
    """What decides one picture: the fields of one row of the plan, typed."""

    person: int
    camera: int
    hour: float
    phase: float
    yaw: float
    box_x: float
    box_y: float
    box_scale: float
    occluder: str
    occluder_x: float
    occluder_size: float
    passer: int
    ground: float
    flicker: float
    seed: int


def shot_of(frame: pd.DataFrame, row: int, settings: WorldSettings, seed: int) -> Shot:
    """Row `row` of a plan, as `plan` returned it."""
    values = {field.name: frame.at[row, field.name] for field in fields(Shot) if field.name != "seed"}
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}
    return Shot(**plain, seed=shot_seed(seed, settings, str(frame.at[row, "path"])))


@dataclass(frozen=True)
class Placed:
    """A body in camera space, ready to be joined into a `Scene`."""

    start: np.ndarray
    end: np.ndarray
    radius: np.ndarray
    rotation: np.ndarray


def place(body: Body, yaw: float, camera: Camera, scale: float, foot: tuple[float, float], nearer: float = 0.0) -> Placed:
    """`body` turned by `yaw`, seen from `camera`: x right, y down, z away, in pixels; `foot` is the ground point (x, y)."""
    rotation = turned(yaw, camera)
    ends = [project(np.asarray(points), rotation, camera, scale, foot, nearer) for points in (body.start, body.end)]
    radius = np.asarray(body.radius) * scale * np.stack([ends[0][1], ends[1][1]], axis=1)
    return Placed(ends[0][0], ends[1][0], radius, rotation)


def turned(yaw: float, camera: Camera) -> np.ndarray:
    """(3, 3), body space to camera space: the turn about the upright axis, then the camera's elevation."""
    c, s = np.cos(yaw), np.sin(yaw)
    up, over = np.cos(np.radians(camera.elevation)), np.sin(np.radians(camera.elevation))
    turn = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [s, 0.0, -c]])
    tilt = np.array([[1.0, 0.0, 0.0], [0.0, -up, -over], [0.0, -over, up]])
    return np.asarray(tilt @ turn)


def project(
    points: np.ndarray, rotation: np.ndarray, camera: Camera, scale: float, foot: tuple[float, float], nearer: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 3) of body space in pixels, (N, 3), and how much nearness enlarges each, (N,)."""
    seen = (points - np.array([0.0, 0.5, 0.0])) @ rotation.T
    seen[:, 2] -= nearer
    near = camera.distance / (camera.distance + seen[:, 2:3])
    flat = np.concatenate([seen[:, :2] * near, seen[:, 2:3]], axis=1) * scale
    flat[:, 0] += foot[0]
    flat[:, 1] += foot[1] - 0.5 * scale * np.cos(np.radians(camera.elevation))
    return flat, near[:, 0]


def build_scene(figures: list[tuple[int, int, Person, Body, Placed]], light: np.ndarray, ambient: np.ndarray) -> Scene:
    """Join figures (picture, layer, person, body, placed) of B pictures; `light` (B, 3), `ambient` (B,)."""
    batch = len(light)
    palette = np.zeros((batch, 2, len(MATERIALS), 3), np.float32)
    pattern, scale = np.zeros((batch, 2), np.int64), np.ones((batch, 2), np.float32)
    rotation = np.zeros((batch, 2, 3, 3), np.float32)
    for picture, layer, person, _, placed in figures:
        colours = person.colours() | {"tights": _TIGHTS}
        palette[picture, layer] = [colours[name] for name in MATERIALS]
        pattern[picture, layer] = PATTERNS.index(person.pattern)
        scale[picture, layer] = person.pattern_scale
        rotation[picture, layer] = placed.rotation

    def joined(arrays: list[np.ndarray], dtype: type) -> torch.Tensor:
        return torch.from_numpy(np.concatenate([np.asarray(a) for a in arrays]).astype(dtype))

    sizes = [len(figure[3].start) for figure in figures]
    return Scene(
        image=torch.from_numpy(np.repeat([f[0] for f in figures], sizes).astype(np.int64)),
        layer=torch.from_numpy(np.repeat([f[1] for f in figures], sizes).astype(np.int64)),
        start=joined([f[4].start for f in figures], np.float32),
        end=joined([f[4].end for f in figures], np.float32),
        radius=joined([f[4].radius for f in figures], np.float32),
        body_start=joined([np.asarray(f[3].start) for f in figures], np.float32),
        body_end=joined([np.asarray(f[3].end) for f in figures], np.float32),
        body_radius=joined([np.asarray(f[3].radius) for f in figures], np.float32),
        material=joined([np.asarray(f[3].material) for f in figures], np.int64),
        part=joined([np.asarray(f[3].part) for f in figures], np.int64),
        height=joined([np.asarray(f[3].height) for f in figures], np.float32),
        front=joined([np.asarray(f[3].front) for f in figures], np.float32),
        open=joined([np.asarray(f[3].open) for f in figures], np.float32),
        palette=torch.from_numpy(palette),
        pattern=torch.from_numpy(pattern),
        pattern_scale=torch.from_numpy(scale),
        rotation=torch.from_numpy(rotation),
        light=torch.from_numpy(np.asarray(light, np.float32)),
        ambient=torch.from_numpy(np.asarray(ambient, np.float32)),
    )


def standing(shot: Shot, settings: WorldSettings) -> tuple[float, tuple[float, float]]:
    """Height of the person in pixels, and the ground point (x, y) between the feet."""
    scale = FILLS * settings.height / shot.box_scale
    middle = settings.height * (0.5 - shot.box_y / shot.box_scale)
    return scale, (settings.width * (0.5 - shot.box_x / shot.box_scale), middle + 0.5 * scale)


def take_picture(shot: Shot, cast: Cast, camera: Camera, settings: WorldSettings) -> tuple[bytes, float, float]:
    """One image as JPEG bytes; the share of the visible body that an occluder hides, and the share cut off by the box."""
    height, width = settings.height, settings.width
    rng = np.random.default_rng(shot.seed)
    scale, foot = standing(shot, settings)
    picture = ground(camera, (height, width), shot.ground, shot.box_x, shot.box_y)
    alpha, hidden, cut = np.zeros((height, width, 1), np.float32), 0.0, 0.0
    if shot.person:
        cast_shadow(picture, camera, foot, scale)
        rendering, hidden, cut = _figures(shot, cast, camera, settings, scale, foot)
        alpha = _mean((rendering.part[0] >= 0).float()).numpy()[..., None]
        picture = picture * (1 - alpha) + _mean(rendering.colour[0]).numpy()
    if shot.occluder in ("post", "box"):
        covered = put_obstacle(picture, shot.occluder, camera, foot, scale, shot.occluder_x, shot.occluder_size)
        hidden = float(alpha[covered].sum() / max(float(alpha.sum()), 1e-6))
    data = develop(picture, camera, shot.hour, settings.day_drift, shot.flicker, rng)
    return data, round(hidden, 4), round(cut, 4)


def _figures(
    shot: Shot, cast: Cast, camera: Camera, settings: WorldSettings, scale: float, foot: tuple[float, float]
) -> tuple[Rendering, float, float]:
    """The person of the picture and, when one comes by, the passer-by; what the latter hides, and what the box cuts off."""
    person = cast.people[shot.person - 1]
    body = pose(person, shot.phase)
    placed = place(body, shot.yaw, camera, scale, foot)
    height, width = settings.height, settings.width
    light, ambient = camera.light[None], np.array([camera.ambient])
    figures = [(0, 0, person, body, placed)]
    alone = render(build_scene(figures, light, ambient), height, width, RAYS)
    cut = _outside(placed, height, width)
    if not shot.passer:
        return alone, 0.0, cut
    both = render(build_scene([*figures, passer_by(shot, cast, camera, scale, foot)], light, ambient), height, width, RAYS)
    own, left = int((alone.layer == 0).sum()), int((both.layer == 0).sum())
    return both, 1.0 - left / max(own, 1), cut


def passer_by(
    shot: Shot, cast: Cast, camera: Camera, scale: float, foot: tuple[float, float]
) -> tuple[int, int, Person, Body, Placed]:
    """Who comes by in front of the person of `shot`, as a figure of the first picture's second layer."""
    other = cast.people[shot.passer - 1]
    step = pose(other, shot.phase + 1.7)
    aside = np.sign(shot.occluder_x) * (0.24 + 0.12 * abs(shot.occluder_x)) * scale
    beside = place(step, shot.yaw + 2.5, camera, 1.06 * scale, (foot[0] + aside, foot[1] + 0.05 * scale), nearer=0.5)
    return 0, 1, other, step, beside


def _outside(placed: Placed, height: int, width: int) -> float:
    """About how much of a body lies outside the picture: its cones, each counted where its middle lies."""
    middle, radius = 0.5 * (placed.start + placed.end), placed.radius.mean(1)
    weight = radius * (np.linalg.norm(placed.end - placed.start, axis=1) + radius)
    outside = (middle[:, 0] < 0) | (middle[:, 0] > width) | (middle[:, 1] < 0) | (middle[:, 1] > height)
    return float((weight * outside).sum() / weight.sum())


def _mean(rays: torch.Tensor) -> torch.Tensor:
    """Mean over the rays of a pixel, (H, S, W, ...) to (H, W, ...), added in a fixed order."""
    return sum(rays.unbind(1)[1:], rays[:, 0]) / rays.shape[1]


def shot_seed(seed: int, settings: WorldSettings, path: str) -> int:
    """The seed of one picture's noise, from its name."""
    return derive_seed(seed, settings.site, settings.season, "pixels", path)
