"""Cameras: where they stand, what they see behind people, and what they do to colours and sharpness."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from PIL import Image, ImageFilter
from torch import Tensor

from reidkit.compute import derive_seed
from reidkit.world.backgrounds import panorama
from reidkit.world.settings import WorldSettings

# Light and air of a season: gain, tint (r, g, b), saturation, ambient share of the light, mist.
_AIR = {
    "summer": (1.10, (1.05, 1.00, 0.93), 1.06, 0.42, 0.0),
    "winter": (0.98, (0.94, 0.99, 1.08), 0.85, 0.62, 0.15),
    "neutral": (1.00, (1.00, 1.00, 1.00), 0.95, 0.52, 0.06),
}
_MIST = 0.66  # brightness of mist
GREY = np.array([0.299, 0.587, 0.114], np.float32)
Array = TypeVar("Array", np.ndarray, Tensor)  # effects are written once for pictures and for batches: see `scenery`


@dataclass(frozen=True)
class Camera:
    """One camera of a site.

    Attributes:
        index: 1..C, as in file names.
        place: (2,) where it hangs on the site's plan, for the visiting graph.
        heading: preferred walking direction relative to the camera, radians (0: people come towards it).
        spread: how far people stray from that direction, radians.
        elevation: degrees above the horizon. distance: to people, in body heights.
        light: unit vector to the light at noon, in camera space. ambient: share of light from everywhere, 0..1.
        mist: share of the light that comes from the air between, 0..1.
        gain, gamma, saturation, tint: what the sensor does to colours.
        rows: pixels that a person's box really has. blur: sigma in pixels of that box. noise: sigma, 0..1. quality: JPEG.
        background: float32 (H', W', 3) panorama behind people, 0..1.
        sun_shadow: darkness of the shadow on the floor, 0..1.
    """

    index: int
    place: np.ndarray
    heading: float
    spread: float
    elevation: float
    distance: float
    light: np.ndarray
    ambient: float
    mist: float
    gain: float
    gamma: float
    saturation: float
    tint: np.ndarray
    rows: int
    blur: float
    noise: float
    quality: int
    background: np.ndarray
    sun_shadow: float


def make_cameras(settings: WorldSettings, seed: int) -> list[Camera]:
    """The cameras of a site. With `camera_gap` 0 they differ in place only."""
    return [_camera(settings, seed, index) for index in range(1, settings.cameras + 1)]


def _camera(settings: WorldSettings, seed: int, index: int) -> Camera:
    rng = np.random.default_rng(derive_seed(seed, "camera", settings.site, settings.season, index))
    gap, home = settings.camera_gap, settings.domain_gap
    neutral, own = _AIR["neutral"], _AIR[settings.season]
    gain, tint, saturation, ambient, mist = (
        np.asarray(n) + home * (np.asarray(o) - np.asarray(n)) for n, o in zip(neutral, own, strict=True)
    )

    # One draw each from a fixed list of deviations, spread evenly over cameras so that a site is never alike by chance.
    def spread(scale: float, name: str) -> float:
        order = np.random.default_rng(derive_seed(seed, settings.site, settings.season, name)).permutation(settings.cameras)
        even = 2 * (order[index - 1] + 0.5) / settings.cameras - 1
        return float(scale * (even + 0.15 * rng.normal()))

    angle = 2 * np.pi * (index - 1) / settings.cameras
    warmth, green = spread(0.22, "warmth"), spread(0.10, "green")
    azimuth, height = rng.uniform(-np.pi, np.pi), rng.uniform(0.5, 0.9)
    azimuth = 0.9 + min(gap, 1.0) * (azimuth - 0.9)
    light = np.array([np.sin(azimuth), -1.2 * height - 0.3, -0.35 - 0.65 * np.cos(azimuth)])
    lost = 1.0 - settings.resolution_loss * (0.35 + 0.35 * min(gap, 1.0) * (spread(1.0, "rows") + 1) / 2)
    return Camera(
        index=index,
        place=np.array([np.cos(angle), np.sin(angle)]),
        heading=float((0.35 + 1.3 * min(gap, 1.0) * rng.uniform(-1, 1)) % np.pi),
        spread=0.9 - 0.45 * min(gap, 1.0),
        elevation=float(np.clip(9.0 + spread(13.0, "elevation") * min(gap, 1.5), 0.0, 32.0)),
        distance=float(6.0 + 2.5 * min(gap, 1.0) * rng.uniform(-1, 1)),
        light=light / np.linalg.norm(light),
        ambient=float(np.clip(ambient + 0.25 * min(gap, 1.0) * rng.uniform(-1, 1), 0.15, 0.9)),
        mist=float(np.clip(mist * (1.0 + gap * spread(0.4, "mist")), 0.0, 0.6)),
        gain=float(gain * np.exp(gap * spread(0.45, "gain"))),
        gamma=float(np.exp(gap * spread(0.35, "gamma"))),
        saturation=float(np.clip(saturation * np.exp(gap * spread(0.5, "saturation")), 0.1, 1.6)),
        tint=np.asarray(tint) * np.exp(gap * np.array([warmth, green, -warmth])),
        rows=max(12, round(settings.height * min(1.0, lost))),
        blur=float(settings.resolution_loss * (0.6 + 0.9 * min(gap, 1.0) * rng.random())),
        noise=float(0.008 + 0.030 * min(gap, 1.0) * rng.random()),
        quality=int(np.clip(88 - 45 * min(gap, 1.0) * rng.random(), 35, 95)),
        background=panorama(settings, derive_seed(seed, "ground", settings.site, settings.season, index), index, rng),
        sun_shadow=float((0.45 if settings.season == "summer" else 0.22) * (1.2 - ambient)),
    )


@dataclass(frozen=True)
class Look(Generic[Array]):
    """What a camera makes of light at one moment: float32 (1, 1, 1), `tint` (1, 1, 3); a batch has one more axis in front."""

    clear: Array
    veil: Array
    tint: Array
    saturation: Array
    gamma: Array


def look_of(camera: Camera, hour: float, drift: float, flicker: float) -> Look[np.ndarray]:
    """How `camera` sees at `hour` (8..20); `drift` is the dial `day_drift`, `flicker` a tracklet's exposure error, about 0."""
    gain = camera.gain * daylight(hour, drift) * np.exp(flicker)
    tint = camera.tint * np.exp(drift * _late(hour) * np.array([0.16, 0.0, -0.16]))
    numbers = (1.0 - camera.mist, camera.mist * _MIST, camera.saturation, camera.gamma)
    clear, veil, saturation, gamma = (np.full((1, 1, 1), number, np.float32) for number in numbers)
    return Look(clear, veil, (gain * tint).astype(np.float32)[None, None], saturation, gamma)


