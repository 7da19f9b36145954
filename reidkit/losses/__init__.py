"""Loss functions: tensors in, one scalar out, no state. Each family has its file.

Every loss is a mean over its terms, is computed in float32 at least, and gives no gradient to what it calls a teacher.
"""

from reidkit.losses.centre import centre_loss
from reidkit.losses.contrast import hard_instance_contrast
from reidkit.losses.cross_entropy import smoothed_cross_entropy, soft_cross_entropy
from reidkit.losses.distances import pairwise_distances
from reidkit.losses.triplet import all_pairs_triplet, batch_hard_triplet, softmax_triplet

__all__ = [
    "all_pairs_triplet",
    "batch_hard_triplet",
    "centre_loss",
    "hard_instance_contrast",
    "pairwise_distances",
    "smoothed_cross_entropy",
    "soft_cross_entropy",
    "softmax_triplet",
]
