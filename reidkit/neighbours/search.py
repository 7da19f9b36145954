"""`nearest`: exact k-nearest neighbours by inner product."""

from __future__ import annotations

import numpy as np

from reidkit.errors import LabelsError, nearest_name
from reidkit.neighbours.rows import checked_rows, on_grid

BACKENDS = ("auto", "numpy")


def nearest(queries: np.ndarray, database: np.ndarray, k: int, *, backend: str = "auto") -> tuple[np.ndarray, np.ndarray]:
    """The k rows of `database` with the largest inner product, for each query.

    Args:
        queries: (Q, D) float32.
        database: (G, D) float32.
        k: how many, 1..G.
        backend: one of `BACKENDS`.

    Returns:
        Similarity float32 (Q, k), descending, and index int64 (Q, k). Similarities are compared in float64 on a grid of
        2**-40; ties go to the lower index.

    Raises:
        LabelsError: for features that are not finite, k out of range, or an unknown back end.
    """
    if backend not in BACKENDS:
        raise LabelsError(f"Back end {backend!r} is unknown.", rule=f"Back ends: {BACKENDS}.", action=nearest_name(backend, BACKENDS))
    queries, database = checked_rows(queries, "queries"), checked_rows(database, "database")
    if queries.shape[1] != database.shape[1]:
        raise LabelsError(
            f"Queries have {queries.shape[1]} columns, the database {database.shape[1]}.",
            rule="Both come from the same network.",
            action="Extract both with one model.",
        )
    if not 1 <= k <= len(database):
        raise LabelsError(f"k = {k}, but the database has {len(database)} rows.", rule="1 <= k <= rows.", action="Lower k.")
    similarity, index = [], []
    wide = database.astype(np.float64)
    for start in range(0, len(queries), 512):
        scores = on_grid(queries[start : start + 512].astype(np.float64) @ wide.T)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        index.append(order)
        similarity.append(np.take_along_axis(scores, order, axis=1).astype(np.float32))
    return np.concatenate(similarity), np.concatenate(index)
