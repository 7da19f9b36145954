"""LF2's networks: one map, a global head, two part experts, and the fusion module (reference 7.2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reidkit.errors import ModelError
from reidkit.models.embedder import bn_neck_of

Maps = Float[Tensor, "b c h w"]
Rows = Float[Tensor, "b c"]
SIGMOIDS = ("inside", "outside")


class PartOutput(NamedTuple):
    """What one network makes of a batch: its map, and the global, upper and lower features after their batch norms."""

    map: Tensor
    whole: Tensor
    upper: Tensor
    lower: Tensor


def average(maps: Maps) -> Rows:
    """Mean over the map."""
    return maps.mean(dim=(2, 3))


def largest(maps: Maps) -> Rows:
    """Maximum over the map."""
    return maps.amax(dim=(2, 3))


def halves(maps: Maps) -> tuple[Float[Tensor, "b c upper w"], Float[Tensor, "b c lower w"]]:
    """Upper and lower half of the rows (of 16: 0-7 and 8-15)."""
    upper, lower = maps.tensor_split(2, dim=2)
    return upper, lower


class PartExperts(nn.Module):
    """Global feature g = BN(avg + max) and experts u, l = BN(FC[avg; max]) of the two halves.

    Args:
        backbone: a module with `out_channels` that maps images to (B, C, h, w), h at least 2.
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        channels = backbone.out_channels
        if not isinstance(channels, int):
            raise ModelError(
                "The backbone has no out_channels.", rule="A backbone says its channels.", action="Use build_backbone."
            )
        self.dimension = channels
        self.norm = bn_neck_of(channels)
        self.upper, self.lower = (nn.Sequential(nn.Linear(2 * channels, channels), bn_neck_of(channels)) for _ in range(2))

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> PartOutput:
        maps = self.backbone(images)
        parts = [torch.cat([average(half), largest(half)], dim=1) for half in halves(maps)]
        return PartOutput(maps, self.norm(average(maps) + largest(maps)), self.upper(parts[0]), self.lower(parts[1]))


class FusionModule(nn.Module):
    """Part attention of the student on the teacher's map: phi_j = BN_j(pool(Z_j * Phi_0)), phi_0 = BN_0(pool(Phi_0)).

    ``"inside"`` (figure 3 and the code): Z = sigmoid(MLP(max) + MLP(avg)) * F. ``"outside"`` (the slides' formula):
    Z = sigmoid((MLP(max) + MLP(avg)) * F). F = avg + max of the half.

    Args:
        channels: C of the maps.
        reduction: of the MLP's hidden layer (4).
        sigmoid: one of the two.
    """

    def __init__(self, channels: int, *, reduction: int = 4, sigmoid: str = "inside") -> None:
        super().__init__()
        if sigmoid not in SIGMOIDS:
            raise ModelError(f"sigmoid={sigmoid!r}.", rule=f"It stands {SIGMOIDS[0]} or {SIGMOIDS[1]}.", action="Choose one.")
        self.sigmoid = sigmoid
        hidden = max(1, channels // reduction)
        self.attention = nn.ModuleList(
            nn.Sequential(nn.Linear(channels, hidden, bias=False), nn.ReLU(), nn.Linear(hidden, channels, bias=False))
            for _ in range(2)
        )
        self.norms = nn.ModuleList(bn_neck_of(channels) for _ in range(3))

    def gate(self, part: Maps, view: int) -> Rows:
        """Z_j, the channel weights that one half gives."""
        mean, most = average(part), largest(part)
        answer = self.attention[view](most) + self.attention[view](mean)
        pooled = mean + most
        return torch.sigmoid(answer) * pooled if self.sigmoid == "inside" else torch.sigmoid(answer * pooled)

    def forward(self, teacher: Maps, student: Maps) -> tuple[Rows, Rows, Rows]:
        """(phi_0, phi_1, phi_2): whole, upper, lower."""
        maps = [teacher, *(self.gate(half, j)[:, :, None, None] * teacher for j, half in enumerate(halves(student)))]
        whole, upper, lower = (norm(average(m) + largest(m)) for norm, m in zip(self.norms, maps))
        return whole, upper, lower