def expose(picture: Array, look: Look[Array], grey: Array) -> Array:
    """Light and colour: radiance (H, W, 3) in 0..1 as levels in 0.5..255.5, to be cut to whole numbers.

    Args:
        grey: `GREY`, on the device of the picture.
    """
    exposed = (picture * look.clear + look.veil) * look.tint
    light = (exposed @ grey)[..., None]
    coloured = light + look.saturation * (exposed - light)
    return coloured.clip(0.0, 1.0) ** look.gamma * 255 + 0.5


def record(exposed: np.ndarray, camera: Camera, rng: np.random.Generator) -> bytes:
    """Resolution, blur, noise and compression of uint8 (H, W, 3); then the crop as a JPEG."""
    height, width = exposed.shape[:2]
    image = Image.fromarray(exposed)
    rows = min(camera.rows, height)
    columns = max(6, round(rows * width / height))
    if rows < height:
        image = image.resize((columns, rows), Image.Resampling.BOX)
    image = _blurred(image, camera.blur)
    noisy = np.asarray(image, np.float32) + 255 * np.float32(camera.noise) * rng.standard_normal((rows, columns, 1), np.float32)
    image = _compressed(Image.fromarray(np.clip(noisy + 0.5, 0, 255).astype(np.uint8)), camera.quality)
    if rows < height:
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def daylight(hour: float, drift: float) -> float:
    """Brightness of the day relative to early afternoon; `drift` is the dial `day_drift`."""
    late = _late(hour)
    return float(np.exp(-drift * (0.55 * late * late + 0.12 * late)))


def _late(hour: float) -> float:
    """-1 at 8 in the morning, 1 at 8 in the evening."""
    return (hour - 14.0) / 6.0


def _blurred(image: Image.Image, sigma: float) -> Image.Image:
    """A small blur with integer weights, so that bytes do not depend on rounding."""
    side = round(16 * sigma)
    if side < 1:
        return image
    kernel = ImageFilter.Kernel((3, 3), [1, side, 1, side, 64, side, 1, side, 1])
    return image.filter(kernel)


def _compressed(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")
