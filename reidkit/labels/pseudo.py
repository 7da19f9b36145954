"""`PseudoLabels`: who belongs together in this epoch, and how that was found out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from reidkit.errors import LabelsError, shown
from reidkit.jaccard.graph import JaccardGraph

OUTLIER = -1
SingleCamera = Literal["keep", "drop"]
SINGLE_CAMERA = get_args(SingleCamera)


@dataclass(frozen=True, eq=False)
class PseudoLabels:
    """Labels of one epoch with their history.

    Attributes:
        labels: int64 (N,), or (N, P) for P views of each image (SSG: whole, upper, lower); clusters 0..M-1, -1 = outlier.
        history: how they were made (distance, eps, min_samples, selection), values that JSON can hold.
        weights: float32 (N,) in 0..1, how much each image may be trusted; None when all count alike.
        graph: the neighbour graph that was clustered, when there was one; the run's record keeps it.
    """

    labels: np.ndarray
    history: dict[str, object] = field(default_factory=dict)
    weights: np.ndarray | None = None
    graph: JaccardGraph | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels)
        if labels.ndim not in (1, 2) or not np.issubdtype(labels.dtype, np.integer):
            raise LabelsError(
                f"Labels of shape {labels.shape} and type {labels.dtype}.",
                rule="Labels are integers of shape (N,), or (N, P) for P views.",
                action="Convert them to int64.",
            )
        object.__setattr__(self, "labels", labels.astype(np.int64))
        for view, column in enumerate(self._views()):
            _check_contiguous(column, view)
        if self.weights is not None and np.shape(self.weights) != labels.shape[:1]:
            raise LabelsError(
                f"{np.shape(self.weights)} weights for {len(labels)} images.",
                rule="One weight an image.",
                action="Pass weights of shape (N,).",
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def clusters_per_view(self) -> tuple[int, ...]:
        """M of each view: the number of rows its classifier needs."""
        return tuple(int(column.max(initial=OUTLIER)) + 1 for column in self._views())

    @property
    def num_clusters(self) -> int:
        """M, the number of clusters (of the first view when there are several). Outliers are no cluster."""
        return self.clusters_per_view[0]

    @property
    def eps(self) -> float:
        """The radius that made them; NaN when no radius did."""
        eps = self.history.get("eps")
        return float(eps) if isinstance(eps, (int, float)) else float("nan")

    @property
    def kept(self) -> np.ndarray:
        """bool (N,), images to train on: no outlier in any view."""
        return (np.stack(self._views()) != OUTLIER).all(axis=0)

    @property
    def outliers(self) -> int:
        """How many images are left out."""
        return int((~self.kept).sum())

    def _views(self) -> list[np.ndarray]:
        return [self.labels] if self.labels.ndim == 1 else list(self.labels.T)


def relabelled(labels: np.ndarray) -> np.ndarray:
    """int64 labels with the clusters renumbered 0..M-1 in their old order; -1 stays."""
    labels = np.asarray(labels, dtype=np.int64)
    names, place = np.unique(labels, return_inverse=True)
    return place.reshape(labels.shape).astype(np.int64) - int((names == OUTLIER).any())


def select(labels: np.ndarray, cameras: np.ndarray, *, min_size: int | None = None, single_camera: str = "keep") -> np.ndarray:
    """Labels with unfit clusters turned into outliers, and the rest renumbered 0..M'-1.

    Source: "Learn by Guessing: Multi-step Pseudo-label Refinement for Person Re-Identification" (2022), section 3.4
    (there ``min_size=4, single_camera="drop"``).

    Args:
        labels: int (N,), -1 = outlier.
        cameras: int (N,).
        min_size: least images of a cluster; None for no limit.
        single_camera: ``"keep"`` or ``"drop"`` clusters seen by one camera only.
    """
    if single_camera not in SINGLE_CAMERA:
        raise LabelsError(f"single_camera = {single_camera!r}.", rule=f"One of {SINGLE_CAMERA}.", action="Choose one.")
    labels, cameras = one_of_each(labels, cameras)
    kept = labels != OUTLIER
    clusters = int(labels.max(initial=OUTLIER)) + 1
    fit = np.bincount(labels[kept], minlength=clusters) >= (min_size or 0)
    if single_camera == "drop":
        seen = np.unique(np.stack([labels[kept], np.unique(cameras, return_inverse=True)[1][kept]]), axis=1)[0]
        fit &= np.bincount(seen, minlength=clusters) >= 2
    return relabelled(np.where(kept & fit[labels * kept], labels, OUTLIER)) if clusters else labels.copy()


def centroids(features: np.ndarray, labels: np.ndarray, *, normalise: bool = False, unit_rows: bool = True) -> np.ndarray:
    """(M, D) float32 mean feature of each cluster 0..M-1; outliers do not count.

    Args:
        features: (N, D).
        labels: int (N,), -1 = outlier.
        normalise: whether the means are L2-normalised (rows of a classifier); otherwise they are shorter than 1.
        unit_rows: whether each feature is L2-normalised before the mean (zero rows stay zero).
    """
    labels = np.asarray(labels, dtype=np.int64)
    if labels.shape != (len(features),):
        raise LabelsError(
            f"{labels.shape} labels for {len(features)} rows.", rule="One label a row.", action="Pass one view at a time."
        )
    clusters = _check_contiguous(labels, 0)
    sums = np.zeros((clusters, features.shape[1]))
    kept = np.flatnonzero(labels != OUTLIER)
    for start in range(0, len(kept), 4096):
        rows = kept[start : start + 4096]
        part = features[rows].astype(np.float64)
        members = sparse.csr_array((np.ones(len(rows)), (labels[rows], np.arange(len(rows)))), shape=(clusters, len(rows)))
        sums += members @ (_unit(part) if unit_rows else part)
    means = sums / np.bincount(labels[kept], minlength=clusters)[:, None]
    return (_unit(means) if normalise else means).astype(np.float32)


def view_centroids(features: np.ndarray, labels: np.ndarray, *, normalise: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The `centroids` of every view, one view below another, and int64 (V,), the first row of each view.

    Args:
        features: (N, V, D).
        labels: int (N, V), or (N,) and (N, 1) for labels that all views share.
        normalise: as in `centroids`.
    """
    views = features.shape[1]
    columns = np.broadcast_to(labels.reshape(len(labels), -1), (len(labels), views))
    tables = [centroids(features[:, view], columns[:, view], normalise=normalise, unit_rows=False) for view in range(views)]
    return np.concatenate(tables), np.cumsum([0, *map(len, tables[:-1])])


