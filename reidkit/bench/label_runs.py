"""The contestants of `reidkit bench labels`: ours, the published forms, scikit-learn, and what each prepares."""

from __future__ import annotations

import logging
import time
from typing import Any

import numpy as np

from reidkit.bench.contest import Inputs, Outputs

K1, K2, EPS, OTHER_EPS, LARGEST_EPS, MIN_SAMPLES = 30, 6, 0.6, 0.5, 0.7, 4


class Stages(logging.Handler):
    """The seconds that `jaccard_graph` says it took: of the search, and of what comes after it."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: tuple[float, ...] = ()

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg.startswith("jaccard: neighbours") and isinstance(record.args, tuple):
            self.seconds = tuple(float(part) for part in record.args if isinstance(part, float))


def ours(inputs: Inputs, variant: str = "index", backend: str = "auto") -> Outputs:
    """Graph and labels, with the time of what follows the search."""
    from reidkit.jaccard import jaccard_graph
    from reidkit.labels import dbscan

    stages, logger = Stages(), logging.getLogger("reidkit.jaccard.build")
    logger.addHandler(stages)
    logger.setLevel(logging.INFO)
    graph = jaccard_graph(inputs["features"], k1=K1, k2=K2, variant=variant, max_distance=EPS, backend=backend)
    searched = time.perf_counter()
    labels = dbscan(graph, EPS, MIN_SAMPLES)
    clustered = time.perf_counter() - searched
    search, build = stages.seconds
    parts = {"seconds search": search, "seconds after the search": build + clustered, "seconds dbscan": clustered}
    return parts | {"labels": labels, "near labels": labels, "clusters": int(labels.max() + 1)}


def ours_full(inputs: Inputs) -> Outputs:
    return ours(inputs, "full")


def ours_gpu(inputs: Inputs) -> Outputs:
    return ours(inputs, backend="torch-gpu")


def warm(inputs: Inputs) -> Inputs:
    """Compile and probe on a part that is large enough to take the same paths."""
    ours({"features": inputs["features"][:6000]})
    return inputs


def warm_full(inputs: Inputs) -> Inputs:
    ours_full({"features": inputs["features"][:6000]})
    return inputs


def warm_gpu(inputs: Inputs) -> Inputs:
    ours_gpu({"features": inputs["features"][:6000]})
    return inputs


def index_form(inputs: Inputs) -> Outputs:
    """faiss's exact index, then a loop over rows, then scikit-learn."""
    import faiss

    from reidkit.bench import peers

    features, began = inputs["features"], time.perf_counter()
    index = faiss.IndexFlatL2(features.shape[1])
    index.add(features)
    rank = index.search(features, K1)[1]
    searched = time.perf_counter()
    labels = dense_dbscan(peers.index_form(features, rank, K1, K2))
    after = time.perf_counter() - searched
    return {"near labels": labels, "seconds search": searched - began, "seconds after the search": after}


def warm_index(inputs: Inputs) -> Inputs:
    index_form({"features": inputs["features"][:100]})
    return inputs


def our_neighbours(inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
    """The neighbours that ours finds, so that only what follows the search is compared."""
    from reidkit.neighbours import neighbour_lists

    warm_index(inputs)
    return inputs["features"], neighbour_lists(inputs["features"], K1).index


def index_form_given(prepared: tuple[np.ndarray, np.ndarray]) -> Outputs:
    from reidkit.bench import peers

    return {"labels": dense_dbscan(peers.index_form(*prepared, K1, K2))}


def dense_form(inputs: Inputs) -> Outputs:
    """All distances, whole rankings, then scikit-learn."""
    from reidkit.bench import peers

    squared = peers.squared_distances(inputs["features"])
    return {"near labels": dense_dbscan(peers.dense_form(squared, K1, K2, len(squared))[0])}


def warm_dense(inputs: Inputs) -> Inputs:
    dense_form({"features": inputs["features"][:100].copy()})
    return inputs


def with_sklearn(inputs: Inputs) -> Inputs:
    """Import scikit-learn and wake its threads."""
    dense_dbscan(np.zeros((50, 50), np.float32))
    return inputs


def taught(inputs: Inputs) -> Outputs:
    from reidkit.jaccard import dense_jaccard

    return {"labels": dense_dbscan(dense_jaccard(inputs["features"], k1=K1, k2=K2).astype(np.float32))}


def dense_dbscan(distance: np.ndarray) -> np.ndarray:
    from sklearn.cluster import DBSCAN

    return DBSCAN(eps=EPS, min_samples=MIN_SAMPLES, metric="precomputed", n_jobs=-1).fit(distance).labels_


def dense_matrix(inputs: Inputs) -> np.ndarray:
    """The graph at its full N x N size."""
    with_sklearn(inputs)
    return our_graph(inputs).toarray()


def plain_dbscan(matrix: np.ndarray) -> Outputs:
    return {"labels": dense_dbscan(matrix)}


def our_graph(inputs: Inputs) -> Any:
    from reidkit.jaccard import jaccard_graph

    return jaccard_graph(inputs["features"], k1=K1, k2=K2, max_distance=LARGEST_EPS)


def every_eps(inputs: Inputs) -> Any:
    """What is made once and then cut at any eps."""
    from reidkit.labels import all_eps

    prepared = all_eps(our_graph(inputs), MIN_SAMPLES)
    prepared.labels(EPS)
    return prepared


def cut(prepared: Any) -> Outputs:
    return {"other labels": prepared.labels(OTHER_EPS)}


def graph_and_sklearn(inputs: Inputs) -> Any:
    with_sklearn(inputs)
    return our_graph(inputs)


def sparse_dbscan(graph: Any) -> Outputs:
    from sklearn.cluster import DBSCAN

    model = DBSCAN(eps=float(np.float32(OTHER_EPS)), min_samples=MIN_SAMPLES, metric="precomputed")
    return {"other labels": model.fit(graph.matrix).labels_}
