"""Horizontal stripes of the map, pooled on their own (SSG: reid/models/resnet.py, ``num_split`` 2)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reidkit.models.embedder import Embedder


class StripeEmbedder(nn.Module):
    """An embedder that also pools equal stripes of its map.

    Forward: (z (B, D), features (B, 1 + S, D)); feature 0 is the whole map, 1..S the stripes from top to bottom. With
    average pooling the whole is exactly the mean of equal stripes (CHK-3.1).

    Args:
        embedder: backbone, pooling and neck; z is what its neck makes of the whole feature.
        stripes: S; the map's height is cut evenly (8 rows: 0-3 and 4-7).
    """

    def __init__(self, embedder: Embedder, stripes: int = 2) -> None:
        super().__init__()
        self.embedder, self.stripes, self.dimension = embedder, stripes, embedder.dimension

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b p d"]]:
        maps = self.embedder.backbone(images)
        pool = self.embedder.pool
        features = torch.stack([pool(maps), *(pool(stripe) for stripe in maps.tensor_split(self.stripes, dim=2))], dim=1)
        return self.embedder.neck(features[:, 0]), features
