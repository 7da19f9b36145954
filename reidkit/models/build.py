"""From names to a whole embedder: backbone, pooling and neck in one call."""

from __future__ import annotations

import os

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from reidkit.compute import derive_seed
from reidkit.errors import ModelError
from reidkit.models.backbones import build_backbone
from reidkit.models.embedder import Embedder

NECKS = ("bn", "relu", "none")


class ReluNeck(nn.Module):
    """z = ReLU(BN(W f)) with W (D, D) drawn from N(0, 0.001^2): the embedding of UDAP and SSG (reid/models/resnet.py).

    Args:
        dimension: D.
        dropout: share of z that source training drops (0.1 in the published code; adaptation uses none).
    """

    def __init__(self, dimension: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, dimension, bias=False)
        nn.init.normal_(self.linear.weight, std=0.001)
        self.bn = nn.BatchNorm1d(dimension)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        return self.dropout(F.relu(self.bn(self.linear(features))))


def build_embedder(
    backbone: str,
    *,
    pool: str = "avg",
    neck: str = "bn",
    dropout: float = 0.0,
    weights: str | os.PathLike[str] | None = None,
    last_stride: int = 1,
    relu_after_stem: bool = True,
    seed: int = 0,
) -> Embedder:
    """An `Embedder` by names; the options are those of `build_backbone`, `Embedder` and `ReluNeck`.

    Args:
        neck: ``"bn"`` (BNNeck), ``"relu"`` (UDAP, SSG) or ``"none"``.
    """
    if neck not in NECKS:
        raise ModelError(f"No neck is called {neck!r}.", rule=f"Necks: {NECKS}.", action="Choose one of them.")
    trunk = build_backbone(backbone, weights=weights, last_stride=last_stride, relu_after_stem=relu_after_stem, seed=seed)
    embedder = Embedder(trunk, pool=pool, bn_neck=neck == "bn")
    if neck == "relu":
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive_seed(seed, "neck"))
            embedder.neck = ReluNeck(embedder.dimension, dropout)
    return embedder
