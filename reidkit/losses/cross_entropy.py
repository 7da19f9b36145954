"""Cross-entropies over identities: against a smoothed hard label, and against a teacher."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from reidkit.losses.distances import full_precision


def smoothed_cross_entropy(logits: Float[Tensor, "b m"], labels: Int[Tensor, "b"], smoothing: float = 0.1) -> Float[Tensor, ""]:
    """Label-smoothed cross-entropy ("Rethinking the Inception Architecture", section 7; epsilon 0.1 in "Bag of Tricks").

    The target is ``(1 - smoothing) [k = y] + smoothing / M`` over all M classes, the true one included. Mean over the
    batch; range [0, inf). ``smoothing=0`` is the plain cross-entropy.

    Args:
        logits: one row an image, M classes.
        labels: true or pseudo-identity, 0..M-1.
        smoothing: epsilon, in [0, 1].
    """
    return F.cross_entropy(full_precision(logits), labels, label_smoothing=smoothing)


def soft_cross_entropy(logits: Float[Tensor, "b m"], teacher_logits: Float[Tensor, "b m"]) -> Float[Tensor, ""]:
    """Cross-entropy with the teacher's class probabilities as target ("Mutual Mean-Teaching", soft classification loss).

    ``-mean_i sum_k softmax(teacher)_ik log softmax(logits)_ik``. At ``teacher = logits`` it is the entropy, not 0.
    No gradient reaches the teacher. Range [0, inf).
    """
    target = full_precision(teacher_logits.detach()).softmax(dim=1)
    return -(target * full_precision(logits).log_softmax(dim=1)).sum(dim=1).mean()
