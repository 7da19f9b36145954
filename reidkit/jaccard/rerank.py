"""k-reciprocal re-ranking of a gallery for queries."""

from __future__ import annotations

import numpy as np

from reidkit.jaccard.dense import dense_rerank


def rerank(query: np.ndarray, gallery: np.ndarray, *, k1: int = 20, k2: int = 6, lambda_value: float = 0.3) -> np.ndarray:
    """(Q, D), (G, D) -> (Q, G) float32 distances after re-ranking."""
    return dense_rerank(query, gallery, k1=k1, k2=k2, lambda_value=lambda_value).astype(np.float32)
