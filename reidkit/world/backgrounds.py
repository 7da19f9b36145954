"""What stands behind people: a wall or trees above, a floor below, drawn once a camera."""

from __future__ import annotations

import numpy as np
from PIL import Image

from reidkit.compute import derive_seed
from reidkit.world.settings import WorldSettings

WALLS = ("brick", "panels", "trees", "shop", "concrete", "fence")
FLOORS = ("tiles", "asphalt", "grass", "paving")
_WALL_COLOURS = (
    (0.62, 0.42, 0.34),
    (0.70, 0.68, 0.62),
    (0.34, 0.46, 0.27),
    (0.45, 0.52, 0.60),
    (0.56, 0.55, 0.53),
    (0.66, 0.60, 0.48),
)
_FLOOR_COLOURS = ((0.64, 0.61, 0.56), (0.40, 0.40, 0.42), (0.42, 0.52, 0.28), (0.58, 0.54, 0.50))
_SEASON_FLOOR = {"summer": (0.70, 0.64, 0.50), "winter": (0.72, 0.75, 0.80)}


def panorama(settings: WorldSettings, seed: int, index: int, camera_rng: np.random.Generator) -> np.ndarray:
    """float32 (2H, 6W, 3) in 0..1; the middle row is where the middle of an exact box lies.

    With `camera_gap` 0 all cameras of a site share one ground; with `domain_gap` 0 all seasons do.
    """
    gap = min(settings.camera_gap, 1.0)
    height, width = 2 * settings.height, 6 * settings.width
    common = np.random.default_rng(derive_seed("common ground"))
    rng = np.random.default_rng(seed)
    wall, floor = int(rng.integers(len(WALLS))), int(rng.integers(len(FLOORS)))
    base_wall = np.array(_WALL_COLOURS[4])
    base_floor = np.array(_FLOOR_COLOURS[3])
    season = np.array(_SEASON_FLOOR[settings.season])
    floor_colour = base_floor + gap * (np.array(_FLOOR_COLOURS[floor]) - base_floor)
    floor_colour = floor_colour + 0.5 * settings.domain_gap * (season - floor_colour)
    wall_colour = base_wall + gap * (np.array(_WALL_COLOURS[wall]) * rng.uniform(0.7, 1.2) - base_wall)
    if settings.season == "winter":
        wall_colour = wall_colour + 0.25 * settings.domain_gap * (wall_colour.mean() - wall_colour)
    edge = round(height * (0.56 + gap * rng.uniform(-0.22, 0.12)))
    if gap == 0.0:
        rng = common
    picture = np.empty((height, width, 3), np.float32)
    kinds = (WALLS[wall], FLOORS[floor]) if gap > 0 else ("concrete", "paving")
    picture[:edge] = wall_colour * (1 + _wall(kinds[0], edge, width, settings.height, rng))[..., None]
    picture[edge:] = floor_colour * (1 + _floor(kinds[1], height - edge, width, settings.height, rng))[..., None]
    band = slice(edge - max(1, settings.height // 40), edge)
    picture[band] *= 0.6
    return np.clip(picture, 0.02, 1.0).astype(np.float32)


def _wall(kind: str, height: int, width: int, unit: int, rng: np.random.Generator) -> np.ndarray:
    """Brightness (height, width) around 0."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y = y[::-1]
    rough = 0.12 * _noise(height, width, unit // 3, rng)
    if kind == "brick":
        course = max(4, unit // 20)
        shifted = x + (y // course % 2) * course
        joint = (y % course < 1) | (shifted % (2 * course) < 1)
        return rough - 0.22 * joint
    if kind == "panels":
        side = unit // 3
        return rough + 0.16 * ((x // side + y // side) % 2) - 0.3 * (x % side < 2)
    if kind == "trees":
        return 0.55 * _noise(height, width, unit // 6, rng) + 0.35 * _noise(height, width, unit // 16, rng)
    if kind == "shop":
        bay = unit * 0.6
        window = (x % bay > bay * 0.18) & (y > unit * 0.14) & (y < unit * 0.75)
        return rough + np.where(window, 0.35 + 0.4 * _noise(height, width, unit // 8, rng), -0.1)
    if kind == "fence":
        return rough - 0.4 * ((x % (unit // 10)) < unit // 28) - 0.2 * (np.abs(y - unit * 0.5) < unit // 40)
    return rough + 0.10 * _noise(height, width, unit, rng)


def _floor(kind: str, height: int, width: int, unit: int, rng: np.random.Generator) -> np.ndarray:
    """Brightness (height, width) around 0; lines move apart towards the viewer."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    depth = np.log1p(y / (0.12 * unit))
    rough = 0.10 * _noise(height, width, unit // 4, rng)
    near = 0.10 * (y / max(height, 1) - 0.4)
    slant = (x - width / 2) / (1 + y / (0.5 * unit)) / (0.28 * unit)
    if kind == "tiles":
        return rough + near + 0.12 * ((np.floor(slant * 2) + np.floor(depth * 4)) % 2)
    if kind == "grass":
        return near + 0.16 * _noise(height, width, max(2, unit // 40), rng) + rough
    if kind == "paving":
        return rough + near - 0.15 * ((slant * 2 % 1 < 0.06) | (depth * 4 % 1 < 0.08))
    return near + 0.05 * _noise(height, width, max(2, unit // 50), rng) + rough


def _noise(height: int, width: int, cell: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise in -1..1 with cells of `cell` pixels."""
    cell = max(2, cell)
    coarse = rng.uniform(-1, 1, (height // cell + 2, width // cell + 2)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
