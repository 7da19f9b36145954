"""A column of numbers or names, read once at the door: checked, made storable, numbered in ascending order."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Int

from reidkit.diagnose.text import storable
from reidkit.errors import DiagnosisError

Names = list[int] | list[float] | list[str]


def integers(values: object, what: str) -> Int[np.ndarray, " n"]:
    """`values` as int64 (N,); floats are taken when every one of them is whole."""
    array, rule = one_column(values, what), f"{what} holds one whole number an image."
    if not len(array):
        raise DiagnosisError(f"{what} is empty.", rule=rule, action="Pass at least one image.")
    if array.dtype.kind not in "iuf":
        raise DiagnosisError(f"{what} holds {array.dtype} values.", rule=rule, action="Number the labels; -1 is an outlier.")
    if array.dtype.kind == "f":
        refuse(~np.isfinite(array) | (array != np.round(array)), array, what, rule, "Round or fill these rows.")
    return array.astype(np.int64)


def natural(value: object) -> tuple[int, float, str]:
    """Sort numbers by value and before words."""
    try:
        return (0, float(str(value)), str(value))
    except ValueError:
        return (1, 0.0, str(value))


def one_column(values: object, what: str) -> np.ndarray:
    """`values` as an array (N,) of whatever kind they are."""
    rule, action = f"{what} holds one value an image.", "Pass one column at a time (with parts: one labelling a part)."
    try:
        array = values.to_numpy() if isinstance(values, pd.Series) else np.asarray(values)
    except ValueError as error:
        raise DiagnosisError(f"{what} has rows of different lengths.", rule=rule, action=action) from error
    if array.ndim != 1:
        raise DiagnosisError(f"{what} has shape {array.shape}.", rule=rule, action=action)
    return array


def column_of(values: object, what: str, rows: int) -> pd.Series:
    """Numbers or names, one for each of `rows` images; missing ones stay missing."""
    array = one_column(values, what)
    if array.dtype.kind in "OUS":
        texts = [None if absent else storable(v) for v, absent in zip(array, pd.isna(array))]
        array = pd.Series(texts, dtype=object).to_numpy()
    column = pd.Series(array)
    if len(column) != rows:
        raise DiagnosisError(
            f"{what} has {len(column)} entries, pseudo_labels has {rows}.",
            rule="All columns describe the same images in the same order.",
            action=f"Pass {rows} {what}, row by row.",
        )
    return column


def numbered(column: pd.Series, absent: np.ndarray) -> tuple[np.ndarray, Names]:
    """Codes 0..M-1 in ascending order of the values (-1 where absent), and the values."""
    values = column[~absent]
    if pd.api.types.is_numeric_dtype(column):
        names = np.unique(values.to_numpy())
        codes = np.searchsorted(names, values.to_numpy())
        with np.errstate(invalid="ignore"):
            whole = names.astype(np.int64)
        listed = (whole if np.array_equal(names, whole) else names).tolist()
    else:
        text = values.astype(str)
        listed = sorted(text.unique(), key=natural)
        codes = text.map({name: code for code, name in enumerate(listed)}).to_numpy(np.int64)
    everywhere = np.full(len(column), -1, np.int64)
    everywhere[~absent] = codes
    return everywhere, listed


def refuse(wrong: np.ndarray, values: np.ndarray, what: str, rule: str, action: str) -> None:
    """Name the first rows that are `wrong`, if there are any."""
    if wrong.any():
        rows = [f"row {row}: {values[row]!r}" for row in np.flatnonzero(wrong)[:5]]
        more = int(wrong.sum()) - len(rows)
        raise DiagnosisError(f"{what}: " + "; ".join(rows) + (f"; and {more} more." if more else "."), rule=rule, action=action)
