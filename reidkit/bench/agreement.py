"""How far two outputs agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

BLOCK = 1 << 22


def equal_share(found: np.ndarray, wanted: np.ndarray) -> float:
    """Share of entries that are equal, 0..1."""
    return float((found == wanted).mean())


def same_partition(found: np.ndarray, wanted: np.ndarray) -> float:
    """Adjusted Rand index of two labellings, 1 for the same groups whatever their numbers; outliers are one group."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(wanted, found))


def largest_difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """Largest absolute difference, in blocks; NaN in one place of both counts as equal."""
    left, right = np.ravel(found), np.ravel(wanted)
    worst = 0.0
    for start in range(0, len(left), BLOCK):
        a, b = left[start : start + BLOCK].astype(np.float64), right[start : start + BLOCK].astype(np.float64)
        with np.errstate(invalid="ignore"):
            difference = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
        worst = max(worst, float("inf") if np.isnan(difference).any() else float(difference.max(initial=0.0)))
    return worst


def close_share(found: np.ndarray, wanted: np.ndarray) -> float:
    """Share of entries that differ by at most 1e-5, 0..1."""
    left, right = np.ravel(found), np.ravel(wanted)
    starts = range(0, len(left), BLOCK)
    close = sum(int((np.abs(left[s : s + BLOCK] - right[s : s + BLOCK]) <= 1e-5).sum()) for s in starts)
    return close / max(1, len(left))


def smallest_cosine(found: np.ndarray, wanted: np.ndarray) -> float:
    """Smallest cosine of corresponding rows."""
    a, b = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float((np.einsum("nd,nd->n", a, b) / np.maximum(lengths, np.finfo(float).tiny)).min())


@dataclass(frozen=True)
class Measure:
    """How outputs are compared, and from where on they count as agreeing.

    Attributes:
        of: found, wanted -> value.
        limit: the largest difference that agrees (``closer="smaller"``), else the smallest likeness that does.
        text: how a value reads.
    """

    of: Callable[[np.ndarray, np.ndarray], float]
    limit: float
    text: str
    closer: str = "larger"


MEASURES = {
    "labels": Measure(equal_share, 1.0, "{:.3%} of labels equal"),
    "near-labels": Measure(same_partition, 0.99, "adjusted Rand index {:.4f}"),
    "distance": Measure(largest_difference, 1e-5, "largest difference {:.1e}", "smaller"),
    "near-distance": Measure(close_share, 0.999, "{:.4%} within 1e-5"),
    "score": Measure(largest_difference, 1e-5, "difference {:.1e}", "smaller"),
    "cosine": Measure(smallest_cosine, 0.9999, "smallest cosine {:.6f}"),
}
"""The ``"near-"`` ones are for neighbours found elsewhere, where ties within float32's rounding may swap."""


def agree(measure: str, found: np.ndarray, wanted: np.ndarray) -> dict[str, object]:
    """``{"measure", "value", "limit", "agrees", "text"}`` of two outputs; different shapes never agree."""
    known = MEASURES[measure]
    said = {"measure": measure, "limit": known.limit}
    if np.shape(found) != np.shape(wanted):
        return said | {"value": None, "agrees": False, "text": f"shapes {np.shape(found)} and {np.shape(wanted)}"}
    value = known.of(np.asarray(found), np.asarray(wanted))
    agrees = value <= known.limit if known.closer == "smaller" else value >= known.limit
    return said | {"value": value, "agrees": agrees, "text": known.text.format(value)}
