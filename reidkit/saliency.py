"""Which parts of two images make them alike: Grad-CAM of their similarity, and the deletion test of what it marks.

Grad-CAM (Selvaraju et al. 2017, equations 1 and 2) weighs each channel of a feature map by the mean gradient of a score; the
score here is the cosine of an image's feature with that of the other one. The maps come from the grad-cam library; what they
are worth is measured by `reidkit.diagnose.deletion`.

For single images: what a feature loses when a part of the picture is hidden, and the maps of LF2's features with their gates.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, UInt8
from torch import Tensor, nn

from reidkit.compute import derive_seed, device_of
from reidkit.diagnose.deletion import SHARES, SIDES, PairDeletion, marked, removal_orders, removed, without
from reidkit.diagnose.feature_maps import FeatureMaps, spread_over_pixels, windows
from reidkit.errors import ModelError, nearest_name
from reidkit.features import extract
from reidkit.images.batches import pictures
from reidkit.images.views import normalised, resized
from reidkit.methods.lf2 import LF2
from reidkit.models.forms import Embed, module_of
from reidkit.models.fusion import average, halves, largest
from reidkit.records import ImageTable


def pair_saliency(
    embed: Embed,
    table: ImageTable,
    pair: tuple[int, int],
    *,
    size: tuple[int, int],
    threshold: float,
    layer: str = "backbone",
    draws: int = 5,
    batch: int = 64,
    seed: int = 0,
) -> PairDeletion:
    """Heat maps of the similarity of two images, tested by deletion. A copy of the network works; the network is left alone.

    Args:
        embed: a module, or a bound method of one such as ``embedder.embed``: images (B, 3, H, W) -> features (B, D).
        table: where the images are.
        pair: their rows.
        size: (H, W) in pixels that the network sees.
        threshold: from which cosine on two images are a match, for instance that of the nearest image of somebody else.
        layer: name of the submodule whose output (B, C, h, w) is weighed.
        draws: random orders, the level of chance.
        batch: images at a time in the deletion test.
        seed: of the random orders.

    Raises:
        ModelError: when there is no module behind `embed`, or it has no such layer.
    """
    network = _Unit(embed)
    seen = _seen(table, pair, size)
    with torch.no_grad():
        whole = network(_tensor(seen, network))
    maps, grain = similarity_maps(network, layer, seen, whole.flip(0))
    rng = np.random.default_rng(derive_seed(seed, "deletion", *pair))
    coarse = torch.as_tensor(rng.random((1, draws, *grain)), dtype=torch.float32)
    chance = F.interpolate(coarse, size, mode="bilinear", align_corners=False)[0].numpy()
    tests = pd.concat([_tests(side, maps[number], draws) for number, side in enumerate(SIDES)], ignore_index=True)
    orders = [removal_orders(saliency, chance) for saliency in maps]
    lost = []
    for row in tests.itertuples():
        number = SIDES.index(row.side)
        lost.append(without(seen[number], removed(orders[number][row.order][row.draw], row.share)))
    others = whole.flip(0)[[SIDES.index(side) for side in tests["side"]]]
    tests["similarity"] = _similarities(network, np.stack(lost), others, batch)
    return PairDeletion(pair, float(whole[0] @ whole[1]), threshold, seen, maps, chance, tests)


def similarity_maps(
    network: nn.Module, layer: str, seen: UInt8[np.ndarray, "b h w 3"], others: Float[Tensor, "b d"]
) -> tuple[Float[np.ndarray, "b h w"], tuple[int, int]]:
    """Grad-CAM of the cosine of each image with its row of `others`, 0 to 1, and the height and width of the layer's map."""
    from pytorch_grad_cam import GradCAM  # it loads OpenCV and matplotlib

    names = dict(network.named_modules())
    wanted = f"owner.{layer}"
    if wanted not in names:
        inner = [name.removeprefix("owner.") for name in names if name.startswith("owner.")]
        rule = "A layer is named as in `named_modules()`."
        raise ModelError(f"The network has no layer {layer!r}.", rule=rule, action=nearest_name(layer, inner))
    cam = GradCAM(network, [names[wanted]])
    try:
        maps = cam(_tensor(seen, network), targets=[_Cosine(other) for other in others])
        height, width = cam.activations_and_grads.activations[0].shape[-2:]
    finally:
        cam.activations_and_grads.release()
    return np.asarray(maps, np.float32), (int(height), int(width))


def loss_without(
    embed: Embed,
    table: ImageTable,
    rows: Sequence[int] | np.ndarray,
    regions: Bool[np.ndarray, "r h w"],
    *,
    size: tuple[int, int],
    parts: int = 1,
) -> Float32[np.ndarray, "r n p"]:
    """1 - cosine (0 to 2) of each feature with itself after a region of the picture took the picture's mean colour.

    Args:
        embed, size, parts: as in `reidkit.features.extract`; features that stand side by side are compared one by one.
        rows: N images of `table`.
        regions: true where the picture is hidden, at the size that the network sees.
    """
    whole = _seen(table, rows, size)
    hidden = np.stack([without(picture, region) for region in regions for picture in whole])
    shown = np.concatenate([whole, hidden])
    some = table.take(np.asarray(rows, np.int64))
    repeated = some.take(np.tile(np.arange(len(some)), 1 + len(regions)))
    made = extract(embed, replace(repeated, root=None, pixels=shown), size=size, parts=parts, progress=False).unit()
    cut = made.matrix.reshape(1 + len(regions), len(some), parts, -1)
    return 1.0 - np.einsum("rnpd,npd->rnp", cut[1:], cut[0])


