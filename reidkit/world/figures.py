"""Bodies that stand before a camera, joined into scenes and rendered: one picture or many at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from reidkit.world.body import MATERIALS, Body
from reidkit.world.cameras import Camera
from reidkit.world.people import Colour, Person
from reidkit.world.renderer import Rendering, Scene, render
from reidkit.world.settings import WorldSettings

PATTERNS = ("plain", "stripes", "bars", "checks", "logo", "block", "open")
RAYS = 2  # a pixel
_TIGHTS: Colour = (0.15, 0.14, 0.17)


@dataclass(frozen=True)
class Placed:
    """A body in camera space, ready to be joined into a `Scene`."""

    start: np.ndarray
    end: np.ndarray
    radius: np.ndarray
    rotation: np.ndarray


Figure = tuple[int, int, Person, Body, Placed]
"""Number of the picture, layer, who it is, the pose, and where it stands."""


def build_scene(figures: list[Figure], light: np.ndarray, ambient: np.ndarray) -> Scene:
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


@dataclass(frozen=True)
class Bodies:
    """Rendered bodies of B pictures: `colour` float32 (B, H, W, 3) times `alpha` (B, H, W, 1), and `counts` int64 (B, 2), the
    rays that meet the person, alone and with the passer-by in front."""

    colour: torch.Tensor
    alpha: torch.Tensor
    counts: torch.Tensor


def render_bodies(
    figures: list[list[Figure]], cameras: list[Camera], settings: WorldSettings, device: torch.device | str = "cpu"
) -> Bodies:
    """The bodies of B pictures, each with its figures (numbered 0..B-1) and its camera."""
    light, ambient = np.stack([camera.light for camera in cameras]), np.array([camera.ambient for camera in cameras])
    shape = (len(cameras), settings.height, settings.width)
    counts = torch.zeros((len(cameras), 2), dtype=torch.int64, device=device)
    if not any(figures):
        return Bodies(torch.zeros((*shape, 3), device=device), torch.zeros((*shape, 1), device=device), counts)

    def rendered(chosen: list[Figure]) -> Rendering:
        return render(build_scene(chosen, light, ambient).to(device), settings.height, settings.width, RAYS)

    together = rendered([figure for picture in figures for figure in picture])
    counts[:] = (together.layer == 0).flatten(1).sum(1, keepdim=True)
    alone = [picture[0] for picture in figures if len(picture) > 1]
    if alone:
        counts[:, 0] = torch.maximum(counts[:, 0], (rendered(alone).layer == 0).flatten(1).sum(1))
    return Bodies(_mean(together.colour), _mean((together.part >= 0).float())[..., None], counts)


def _mean(rays: torch.Tensor) -> torch.Tensor:
    """Mean over the rays of a pixel, (B, H, S, W, ...) to (B, H, W, ...), added in a fixed order."""
    return sum(rays.unbind(2)[1:], rays[:, :, 0]) / rays.shape[2]
