"""Centre loss: every feature near the centre of its class."""

from jaxtyping import Float, Int
from torch import Tensor

from reidkit.losses.distances import full_precision


def centre_loss(features: Float[Tensor, "b d"], labels: Int[Tensor, "b"], centres: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
    """``mean_i |f_i - centre_{y_i}|^2``, without the factor 1/2 ("Bag of Tricks": weight 0.0005, centres N(0, 1) at first).

    Squared Euclidean distance on features before the BN-neck; range [0, inf). Gradients reach features and centres.

    Args:
        features: f, not normalised.
        labels: class of each row, 0..M-1.
        centres: one row a class.
    """
    return (full_precision(features) - full_precision(centres)[labels]).square().sum(dim=1).mean()
