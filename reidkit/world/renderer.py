"""Ray against round cone in closed form: many bodies in one pass, on a CPU or a GPU.

Rays are parallel (perspective is put into the joints beforehand), so a ray is a point of the picture. Only rays near the
outline of a cone are ever tested against it. Everything is element by element: a picture does not depend on its batch.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from reidkit.world.body import MATERIALS

_DEPTH_STEPS, _DEPTH_OFFSET = 256.0, 65536.0
_NOTHING = torch.iinfo(torch.int64).max


@dataclass(frozen=True)
class Scene:
    """P round cones of B pictures, in camera space: x right and y down in pixels, z away from the viewer in pixels.

    Attributes:
        image: int64 (P,), the picture that a cone belongs to.
        layer: int64 (P,), 0 for the person of the picture, 1 for somebody who passes in front.
        start, end: float32 (P, 3); radius: float32 (P, 2), in pixels.
        body_start, body_end: float32 (P, 3), the same ends in body space; body_radius (P, 2).
        material, part: int64 (P,). height: float32 (P, 2), pattern coordinate at both ends. front, open: float32 (P,).
        palette: float32 (B, 2, M, 3), colours of each layer. pattern: int64 (B, 2). pattern_scale: float32 (B, 2).
        rotation: float32 (B, 2, 3, 3), body space to camera space.
        light: float32 (B, 3), unit vector towards the light in camera space. ambient: float32 (B,), 0..1.
    """

    image: Tensor
    layer: Tensor
    start: Tensor
    end: Tensor
    radius: Tensor
    body_start: Tensor
    body_end: Tensor
    body_radius: Tensor
    material: Tensor
    part: Tensor
    height: Tensor
    front: Tensor
    open: Tensor
    palette: Tensor
    pattern: Tensor
    pattern_scale: Tensor
    rotation: Tensor
    light: Tensor
    ambient: Tensor

    def to(self, device: torch.device | str) -> Scene:
        """The same scene on `device`. A GPU rounds otherwise: rays that graze an outline may be decided differently."""
        return Scene(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


@dataclass(frozen=True)
class Rendering:
    """What the S rays of each pixel met.

    Attributes:
        colour: float32 (B, H, S, W, 3), 0 where nothing.
        part, layer: int64 (B, H, S, W), -1 where nothing.
        depth: float32 (B, H, S, W), infinite where nothing.
    """

    colour: Tensor
    part: Tensor
    layer: Tensor
    depth: Tensor


def render(scene: Scene, height: int, width: int, samples: int = 2) -> Rendering:
    """Shaded pictures of all bodies in `scene`; the `samples` rays of a pixel lie on its diagonal."""
    shape = (len(scene.light), height, samples, width)
    ray, cone, along, depth = nearest_hits(scene, height, width, samples)
    colour = torch.zeros(int(np.prod(shape)), 3, device=scene.start.device)
    part = torch.full((len(colour),), -1, dtype=torch.int64, device=scene.start.device)
    layer, far = part.clone(), torch.full_like(colour[:, 0], torch.inf)
    column, row = ray % width, torch.div(ray, width, rounding_mode="floor") % (height * samples)
    colour[ray] = shade(scene, cone, along, *centres(column, row, samples), depth)
    part[ray], layer[ray], far[ray] = scene.part.index_select(0, cone), scene.layer.index_select(0, cone), depth
    return Rendering(colour.view(*shape, 3), part.view(shape), layer.view(shape), far.view(shape))


def centres(column: Int[Tensor, " t"], row: Int[Tensor, " t"], samples: int) -> tuple[Float[Tensor, " t"], Float[Tensor, " t"]]:
    """Where rays pierce the picture, (x, y) in pixels; `row` counts rows of rays, `samples` to a row of pixels."""
    return column + (row % samples + 0.5) / samples, (row + 0.5) / samples


def candidates(scene: Scene, height: int, width: int, samples: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rays that may meet each cone: (cone, column, row), each int64 (T,); rows are rows of rays.

    Row by row: the outline lies in the cone's bounding box and in the strip around its axis as wide as its larger end.
    """
    (ax, ay), (bx, by) = scene.start[:, :2].unbind(1), scene.end[:, :2].unbind(1)
    ra, rb = scene.radius.unbind(1)
    top = (samples * torch.minimum(ay - ra, by - rb)).floor().clamp(0, samples * height).long()
    bottom = (samples * torch.maximum(ay + ra, by + rb)).ceil().clamp(0, samples * height).long()
    cone, row = _expand(bottom - top)
    row = row + top.index_select(0, cone)
    rise, run = (by - ay), (bx - ax)
    far = torch.where(rise.abs() < 1e-3, 1e-3, rise)
    reach = torch.maximum(ra, rb) * torch.sqrt(rise * rise + run * run) / far.abs()
    slope = run / far
    bounds = torch.stack([torch.minimum(ax - ra, bx - rb), torch.maximum(ax + ra, bx + rb), ax - ay * slope, slope, reach])
    low, high, foot, slope, reach = bounds.index_select(1, cone).unbind(0)
    axis = foot + (row + 0.5) / samples * slope
    left = torch.maximum(low, axis - reach - 0.5).floor().clamp(0, width).long()
    right = torch.minimum(high, axis + reach + 0.5).ceil().clamp(0, width).long()
    segment, column = _expand((right - left).clamp(min=0))
    cone, left, row = torch.stack([cone, left, row]).index_select(1, segment).unbind(0)
    return cone, column + left, row


