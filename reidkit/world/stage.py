"""From a row of the plan to a picture: bodies are put before the camera, rendered, and set on their ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from reidkit.compute import derive_seed
from reidkit.world.body import Body, pose
from reidkit.world.cameras import GREY, Array, Camera, Look, expose, look_of, record
from reidkit.world.figures import Figure, Placed, render_bodies
from reidkit.world.network import Cast
from reidkit.world.scenery import Obstacle, Shadow, cast_shadow, covered, ground, obstacle_of, places, put_obstacle, shadow_of
from reidkit.world.settings import WorldSettings

FILLS = 0.90  # share of an exact box's height that a person takes


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


def shots_of(frame: pd.DataFrame, settings: WorldSettings, seed: int) -> list[Shot]:
    """The rows of a plan, as `plan` returned it."""
    columns = [frame[field.name].tolist() for field in fields(Shot) if field.name != "seed"]
    seeds = [shot_seed(seed, settings, path) for path in frame["path"]]
    return [Shot(*row) for row in zip(*columns, seeds, strict=True)]


def shot_of(frame: pd.DataFrame, row: int, settings: WorldSettings, seed: int) -> Shot:
    """Row `row` of a plan."""
    return shots_of(frame.iloc[[row]], settings, seed)[0]


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


def standing(shot: Shot, settings: WorldSettings) -> tuple[float, tuple[float, float]]:
    """Height of the person in pixels, and the ground point (x, y) between the feet."""
    scale = FILLS * settings.height / shot.box_scale
    middle = settings.height * (0.5 - shot.box_y / shot.box_scale)
    return scale, (settings.width * (0.5 - shot.box_x / shot.box_scale), middle + 0.5 * scale)


def take_picture(shot: Shot, cast: Cast, camera: Camera, settings: WorldSettings) -> tuple[bytes, float, float]:
    """One image as JPEG bytes; the share of the visible body that an occluder hides, and the share cut off by the box."""
    return take_some([shot], cast, [camera], settings)[0]


def take_some(
    shots: Sequence[Shot], cast: Cast, cameras: Sequence[Camera], settings: WorldSettings
) -> list[tuple[bytes, float, float]]:
    """`take_picture` of a few shots, each before its own camera, byte for byte as if it were alone.

    Their bodies are rendered together, element by element; everything else is made picture by picture.
    """
    figures = [figures_of(shot, cast, camera, settings, number) for number, (shot, camera) in enumerate(zip(shots, cameras))]
    bodies = render_bodies(figures, list(cameras), settings)
    colours, alphas, counts = bodies.colour.numpy(), bodies.alpha.numpy(), bodies.counts.tolist()
    size = settings.height, settings.width
    y, x = places(size)
    taken = []
    for shot, camera, own, colour, alpha, rays in zip(shots, cameras, figures, colours, alphas, counts):
        shadow, obstacle, look = arrangement(shot, camera, settings)
        background = ground(camera.background, size, shot.ground, shot.box_x, shot.box_y)
        picture = compose(background, colour, alpha, shadow, obstacle, y, x)
        exposed = expose(picture, look, GREY).astype(np.uint8)
        over, body = (alpha * covered(obstacle, y)).sum(), alpha.sum()
        hidden = hidden_share(float(over), float(body), *rays)
        taken.append((record(exposed, camera, np.random.default_rng(shot.seed)), hidden, cut_share(own, settings)))
    return taken


def arrangement(
    shot: Shot, camera: Camera, settings: WorldSettings
) -> tuple[Shadow[np.ndarray], Obstacle[np.ndarray], Look[np.ndarray]]:
    """What surrounds the body of a picture, as numbers."""
    scale, foot = standing(shot, settings)
    size = settings.height, settings.width
    return (
        shadow_of(camera, foot, scale, somebody=shot.person > 0),
        obstacle_of(shot.occluder, camera, size, foot, scale, shot.occluder_x, shot.occluder_size),
        look_of(camera, shot.hour, settings.day_drift, shot.flicker),
    )


def compose(
    background: Array, colour: Array, alpha: Array, shadow: Shadow[Array], obstacle: Obstacle[Array], y: Array, x: Array
) -> Array:
    """Radiance (..., H, W, 3): ground, shadow, bodies (`colour`, already times `alpha`), and what stands in front."""
    picture = cast_shadow(background, shadow, y, x) * (1 - alpha) + colour
    return put_obstacle(picture, obstacle, y)


def figures_of(shot: Shot, cast: Cast, camera: Camera, settings: WorldSettings, number: int = 0) -> list[Figure]:
    """Who is in picture `number` of a batch: nobody, the person, or the person and a passer-by."""
    if not shot.person:
        return []
    scale, foot = standing(shot, settings)
    person = cast.people[shot.person - 1]
    body = pose(person, shot.phase)
    own = number, 0, person, body, place(body, shot.yaw, camera, scale, foot)
    return [own, (number, *passer_by(shot, cast, camera, scale, foot)[1:])] if shot.passer else [own]


def hidden_share(over: float, body: float, alone: int, left: int) -> float:
    """The share of the visible body that an obstacle (`over` of `body` pixels) or a passer-by (all but `left` rays) hides."""
    share = float(np.float32(over) / max(body, 1e-6)) if over else 1.0 - left / max(alone, 1) if alone else 0.0
    return round(share, 4)


def cut_share(figures: list[Figure], settings: WorldSettings) -> float:
    """The share of a person that the box cuts off; 0 when nobody is there."""
    return round(_outside(figures[0][4], settings.height, settings.width), 4) if figures else 0.0


def passer_by(shot: Shot, cast: Cast, camera: Camera, scale: float, foot: tuple[float, float]) -> Figure:
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


def shot_seed(seed: int, settings: WorldSettings, path: str) -> int:
    """The seed of one picture's noise, from its name."""
    return derive_seed(seed, settings.site, settings.season, "pixels", path)
