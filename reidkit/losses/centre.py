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


def scale_gradient(tensor: Float[Tensor, "*shape"], factor: float) -> Float[Tensor, "*shape"]:
    """The same values, with a gradient `factor` times as large.

    ``centre_loss(f, y, scale_gradient(centres, 1 / weight))`` under a total ``weight * centre_loss`` gives the centres the
    gradient of the unweighted loss: the weight then acts on the features only, and centres move at their own rate (0.5).
    """
    return tensor.detach() + factor * (tensor - tensor.detach())
