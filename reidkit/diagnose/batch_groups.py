"""What batch norm makes of a batch that several GPUs share: how much of a feature is its picture, and how much its company."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped

from reidkit.errors import DiagnosisError

SOURCES = ("label", "picture", "company")


def spread_shares(features: Float[np.ndarray, "s b d"], labels: Shaped[np.ndarray, " b"]) -> dict[str, float]:
    """Where the spread of features comes from, as shares that add up to 1 (NaN when there is no spread).

    ``label``: between the means of the labels; ``picture``: between the pictures of a label; ``company``: between the
    features of one picture, which differ only by the images that were normalised with it. Sums of squares, as in an
    analysis of variance with nested factors.

    Args:
        features: of the same B images in S companies.
        labels: (B,), of any kind.
    """
    picture = features.mean(axis=0, dtype=np.float64)
    _, of = np.unique(labels, return_inverse=True)
    own = np.stack([picture[of == label].mean(axis=0) for label in range(of.max() + 1)])[of]
    parts = {
        "label": _squares(own - own.mean(axis=0)),
        "picture": _squares(picture - own),
        "company": _squares(features - picture),
    }
    total = sum(parts.values())
    return {name: value / total if total > 0 else float("nan") for name, value in parts.items()}


def group_table(by_size: Mapping[int, np.ndarray], labels: np.ndarray) -> pd.DataFrame:
    """`spread_shares` for each size of a batch-norm group, ascending; columns size, label, picture, company.

    Raises:
        DiagnosisError: fewer than two sizes; features that are not of the labelled images.
    """
    shapes = {np.shape(features) for features in by_size.values()}
    if len(by_size) < 2 or len(shapes) != 1 or any(len(shape) != 3 or shape[1] != len(labels) for shape in shapes):
        raise DiagnosisError(
            f"{len(by_size)} sizes, features of shape {sorted(shapes)}, {len(labels)} labels.",
            rule="Two sizes or more, each with features (companies, images, columns) of the same labelled images.",
            action="Forward one batch at every size, in the same number of companies.",
        )
    return pd.DataFrame([{"size": size, **spread_shares(by_size[size], labels)} for size in sorted(by_size)])


def common_plane(features: Float[np.ndarray, "s b d"]) -> tuple[np.ndarray, np.ndarray]:
    """(mean (D,), axes (D, 2)): the first two principal components of these features, signs fixed by the largest entry."""
    rows = features.reshape(-1, features.shape[-1]).astype(np.float64)
    _, _, axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    signs = np.sign(np.take_along_axis(axes[:2], np.abs(axes[:2]).argmax(axis=1)[:, None], axis=1))
    return rows.mean(axis=0), (axes[:2] * signs).T


def _squares(deviations: np.ndarray) -> float:
    """The mean over rows of the sum of squares."""
    return float(np.square(deviations, dtype=np.float64).sum(axis=-1).mean())
