"""k-means labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reidkit.errors import LabelsError
from reidkit.neighbours.rows import checked_rows

STARTS = ("k-means++", "random")
LARGE = 5000


def kmeans(
    features: ArrayLike, k: int, *, seed: int, start: str | np.ndarray = "k-means++", batch: int | None = None
) -> np.ndarray:
    """k-means: int64 labels (N,) in 0..k-1. There are no outliers; `select` can drop clusters afterwards.

    Lloyd's iterations give what scikit-learn's give from the same start (its default tolerance and limit).

    Args:
        features: (N, D).
        k: number of clusters, 1..N.
        seed: of the start, and of the batches.
        start: ``"k-means++"`` (greedy, as in scikit-learn), ``"random"`` (k distinct rows), or centres (k, D).
        batch: images of a mini-batch (LF2: 300), which is faster and less exact; None for all at once. Clusters that a
            mini-batch run leaves empty are dropped, and the others renumbered.

    Source: "k-means++: The Advantages of Careful Seeding" (2007); "Web-Scale K-Means Clustering" (2010) for batches.
    """
    rows = checked_rows(features)
    if not 1 <= k <= len(rows):
        raise LabelsError(f"k = {k} clusters of {len(rows)} images.", rule="1 <= k <= images.", action="Lower k.")
    if isinstance(start, str) and start not in STARTS:
        raise LabelsError(f"start = {start!r}.", rule=f"One of {STARTS}, or centres (k, D).", action="Choose one.")
    if not isinstance(start, str) and np.shape(start) != (k, rows.shape[1]):
        raise LabelsError(
            f"start has the shape {np.shape(start)}.",
            rule=f"{k} centres of {rows.shape[1]} columns.",
            action="Pass an array of shape (k, D).",
        )
    if batch is not None:
        return _in_batches(rows, k, seed, start, batch)
    from reidkit.labels.lloyd import lloyd

    generator = np.random.default_rng(seed)
    if isinstance(start, str):
        first = careful_start(rows, k, generator) if start == "k-means++" else generator.choice(len(rows), k, replace=False)
        start = rows[first]
    return lloyd(rows, start).labels


def careful_start(rows: np.ndarray, k: int, generator: np.random.Generator) -> np.ndarray:
    """int64 (k,): rows to start from, each drawn with probability in proportion to its squared distance from those before.

    Of 2 + ln k rows drawn, the one that lowers the sum of squared distances most is taken. A start need not be exact to the
    last digit: large sets are compared in bfloat16 where that is faster.
    """
    distances_to = _Distances(rows)
    chosen = np.empty(k, np.int64)
    chosen[0] = generator.integers(len(rows))
    trials = 2 + int(np.log(k))
    closest = distances_to(chosen[:1])[0]
    for c in range(1, k):
        edges = np.cumsum(closest)
        drawn = np.minimum(np.searchsorted(edges, generator.random(trials) * edges[-1]), len(rows) - 1)
        distances = np.minimum(distances_to(drawn), closest)
        best = int(distances.sum(axis=1).argmin())
        chosen[c], closest = drawn[best], distances[best]
    return chosen


class _Distances:
    """Squared distances from some rows to all, by one thin product."""

    def __init__(self, rows: np.ndarray) -> None:
        import torch

        from reidkit.neighbours.tiles import fastest

        self.squared = np.einsum("nd,nd->n", rows, rows, dtype=np.float64)
        held = torch.from_numpy(np.require(rows, requirements="W"))
        self.held = held.bfloat16() if len(rows) >= LARGE and fastest(True) == "bf16" else held

    def __call__(self, some: np.ndarray) -> np.ndarray:
        """float64 (t, N), exactly 0 from a row to itself."""
        products = (self.held[some] @ self.held.T).float().numpy()
        distances = np.maximum(self.squared[some, None] + self.squared - 2.0 * products, 0.0)
        distances[np.arange(len(some)), some] = 0.0
        return distances


def _in_batches(rows: np.ndarray, k: int, seed: int, start: str | np.ndarray, batch: int) -> np.ndarray:
    """scikit-learn's mini-batch k-means."""
    from sklearn.cluster import MiniBatchKMeans

    from reidkit.labels.pseudo import relabelled

    model = MiniBatchKMeans(k, init=start, n_init=1, batch_size=batch, max_iter=100, random_state=seed)
    return relabelled(model.fit(rows).labels_)
