"""Truth on request: part masks, silhouettes, depth, keypoints and structure maps from the geometry of the pictures.

Everything is worked out again from settings and seed, so nothing of it is stored. One ray goes through the middle of each
pixel (pictures take two, on the diagonal), so masks are binary and an outline may differ from a picture's by half a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from reidkit.errors import ReidkitError, nearest_name, shown
from reidkit.world.body import KEYPOINTS, MATERIALS, PARTS, Body, pose
from reidkit.world.cameras import Camera, make_cameras
from reidkit.world.figures import Placed, build_scene
from reidkit.world.network import Cast, draw_cast, plan
from reidkit.world.people import Person
from reidkit.world.renderer import Scene, centres, nearest_hits, normals
from reidkit.world.scenery import covered, obstacle_of, places
from reidkit.world.settings import WorldSettings, resolve
from reidkit.world.stage import Shot, passer_by, place, project, shot_of, standing, turned

KINDS = ("parts", "silhouette", "visible", "depth", "keypoints", "structure")
PART_CODES = {"background": 0} | {name: number for number, name in enumerate(PARTS, start=1)}
BODY_METRES = 1.70  # every body is 1 high in body space; this is taken as its height
_WORN = ("hat", "bag", "scarf", "hair")  # what a bare body has not, besides hems
_BELONGS = {
    "nose": ("head",),
    "neck": ("head", "torso"),
    "shoulder": ("torso", "arm"),
    "elbow": ("arm",),
    "wrist": ("arm",),
    "hip": ("torso", "leg"),
    "knee": ("leg",),
    "ankle": ("leg", "feet"),
}
_DEEP, _NOSE_DEEP = 0.09, 0.03  # how far below the surface a visible joint may lie, in body heights


@dataclass(frozen=True)
class Surface:
    """What the ray through each pixel meets first: part, int64 (H, W), -1 nothing; depth in pixels; normal z to the viewer."""

    part: np.ndarray
    depth: np.ndarray
    facing: np.ndarray


def truth(
    world: str | WorldSettings,
    seed: int,
    rows: Sequence[int] | Sequence[str] | np.ndarray | pd.Index,
    kinds: Sequence[str] = ("parts", "silhouette", "depth", "keypoints", "structure"),
    yaw: float | None = None,
    *,
    size: str | None = None,
) -> dict[str, np.ndarray]:
    """The truth behind pictures of ``make_world(world, seed, size=size)``.

    All kinds but ``visible`` show the person alone, as if nothing stood in front. A picture without a person gives empty maps.

    Args:
        world, seed, size: as given to `make_world`.
        rows: of the table that `make_world` returned, by number (counted in the whole table, not in a split), or by `path`,
            which also works for a table read from a folder.
        kinds: which of `KINDS`.
        yaw: radians by which the body is turned further about its upright axis, in the same pose before the same camera; None or
            0 is the picture as it is. With a level camera (elevation 0) infinitely far away (parallel rays) and an exact box
            (`box_x` 0), the silhouette at pi is the mirror of the one at 0; elevation and nearness break this.

    Returns:
        By kind, with N = len(rows) and pictures of (H, W):

        * ``parts`` int8 (N, H, W): `PART_CODES`, 0 background.
        * ``silhouette`` bool (N, H, W): the body with clothes and bag.
        * ``visible`` bool (N, H, W): what posts, boxes and passers-by of the picture leave of the silhouette.
        * ``depth`` float32 (N, H, W): metres from the camera along its axis (a body being `BODY_METRES` high), inf outside.
        * ``keypoints`` float32 (N, K, 3), in the order of `KEYPOINTS`: x and y in pixels (possibly outside of the picture) and
          2 visible, 1 hidden by the body or an occluder, 0 outside of the picture or nobody there (COCO's codes).
        * ``structure`` float32 (N, H, W) in 0..1, 0 outside: the body without skirts, hat, hair, scarf and bag as a grey surface
          lit from the camera. Sleeves and trousers keep their width.

    Raises:
        ReidkitError: unknown kind, world or row.
    """
    settings = resolve(world, size)
    for kind in kinds:
        if kind not in KINDS:
            raise ReidkitError(
                f"No truth is called {kind!r}.", rule=f"Kinds: {', '.join(KINDS)}.", action=nearest_name(kind, KINDS)
            )
    cast, cameras = draw_cast(settings, seed), make_cameras(settings, seed)
    frame = plan(settings, seed, cast, cameras)
    found = []
    for row in _numbers(rows, frame):
        shot = shot_of(frame, row, settings, seed)
        found.append(truth_of_shot(shot, cast, cameras[shot.camera - 1], settings, kinds, yaw or 0.0))
    blank = _nobody(settings)
    return {kind: np.stack([one[kind] for one in found]) if found else blank[kind][None][:0] for kind in kinds}


def truth_of_shot(
    shot: Shot, cast: Cast, camera: Camera, settings: WorldSettings, kinds: Sequence[str] = KINDS, yaw: float = 0.0
) -> dict[str, np.ndarray]:
    """`truth` of one picture, without the leading axis; shot and camera may be altered ones."""
    blank = _nobody(settings)
    if not shot.person:
        return {kind: blank[kind] for kind in kinds}
    person = cast.people[shot.person - 1]
    body = pose(person, shot.phase)
    scale, foot = standing(shot, settings)
    placed = place(body, shot.yaw + yaw, camera, scale, foot)
    whole = _surface(person, body, placed, settings)
    found = {"parts": (whole.part + 1).astype(np.int8), "silhouette": whole.part >= 0}
    if "depth" in kinds:
        found["depth"] = ((camera.distance + whole.depth / scale) * BODY_METRES).astype(np.float32)
    if "visible" in kinds or "keypoints" in kinds:
        found["visible"] = found["silhouette"] & ~_in_front(shot, cast, camera, settings, whole)
    if "keypoints" in kinds:
        joints = np.array([body.keypoints[name] for name in KEYPOINTS])
        points, _ = project(joints, turned(shot.yaw + yaw, camera), camera, scale, foot)
        found["keypoints"] = _keypoints(points, whole, found["visible"], scale)
    if "structure" in kinds:
        found["structure"] = _surface(person, *_bare(body, placed), settings).facing
    return {kind: found[kind] for kind in kinds}


def _surface(person: Person, body: Body, placed: Placed, settings: WorldSettings) -> Surface:
    height, width = settings.height, settings.width
    light = np.array([[0.0, 0.0, -1.0]], np.float32)
    scene: Scene = build_scene([(0, 0, person, body, placed)], light, np.zeros(1, np.float32))
    ray, cone, along, depth = nearest_hits(scene, height, width, 1)
    across = normals(scene, cone, along, *centres(ray % width, torch.div(ray, width, rounding_mode="floor"), 1), depth)
    part, far = np.full(height * width, -1, np.int64), np.full(height * width, np.inf, np.float32)
    facing = np.zeros(height * width, np.float32)
    part[ray], far[ray] = scene.part[cone], depth
    facing[ray] = 0.15 + 0.85 * (-across[2]).clamp(0, 1)
    shape = (height, width)
    return Surface(part.reshape(shape), far.reshape(shape), facing.reshape(shape))


def _bare(body: Body, placed: Placed) -> tuple[Body, Placed]:
    """The cones that are body or close-fitting cloth."""
    worn = {MATERIALS.index(name) for name in _WORN}
    kept = [i for i, material in enumerate(body.material) if material not in worn and not body.open[i]]
    lists = ("start", "end", "radius", "material", "part", "height", "front", "open")
    bare = Body(**{name: [getattr(body, name)[i] for i in kept] for name in lists}, keypoints=body.keypoints)
    return bare, replace(placed, start=placed.start[kept], end=placed.end[kept], radius=placed.radius[kept])


def _in_front(shot: Shot, cast: Cast, camera: Camera, settings: WorldSettings, whole: Surface) -> np.ndarray:
    """bool (H, W), where something of the picture stands before the body."""
    scale, foot = standing(shot, settings)
    if shot.occluder in ("post", "box"):
        size = settings.height, settings.width
        obstacle = obstacle_of(shot.occluder, camera, size, foot, scale, shot.occluder_x, shot.occluder_size)
        return np.asarray(covered(obstacle, places(size)[0])[..., 0])
    if not shot.passer:
        return np.zeros((settings.height, settings.width), bool)
    _, _, other, body, placed = passer_by(shot, cast, camera, scale, foot)
    return np.asarray(_surface(other, body, placed, settings).depth < whole.depth)


def _keypoints(points: np.ndarray, whole: Surface, visible: np.ndarray, scale: float) -> np.ndarray:
    """float32 (K, 3): x, y and COCO's visibility of projected joints (K, 3) in pixels."""
    height, width = visible.shape
    found = np.zeros((len(KEYPOINTS), 3), np.float32)
    for number, (name, (x, y, z)) in enumerate(zip(KEYPOINTS, points)):
        row, column = int(np.floor(y)), int(np.floor(x))
        inside = 0 <= row < height and 0 <= column < width
        seen = False
        if inside and visible[row, column]:
            shallow = z - whole.depth[row, column] <= (_NOSE_DEEP if name == "nose" else _DEEP) * scale
            seen = bool(shallow) and PARTS[whole.part[row, column]] in _own_parts(name)
        found[number] = x, y, (1 + seen) if inside else 0
    return found


def _own_parts(name: str) -> set[str]:
    """Parts through which a joint counts as seen."""
    side, _, joint = name.rpartition("_")
    long = {"l": "left ", "r": "right ", "": ""}[side]
    return {long + part if part in ("arm", "leg") else part for part in _BELONGS[joint]}


def _nobody(settings: WorldSettings) -> dict[str, np.ndarray]:
    shape = (settings.height, settings.width)
    return {
        "parts": np.zeros(shape, np.int8),
        "silhouette": np.zeros(shape, bool),
        "visible": np.zeros(shape, bool),
        "depth": np.full(shape, np.inf, np.float32),
        "keypoints": np.zeros((len(KEYPOINTS), 3), np.float32),
        "structure": np.zeros(shape, np.float32),
    }


def _numbers(rows: Sequence[int] | Sequence[str] | np.ndarray | pd.Index, frame: pd.DataFrame) -> list[int]:
    """Row numbers of the plan from numbers or paths."""
    if isinstance(rows, str):
        rows = [rows]
    places = {path: number for number, path in enumerate(frame["path"])}
    wanted = [str(row) if isinstance(row, str) else int(row) for row in rows]
    wrong = [row for row in wanted if row not in places and not (isinstance(row, int) and 0 <= row < len(frame))]
    if wrong:
        raise ReidkitError(
            f"No pictures of this world: {shown(wrong)}.",
            rule=f"A row is a number from 0 to {len(frame) - 1} or a path of the world's table.",
            action="Give the settings, size and seed with which the world was made.",
        )
    return [places[row] if isinstance(row, str) else row for row in wanted]
