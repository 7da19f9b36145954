"""Contingency counts: everything a diagnosis computes starts from how many images share a cluster, an identity, a camera.

No function here makes anything of size N x N: a table of N images has at most N non-empty cells.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Int
from scipy import sparse

from reidkit.diagnose.inputs import OUTLIER


def cells(*codes: Int[np.ndarray, " n"]) -> tuple[list[np.ndarray], Int[np.ndarray, " m"]]:
    """The non-empty cells of a contingency table, in ascending order.

    Args:
        codes: non-negative codes (N,), one array for each side of the table.

    Returns:
        One array (M,) of codes for each side, and the number of images (M,) in each cell.
    """
    key, shape = _packed(codes)
    unique, counts = np.unique(key, return_counts=True)
    return [side.astype(np.int64) for side in np.unravel_index(unique, shape)], counts.astype(np.int64)


def cell_frame(**codes: Int[np.ndarray, " n"]) -> pd.DataFrame:
    """The same cells as a data frame: one column for each side, and the number of `images`."""
    sides, counts = cells(*codes.values())
    return pd.DataFrame(dict(zip(codes, sides)) | {"images": counts})


def largest(spread: pd.DataFrame, side: str, other: str) -> pd.DataFrame:
    """For each value of `side`, its cell with the most images (the lowest `other` among equals), indexed by `side`."""
    order = spread.sort_values([side, "images", other], ascending=[True, False, True])
    return order.drop_duplicates(side).set_index(side)


def together(*codes: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """For each image, how many images (itself included) agree with it in every code."""
    key, _ = _packed(codes)
    _, inverse, counts = np.unique(key, return_inverse=True, return_counts=True)
    return counts[inverse].astype(np.int64)


def table(rows: Int[np.ndarray, " n"], columns: Int[np.ndarray, " n"], shape: tuple[int, int]) -> sparse.csr_array:
    """The contingency table of two codes as a sparse int64 matrix."""
    (r, c), counts = cells(rows, columns)
    return sparse.csr_array((counts, (r, c)), shape=shape, dtype=np.int64)


def pairs(counts: Int[np.ndarray, " m"]) -> int:
    """Unordered pairs within groups of the given sizes: the sum of n (n - 1) / 2."""
    return int((counts.astype(np.int64) * (counts.astype(np.int64) - 1) // 2).sum())


def as_singletons(label: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Labels in which every outlier is a cluster of its own (new numbers after the last cluster)."""
    alone = label == OUTLIER
    result = label.copy()
    result[alone] = label.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    return result


def renumbered(codes: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The same grouping with the codes 0..M-1 in ascending order; -1 stays -1."""
    result = np.full(len(codes), OUTLIER, np.int64)
    kept = codes != OUTLIER
    result[kept] = np.unique(codes[kept], return_inverse=True)[1]
    return result


def _packed(codes: tuple[np.ndarray, ...]) -> tuple[np.ndarray, tuple[int, ...]]:
    shape = tuple(int(code.max(initial=0)) + 1 for code in codes)
    return np.ravel_multi_index(tuple(np.asarray(code, np.int64) for code in codes), shape), shape
