"""What every search asks of its rows, and the grid on which similarities are compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reidkit.errors import LabelsError, shown

UNIT_TOLERANCE = 1e-4
GRID = float(2**40)


def checked_rows(features: ArrayLike, name: str = "features") -> np.ndarray:
    """`features` as a C-contiguous float32 matrix (N, D), N >= 1.

    Raises:
        LabelsError: when it is not a matrix, is empty, or has NaN or infinite entries; rows are named.
    """
    rows = np.ascontiguousarray(features, dtype=np.float32)
    if rows.ndim != 2 or 0 in rows.shape:
        raise LabelsError(
            f"{name} have the shape {rows.shape}.",
            rule="Features are a matrix: one row an image, at least one of each.",
            action="Pass an array of shape (N, D).",
        )
    wrong = [row for start in range(0, len(rows), 4096) for row in _not_finite(rows[start : start + 4096], start)]
    if wrong:
        raise LabelsError(
            f"{name}: NaN or infinite values in row {shown(wrong)}.",
            rule="Every feature is a finite number.",
            action="Look at these images and at the network's last batches; lower the learning rate if training diverged.",
        )
    return rows


def is_unit(rows: np.ndarray) -> bool:
    """Whether every row has L2 norm 1 (within 1e-4), so that cosine and Euclidean order agree."""
    return all(
        bool(np.all(np.abs(np.einsum("nd,nd->n", part, part) - 1.0) < 2 * UNIT_TOLERANCE))
        for part in (rows[start : start + 4096] for start in range(0, len(rows), 4096))
    )


def on_grid(similarity: np.ndarray) -> np.ndarray:
    """float64 similarities rounded to multiples of 2**-40.

    The grid is coarser than the rounding of a float64 sum of 2048 terms and finer than float32 can tell apart: equal
    similarities stay equal whatever the order of addition, so ties break by index on every machine.
    """
    return np.round(similarity * GRID) / GRID


def _not_finite(part: np.ndarray, start: int) -> list[int]:
    """Row numbers with a NaN or an infinity."""
    return [int(start + row) for row in np.flatnonzero(~np.isfinite(part).all(axis=1))]
