"""Between two steps of a progressive method: which radius to take, and whether the labels still change.

"Learn by Guessing: Multi-step Pseudo-label Refinement for Person Re-Identification" (2022), sections 3.3.2 and 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from reidkit.errors import LabelsError, shown
from reidkit.labels.clustering import ClusterSettings, cluster
from reidkit.labels.pseudo import OUTLIER, PseudoLabels


@dataclass(frozen=True)
class GridSearch:
    """What each radius of a grid gave.

    Attributes:
        eps: the radii, in ascending order.
        clusters: how many clusters are left after selection at each.
        outliers: images outside them.
        images: N.
    """

    eps: tuple[float, ...]
    clusters: tuple[int, ...]
    outliers: tuple[int, ...]
    images: int

    @property
    def balance(self) -> np.ndarray:
        """float64 (len(eps),), clusters / max(clusters) - outliers / N: many clusters, few outliers."""
        return np.array(self.clusters) / max(1, *self.clusters) - np.array(self.outliers) / self.images

    @property
    def best(self) -> float:
        """The radius of the best balance; the smallest of them in a tie."""
        return self.eps[int(self.balance.argmax())]

    @property
    def history(self) -> dict[str, object]:
        """The table for a run's record."""
        return asdict(self)


def search_eps(features: np.ndarray, cameras: np.ndarray, how: ClusterSettings, grid: Sequence[float]) -> GridSearch:
    """Cluster and select once at each radius of a grid.

    The paper says that a grid search balanced selected clusters against outliers (3.3.2), not how; `GridSearch.balance`
    is ours.

    Args:
        features: float32 (N, D), unit rows.
        cameras: int (N,).
        how: settings of DBSCAN and of the selection; their own eps is not read.
        grid: radii above 0, of the distance that `how` names.
    """
    if not grid or min(grid) <= 0:
        raise LabelsError(f"A grid of radii {shown(grid)}.", rule="One radius or more, all above 0.", action="Correct eps_grid.")
    radii = tuple(sorted(grid))
    made = [cluster(features, cameras, how, eps=eps) for eps in radii]
    return GridSearch(radii, tuple(one.num_clusters for one in made), tuple(one.outliers for one in made), len(features))


def cluster_step(
    features: np.ndarray, cameras: np.ndarray, how: ClusterSettings, *, eps: float | None, grid: Sequence[float], seed: int
) -> PseudoLabels:
    """`cluster`, with the best radius of `grid` where there is one and no `eps` stands; the history has the search."""
    if not grid or eps is not None or how.clustering == "kmeans":
        return cluster(features, cameras, how, eps=eps, seed=seed)
    found = search_eps(features, cameras, how, grid)
    made = cluster(features, cameras, how, eps=found.best, seed=seed)
    return replace(made, history=made.history | {"eps_grid": found.history})


@dataclass(frozen=True)
class LabelChange:
    """What moved between two labelings of the same images.

    Attributes:
        agreement: adjusted Rand index over the images that both keep, at most 1; NaN when there is none.
        moved: share of images kept after minus before, -1..1.
    """

    agreement: float
    moved: float

    def is_small(self, agreement: float, moved: float = 0.01) -> bool:
        """Whether the two agree by that much and the kept share moved by `moved` at most."""
        return self.agreement >= agreement and abs(self.moved) <= moved


def label_change(before: np.ndarray, after: np.ndarray) -> LabelChange:
    """Compare two labelings, int (N,), -1 = outlier; with none before (no image), both numbers are NaN."""
    from sklearn.metrics import adjusted_rand_score

    if not len(before):
        return LabelChange(float("nan"), float("nan"))
    if before.shape != after.shape or before.ndim != 1:
        what = f"Labelings of {before.shape} and {after.shape}."
        raise LabelsError(what, rule="Two labelings of the same images.", action="Pass arrays of shape (N,).")
    both = (before != OUTLIER) & (after != OUTLIER)
    agreement = float(adjusted_rand_score(before[both], after[both])) if both.any() else float("nan")
    return LabelChange(agreement, float((after != OUTLIER).mean() - (before != OUTLIER).mean()))
