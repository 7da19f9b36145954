"""From a map to one vector an image."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reidkit.errors import ModelError, nearest_name


class AveragePool(nn.Module):
    """Mean over the map: (B, C, H, W) -> (B, C)."""

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c"]:
        return maps.mean(dim=(2, 3))


class MaxPool(nn.Module):
    """Maximum over the map: (B, C, H, W) -> (B, C)."""

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c"]:
        return maps.amax(dim=(2, 3))


class GeMPool(nn.Module):
    """Generalised mean ``(mean x^p)^(1/p)`` ("Fine-tuning CNN Image Retrieval with No Human Annotation", eq. 3).

    p is learnt and starts at 3; p = 1 is the mean, p -> infinity the maximum. Values below 1e-6 count as 1e-6.
    """

    def __init__(self, power: float = 3.0, smallest: float = 1e-6) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor([power]))
        self.smallest = smallest

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c"]:
        return maps.clamp_min(self.smallest).pow(self.power).mean(dim=(2, 3)).pow(1.0 / self.power)


POOLS: dict[str, type[nn.Module]] = {"avg": AveragePool, "max": MaxPool, "gem": GeMPool}


def make_pool(name: str) -> nn.Module:
    """The pooling of that name: ``"avg"``, ``"max"`` or ``"gem"``.

    Raises:
        ModelError: if there is none of that name.
    """
    if name not in POOLS:
        raise ModelError(f"No pooling is called {name!r}.", rule="Pooling is chosen by name.", action=nearest_name(name, POOLS))
    return POOLS[name]()
