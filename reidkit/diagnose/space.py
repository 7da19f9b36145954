"""The space that labels were made in: features, the sparse distance graph, and silhouettes computed from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy import sparse

from reidkit.diagnose.counts import renumbered
from reidkit.diagnose.inputs import Labelling
from reidkit.diagnose.meanings import MEANING
from reidkit.errors import DiagnosisError


@dataclass(frozen=True, eq=False)
class Space:
    """What is known about distances between N images.

    Attributes:
        features: float32 (N, D), rows of unit length; None when not given.
        graph: sparse (N, N) distances in [0, 1], symmetric, zero diagonal left out; None when not given. A pair that is not
            stored is at distance 1.
    """

    features: np.ndarray | None = None
    graph: sparse.csr_array | None = None

    @staticmethod
    def of(features: object, graph: object, images: int) -> Space:
        """Check features (an array, or an object with `.matrix`) and graph (SciPy matrix, or `JaccardGraph`).

        Raises:
            DiagnosisError: for wrong shapes, values that are not finite, or distances outside [0, 1].
        """
        matrix = None if features is None else _unit_rows(np.asarray(getattr(features, "matrix", features)), images)
        return Space(matrix, None if graph is None else _distances(graph, images))


def silhouettes(graph: sparse.csr_array, groups: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Silhouette of each image, -1 to 1, from a sparse graph; equal to scikit-learn's on the dense matrix.

    With s = 1 - distance, which is zero for a pair that is not stored, the mean distance to a group is one minus the mean of
    s: a product of the sparse graph with the group indicator is all it takes.

    Args:
        graph: see `Space.graph`.
        groups: (N,) any integers; outliers (-1) are one group, as the only reading that ranked partitions well.

    Returns:
        NaN everywhere when there are fewer than two groups (undefined), 0 for an image alone in its group.
    """
    group = np.unique(groups, return_inverse=True)[1]
    n, sizes = len(group), np.bincount(group)
    if len(sizes) < 2 or len(sizes) == n:
        return np.full(n, np.nan)
    near = sparse.csr_array((1.0 - graph.data.astype(np.float64), graph.indices, graph.indptr), shape=graph.shape)
    member = sparse.csr_array((np.ones(n), (np.arange(n), group)), shape=(n, len(sizes)))
    shared = sparse.coo_array(near @ member)
    row, column = shared.coords
    own = column == group[row]
    inside = np.zeros(n)
    inside[row[own]] = shared.data[own]
    a = 1.0 - inside / np.maximum(sizes[group] - 1, 1)
    closest = np.zeros(n)
    np.maximum.at(closest, row[~own], shared.data[~own] / sizes[column[~own]])
    b = 1.0 - closest
    scale = np.maximum(a, b)
    value = np.divide(b - a, scale, out=np.zeros(n), where=scale > 0)
    return np.where(sizes[group] > 1, value, 0.0)


def centre_distances(features: Float[np.ndarray, "n d"], label: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Cosine distance of each image to the mean of its cluster, 0 to 2; NaN for outliers."""
    kept = np.flatnonzero(label >= 0)
    group = renumbered(label[kept])
    member = sparse.csr_array(
        (np.ones(len(kept), np.float32), (group, np.arange(len(kept)))), shape=(group.max(initial=-1) + 1, len(kept))
    )
    centres = _unit(member @ features[kept])
    result = np.full(len(label), np.nan)
    result[kept] = 1.0 - np.einsum("nd,nd->n", features[kept], centres[group])
    return result


def add_geometry(
    labelling: Labelling, space: Space, images: pd.DataFrame, clusters: pd.DataFrame, scores: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The three tables with the columns and rows that features and graph add."""
    label, inlier = labelling.label, labelling.inlier
    rows: dict[str, float] = {}
    if space.graph is not None:
        value = silhouettes(space.graph, label)
        images = images.assign(silhouette=value)
        rows["silhouette"] = float(value.mean())
        rows["silhouette_clustered"] = float(value[inlier].mean()) if inlier.any() else float("nan")
        clusters = clusters.assign(silhouette=_by_cluster(value, label, len(clusters)))
    if space.features is not None:
        value = centre_distances(space.features, label)
        images = images.assign(centre_distance=value)
        clusters = clusters.assign(radius=_by_cluster(value, label, len(clusters)))
    extra = [{"score": k, "outliers": "", "pairs": "", "value": v, **MEANING[k]._asdict()} for k, v in rows.items()]
    return images, clusters, pd.concat([scores, pd.DataFrame(extra)], ignore_index=True) if extra else scores


def _by_cluster(value: np.ndarray, label: np.ndarray, clusters: int) -> np.ndarray:
    kept = label >= 0
    return np.bincount(label[kept], weights=value[kept], minlength=clusters) / np.bincount(label[kept], minlength=clusters)


def _unit(matrix: np.ndarray) -> np.ndarray:
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)


def _unit_rows(matrix: np.ndarray, images: int) -> np.ndarray:
    rule, action = "Features are finite numbers, one row an image.", "Pass the features that were clustered, row by row."
    if matrix.ndim != 2 or len(matrix) != images or matrix.dtype.kind not in "fiu":
        raise DiagnosisError(f"features: {matrix.dtype} {matrix.shape} for {images} images.", rule=rule, action=action)
    matrix = matrix.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(bad):
        raise DiagnosisError(f"features: rows {bad[:5].tolist()} ({len(bad)} in all) are not finite.", rule=rule, action=action)
    return _unit(matrix)


def _distances(graph: object, images: int) -> sparse.csr_array:
    rule = "A graph holds the distances of images to near ones, in [0, 1]; a pair that is not stored is at distance 1."
    if getattr(graph, "offset", None) is not None or getattr(graph, "absent", 1.0) != 1.0:
        raise DiagnosisError("graph: pairs that are not stored differ in distance.", rule=rule, action="Pass the plain graph.")
    matrix = getattr(graph, "matrix", graph)
    if not isinstance(matrix, sparse.sparray | sparse.spmatrix) or matrix.shape != (images, images):
        found = getattr(matrix, "shape", type(matrix).__name__)
        raise DiagnosisError(f"graph: {found} for {images} images.", rule=rule, action="Pass a sparse (N, N) matrix.")
    coo = sparse.coo_array(matrix)
    row, column = coo.coords
    off = row != column
    if len(coo.data) and not (np.isfinite(coo.data).all() and coo.data.min() >= -1e-4 and coo.data.max() <= 1 + 1e-4):
        raise DiagnosisError(
            f"graph: values from {coo.data.min()} to {coo.data.max()}.", rule=rule, action="Pass Jaccard distances."
        )
    return sparse.csr_array((np.clip(coo.data[off], 0.0, 1.0), (row[off], column[off])), shape=matrix.shape)
