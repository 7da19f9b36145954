"""What a diagnosis is made from, checked once at the door: pseudo-labels, cameras and, when known, identities and paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int

from reidkit.diagnose.text import storable
from reidkit.errors import DiagnosisError

OUTLIER = -1
Names = list[int] | list[float] | list[str]


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
    _refuse(label < OUTLIER, label, "pseudo_labels", "A pseudo-label is a cluster 0, 1, 2 … or -1 for an outlier.", "Use -1.")
    label, cluster_names = _numbered(pd.Series(label), label == OUTLIER)
    camera_column = _column(cameras, "cameras", len(label))
    missing = camera_column.isna().to_numpy()
    _refuse(missing, camera_column.to_numpy(), "cameras", "Every image has a camera.", "Fill the column, or pass zeros.")
    camera, camera_names = _numbered(camera_column, missing)
    identity: np.ndarray | None = None
    identity_names: Names = []
    if identities is not None:
        column = _column(identities, "identities", len(label))
        unknown = column.isna().to_numpy()
        if pd.api.types.is_numeric_dtype(column):
            unknown = unknown | (column.fillna(-1).to_numpy() < 0)
        identity, identity_names = _numbered(column, unknown)
    names = list(range(len(label))) if paths is None else _column(paths, "paths", len(label)).tolist()
    return Labelling(label, camera, identity, cluster_names, camera_names, identity_names, [str(name) for name in names])


def integers(values: object, what: str) -> Int[np.ndarray, " n"]:
    """`values` as int64 (N,); floats are taken when every one of them is whole."""
    array = np.asarray(values)
    rule = f"{what} holds one whole number an image."
    if array.ndim != 1 or not len(array):
        action = "Pass one column at a time (a method with parts has one labelling a part), with at least one image."
        raise DiagnosisError(f"{what} has shape {array.shape}.", rule=rule, action=action)
    if array.dtype.kind == "b" or array.dtype.kind not in "iuf":
        raise DiagnosisError(f"{what} holds {array.dtype} values.", rule=rule, action="Number the labels; -1 is an outlier.")
    if array.dtype.kind == "f":
        _refuse(~np.isfinite(array) | (array != np.round(array)), array, what, rule, "Round or fill these rows.")
    return array.astype(np.int64)


def natural(value: object) -> tuple[int, float, str]:
    """Sort numbers by value and before words."""
    try:
        return (0, float(str(value)), str(value))
    except ValueError:
        return (1, 0.0, str(value))


def _column(values: object, what: str, rows: int) -> pd.Series:
    array = values.to_numpy() if isinstance(values, pd.Series) else np.asarray(values)
    if array.dtype.kind in "OUS":
        array = np.array([None if absent else storable(v) for v, absent in zip(array, pd.isna(array))], dtype=object)
    column = pd.Series(array)
    if len(column) != rows:
        raise DiagnosisError(
            f"{what} has {len(column)} entries, pseudo_labels has {rows}.",
            rule="All columns describe the same images in the same order.",
            action=f"Pass {rows} {what}, row by row.",
        )
    return column


def _numbered(column: pd.Series, absent: np.ndarray) -> tuple[np.ndarray, Names]:
    """Codes 0..M-1 in ascending order of the values (-1 where absent), and the values."""
    values = column[~absent]
    if pd.api.types.is_numeric_dtype(column):
        names = np.unique(values.to_numpy())
        codes = np.searchsorted(names, values.to_numpy())
        whole = names.astype(np.int64) if np.array_equal(names, np.round(names)) else names
        listed = whole.tolist()
    else:
        text = values.astype(str)
        listed = sorted(text.unique(), key=natural)
        codes = text.map({name: code for code, name in enumerate(listed)}).to_numpy(np.int64)
    numbered = np.full(len(column), -1, np.int64)
    numbered[~absent] = codes
    return numbered, listed


def _refuse(wrong: np.ndarray, values: np.ndarray, what: str, rule: str, action: str) -> None:
    if wrong.any():
        rows = [f"row {row}: {values[row]!r}" for row in np.flatnonzero(wrong)[:5]]
        more = int(wrong.sum()) - len(rows)
        raise DiagnosisError(f"{what}: " + "; ".join(rows) + (f"; and {more} more." if more else "."), rule=rule, action=action)
