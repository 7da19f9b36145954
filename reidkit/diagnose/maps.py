"""t-SNE and UMAP from neighbours that are already known, and how well a map keeps them."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree
from sklearn.manifold import trustworthiness
from tqdm.auto import tqdm

from reidkit.diagnose.near import Near
from reidkit.threads import torch_threads_kept

PERPLEXITY, UMAP_NEIGHBOURS = 30.0, 15
EARLY, LATE, REPORTED = 250, 500, 50  # openTSNE's own numbers of iterations
CELL = 2  # width of a cell of FIt-SNE's grid; the library's 1 takes four times as long and keeps one neighbour in a hundred more
MANY, EPOCHS = 10_000, 100  # of a large UMAP, half of the library's own: principal components are a good place to begin
JUDGED = 5_000


def wanted(name: str, images: int) -> int:
    """Neighbours, itself counted, that a map of so many images is made from: 3 x perplexity + 1 for t-SNE, 15 for UMAP."""
    return 1 + int(3 * _perplexity(images)) if name == "t-SNE" else min(UMAP_NEIGHBOURS, images)


def tsne_map(near: Near, start: Float[np.ndarray, "n 2"], *, seed: int = 0, progress: bool = False) -> Float[np.ndarray, "n 2"]:
    """t-SNE by openTSNE from known neighbours; beyond 10,000 images with interpolation (FIt-SNE, 2019) instead of a tree.

    Args:
        near: 91 neighbours for a perplexity of 30; with fewer, the perplexity is a third of their number.
        start: where the points begin, for example two principal components; scaled to a spread of 1e-4.
        seed: of the solver. One thread, so that the same seed gives the same map.
        progress: whether to show a bar of iterations.
    """
    tsne = importlib.import_module("openTSNE")
    index, distance = near.first(wanted("t-SNE", len(near.index)))
    known = importlib.import_module("openTSNE.nearest_neighbors").PrecomputedNeighbors(index[:, 1:], distance[:, 1:])
    with tqdm(total=EARLY + LATE, desc="t-SNE", unit="step", disable=not progress) as bar, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        affinities = tsne.affinity.PerplexityBasedNN(
            perplexity=min(_perplexity(len(index)), known.k / 3), knn_index=known, n_jobs=1, random_state=seed
        )

        def report(*_: object) -> None:  # must return nothing: a true value would stop the solver
            bar.update(REPORTED)

        options = {"ints_in_interval": CELL, "callbacks": report, "callbacks_every_iters": REPORTED}
        solver = tsne.TSNE(n_jobs=1, random_state=seed, **options)
        begun = tsne.initialization.rescale(np.asarray(start, np.float64))
        return np.asarray(solver.fit(affinities=affinities, initialization=begun), np.float32)


def umap_map(near: Near, start: Float[np.ndarray, "n 2"], *, seed: int = 0, progress: bool = False) -> Float[np.ndarray, "n 2"]:
    """UMAP by umap-learn from known neighbours.

    Args:
        near: 15 neighbours or more, the image itself counted; 15 are used.
        start: where the points begin, for example two principal components.
        seed: of the solver. One thread, so that the same seed gives the same map.
        progress: whether umap-learn says what it does.
    """
    umap = importlib.import_module("umap")
    known = near.first(wanted("UMAP", len(near.index)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it cannot transform further images: nobody asks it to
        begun, epochs = np.asarray(start, np.float32), EPOCHS if len(start) > MANY else None
        options = {"init": begun, "n_epochs": epochs, "random_state": seed, "n_jobs": 1, "verbose": progress}
        solver = umap.UMAP(n_neighbors=known[0].shape[1], precomputed_knn=known, **options)
        with torch_threads_kept():
            return solver.fit_transform(begun).astype(np.float32)  # of what it is given it needs the length alone


def neighbours_kept(points: Float[np.ndarray, "n 2"], near: Near, k: int = 10) -> float:
    """Share of the k nearest images that are among the k nearest on the map, 0 to 1."""
    k = min(k, near.index.shape[1] - 1, len(points) - 1)
    found = cKDTree(points).query(points, k + 1)[1]
    rows = np.arange(len(points))[:, None]
    found = np.where(found == rows, -1, found)
    return float((found[:, :, None] == near.index[:, None, 1 : k + 1]).any(axis=2).sum() / (len(points) * k))


def sampled_trustworthiness(
    features: Float[np.ndarray, "n d"], points: Float[np.ndarray, "n 2"], *, k: int = 10, most: int = JUDGED, seed: int = 0
) -> tuple[float, int]:
    """Trustworthiness (Venna and Kaski, 2001) and the number of images it was computed on: an even draw of `most` at most.

    It needs all pairs, so its memory grows with the square of that number.
    """
    rows = np.arange(len(features))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:most])
    return float(trustworthiness(features[rows], points[rows], n_neighbors=min(k, len(rows) // 2 - 1))), len(rows)


def _perplexity(images: int) -> float:
    return min(PERPLEXITY, (images - 1) / 3)
