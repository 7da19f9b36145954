"""k-means."""

from __future__ import annotations

import numpy as np

from reidkit.errors import LabelsError
from reidkit.neighbours.rows import checked_rows

STARTS = ("k-means++", "random")


def kmeans(features: np.ndarray, k: int, *, seed: int, start: str | np.ndarray = "k-means++") -> np.ndarray:
    """Lloyd's k-means: int64 labels (N,) in 0..k-1, every one in use.

    Args:
        features: (N, D).
        k: number of clusters, 1..N.
        seed: of the start.
        start: ``"k-means++"``, ``"random"`` (k distinct rows), or the first centres (k, D).
    """
    from sklearn.cluster import KMeans

    rows = checked_rows(features)
    if not 1 <= k <= len(rows):
        raise LabelsError(f"k = {k} clusters of {len(rows)} images.", rule="1 <= k <= images.", action="Lower k.")
    if isinstance(start, str) and start not in STARTS:
        raise LabelsError(f"start = {start!r}.", rule=f"One of {STARTS}, or centres (k, D).", action="Choose one.")
    return KMeans(k, init=start, n_init=1, random_state=seed).fit(rows).labels_.astype(np.int64)
