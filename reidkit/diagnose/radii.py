"""Labels over a range of radii, and the gauges of each radius, all in one fixed space.

A gauge may only rank partitions within one space: silhouettes of two embeddings cannot be compared. So every radius is
scored on the same sparse graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
from jaxtyping import Int
from scipy import sparse
from sklearn.cluster import DBSCAN
from sklearn.neighbors import sort_graph_by_row_values

from reidkit.diagnose.counts import as_singletons, pairs
from reidkit.diagnose.identities import spread_of
from reidkit.diagnose.information import entropy, information
from reidkit.diagnose.inputs import OUTLIER, Labelling, check_inputs
from reidkit.diagnose.pairwise import PairCounts, count_pairs
from reidkit.diagnose.scores import camera_scores, sizes
from reidkit.diagnose.space import Space, silhouettes
from reidkit.errors import DiagnosisError

Cluster = Callable[[float], np.ndarray]
COLUMNS = {
    "eps": "radius",
    "clusters": "clusters",
    "outliers": "images without a cluster",
    "silhouette": "mean silhouette, outliers as one group, -1 to 1",
    "silhouette_clustered": "the same over images with a cluster only",
    "stability": "mean adjusted Rand index with the radii before and after, outliers as singletons",
    "cross_camera_share": "share of clusters with images of several cameras",
    "camera_homogeneity": "I(label; camera) / H(camera), 0 to 1",
    "largest_cluster_share": "share of all images in the largest cluster",
    "f1": "pairwise F with the truth, outliers as singletons",
    "lost": "true identities that are the majority of no cluster",
}
GAUGES = ("silhouette", "silhouette_clustered", "clusters", "stability", "cross_camera_share", "camera_homogeneity")


def dbscan_on(graph: sparse.csr_array, min_samples: int = 4) -> Cluster:
    """A function radius -> labels (N,): scikit-learn's DBSCAN on a sparse graph, for radii below 1.

    `reidkit.labels.all_eps(graph).labels` answers the same question much faster, and may be passed instead.
    """
    (row, column), everyone = sparse.coo_array(graph).coords, np.arange(graph.shape[0])
    data = np.r_[sparse.coo_array(graph).data, np.zeros(len(everyone))]
    whole = sparse.csr_matrix((data, (np.r_[row, everyone], np.r_[column, everyone])), shape=graph.shape)
    whole = sort_graph_by_row_values(whole, warn_when_not_sorted=False)

    def cluster(eps: float) -> np.ndarray:
        if not 0.0 < eps < 1.0:
            raise DiagnosisError(f"eps = {eps}.", rule="0 < eps < 1: at 1 pairs that are not stored meet.", action="Lower it.")
        return DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed").fit(whole).labels_.astype(np.int64)

    return cluster


def eps_curve(
    graph: object,
    cameras: object,
    eps: Sequence[float] | np.ndarray,
    *,
    identities: object = None,
    min_samples: int = 4,
    cluster: Cluster | None = None,
) -> pd.DataFrame:
    """The gauges of each radius; see `COLUMNS` (`f1` and `lost` only when truth is given).

    Args:
        graph: see `diagnose`.
        eps: radii below 1, any order; rows are ascending.
        cluster: radius -> labels (N,); None runs DBSCAN on the graph.
    """
    radii = np.unique(np.asarray(eps, np.float64))
    images = int(getattr(getattr(graph, "matrix", graph), "shape", (0,))[0])
    space = Space.of(None, graph, images)
    assert space.graph is not None
    cluster = cluster or dbscan_on(space.graph, min_samples)
    labels = [np.asarray(cluster(float(radius)), np.int64) for radius in radii]
    rows = [_gauges(check_inputs(label, cameras, identities), space.graph) for label in labels]
    frame = pd.DataFrame(rows)
    frame["eps"], frame["stability"] = radii, stabilities(labels)
    return frame[[name for name in COLUMNS if name in frame]]


def label_curve(
    cluster: Cluster, cameras: object, eps: Sequence[float] | np.ndarray, *, identities: object = None
) -> pd.DataFrame:
    """What the labels alone say at each radius: `camera_homogeneity`, and with truth `f1` and `lost` (see `COLUMNS`).

    Contingency counts only: some milliseconds a radius at 30,000 images, where `eps_curve` also reads the graph.

    Args:
        cluster: radius -> labels (N,), e.g. ``reidkit.labels.all_eps(graph).labels``.
        eps: radii, in the order of the rows.
    """
    radii = np.asarray(eps, np.float64)
    numbered = check_inputs(np.zeros(len(np.asarray(cameras)), np.int64), cameras, identities)
    rows = []
    for radius in radii:
        found = replace(numbered, label=np.asarray(cluster(float(radius)), np.int64))
        label, camera = found.label[found.inlier], found.camera[found.inlier]
        most = entropy(camera)
        told = float(information(label, camera)) / most if most > 0 else float("nan")
        rows.append({"eps": float(radius), "camera_homogeneity": told} | _truth(found))
    return pd.DataFrame(rows)


def stabilities(labels: Sequence[Int[np.ndarray, " n"]]) -> np.ndarray:
    """For each labelling in a row of radii, its mean agreement with the one before and the one after; NaN when alone."""
    steps = [agreement(a, b) for a, b in pairwise(labels)]
    around = [[*steps[max(i - 1, 0) : i], *steps[i : i + 1]] for i in range(len(labels))]
    return np.array([np.mean(near) if near else np.nan for near in around])


def agreement(a: Int[np.ndarray, " n"], b: Int[np.ndarray, " n"]) -> float:
    """Adjusted Rand index of two labellings, outliers as singletons."""
    return count_pairs(as_singletons(a), as_singletons(b), np.zeros(len(a), np.int64))["all"].ari


def _gauges(labelling: Labelling, graph: sparse.csr_array) -> dict[str, float]:
    found, value = sizes(labelling), silhouettes(graph, labelling.label)
    kept = labelling.label != OUTLIER
    row = {name: float(found[name]) for name in ("clusters", "outliers", "largest_cluster_share")}
    row["cross_camera_share"] = 1.0 - float(found["single_camera_clusters"])
    row["silhouette"] = float(value.mean())
    row["silhouette_clustered"] = float(value[kept].mean()) if kept.any() else float("nan")
    row["camera_homogeneity"] = float(camera_scores(labelling, permutations=0)["camera_homogeneity"])
    return row | _truth(labelling)


def _truth(labelling: Labelling) -> dict[str, float]:
    """`f1` and `lost` when any identity is known, from the cells of (identity, cluster) alone."""
    known = labelling.known
    if labelling.identity is None or not known.any():
        return {}
    both = known & labelling.inlier
    identity, label = labelling.identity[both], labelling.label[both]
    spread = spread_of(identity, label)
    clustered, true = (pairs(np.bincount(codes)) for codes in (label, labelling.identity[known]))
    counted = PairCounts(pairs(spread["images"].to_numpy()), clustered, true, 0)
    found = spread["identity"][spread["own"]].nunique()
    return {"f1": counted.f1, "lost": float(len(labelling.identity_names) - found)}
