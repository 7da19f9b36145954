"""Triplet losses on un-normalised features: anchor, positive (same label), negative (another label).

All three use Euclidean distances and mean over their terms. A batch without any negative (one label only) has no
triplet and gives 0, with a zero gradient.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from reidkit.errors import ReidkitError
from reidkit.losses.distances import pairwise_distances, same_label


def batch_hard_triplet(features: Float[Tensor, "b d"], labels: Int[Tensor, "b"], margin: float) -> Float[Tensor, ""]:
    """Each anchor against its farthest positive and its nearest negative ("In Defense of the Triplet Loss", batch hard).

    ``mean_i max(0, d_ap(i) - d_an(i) + margin)`` with d_ap the largest distance inside the anchor's label, d_an the
    smallest outside it. Range [0, inf).

    Args:
        features: f, pooled features before the BN-neck, not normalised.
        labels: class of each row, 0 or more.
        margin: in units of the distance; 0.3 in "Bag of Tricks and A Strong Baseline", 0.5 in UDAP.
    """
    same = same_label(labels)
    if bool(same.all()):
        return _no_triplet(features)
    distances = pairwise_distances(features, features)
    positive, negative = _hardest(distances.detach(), same)
    return F.relu(_pick(distances, positive) - _pick(distances, negative) + margin).mean()


def softmax_triplet(
    features: Float[Tensor, "b d"],
    labels: Int[Tensor, "b"],
    *,
    teacher_features: Float[Tensor, "b e"] | None = None,
    margin: float = 0.0,
) -> Float[Tensor, ""]:
    """Cross-entropy of the pair (d_ap, d_an) under a softmax: the nearest negative should be farther ("Mutual Mean-Teaching").

    With ``t_i = softmax(d_ap(i), d_an(i))`` and a target that puts `margin` on the positive and the rest on the negative,
    the loss is ``-mean_i [margin log t_ap + (1 - margin) log t_an]``; at margin 0 that is ``mean_i log(1 + exp(d_ap - d_an))``.
    With a teacher the target is the teacher's own softmax over *the same* positive and negative, which the student's
    distances chose; no gradient reaches the teacher. Range (0, inf).

    Args:
        features: f of the student, before the BN-neck, not normalised.
        labels: class of each row, 0 or more.
        teacher_features: the teacher's f of the same images; None for the hard target.
        margin: mass of the hard target on the positive, in [0, 1] (the name is that of the published code).

    Raises:
        ReidkitError: if a margin is given together with a teacher, which has no use for it.
    """
    if teacher_features is not None and margin != 0.0:
        raise ReidkitError(
            f"softmax_triplet got margin={margin} and teacher features.",
            rule="The margin belongs to the hard target; a teacher replaces that target.",
            action="Leave out one of the two.",
        )
    same = same_label(labels)
    if bool(same.all()):
        return _no_triplet(features)
    distances = pairwise_distances(features, features)
    positive, negative = _hardest(distances.detach(), same)
    log_share = torch.stack([_pick(distances, positive), _pick(distances, negative)], dim=1).log_softmax(dim=1)
    if teacher_features is None:
        target = log_share.new_tensor([margin, 1.0 - margin])
    else:
        teacher = pairwise_distances(teacher_features.detach(), teacher_features.detach())
        target = torch.stack([_pick(teacher, positive), _pick(teacher, negative)], dim=1).softmax(dim=1)
    return -(target * log_share).sum(dim=1).mean()


def all_pairs_triplet(
    features: Float[Tensor, "b d"],
    labels: Int[Tensor, "b"],
    margin: float,
    *,
    positives: Literal["label", "positional"] = "label",
    instances: int | None = None,
) -> Float[Tensor, ""]:
    """Every positive pair once, each against the nearest negative of its first image (fine-tuning of UDAP and SSG).

    ``mean over (a, p), p after a, of max(0, d(a, p) - min_{n: y_n != y_a} d(a, n) + margin)``. A batch of P identities in
    groups of K images has P K (K - 1) / 2 terms. Range [0, inf); 0 when there is no pair.

    Args:
        features: any feature of the batch, not normalised.
        labels: class of each row, 0 or more; always decides the negatives.
        margin: in units of the distance; 0.5 in UDAP and SSG.
        positives: ``"label"`` pairs equal labels; ``"positional"`` pairs the members of consecutive groups of `instances`
            rows whatever their labels, as the released code of SSG does.
        instances: K, needed for ``"positional"``.

    Raises:
        ReidkitError: if `positives` is unknown, or the batch cannot be cut in groups of `instances`.
    """
    same = same_label(labels)
    pairs = torch.triu(same if positives == "label" else _groups(labels, positives, instances), diagonal=1)
    if bool(same.all()) or not bool(pairs.any()):
        return _no_triplet(features)
    distances = pairwise_distances(features, features)
    nearest_negative = distances.masked_fill(same, torch.inf).amin(dim=1)
    anchor, positive = pairs.nonzero(as_tuple=True)
    return F.relu(distances[anchor, positive] - nearest_negative[anchor] + margin).mean()


def _hardest(distances: Float[Tensor, "b b"], same: Bool[Tensor, "b b"]) -> tuple[Int[Tensor, "b"], Int[Tensor, "b"]]:
    """For each anchor the index of its farthest positive and of its nearest negative."""
    farthest = distances.masked_fill(~same, -torch.inf).argmax(dim=1)
    nearest = distances.masked_fill(same, torch.inf).argmin(dim=1)
    return farthest, nearest


def _pick(distances: Float[Tensor, "b b"], column: Int[Tensor, "b"]) -> Float[Tensor, "b"]:
    """One distance of each row."""
    return distances.gather(1, column[:, None]).squeeze(1)


def _groups(labels: Int[Tensor, "b"], positives: str, instances: int | None) -> Bool[Tensor, "b b"]:
    """Pairs of rows in the same consecutive group of `instances`."""
    if positives != "positional":
        raise ReidkitError(
            f"positives={positives!r} is unknown.", rule="Positives are 'label' or 'positional'.", action="Choose one."
        )
    if instances is None or instances < 1 or len(labels) % instances:
        raise ReidkitError(
            f"A batch of {len(labels)} cannot be cut in groups of instances={instances}.",
            rule="Positional positives need consecutive groups of K images.",
            action="Pass instances=K of the sampler, and full batches.",
        )
    group = torch.arange(len(labels), device=labels.device) // instances
    return group[:, None] == group[None, :]


def _no_triplet(features: Float[Tensor, "b d"]) -> Float[Tensor, ""]:
    """Zero that still belongs to the graph, so that backward works."""
    return (features * 0.0).sum()
