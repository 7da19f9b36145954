"""What a diagnosis is made from, checked once at the door: pseudo-labels, cameras and, when known, identities and paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reidkit.diagnose.columns import Names, column_of, integers, numbered, refuse

OUTLIER = -1


@dataclass(frozen=True, eq=False)
class Labelling:
    """N images with everything numbered from zero; the names of the originals are kept.

    Attributes:
        label: int64 (N,), cluster 0..K-1, or -1 for an outlier.
        camera: int64 (N,), camera 0..C-1.
        identity: int64 (N,), identity 0..I-1, or -1 where the truth is unknown; None when no truth was given.
        cluster_names, camera_names, identity_names: the original value of each number, in ascending order.
        paths: text (N,); the row number when no paths were given.
    """

    label: np.ndarray
    camera: np.ndarray
    identity: np.ndarray | None
    cluster_names: Names
    camera_names: Names
    identity_names: Names
    paths: list[str]

    def __len__(self) -> int:
        return len(self.label)

    @property
    def inlier(self) -> np.ndarray:
        """bool (N,), True where the image has a cluster."""
        return self.label != OUTLIER

    @property
    def known(self) -> np.ndarray:
        """bool (N,), True where the true identity is known."""
        return np.zeros(len(self), bool) if self.identity is None else self.identity >= 0


def check_inputs(
    pseudo_labels: object, cameras: object, identities: object = None, paths: Sequence[object] | None = None
) -> Labelling:
    """Check that the columns fit together and number their values.

    Args:
        pseudo_labels: (N,) integers, -1 for an outlier; or an object with such a `labels` (e.g. `PseudoLabels`).
        cameras: (N,) numbers or names, none missing.
        identities: (N,) numbers or names; negative numbers and missing values mean *unknown*.
        paths: (N,) file names, shown as text and never opened here.

    Raises:
        DiagnosisError: naming the column, the first wrong rows, the rule and the next action.
    """
    label = integers(getattr(pseudo_labels, "labels", pseudo_labels), "pseudo_labels")
    refuse(label < OUTLIER, label, "pseudo_labels", "A pseudo-label is a cluster 0, 1, 2 … or -1 for an outlier.", "Use -1.")
    label, cluster_names = numbered(pd.Series(label), label == OUTLIER)
    camera_column = column_of(cameras, "cameras", len(label))
    missing = camera_column.isna().to_numpy()
    refuse(missing, camera_column.to_numpy(), "cameras", "Every image has a camera.", "Fill the column, or pass zeros.")
    camera, camera_names = numbered(camera_column, missing)
    identity: np.ndarray | None = None
    identity_names: Names = []
    if identities is not None:
        column = column_of(identities, "identities", len(label))
        unknown = column.isna().to_numpy()
        if pd.api.types.is_numeric_dtype(column):
            unknown = unknown | (column.fillna(-1).to_numpy() < 0)
        identity, identity_names = numbered(column, unknown)
    names = list(range(len(label))) if paths is None else column_of(paths, "paths", len(label)).tolist()
    return Labelling(label, camera, identity, cluster_names, camera_names, identity_names, [str(name) for name in names])
