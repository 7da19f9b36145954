"""Tables on disk: CSV for spreadsheets, Parquet for programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from reidkit.diagnose.text import plain, spreadsheet
from reidkit.storage import write_atomically

Tables = dict[str, pd.DataFrame]


def write_csv(tables: Tables, folder: str | os.PathLike[str]) -> list[Path]:
    """One ``name.csv`` a table (UTF-8, a header, no index); text cells can neither hide characters nor run as formulas."""

    def write(name: str, table: pd.DataFrame) -> Path:
        safe = _mapped(table, spreadsheet)
        path = Path(folder) / f"{name}.csv"
        return write_atomically(path, lambda partial: safe.to_csv(partial, index=False, lineterminator="\n"))

    return [write(name, table) for name, table in tables.items()]


def write_parquet(tables: Tables, folder: str | os.PathLike[str]) -> list[Path]:
    """One ``name.parquet`` a table; names that were a mix of numbers and text are stored as text."""

    def write(name: str, table: pd.DataFrame) -> Path:
        uniform = _uniform(table)
        return write_atomically(Path(folder) / f"{name}.parquet", lambda partial: uniform.to_parquet(partial, index=False))

    return [write(name, table) for name, table in tables.items()]


def _mapped(table: pd.DataFrame, change: Callable[[object], object]) -> pd.DataFrame:
    text = table.select_dtypes(exclude=["number", "bool"]).columns
    return table.assign(**{column: table[column].astype(object).map(change) for column in text})


def _uniform(table: pd.DataFrame) -> pd.DataFrame:
    def one(column: pd.Series) -> pd.Series:
        kinds = {type(value) for value in column if value is not None}
        if kinds <= {int} and not column.isna().any():
            return column.astype("int64")
        return column.astype("Int64") if kinds <= {int} else column.map(lambda value: None if value is None else plain(value))

    objects = table.select_dtypes(exclude=["number", "bool"]).columns
    return table.assign(**{column: one(table[column].astype(object)) for column in objects})
