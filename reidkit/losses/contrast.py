"""Contrast between two encoders of the same images."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from reidkit.losses.distances import full_precision, same_label


def hard_instance_contrast(
    online: Float[Tensor, "b d"], momentum: Float[Tensor, "b d"], labels: Int[Tensor, "b"], temperature: float
) -> Float[Tensor, ""]:
    """The least similar positive against all negatives of the batch ("ICE: Inter-instance Contrastive Encoding", eq. 6.9).

    With s_ij the cosine similarity of online row i and momentum row j, and k(i) the least similar row of the anchor's
    label (its own second view included):
    ``-mean_i log exp(s_ik / T) / (exp(s_ik / T) + sum_{j: y_j != y_i} exp(s_ij / T))``.
    No gradient reaches the momentum features. Range [0, inf); 0 when the batch has one label only.

    Args:
        online: features of the first view, any length (they are divided by their norm here).
        momentum: features of the second view from the moving average of the encoder, row by row the same images.
        labels: class of each row, 0 or more.
        temperature: T > 0; 0.1 in the paper.
    """
    same = same_label(labels)
    with torch.autocast(online.device.type, enabled=False):
        targets = F.normalize(full_precision(momentum.detach()), dim=1)
        logits = F.normalize(full_precision(online), dim=1) @ targets.T / temperature
    hardest_positive = logits.masked_fill(~same, torch.inf).amin(dim=1, keepdim=True)
    candidates = torch.cat([hardest_positive, logits.masked_fill(same, -torch.inf)], dim=1)
    return (candidates.logsumexp(dim=1) - hardest_positive.squeeze(1)).mean()
