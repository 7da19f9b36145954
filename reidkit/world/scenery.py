"""What is neither body nor camera: the ground behind a box, the shadow on the floor, posts and boxes in the way.

Effects are written with operators that NumPy arrays and torch tensors share: a picture (H, W, 3) on the CPU and a batch of
pictures (B, H, W, 3) on a device go through the same lines. What they are told about one picture has three axes as well, each
as long as the picture's or 1; a batch puts one more in front.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

import numpy as np

from reidkit.world.cameras import Array, Camera

_CRATE, _HEDGE = np.array([0.45, 0.36, 0.26], np.float32), np.array([0.25, 0.38, 0.22], np.float32)


@dataclass(frozen=True)
class Shadow(Generic[Array]):
    """The ellipse on the floor, float32 (1, 1, 1) each: the feet's `x` and `y`, and in pixels `lift`, `lean`, `wide`, `flat`;
    `dark` is 0..1."""

    x: Array
    y: Array
    lift: Array
    lean: Array
    wide: Array
    flat: Array
    dark: Array


@dataclass(frozen=True)
class Obstacle(Generic[Array]):
    """What stands in front: `top` float32 (1, 1, 1), its first row; `shade` float32 (1, W, 1), its brightness in each column, 0
    beside it; `colour` float32 (1, 1, 3)."""

    top: Array
    shade: Array
    colour: Array


def places(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows (H, 1, 1) and columns (1, W, 1) of a picture, float32."""
    height, width = size
    return np.arange(height, dtype=np.float32)[:, None, None], np.arange(width, dtype=np.float32)[None, :, None]


def single(value: int | float | np.floating) -> np.ndarray:
    """One number as float32 (1, 1, 1)."""
    return np.full((1, 1, 1), value, np.float32)


def ground(background: Array, size: tuple[int, int], column: float, right: float, down: float) -> Array:
    """The piece of a panorama (H', W', 3) behind a box, (H, W, 3): a view, not a copy.

    Args:
        column: where people walk along the panorama, 0..1. right, down: error of the box in widths and heights.
    """
    height, width = size
    tall, long = background.shape[:2]
    top = int(np.clip(tall // 2 - height // 2 + down * height, 0, tall - height))
    left = int(np.clip(column * (long - width) + right * width, 0, long - width))
    return background[top : top + height, left : left + width]


def shadow_of(camera: Camera, foot: tuple[float, float], scale: float, somebody: bool = True) -> Shadow[np.ndarray]:
    """The shadow of a person `scale` pixels high who stands at `foot`, away from the light; none when nobody is there."""
    lean = np.float32(-camera.light[0] * 0.22 * scale)
    return Shadow(
        x=single(foot[0]),
        y=single(foot[1]),
        lift=single(0.01 * scale),
        lean=single(lean),
        wide=single(0.15 * scale + abs(lean)),
        flat=single(scale * (0.035 + 0.10 * np.sin(np.radians(camera.elevation)))),
        dark=single(camera.sun_shadow if somebody else 0.0),
    )


def cast_shadow(picture: Array, shadow: Shadow[Array], y: Array, x: Array) -> Array:
    """`picture` with a soft dark ellipse on its floor; `y` and `x` from `places`."""
    across = (x + 0.5 - shadow.x - 0.7 * shadow.lean) / shadow.wide
    along = (y + 0.5 - shadow.y + shadow.lift) / shadow.flat
    far = across * across + along * along
    return picture * (1 - shadow.dark * (1.6 - 1.2 * far).clip(0, 1))


def obstacle_of(
    kind: str, camera: Camera, size: tuple[int, int], foot: tuple[float, float], scale: float, right: float, part: float
) -> Obstacle[np.ndarray]:
    """A ``post`` in front of the body, or a ``box`` that hides the legs; any other kind is nothing.

    Args:
        right: place relative to the body, about -1..1. part: how large it is, 0..1.
    """
    height, width = size
    shade, colour, top = np.zeros((1, width, 1), np.float32), np.zeros((1, 1, 3), np.float32), 0
    if kind in ("post", "box"):
        middle = foot[0] + 0.16 * scale * right
        half = (0.035 if kind == "post" else 0.20 + 0.10 * part) * scale
        left, end = max(round(middle - half), 0), max(min(round(middle + half), width), 0)
        shade[0, left:end, 0] = np.linspace(1.1, 0.75, max(end - left, 0), dtype=np.float32)
        stone = camera.background[-1, int(part * (camera.background.shape[1] - 1))]
        colour[0, 0] = 0.5 * stone + np.float32(0.08) if kind == "post" else (_CRATE if part < 0.5 else _HEDGE)
        top = 0 if kind == "post" else int(np.clip(foot[1] - (0.22 + 0.14 * part) * scale, 0, height))
    return Obstacle(single(top), shade, colour)


def covered(obstacle: Obstacle[Array], y: Array) -> Array:
    """bool (H, W, 1), where the obstacle stands; `y` from `places`."""
    return (y >= obstacle.top) & (obstacle.shade > 0)


def put_obstacle(picture: Array, obstacle: Obstacle[Array], y: Array) -> Array:
    """`picture` with the obstacle in front of it."""
    here = covered(obstacle, y)
    return picture * ~here + obstacle.colour * obstacle.shade * here
