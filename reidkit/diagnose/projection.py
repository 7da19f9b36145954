"""A map of the features: two principal components, the same picture every time."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from sklearn.decomposition import PCA

MOST = 100_000


def project(features: Float[np.ndarray, "n d"], dimensions: int = 2) -> tuple[Float[np.ndarray, "n k"], float]:
    """The first principal components (mean-centred, not whitened), and the share of the variance that they carry.

    The sign of a component is fixed by its largest loading. Features of one dimension get a second one of zeros.
    """
    size = min(dimensions, *features.shape)
    pca = PCA(size, svd_solver="covariance_eigh" if features.shape[1] <= 4096 else "randomized", random_state=0)
    points = pca.fit_transform(features)
    share = float(np.nan_to_num(pca.explained_variance_ratio_).sum())
    return np.pad(points, ((0, 0), (0, dimensions - size))).astype(np.float32), share


def sample_rows(images: int, most: int = MOST, *, seed: int = 0) -> np.ndarray:
    """All rows, or `most` of them drawn evenly and returned in ascending order."""
    if images <= most:
        return np.arange(images)
    return np.sort(np.random.default_rng(seed).permutation(images)[:most])
