"""`jaccard_graph`: features to the sparse graph."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from reidkit.jaccard.dense import dense_jaccard
from reidkit.jaccard.graph import JaccardGraph, checked_settings


def jaccard_graph(
    features: np.ndarray, *, k1: int = 30, k2: int = 6, variant: str = "index", max_distance: float = 1.0
) -> JaccardGraph:
    """The Jaccard distance of k-reciprocal encodings as a sparse graph."""
    checked_settings(k1, k2, variant, max_distance)
    dense = dense_jaccard(features, k1=k1, k2=k2, variant=variant).astype(np.float32)
    kept = (dense < 1) & (dense <= np.float32(max_distance))
    np.fill_diagonal(kept, True)
    rows, columns = np.nonzero(kept)
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    matrix = sparse.csr_array((dense[rows, columns], columns, indptr), shape=dense.shape)
    return JaccardGraph(matrix, k1, k2, variant, max_distance)
