"""`jaccard_graph`: from features to the sparse graph."""

from __future__ import annotations

import logging
import time

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from reidkit.jaccard.encoding import Ranks, encodings, in_local_order, ranks, square
from reidkit.jaccard.estimate import MANY, check_estimate
from reidkit.jaccard.graph import JaccardGraph, checked_settings
from reidkit.neighbours import Processes, checked_rows
from reidkit.threads import in_threads, row_ranges

logger = logging.getLogger(__name__)


def jaccard_graph(
    features: ArrayLike,
    *,
    k1: int = 30,
    k2: int = 6,
    variant: str = "index",
    max_distance: float = 1.0,
    backend: str = "auto",
    processes: Processes | None = None,
) -> JaccardGraph:
    """The Jaccard distance of k-reciprocal encodings, as a sparse graph of the pairs below 1.

    Args:
        features: (N, D) float32, L2-normalised. Rows of another length are compared by Euclidean distance.
        k1: neighbours that an encoding looks at. With N <= k1 all images are neighbours.
        k2: how many of a list's first entries (itself included) are averaged; 1 for no query expansion.
        variant: ``"index"``, the form of SpCL, CAP, ICE and GCL (a list of k1 entries, itself included; weights
            exp(-d^2)), or ``"full"``, that of UDAP, MMT and ABMT (itself and k1 neighbours; weights
            exp(-d^2 / the row's largest d^2)). Their numbers, and so their eps, are not the same.
        max_distance: pairs above it are not stored; 1.0 keeps all that overlap. A graph for one eps is much smaller.
        backend: who finds the neighbours (`reidkit.neighbours.nearest`).
        processes: processes that share the search, all of which make this call: ``Processes.current()`` under torchrun.

    Returns:
        A graph that equals `dense_jaccard`. Its memory grows with N * k, never with N * N.

    Raises:
        LabelsError: for features that are not finite (rows are named), or settings out of range.

    Source: "Re-ranking Person Re-identification with k-reciprocal Encoding" (2017), sections 3.2 to 3.4, equations 2 to
    11; the image itself stands first in its list, ties break by index.
    """
    checked_settings(k1, k2, variant, max_distance)
    rows = checked_rows(features)
    if len(rows) >= MANY:
        check_estimate(*rows.shape, k1=k1, max_distance=max_distance)
    started = time.perf_counter()
    known = ranks(rows, k1, k2, variant, backend=backend, processes=processes)
    searched = time.perf_counter()
    graph = build(rows, known, k1, k2, max_distance)
    logger.info("jaccard: neighbours %.2f s, graph %.2f s", searched - started, time.perf_counter() - searched)
    return JaccardGraph(graph, k1, k2, variant, max_distance)


def build(rows: np.ndarray, known: Ranks, k1: int, k2: int, max_distance: float) -> sparse.csr_array:
    """The distances below 1 and at most `max_distance` from known neighbours: a symmetric CSR with sorted columns."""
    if len(rows) < MANY or max_distance == 1.0:
        return graph_of(encodings(rows, known, k1, k2), max_distance)
    local = in_local_order(known)
    graph = graph_of(encodings(rows, local, k1, k2), max_distance)[np.argsort(local.names)]
    graph.indices = local.names[graph.indices]
    columns = graph.tocsc()
    return sparse.csr_array((columns.data, columns.indices, columns.indptr), shape=graph.shape)


def graph_of(encoding: sparse.csr_array, max_distance: float = 1.0) -> sparse.csr_array:
    """Encodings V (N, N) -> symmetric CSR float32 of all pairs with 1 - m / (2 - m) below 1 and at most `max_distance`.

    Each pair is met once, through the columns that both rows use.
    """
    from reidkit.jaccard.kernels import close_pairs, symmetric

    columns = encoding.tocsc()
    index = encoding.indptr, encoding.indices, encoding.data, columns.indptr, columns.indices, columns.data
    limit = np.float32(max_distance)
    pieces = in_threads(lambda piece: close_pairs(*index, limit, *piece), row_ranges(encoding.shape[0]))
    lengths, partners, distances = (np.concatenate([piece[part] for piece in pieces]) for part in range(3))
    del pieces, columns, index
    return square(*symmetric(lengths, partners, distances))
