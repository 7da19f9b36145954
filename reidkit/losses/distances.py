"""Euclidean distances of a batch, and which pairs of it are looked at."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from reidkit.errors import LabelsError

SMALLEST = 1e-6  # root of the 1e-12 at which the squared distance is clamped


def full_precision(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """bf16 and float16 raised to float32; losses are never computed in less. float64 stays."""
    return values if values.dtype in (torch.float32, torch.float64) else values.float()


def pairwise_distances(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """Euclidean distance of every row of `x` to every row of `y`; the features are not normalised.

    The root of the squared distance clamped below at 1e-12, so values lie in [1e-6, inf) and the gradient at equal rows
    is 0 instead of NaN. Differences are squared one by one: ``|x|^2 + |y|^2 - 2xy`` loses the distance of close rows to
    cancellation in float32, and takes all of it in bf16.
    """
    with torch.autocast(x.device.type, enabled=False):
        distances = torch.cdist(full_precision(x), full_precision(y), compute_mode="donot_use_mm_for_euclid_dist")
    return distances.clamp_min(SMALLEST)


def same_label(labels: Int[Tensor, "b"]) -> Bool[Tensor, "b b"]:
    """Pairs of equal label, an item and itself included.

    Raises:
        LabelsError: if a label is negative: outliers (-1) are no class, and together they would become one.
    """
    if bool((labels < 0).any()):
        raise LabelsError(
            f"A batch has {int((labels < 0).sum())} of {len(labels)} images with a negative label.",
            rule="An outlier (-1) has no class; it never enters a batch.",
            action="Leave the outliers out when batches are drawn.",
        )
    return labels[:, None] == labels[None, :]