def _expand(counts: Int[Tensor, " n"]) -> tuple[Int[Tensor, " t"], Int[Tensor, " t"]]:
    """Each index i repeated counts[i] times, and 0..counts[i]-1 beside it."""
    index = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    first = torch.cumsum(counts, 0) - counts
    return index, torch.arange(len(index), device=counts.device) - first.index_select(0, index)


def nearest_hits(scene: Scene, height: int, width: int, samples: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The first cone on each ray that meets one.

    A round cone is the union of spheres with centre a + s(b - a) and radius r_a + s(r_b - r_a), 0 <= s <= 1. With
    u = p - a, m = u.(b - a), d = r_a - r_b and g = |b - a|^2 - d^2, its side is g |u|^2 - m^2 + 2 r_a d m - r_a^2 |b-a|^2 = 0,
    touched by the sphere s = (m - r_a d) / g: quadratic along a ray. The two ends are spheres.

    Returns:
        ray (V,) flat index over (B, H, S, W); cone (V,); along (V,) the s of the hit; depth (V,).
    """
    cone, column, row = candidates(scene, height, width, samples)
    span = scene.end - scene.start
    ra, rb = scene.radius.unbind(1)
    bx, by, bz = span.unbind(1)
    shrink = ra - rb
    squared = bx * bx + by * by + bz * bz
    g = squared - shrink * shrink
    table = torch.stack([*scene.start.unbind(1), bx, by, bz, ra, rb, shrink, g, squared, scene.open])
    ax, ay, az, bx, by, bz, ra, rb, shrink, g, squared, hem = table.index_select(1, cone).unbind(0)
    x, y = centres(column, row, samples)
    x, y = x - ax, y - ay
    flat = bx * x + by * y
    x2y2 = x * x + y * y
    # side: A w^2 + 2 B w + C = 0 with w = z - a_z
    a = g - bz * bz
    b = (ra * shrink - flat) * bz
    c = g * x2y2 - flat * flat + 2 * ra * shrink * flat - ra * ra * squared
    root = b * b - a * c
    w = (-b - root.clamp(min=0).sqrt()) / torch.where(a.abs() > 1e-9, a, 1e-9)
    s = (flat + bz * w - ra * shrink) / g
    w = torch.where((root >= 0) & (a.abs() > 1e-9) & (s >= 0) & (s <= 1), w, torch.inf)
    steep = torch.nonzero((a < -1e-9) & (root >= 0)).squeeze(1)  # cones seen along their axis: the other root may count
    other = (-b[steep] + root[steep].sqrt()) / a[steep]
    place = (flat[steep] + bz[steep] * other - ra[steep] * shrink[steep]) / g[steep]
    first = (place >= 0) & (place <= 1) & (other < w[steep])
    w[steep], s[steep] = torch.where(first, other, w[steep]), torch.where(first, place, s[steep])
    for inside, middle, at in (
        (ra * ra - x2y2, torch.zeros_like(bz), 0.0),
        (rb * rb - (x - bx).square() - (y - by).square() - 1e12 * hem, bz, 1.0),
    ):
        sphere = torch.where(inside >= 0, middle - inside.clamp(min=0).sqrt(), torch.inf)
        s = torch.where(sphere < w, at, s)
        w = torch.minimum(w, sphere)
    hit = torch.nonzero(torch.isfinite(w)).squeeze(1)
    s, depth = torch.stack([s, w + az]).index_select(1, hit).unbind(0)
    cone, row, column = torch.stack([cone, row, column]).index_select(1, hit).unbind(0)
    ray = (scene.image.index_select(0, cone) * (height * samples) + row) * width + column
    order = ((depth + _DEPTH_OFFSET) * _DEPTH_STEPS).long().clamp(min=0) << 32
    key = order | torch.arange(len(hit), device=hit.device)
    best = torch.full((len(scene.light) * height * samples * width,), _NOTHING, dtype=torch.int64, device=hit.device)
    best.scatter_reduce_(0, ray, key, "amin")
    seen = torch.nonzero(best != _NOTHING).squeeze(1)
    winner = best[seen] & 0xFFFFFFFF
    return seen, cone.index_select(0, winner), s.index_select(0, winner), depth.index_select(0, winner)


def shade(
    scene: Scene,
    cone: Int[Tensor, " v"],
    along: Float[Tensor, " v"],
    x: Float[Tensor, " v"],
    y: Float[Tensor, " v"],
    depth: Float[Tensor, " v"],
) -> Float[Tensor, "v 3"]:
    """Colour of the visible points: pattern x (ambient from above + Lambert)."""
    figure = (scene.image * 2 + scene.layer).index_select(0, cone)
    normal = normals(scene, cone, along, x, y, depth)
    turn = scene.rotation.flatten(0, 1).flatten(1).index_select(0, figure).unbind(1)
    body_normal = [turn[k] * normal[0] + turn[3 + k] * normal[1] + turn[6 + k] * normal[2] for k in range(3)]
    a, b = scene.body_start.index_select(0, cone).unbind(1), scene.body_end.index_select(0, cone).unbind(1)
    ra, rb = scene.body_radius.index_select(0, cone).unbind(1)
    thick = ra + along * (rb - ra)
    place = [start + along * (end - start) + thick * n for start, end, n in zip(a, b, body_normal)]
    albedo = _clothes(scene, cone, figure, along, place, body_normal[2])
    image = scene.image.index_select(0, cone)
    lx, ly, lz = scene.light.index_select(0, image).unbind(1)
    lambert = (normal[0] * lx + normal[1] * ly + normal[2] * lz).clamp(min=0)
    ambient = scene.ambient.index_select(0, image)
    sky = 0.72 - 0.28 * normal[1]  # y points down: what faces up sees more sky
    glow = 1.25 * (ambient * sky + (1 - ambient) * 1.1 * lambert)
    fold = 1 + 0.05 * torch.sin(61 * place[1] + 9 * torch.sin(23 * place[0] + 17 * place[2]))
    return albedo * (glow * fold).unsqueeze(1)


def normals(
    scene: Scene,
    cone: Int[Tensor, " v"],
    along: Float[Tensor, " v"],
    x: Float[Tensor, " v"],
    y: Float[Tensor, " v"],
    depth: Float[Tensor, " v"],
) -> list[Tensor]:
    """x, y and z (each float32 (V,)) of the unit normals at the visible points, in camera space."""
    a, b = scene.start.index_select(0, cone).unbind(1), scene.end.index_select(0, cone).unbind(1)
    ra, rb = scene.radius.index_select(0, cone).unbind(1)
    inverse = 1.0 / (ra + along * (rb - ra)).clamp(min=1e-6)
    return [(p - (start + along * (end - start))) * inverse for p, start, end in zip((x, y, depth), a, b)]


def _clothes(
    scene: Scene, cone: Tensor, figure: Tensor, along: Tensor, place: list[Tensor], forward: Tensor
) -> Float[Tensor, "v 3"]:
    """Colour before light. Patterns live on the upper garment; what sits on the front only is seen from the front only.

    Args:
        figure: (V,) picture x 2 + layer. place: x, y, z in body space. forward: z of the normal in body space.
    """
    x, y, z = place
    first, second = MATERIALS.index("upper"), MATERIALS.index("second")
    material = scene.material.index_select(0, cone)
    torso = scene.front.index_select(0, cone) > 0
    upper, lower = scene.height.index_select(0, cone).unbind(1)
    level = torch.where(torso, y, upper + along * (lower - upper))
    scale = scene.pattern_scale.flatten().index_select(0, figure)
    pattern = scene.pattern.flatten().index_select(0, figure)
    front = torso & (forward > 0.15)
    rows = torch.remainder(level / (0.052 * scale), 1.0) < 0.5
    bars = torch.remainder(0.75 * (x + z) / (0.040 * scale), 1.0) < 0.45
    emblem = (x.abs() < 0.052 * scale) & ((level - 0.70).abs() < 0.040 * scale)
    marks = (rows, bars, rows ^ bars, front & emblem, level < 0.665, front & (x.abs() < 0.017 + 0.012 * scale))
    chosen = torch.zeros_like(torso)
    for number, mark in enumerate(marks, start=1):
        chosen |= (pattern == number) & mark
    shown = torch.where(chosen & (material == first), second, material)
    return scene.palette.flatten(0, 2).index_select(0, figure * len(MATERIALS) + shown)
