"""The product that times are measured by: one plain ``torch.mm`` of all features with all, in float32."""

from __future__ import annotations

from reidkit.bench.contest import Contestant, Inputs, Outputs

NAME = "torch.mm X Xᵀ"


def plain_product(inputs: Inputs) -> Outputs:
    """X Xᵀ of ``inputs["features"]`` (N, D), all N x N entries at once."""
    import torch

    features = torch.from_numpy(inputs["features"])
    product = torch.mm(features, features.T)
    return {"trace": float(product.diagonal().sum())}


def with_torch(inputs: Inputs) -> Inputs:
    """Import torch and wake its threads."""
    import torch

    some = torch.from_numpy(inputs["features"][:512].copy())
    torch.mm(some, some.T)
    return inputs


def yardstick(images: int, columns: int) -> Contestant:
    """The contestant, with what it takes."""
    return Contestant(NAME, plain_product, prepare=with_torch, memory=4.0 * images**2, seconds=images**2 * columns / 5e10)
