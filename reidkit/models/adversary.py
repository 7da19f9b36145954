"""Camera discriminators and gradient reversal ("CANU-ReID", section IV and eq. 4-9; reference 5.3-5.5)."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reidkit.compute import derive_seed
from reidkit.errors import ModelError

Join = Literal["concatenate", "sum", "none", "zero"]
JOINS = get_args(Join)


class _Reverse(torch.autograd.Function):
    """Identity forward, -mu times the gradient backward."""

    @staticmethod
    def forward(context: Any, features: Tensor, mu: float) -> Tensor:
        context.mu = mu
        return features.view_as(features)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -context.mu * gradients[0], None


def reverse_gradient(features: Tensor, mu: float) -> Tensor:
    """`features` themselves; on the way back their gradient is multiplied by -mu ("Domain-Adversarial Training", 2016)."""
    reversed_features: Tensor = _Reverse.apply(features, mu)
    return reversed_features


def _layer(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU())


class CameraDiscriminator(nn.Module):
    """Which camera took the image that has feature phi and belongs to the cluster with centroid phi_p?

    ``"concatenate"`` (reading A, the default): [D, H] on each input, joined to 2H, then [2H, H], [H, H], [H, C], so that
    each path has the four layers of the paper's list. ``"sum"`` (reading B): [D, H] on each, added, then [H, H], [H, C].
    ``"none"`` is the plain discriminator of +Adv: [D, H], [H, H], [H, H], [H, C]. ``"zero"`` keeps reading A and feeds a
    zero condition: it has the capacity of the conditional one without its information.

    Args:
        dimension: D of features and centroids (2048).
        cameras: C.
        join: one of the four.
        hidden: H; None is D / 2 (2048 -> 1024).
        seed: of the weights, drawn apart from everything else. The last layer starts at 0: an untrained discriminator
            gives each camera 1 / C, and no camera number is special.
    """

    def __init__(
        self, dimension: int, cameras: int, *, join: str = "concatenate", hidden: int | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        if join not in JOINS:
            raise ModelError(f"join={join!r}.", rule=f"A discriminator joins its inputs by one of {JOINS}.", action="Choose one.")
        self.join, width = join, hidden or dimension // 2
        wide = 2 * width if join in ("concatenate", "zero") else width
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "camera discriminator"))
            self.feature = _layer(dimension, width)
            self.condition = _layer(dimension, width) if join != "none" else None
            middle = [_layer(width, width)] if join == "sum" else [_layer(wide, width), _layer(width, width)]
            self.rest = nn.Sequential(*middle, last := nn.Linear(width, cameras))
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, features: Float[Tensor, "b d"], centroids: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        hidden = self.feature(features)
        if self.condition is not None:
            given = self.condition(torch.zeros_like(centroids) if self.join == "zero" else centroids.detach())
            hidden = hidden + given if self.join == "sum" else torch.cat([hidden, given], dim=1)
        logits: Tensor = self.rest(hidden)
        return logits
