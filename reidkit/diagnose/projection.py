"""Maps of features: two principal components at once, t-SNE or UMAP on request; the same picture every time."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness

from reidkit.errors import DiagnosisError, nearest_name

PROJECTIONS = ("PCA", "t-SNE", "UMAP")
MOST, MOST_CURVED, FIRST = 100_000, 5_000, 50
NOTES = {
    "t-SNE": "Only neighbourhoods can be read: distances between groups, their sizes and their order mean nothing.",
    "UMAP": "Mostly neighbourhoods can be read: distances between groups and their sizes mean little.",
}


@dataclass(frozen=True, eq=False)
class Projection:
    """Images on a plane.

    Attributes:
        name: one of `PROJECTIONS`.
        points: float32 (n, 2).
        rows: int64 (n,), the image of each point; all of them, or an even draw of very many.
        axes: what to write at the axes.
        note: what may be read off this map.
    """

    name: str
    points: np.ndarray = field(repr=False)
    rows: np.ndarray = field(repr=False)
    axes: tuple[str, str]
    note: str


def project(features: Float[np.ndarray, "n d"], dimensions: int = 2) -> tuple[Float[np.ndarray, "n k"], float]:
    """The first principal components (mean-centred, not whitened), and the share of the variance that they carry.

    The sign of a component is fixed by its largest loading. Features of one dimension get a second one of zeros.
    """
    size = min(dimensions, *features.shape)
    pca = PCA(size, svd_solver="covariance_eigh" if features.shape[1] <= 4096 else "randomized", random_state=0)
    points = pca.fit_transform(features)
    share = float(np.nan_to_num(pca.explained_variance_ratio_).sum())
    return np.pad(points, ((0, 0), (0, dimensions - size))).astype(np.float32), share


def project_by(name: str, features: np.ndarray | None, *, seed: int = 0, most: int | None = None) -> Projection:
    """A map by name; curved ones start from 50 principal components and take at most 5,000 images.

    Raises:
        DiagnosisError: without features, with fewer than three images, or for an unknown name.
    """
    if name not in PROJECTIONS:
        raise DiagnosisError(f"No map is called {name!r}.", rule=f"Maps: {PROJECTIONS}.", action=nearest_name(name, PROJECTIONS))
    if features is None or len(features) < 3:
        raise DiagnosisError("No features.", rule="A map needs the features of three images or more.", action="Pass features.")
    rows = sample_rows(len(features), most or (MOST if name == "PCA" else MOST_CURVED), seed=seed)
    if name == "PCA":
        points, share = project(features[rows])
        axes = ("first principal component", "second principal component")
        note = f"The two axes carry {share:.0%} of the variance: what overlaps here may be apart in the other dimensions."
        return Projection(name, points, rows, axes, note + _drawn(rows, features))
    reduced, _ = project(features[rows], min(FIRST, *features[rows].shape))
    if name == "t-SNE":
        width = min(30.0, (len(rows) - 1) / 3)
        points = TSNE(2, perplexity=width, init="pca", random_state=seed).fit_transform(reduced)
    else:
        umap = importlib.import_module("umap")
        points = umap.UMAP(n_neighbors=min(15, len(rows) - 1), random_state=seed, n_jobs=1).fit_transform(reduced)
    note = NOTES[name] + _faith(reduced, points) + _drawn(rows, features)
    return Projection(name, points.astype(np.float32), rows, (f"{name} 1", f"{name} 2"), note)


def sample_rows(images: int, most: int = MOST, *, seed: int = 0) -> np.ndarray:
    """All rows, or `most` of them drawn evenly and returned in ascending order."""
    if images <= most:
        return np.arange(images)
    return np.sort(np.random.default_rng(seed).permutation(images)[:most])


def _drawn(rows: np.ndarray, features: np.ndarray) -> str:
    return f" {len(rows)} of {len(features)} images, drawn evenly." if len(rows) < len(features) else ""


def _faith(features: np.ndarray, points: np.ndarray) -> str:
    near = min(10, len(points) // 2 - 1)
    if near < 1:
        return ""
    return f" Trustworthiness {trustworthiness(features, points, n_neighbors=near):.2f} (1: every neighbour on the map is one)."
