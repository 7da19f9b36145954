"""What cameras do to features, and how to take it out before clustering."""

from __future__ import annotations

import logging

import numpy as np

from reidkit.errors import LabelsError, shown

logger = logging.getLogger(__name__)

FEW_IMAGES = ("zeros", "all")


def normalise_by_camera(
    features: np.ndarray,
    cameras: np.ndarray,
    *,
    floor: float = 1e-6,
    ddof: int = 0,
    min_images: int = 2,
    few_images: str = "zeros",
) -> np.ndarray:
    """(f_i - mean of its camera) / standard deviation of its camera, per dimension; float32 (N, D).

    Used to make pseudo-labels only; test features stay as they are. Adding an offset to one camera's features, or scaling
    them by a positive number, changes nothing.

    Source: "Learn by Guessing: Multi-step Pseudo-label Refinement for Person Re-Identification" (2022), equation 4.

    Args:
        features: (N, D).
        cameras: int (N,).
        floor: least standard deviation.
        ddof: 0 divides by n (population form), 1 by n - 1.
        min_images: a camera with fewer images has no statistics worth the name; a warning names it.
        few_images: what such a camera gets: ``"zeros"`` (its own statistics: one image becomes a row of zeros) or
            ``"all"`` (the mean and deviation of all images).
    """
    features, cameras = np.asarray(features), np.asarray(cameras)
    if features.ndim != 2 or cameras.shape != (len(features),):
        raise LabelsError(
            f"Features of shape {features.shape}, cameras of shape {cameras.shape}.",
            rule="One camera a row.",
            action="Pass (N, D) and (N,).",
        )
    if few_images not in FEW_IMAGES:
        raise LabelsError(f"few_images = {few_images!r}.", rule=f"One of {FEW_IMAGES}.", action="Choose one.")
    result = np.empty(features.shape, np.float32)
    names, counts = np.unique(cameras, return_counts=True)
    few = names[counts < min_images]
    if len(few):
        logger.warning("normalise_by_camera: fewer than %d images in camera %s (%s)", min_images, shown(few.tolist()), few_images)
    for camera in names:
        rows = np.flatnonzero(cameras == camera)
        borrowed = few_images == "all" and camera in few
        mean, deviation = _statistics(features, np.arange(len(features)) if borrowed else rows, ddof)
        result[rows] = (features[rows] - mean) / np.maximum(deviation, floor)
    return result


def _statistics(features: np.ndarray, rows: np.ndarray, ddof: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of some rows, float64, 4096 rows at a time."""
    mean = sum(features[rows[s : s + 4096]].sum(axis=0, dtype=np.float64) for s in range(0, len(rows), 4096)) / len(rows)
    squares = sum(((features[rows[s : s + 4096]] - mean) ** 2).sum(axis=0) for s in range(0, len(rows), 4096))
    return mean, np.sqrt(squares / max(1, len(rows) - ddof))
