"""Two cameras on one map, and a number for their overlap (CANU-ReID, Fig. 7).

Each map has its own axes, so overlap is read within a map, never between two; the number beside it can be compared.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from reidkit.diagnose.projection import project
from reidkit.errors import DiagnosisError

FOLDS, MOST = 5, 4_000


def camera_pair_map(
    features: Float[np.ndarray, "n d"], cameras: Int[np.ndarray, " n"], a: int, b: int, *, seed: int = 0
) -> tuple[pd.DataFrame, dict[str, float]]:
    """The images of cameras a and b on the first two principal components of these images alone.

    Args:
        features: (N, D); mean-centred here, not whitened.
        cameras: (N,).
        seed: of the folds, and of the draw of at most 4,000 images.

    Returns:
        A table (image, camera, x, y), and: ``map_accuracy`` and ``full_accuracy``, the cross-validated balanced accuracy of
        a linear classifier of the camera on the map and in all D dimensions (0.5: full overlap, 1: the camera can be
        read off; NaN with fewer than five images of a camera); ``variance``, the share that the map carries.

    Raises:
        DiagnosisError: when a camera has no image, or both are the same.
    """
    rows = np.flatnonzero((cameras == a) | (cameras == b))
    if a == b or len(np.unique(cameras[rows])) < 2:
        raise DiagnosisError(f"Cameras {a} and {b}.", rule="A map needs images of two cameras.", action="Choose two others.")
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:MOST])
    points, share = project(features[rows].astype(np.float32))
    table = pd.DataFrame({"image": rows, "camera": cameras[rows], "x": points[:, 0], "y": points[:, 1]})
    side = (cameras[rows] == b).astype(np.int64)
    numbers = {"map_accuracy": _accuracy(points, side, seed), "full_accuracy": _accuracy(features[rows], side, seed)}
    return table, numbers | {"variance": share}


def _accuracy(points: np.ndarray, side: np.ndarray, seed: int) -> float:
    """Cross-validated balanced accuracy of a linear classifier."""
    if np.bincount(side, minlength=2).min() < FOLDS:
        return float("nan")
    scale = float(np.abs(points).max()) or 1.0
    model = LogisticRegression(class_weight="balanced", max_iter=300)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    return float(balanced_accuracy_score(side, cross_val_predict(model, points / scale, side, cv=folds)))
