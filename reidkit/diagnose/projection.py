"""Maps of features: two principal components at once, t-SNE or UMAP on request; the same picture every time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from scipy import sparse
from sklearn.decomposition import PCA

from reidkit.diagnose.maps import neighbours_kept, sampled_trustworthiness, tsne_map, umap_map, wanted
from reidkit.diagnose.near import Near
from reidkit.errors import DiagnosisError, nearest_name

PROJECTIONS = ("PCA", "t-SNE", "UMAP")
MOST, MOST_CURVED = 100_000, 15_000
LARGE, OVERSAMPLED, ITERATIONS = 512, 10, 5  # rows and columns from which on PCA looks for the leading components alone
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

    The sign of a component is fixed by its largest loading. Features of one dimension get a second one of zeros. Of large
    matrices `leading_components` are found.
    """
    size = min(dimensions, *features.shape)
    if min(features.shape) >= LARGE and size < LARGE // 4:
        points, share = leading_components(features, size)
    else:
        pca = PCA(size, svd_solver="full")
        points, share = pca.fit_transform(features), pca.explained_variance_ratio_.sum()
    return np.pad(points, ((0, 0), (0, dimensions - size))).astype(np.float32), float(np.nan_to_num(share))


def leading_components(features: Float[np.ndarray, "n d"], size: int) -> tuple[Float[np.ndarray, "n k"], float]:
    """As `project`, by subspace iteration on the covariance, which is never written down (Halko, Martinsson and Tropp, 2011).

    Each iteration reads the features twice; no centred copy of them is made.
    """
    features = features.astype(np.result_type(features.dtype, np.float32), copy=False)
    mean = features.mean(axis=0, dtype=np.float64).astype(features.dtype)

    def centred(axes: np.ndarray) -> np.ndarray:
        found: np.ndarray = features @ axes - mean @ axes
        return found

    axes = np.random.default_rng(0).normal(size=(features.shape[1], size + OVERSAMPLED)).astype(features.dtype)
    for _ in range(ITERATIONS):
        axes = np.linalg.qr(features.T @ centred(axes))[0]  # columns of what is centred sum to 0: the mean drops out
    points = centred(axes)
    spread, turn = np.linalg.eigh(points.T @ points)
    axes = axes @ turn[:, : -size - 1 : -1]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(size)])
    blocks = (features[start : start + 512] - mean for start in range(0, len(features), 512))
    total = sum(float(np.vdot(block, block)) for block in blocks)
    return centred(axes), float(spread[-size:].sum() / total)


def project_by(
    name: str,
    features: np.ndarray | None,
    *,
    graph: sparse.csr_array | None = None,
    seed: int = 0,
    most: int | None = None,
    progress: bool = False,
) -> Projection:
    """A map by name; curved ones start from each image's neighbours, and take at most 15,000 images.

    Args:
        features: (N, D); never reduced first, which would lose what tells people apart.
        graph: sparse (N, N) distances in [0, 1] that the labels were made from: its neighbours are then those of the map.
            Without it they are searched in the features.
        most: images at most; more are drawn from evenly.
        progress: whether to show how far the solver is.

    Raises:
        DiagnosisError: without features, with fewer than three images, or for an unknown name.
    """
    if name not in PROJECTIONS:
        raise DiagnosisError(f"No map is called {name!r}.", rule=f"Maps: {PROJECTIONS}.", action=nearest_name(name, PROJECTIONS))
    if features is None or len(features) < 3:
        raise DiagnosisError("No features.", rule="A map needs the features of three images or more.", action="Pass features.")
    rows = sample_rows(len(features), most or (MOST if name == "PCA" else MOST_CURVED), seed=seed)
    drawn = features[rows]
    plane, share = project(drawn)
    if name == "PCA":
        axes = ("first principal component", "second principal component")
        note = f"The two axes carry {share:.0%} of the variance: what overlaps here may be apart in the other dimensions."
        return Projection(name, plane, rows, axes, note + _drawn(rows, features))
    k = wanted(name, len(rows))
    near = Near.of_features(drawn, k) if graph is None else Near.of_graph(graph[rows][:, rows], k, seed=seed)
    points = {"t-SNE": tsne_map, "UMAP": umap_map}[name](near, plane, seed=seed, progress=progress)
    note = NOTES[name] + _faith(drawn, points, near) + _drawn(rows, features)
    return Projection(name, points, rows, (f"{name} 1", f"{name} 2"), note)


def sample_rows(images: int, most: int = MOST, *, seed: int = 0) -> np.ndarray:
    """All rows, or `most` of them drawn evenly and returned in ascending order."""
    if images <= most:
        return np.arange(images)
    return np.sort(np.random.default_rng(seed).permutation(images)[:most])


def _drawn(rows: np.ndarray, features: np.ndarray) -> str:
    return f" {len(rows)} of {len(features)} images, drawn evenly." if len(rows) < len(features) else ""


def _faith(features: np.ndarray, points: np.ndarray, near: Near) -> str:
    if len(points) < 4:
        return ""
    trust, judged = sampled_trustworthiness(features, points)
    on = f" on {judged} of them" if judged < len(points) else ""
    kept = f" {neighbours_kept(points, near):.0%} of the nearest images are nearest on the map."
    return f" Trustworthiness {trust:.2f}{on} (1: every neighbour on the map is one).{kept}"