def occlusion_maps(
    embed: Embed,
    table: ImageTable,
    rows: Sequence[int] | np.ndarray,
    *,
    size: tuple[int, int],
    window: tuple[int, int],
    stride: int,
    parts: int = 1,
) -> Float32[np.ndarray, "p n h w"]:
    """`loss_without` of a window that moves over the picture, as the mean over the windows that cover a pixel."""
    places = windows(size, window, stride)
    lost = loss_without(embed, table, rows, places, size=size, parts=parts)
    return spread_over_pixels(np.swapaxes(lost, 1, 2), places)


def fusion_maps(
    method: LF2, table: ImageTable, rows: Sequence[int] | np.ndarray, *, size: tuple[int, int], share: float = 0.2
) -> FeatureMaps:
    """Where LF2's features look: g, u and l (the teacher's, which are tested), and what the fusion makes of g with u and l.

    Activity is the length over channels of the teacher's map, of its halves, and of that map gated by each half of the
    student's (reference 7.2). Loss is that of the features themselves, by `occlusion_maps`.

    Args:
        rows: of the images, some dozens at most.
        share: height of the square window that hides, as a share of the picture's; it moves by a third of that.
    """
    made = _FusionMaps(method)
    some = table.take(np.asarray(rows, np.int64))
    flat = extract(made, some, size=size, progress=False).matrix
    parts = np.split(flat, np.cumsum(made.lengths)[:-1], axis=1)
    activity = parts[0].reshape(len(flat), 5, *made.grid).swapaxes(0, 1)
    pooled, gates = (part.reshape(len(flat), 2, -1).swapaxes(0, 1) for part in parts[1:])
    side = max(1, min(round(share * size[0]), *size))
    embeds = (method.embed_test, method.embed)
    lost = [
        occlusion_maps(embed, table, rows, size=size, window=(side, side), stride=max(1, side // 3), parts=method.parts)
        for embed in embeds
    ]
    names = ("g", "u", "l", "g+u", "g+l")
    return FeatureMaps(names, _seen(table, rows, size), activity, np.concatenate([lost[0], lost[1][1:]]), pooled, gates)


class _FusionMaps(nn.Module):
    """Activity of five maps, pooled halves and gates, side by side in one row an image."""

    def __init__(self, method: LF2) -> None:
        super().__init__()
        self.method = method
        self.grid: tuple[int, int] = (0, 0)
        self.lengths: list[int] = []

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        fusion, teacher = self.method.fusion, self.method.teacher.backbone(images)
        both = halves(self.method.student.backbone(images))
        gates = [fusion.gate(half, view) for view, half in enumerate(both)]
        upper, lower = halves(teacher)
        alone = [teacher, F.pad(upper, (0, 0, 0, lower.shape[2])), F.pad(lower, (0, 0, upper.shape[2], 0))]
        maps = [*alone, *(gate[:, :, None, None] * teacher for gate in gates)]
        activity = torch.stack([torch.linalg.vector_norm(one, dim=1) for one in maps], dim=1)
        found = [activity, torch.cat([average(half) + largest(half) for half in both], dim=1), torch.cat(gates, dim=1)]
        self.grid = (teacher.shape[2], teacher.shape[3])
        self.lengths = [part[0].numel() for part in found]
        return torch.cat([part.flatten(1) for part in found], dim=1)


class _Unit(nn.Module):
    """A copy of the network behind `embed`, in evaluation mode, whose features have unit length."""

    def __init__(self, embed: Embed) -> None:
        super().__init__()
        module = module_of(embed)
        if module is None:
            what = "There is no network behind `embed`."
            raise ModelError(what, rule="Gradients need the module.", action="Pass a module, or a bound method of one.")
        self.owner = copy.deepcopy(module).eval().requires_grad_(True)
        self.call = "forward" if isinstance(embed, nn.Module) else embed.__name__

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        return F.normalize(getattr(self.owner, self.call)(images).float(), dim=1)


class _Cosine:
    """The score that the library takes the gradient of."""

    def __init__(self, other: Float[Tensor, " d"]) -> None:
        self.other = other

    def __call__(self, feature: Float[Tensor, " d"]) -> Tensor:
        return feature @ self.other


def _seen(table: ImageTable, rows: Sequence[int] | np.ndarray, size: tuple[int, int]) -> UInt8[np.ndarray, "n h w 3"]:
    """The pictures of some rows as the network sees them."""
    return np.stack([resized(picture, size).permute(1, 2, 0).numpy() for picture in pictures(table, list(rows))])


def _tensor(seen: UInt8[np.ndarray, "b h w 3"], network: nn.Module) -> Float[Tensor, "b 3 h w"]:
    images = [normalised(torch.as_tensor(picture).permute(2, 0, 1)) for picture in seen]
    return torch.stack(images).to(device_of(network))


def _tests(side: str, saliency: Float[np.ndarray, "h w"], draws: int) -> pd.DataFrame:
    """What is removed from one picture: side, order, draw, share."""
    area = marked(saliency)
    shares: Sequence[float] = sorted({*SHARES, area})
    rows = [(side, "most", 0, share) for share in shares] + [(side, "least", 0, share) for share in SHARES]
    rows += [(side, "random", draw, share) for draw in range(draws) for share in shares]
    return pd.DataFrame(rows, columns=["side", "order", "draw", "share"])


@torch.no_grad()
def _similarities(
    network: nn.Module, images: UInt8[np.ndarray, "b h w 3"], others: Float[Tensor, "b d"], batch: int
) -> Float[np.ndarray, " b"]:
    found = []
    for start in range(0, len(images), batch):
        part = slice(start, start + batch)
        found.append((network(_tensor(images[part], network)) * others[part]).sum(dim=1).cpu())
    return torch.cat(found).numpy().astype(np.float64)
