"""The clustering step that methods share: features and cameras in, pseudo-labels with their history out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from reidkit.errors import LabelsError
from reidkit.jaccard import Variant, jaccard_graph, mix_source, source_proximity
from reidkit.labels.cameras import normalise_by_camera
from reidkit.labels.density import dbscan, eps_from_closest_pairs
from reidkit.labels.means import kmeans
from reidkit.labels.pseudo import PseudoLabels, SingleCamera, select
from reidkit.options import Options

MANY, AROUND = 20_000, 0.1
Distance = Literal["jaccard", "cosine", "l2", "squared-l2"]


@dataclass(frozen=True)
class ClusterSettings(Options):
    """How features become labels; recipes of methods derive from it and change defaults.

    Args:
        clustering: ``"dbscan"`` or ``"kmeans"``. [code: yxgeee/MMT examples/mmt_train_dbscan.py; UDAP, SSG selftraining.py]
        distance: what eps refers to: ``"jaccard"``, or on unit features ``"cosine"``, ``"l2"`` or ``"squared-l2"``, readings of
            Learn by Guessing, 3.3.2. [code: UDAP, SSG selftraining.py; MMT examples/mmt_train_dbscan.py]
        eps: radius of DBSCAN; None takes the mean of the `rho` closest pairs. [code: UDAP, SSG selftraining.py]
        rho: share of pairs that sets eps. [code: UDAP, SSG selftraining.py]
        min_samples: of DBSCAN, the point itself counted. [code: UDAP, SSG selftraining.py]
        k1, k2: of the Jaccard graph. [code: UDAP, SSG reid/rerank.py; MMT mmt/utils/rerank.py]
        variant: of the Jaccard graph, ``"full"`` or the faiss form of later code. [code: UDAP, SSG reid/rerank.py]
        clusters: k of k-means (MMT 500, 700, 900); 0 means floor(N / 15). [code: yxgeee/MMT scripts/train_mmt_kmeans.sh]
        camera: ``"normalised"`` standardises features camera by camera first. [ours: an idea of Learn by Guessing, off]
        camera_ddof: 1 divides its variance by n - 1 instead of n. [ours: Learn by Guessing leaves it open]
        min_size, single_camera: cluster selection afterwards. [ours: an idea of Learn by Guessing, off]
        source_weight: lambda of UDAP's source term (UDAP, SSG 0.1 with a companion). [code: yxgeee/MMT scripts/*.sh]
    """

    clustering: Literal["dbscan", "kmeans"] = "dbscan"
    distance: Distance = "jaccard"
    eps: float | None = None
    rho: float = 1.6e-3
    min_samples: int = 4
    k1: int = 20
    k2: int = 6
    variant: Variant = "full"
    clusters: int = 500
    camera: Literal["as-is", "normalised"] = "as-is"
    camera_ddof: int = 0
    min_size: int = 0
    single_camera: SingleCamera = "keep"
    source_weight: float = 0.0


def cluster(
    features: np.ndarray,
    cameras: np.ndarray,
    how: ClusterSettings,
    *,
    eps: float | None = None,
    source: np.ndarray | None = None,
    seed: int = 0,
) -> PseudoLabels:
    """Label the rows of a feature matrix.

    Args:
        features: float32 (N, D), unit rows.
        cameras: int (N,).
        how: the settings.
        eps: the radius of an earlier round, which stands before `how.eps`; the one that was used is in the history.
        source: float32 (S, D) unit rows of the source domain, for the source term.
        seed: of k-means.
    """
    normalised = how.camera == "normalised"
    matrix = _unit(normalise_by_camera(features, cameras, ddof=how.camera_ddof)) if normalised else features
    if how.clustering == "kmeans":
        k = min(how.clusters or len(matrix) // 15, len(matrix))
        made = PseudoLabels(kmeans(matrix, k, seed=seed), {"clustering": "kmeans", "k": k})
    elif how.distance == "jaccard":
        made = _jaccard_dbscan(matrix, how, eps if eps is not None else how.eps, source)
    else:
        made = _feature_dbscan(matrix, how, eps if eps is not None else how.eps)
    single = how.single_camera if len(np.unique(cameras)) > 1 else "keep"  # with one camera every cluster has one
    if not how.min_size and single == "keep":
        return made
    selected = select(made.labels, cameras, min_size=how.min_size, single_camera=single)
    history = made.history | {"clusters_before_selection": made.num_clusters, "kept_before_selection": int(made.kept.sum())}
    return PseudoLabels(selected, history, graph=made.graph)


def _largest_distance(images: int, how: ClusterSettings, eps: float | None) -> float:
    """What a graph must store: all of it, unless the set is large and the radius known; then radii `AROUND` it stay readable."""
    return min(1.0, eps + AROUND) if eps is not None and not how.source_weight and images >= MANY else 1.0


def _jaccard_dbscan(matrix: np.ndarray, how: ClusterSettings, eps: float | None, source: np.ndarray | None) -> PseudoLabels:
    largest = _largest_distance(len(matrix), how, eps)
    graph = jaccard_graph(matrix, k1=how.k1, k2=how.k2, variant=how.variant, max_distance=largest)
    if how.source_weight:
        if source is None:
            rule = "The source term needs the features of the source domain."
            raise LabelsError("source_weight without source features.", rule=rule, action="Give the run a companion.")
        graph = mix_source(graph, source_proximity(matrix, source), how.source_weight)
    radius = eps_from_closest_pairs(graph, how.rho) if eps is None else eps
    return PseudoLabels(dbscan(graph, radius, how.min_samples), _history(how, radius), graph=graph)


def _feature_dbscan(matrix: np.ndarray, how: ClusterSettings, eps: float | None) -> PseudoLabels:
    """DBSCAN on unit features. All three distances are one order: squared L2 = 2 cosine, so one search serves them."""
    from sklearn.cluster import DBSCAN

    if eps is None:
        rule = "Only the Jaccard graph knows its closest pairs."
        raise LabelsError(f"distance={how.distance!r} without eps.", rule=rule, action="Give eps.")
    radius = {"cosine": np.sqrt(2 * eps), "l2": eps, "squared-l2": np.sqrt(eps)}[how.distance]
    labels = DBSCAN(eps=float(radius), min_samples=how.min_samples).fit(_unit(matrix)).labels_
    return PseudoLabels(labels.astype(np.int64), _history(how, eps))


def _history(how: ClusterSettings, eps: float) -> dict[str, object]:
    return {"clustering": "dbscan", "distance": how.distance, "eps": float(eps), "min_samples": how.min_samples}


def _unit(rows: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(norms > 0, norms, 1.0)).astype(np.float32)
