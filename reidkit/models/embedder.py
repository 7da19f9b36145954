"""The strong baseline's network: backbone, pooling, BN-neck, and a classifier that can be made anew."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from reidkit.compute import derive_seed
from reidkit.errors import ModelError
from reidkit.models.pooling import make_pool


class Embedder(nn.Module):
    """Backbone, pooling and BN-neck ("Bag of Tricks and A Strong Baseline", section 3.6).

    ``embedder(images)`` gives ``(f, b)``, both (B, D): f is pooled before the neck and goes to metric losses, b comes
    after it and goes to the classifier and, divided by its norm, to the test. The neck's weight starts at 1; its bias is
    0 and frozen. Without a neck b is f.

    Args:
        backbone: a module with `out_channels` that maps images to (B, C, h, w).
        pool: ``"avg"``, ``"max"`` or ``"gem"``.
        bn_neck: whether there is a neck.
    """

    def __init__(self, backbone: nn.Module, *, pool: str = "avg", bn_neck: bool = True) -> None:
        super().__init__()
        channels = getattr(backbone, "out_channels", None)
        if not isinstance(channels, int):
            raise ModelError(
                f"{type(backbone).__name__} has no attribute out_channels.",
                rule="A backbone says how many channels its map has.",
                action="Use `build_backbone`, or set `out_channels` on your module.",
            )
        self.backbone = backbone
        self.pool = make_pool(pool)
        self.neck: nn.Module = bn_neck_of(channels) if bn_neck else nn.Identity()
        self.dimension: int = channels

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]:
        pooled = self.pool(self.backbone(images))
        return pooled, self.neck(pooled)

    def embed(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """b alone, not normalised: what is usually extracted and tested."""
        return self(images)[1]


def bn_neck_of(dimension: int) -> nn.BatchNorm1d:
    """A BN-neck: batch normalisation with weight 1 and a bias frozen at 0."""
    neck = nn.BatchNorm1d(dimension)
    neck.bias.requires_grad_(False)
    return neck


class Classifier(nn.Module):
    """Linear identities over the neck, without a bias; rows drawn from N(0, 0.001^2).

    The number of rows changes with the clusters: `remake` sets it, and loading a state dict of another number of classes
    resizes it, so that a run resumes whatever it was made with. New rows are a new parameter: moments that an optimiser
    keeps belong to the old ones, and go with them. So make (or refill) the optimiser afterwards.

    Args:
        dimension: D of the features.
        classes: M, at least 1.
        seed: of the random rows.
    """

    weight: nn.Parameter

    def __init__(self, dimension: int, classes: int, *, seed: int) -> None:
        super().__init__()
        self.dimension, self.seed = dimension, seed
        self.weight = nn.Parameter(torch.empty(0, dimension))
        self.remake(classes)

    @property
    def classes(self) -> int:
        """M, the number of rows."""
        return len(self.weight)

    def forward(self, features: Float[Tensor, "b d"]) -> Float[Tensor, "b m"]:
        return F.linear(features, self.weight)

    @torch.no_grad()
    def remake(self, start: int | Float[Tensor, "m d"]) -> None:
        """Begin again with random rows (a number of classes) or with centroids divided by their norms (a tensor).

        Random rows depend on the seed and the number of classes only.

        Raises:
            ModelError: if there is no class, or the centroids have another length than the features.
        """
        if isinstance(start, Tensor):
            rows = F.normalize(start.detach(), dim=1)
        else:
            generator = torch.Generator().manual_seed(derive_seed(self.seed, "classifier", start))
            rows = torch.randn(max(start, 0), self.dimension, generator=generator) * 0.001
        if not len(rows) or rows.shape[1] != self.dimension:
            raise ModelError(
                f"A classifier over {self.dimension} numbers cannot start from rows of shape {tuple(rows.shape)}.",
                rule="A classifier has at least one class, and rows as long as the features.",
                action="Check the pseudo-labels: has every image become an outlier?",
            )
        self.weight = nn.Parameter(rows.to(self.weight), self.weight.requires_grad)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Take the number of classes of what is loaded."""
        stored = state_dict.get(prefix + "weight")
        if isinstance(stored, Tensor) and stored.shape != self.weight.shape and stored.shape[1:] == (self.dimension,):
            self.weight = nn.Parameter(self.weight.data.new_empty(stored.shape), self.weight.requires_grad)
        super()._load_from_state_dict(state_dict, prefix, *rest)
