"""How far a map may be believed: what became of each image's neighbours.

For N images, k neighbours, and r(i, j) the rank of j among i's neighbours in the features (1: the nearest),

    trustworthiness = 1 - 2 / (N k (2N - 3k - 1)) * sum_i sum over j near i on the map, but not in the features, of (r(i, j) - k)

and continuity the same with features and map exchanged: *false* neighbours cost the first, *torn* ones the second
(Venna and Kaski, "Neighborhood Preservation in Nonlinear Projection Methods", 2001, equations 2 and 3).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from sklearn.metrics import pairwise_distances

from reidkit.errors import DiagnosisError

MEANING = {
    "kept": "share of the k nearest neighbours in the features that are among the k nearest on the map, 0 to 1",
    "trustworthiness": "1: every neighbour on the map is a neighbour in the features; false ones cost by their rank, 0 to 1",
    "continuity": "1: every neighbour in the features is one on the map; torn ones cost by their rank, 0 to 1",
}
MOST = 5_000


def map_quality(features: Float[np.ndarray, "n d"], points: Float[np.ndarray, "n 2"], neighbours: int = 10) -> dict[str, float]:
    """The three numbers of `MEANING`, by Euclidean distance (for unit rows the order of cosine distance); O(N^2) memory.

    Args:
        neighbours: k, at least 1 and below N / 2.

    Raises:
        DiagnosisError: when k does not fit, or there are more than 5,000 images.
    """
    n = len(features)
    if not 1 <= neighbours < n / 2 or n > MOST:
        raise DiagnosisError(
            f"{n} images, {neighbours} neighbours.",
            rule=f"At most {MOST} images, and 1 <= neighbours < images / 2.",
            action="Draw a sample, or lower `neighbours`.",
        )
    real, drawn = neighbour_ranks(features), neighbour_ranks(points)
    near, shown = (real > 0) & (real <= neighbours), (drawn > 0) & (drawn <= neighbours)
    return {
        "kept": float((near & shown).sum() / near.sum()),
        "trustworthiness": 1.0 - _penalty(real[shown & ~near], n, neighbours),
        "continuity": 1.0 - _penalty(drawn[near & ~shown], n, neighbours),
    }


def neighbour_ranks(rows: Float[np.ndarray, "n d"]) -> Int[np.ndarray, "n n"]:
    """Entry (i, j): the rank of j among the neighbours of i, 1 the nearest, 0 for i itself; equals by row number."""
    distance = pairwise_distances(rows.astype(np.float64))
    np.fill_diagonal(distance, -1.0)
    order = np.argsort(distance, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(len(rows))[None, :], axis=1)
    return ranks


def _penalty(ranks: Int[np.ndarray, " m"], n: int, k: int) -> float:
    return float(2.0 * (ranks - k).sum() / (n * k * (2 * n - 3 * k - 1)))