def _unit(rows: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norm > 0, norm, 1.0)


def _check_contiguous(labels: np.ndarray, view: int) -> int:
    """The number of clusters; refuse labels below -1 and numbers without images."""
    clusters = int(labels.max(initial=OUTLIER)) + 1
    low = np.flatnonzero(labels < OUTLIER)
    if len(low):
        raise LabelsError(
            f"View {view}: label {int(labels[low[0]])} in row {int(low[0])}.",
            rule="Labels are -1 (outlier) or 0..M-1.",
            action="Mark outliers with -1.",
        )
    empty = np.flatnonzero(np.bincount(labels[labels != OUTLIER], minlength=clusters) == 0)
    if len(empty):
        raise LabelsError(
            f"View {view}: no image has the label {shown(empty.tolist())}, but a higher one occurs.",
            rule="Clusters are numbered 0..M-1 without gaps.",
            action="Renumber them with reidkit.labels.relabelled.",
        )
    return clusters


def one_of_each(labels: ArrayLike, cameras: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """int64 (N,) labels and (N,) cameras; refused when they are not one of each an image."""
    labels, cameras = np.asarray(labels, dtype=np.int64), np.asarray(cameras)
    if labels.shape != cameras.shape or labels.ndim != 1:
        raise LabelsError(
            f"{labels.shape} labels for {cameras.shape} cameras.",
            rule="One of each an image.",
            action="Pass arrays of shape (N,).",
        )
    return labels, cameras
