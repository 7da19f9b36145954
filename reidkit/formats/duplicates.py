"""Byte-identical files: within a split they weigh double, across splits they leak; an optional check, for it reads everything."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from reidkit.errors import FormatError, shown
from reidkit.records import ImageTable

COLUMNS = ["content", "row", "path", "split", "across"]


def find_duplicates(table: ImageTable, *, progress: bool = False) -> pd.DataFrame:
    """Files (or pictures in memory) with equal content.

    Args:
        table: images; files are compared by their bytes, whatever they are called.
        progress: show a progress bar.

    Returns:
        Data frame with `content` (SHA-256), `row`, `path`, `split` and `across` (whether the copies stand in several splits),
        one row for each image that has a copy, copies together.
    """
    pixels = table.pixels
    content = [
        hashlib.sha256(pixels[row].tobytes() if pixels is not None else Path(path).read_bytes()).hexdigest()
        for row, path in enumerate(tqdm(table.paths, desc="hashing", unit="image", disable=not progress))
    ]
    frame = pd.DataFrame(
        {"content": content, "row": range(len(table)), "path": table.frame["path"], "split": table.frame["split"]}
    )
    copies = frame[frame["content"].duplicated(keep=False)]
    across = copies.groupby("content")["split"].transform("nunique") > 1
    return copies.assign(across=across.astype(bool))[COLUMNS].sort_values(["content", "row"], ignore_index=True)


def refuse_leaks(table: ImageTable, *, progress: bool = False) -> pd.DataFrame:
    """The same list, but content that stands in several splits is an error: a query found again in the gallery, say.

    Raises:
        FormatError: naming the first pairs.
    """
    copies = find_duplicates(table, progress=progress)
    leaks = copies[copies["across"]]
    if len(leaks):
        groups = [" = ".join(f"{s}: {p}" for s, p in zip(g["split"], g["path"])) for _, g in leaks.groupby("content", sort=False)]
        raise FormatError(
            f"{table.name}: {len(groups)} pictures stand in several splits: {shown(groups)}.",
            rule="Train, query and gallery share no picture.",
            action="Remove the copies from all splits but one.",
        )
    return copies
