"""A network with its identities: what a student and its teacher are copies of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from reidkit.models.embedder import Classifier, Embedder

Output = TypeVar("Output", bound=tuple[Tensor, ...])


class Branch(nn.Module):
    """An embedder and its classifier: images (B, 3, H, W) -> f (B, D), b (B, D), logits (B, M).

    `dropout` is the share of b that does not reach the classifier while training.
    """

    def __init__(self, embedder: Embedder, *, classes: int = 1, dropout: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        self.embedder = embedder
        self.dropout = nn.Dropout(dropout)
        self.classifier = Classifier(embedder.dimension, classes, seed=seed)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, Tensor, Tensor]:
        f, b = self.embedder(images)
        return f, b, self.classifier(self.dropout(b))


def in_groups(network: Callable[[Tensor], Output], images: Float[Tensor, "b 3 h w"], size: int | None) -> Output:
    """Forward `images` in groups of `size`, so that batch norm sees `size` images at a time, and join what comes out.

    The published MMT, CANU and ABMT runs had 64 images on four GPUs, that is batch-norm groups of 16 (MMT README); on one
    device this gives the same statistics. None is the whole batch at once.
    """
    if size is None or size >= len(images):
        return network(images)
    parts = [network(group) for group in images.split(size)]
    return tuple(torch.cat(column) for column in zip(*parts))  # type: ignore[return-value]
