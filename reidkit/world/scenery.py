"""What is neither body nor camera: the ground behind a box, the shadow on the floor, posts and boxes in the way."""

from __future__ import annotations

import numpy as np

from reidkit.world.cameras import Camera

_CRATE, _HEDGE = np.array([0.45, 0.36, 0.26], np.float32), np.array([0.25, 0.38, 0.22], np.float32)


def ground(camera: Camera, size: tuple[int, int], column: float, right: float, down: float) -> np.ndarray:
    """The piece of the panorama behind a box, float32 (H, W, 3).

    Args:
        column: where people walk along the panorama, 0..1. right, down: error of the box in widths and heights.
    """
    height, width = size
    tall, long = camera.background.shape[:2]
    top = int(np.clip(tall // 2 - height // 2 + down * height, 0, tall - height))
    left = int(np.clip(column * (long - width) + right * width, 0, long - width))
    return camera.background[top : top + height, left : left + width].copy()


def cast_shadow(picture: np.ndarray, camera: Camera, foot: tuple[float, float], scale: float) -> None:
    """A soft dark ellipse on the floor, from the feet away from the light."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    lean = np.float32(-camera.light[0] * 0.22 * scale)
    flat = np.float32(scale * (0.035 + 0.10 * np.sin(np.radians(camera.elevation))))
    across = (x + 0.5 - foot[0] - 0.7 * lean) / np.float32(0.15 * scale + abs(lean))
    along = (y + 0.5 - foot[1] + 0.01 * scale) / flat
    far = across * across + along * along
    picture *= (1 - np.float32(camera.sun_shadow) * np.clip(1.6 - 1.2 * far, 0, 1))[..., None]


def put_obstacle(
    picture: np.ndarray, kind: str, camera: Camera, foot: tuple[float, float], scale: float, right: float, size: float
) -> np.ndarray:
    """Set a ``post`` in front of the body, or a ``box`` that hides the legs; returns bool (H, W), what it covers.

    Args:
        right: place relative to the body, about -1..1. size: 0..1.
    """
    height, width = picture.shape[:2]
    middle = foot[0] + 0.16 * scale * right
    half = (0.035 if kind == "post" else 0.20 + 0.10 * size) * scale
    left, end = max(round(middle - half), 0), min(round(middle + half), width)
    top = 0 if kind == "post" else int(np.clip(foot[1] - (0.22 + 0.14 * size) * scale, 0, height))
    covered = np.zeros((height, width), bool)
    if left >= end:
        return covered
    stone = camera.background[-1, int(size * (camera.background.shape[1] - 1))]
    colour = 0.5 * stone + np.float32(0.08) if kind == "post" else (_CRATE if size < 0.5 else _HEDGE)
    covered[top:, left:end] = True
    picture[top:, left:end] = colour * np.linspace(1.1, 0.75, end - left, dtype=np.float32)[None, :, None]
    return covered
