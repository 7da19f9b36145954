"""Candidates from tiles of matrix products on the CPU, each tile used for its rows and, where it can be, for its columns."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from reidkit.neighbours.candidates import Candidates, rounding_margin
from reidkit.neighbours.threads import in_threads

logger = logging.getLogger(__name__)

SMALL = 5000
Product = Callable[[Tensor, Tensor], Tensor]


def _plain(a: Tensor, b: Tensor) -> Tensor:
    return a @ b.T


def _onednn(a: Tensor, b: Tensor) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")


ENGINES: dict[str, tuple[torch.dtype, Product]] = {
    "float32": (torch.float32, _plain),
    "float32-onednn": (torch.float32, _onednn),
    "bf16": (torch.bfloat16, _plain),
}


@dataclass
class Farthest:
    """The smallest similarity met so far and where, for each row."""

    value: np.ndarray
    place: np.ndarray

    @classmethod
    def of(cls, rows: int) -> Farthest:
        return cls(np.full(rows, np.inf, np.float32), np.zeros(rows, np.int32))

    def meet(self, scores: np.ndarray, first_row: int, first_column: int, axis: int) -> None:
        """Take in a tile whose rows (axis 1) or columns (axis 0) belong to the lists."""
        start, other = (first_row, first_column) if axis == 1 else (first_column, first_row)
        place = scores.argmin(axis=axis)
        value = np.take_along_axis(scores, np.expand_dims(place, axis), axis).ravel()
        mine = slice(start, start + len(value))
        closer = (value < self.value[mine]) | ((value == self.value[mine]) & (place + other < self.place[mine]))
        self.value[mine] = np.where(closer, value, self.value[mine])
        self.place[mine] = np.where(closer, place + other, self.place[mine])


@dataclass
class _Lists:
    """The best candidates so far, as the kernels want them: bf16 bits are compared as integers, so only those above 0."""

    values: np.ndarray
    places: np.ndarray
    farthest: Farthest | None
    locks: list[Lock] = field(default_factory=list)


def candidates_from_tiles(
    queries: np.ndarray, database: np.ndarray | None, m: int, *, farthest: bool = False, engine: str | None = None
) -> tuple[Candidates, np.ndarray | None]:
    """The m best of `database` for each query by an approximate product, and how far off it can be.

    Args:
        queries: float32 (Q, D).
        database: float32 (G, D); None stands for the queries themselves, of which each leaves itself out.
        m: candidates to keep, at most G (G - 1 without a database).
        farthest: also find the most dissimilar row of each query (float32 products only).
        engine: one of `ENGINES`; None takes the fastest on this machine.

    Returns:
        The candidates, and int32 (Q,) the farthest rows or None.
    """
    from reidkit.neighbours.kernels import keep_columns, keep_rows

    symmetric, other = database is None, queries if database is None else database
    engine = engine or choose_engine(len(queries), len(other), queries.shape[1], exact=farthest)
    dtype, product = ENGINES[engine]
    left = Blocks(queries, dtype)
    right = left if symmetric else Blocks(other, dtype)
    whole = dtype == torch.float32
    lists = _Lists(
        np.full((len(queries), m), -np.inf, np.float32) if whole else np.zeros((len(queries), m), np.int16),
        np.full((len(queries), m), -1, np.int32),
        Farthest.of(len(queries)) if farthest else None,
        [Lock() for _ in range(len(left))],
    )

    def work(tile: tuple[int, int]) -> None:
        i, j = tile
        scores = product(left[i], right[j])
        scores = scores.numpy() if whole else scores.view(torch.int16).numpy()
        first_row, first_column = i * left.length, j * right.length
        if lists.farthest is not None:
            with lists.locks[i]:
                lists.farthest.meet(scores, first_row, first_column, axis=1)
        if symmetric and i == j:
            np.fill_diagonal(scores, -np.inf if whole else -1)
        with lists.locks[i]:
            keep_rows(scores, lists.values, lists.places, first_row, first_column)
        if symmetric and i != j:
            with lists.locks[j]:
                keep_columns(scores, lists.values, lists.places, first_row, first_column)
                if lists.farthest is not None:
                    lists.farthest.meet(scores, first_row, first_column, axis=0)

    in_threads(work, _order(len(left), len(right), symmetric))
    margin = rounding_margin(queries, other, left.lost, right.lost)
    found = Candidates(lists.values, lists.places, margin, 0.0 if whole else 2.0**-8)
    return found, None if lists.farthest is None else lists.farthest.place


def choose_engine(queries: int, database: int, columns: int, *, exact: bool = False) -> str:
    """The fastest engine for a search of this size; bf16 pays when there is enough to multiply."""
    if exact or min(queries, database) < SMALL:
        return "float32" if queries * database < SMALL**2 else fastest(False)
    return fastest(True)


@lru_cache(maxsize=2)
def fastest(rounded: bool) -> str:
    """The fastest engine on this machine by a short trial; `rounded` allows bf16. Said in the log."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(512, 1024, generator=generator), torch.randn(512, 1024, generator=generator)
    wanted, seconds = a.double() @ b.double().T, {}
    for name, (dtype, product) in ENGINES.items():
        if dtype != torch.float32 and not rounded:
            continue
        try:
            x, y = a.to(dtype), b.to(dtype)
            off = float((product(x, y).double() - wanted).abs().max())
        except (RuntimeError, AttributeError):
            continue
        if dtype == torch.float32 and off > 1e-3:
            logger.info("neighbours: %s is not float32 on this machine (error %.1g), left out", name, off)
            continue
        seconds[name] = min(_seconds(product, x, y) for _ in range(3))
    choice = min(seconds, key=lambda name: seconds[name])
    logger.info("neighbours: %s (%s)", choice, ", ".join(f"{name} {1e3 * s:.1f} ms" for name, s in seconds.items()))
    return choice


def _seconds(product: Product, a: Tensor, b: Tensor) -> float:
    start = time.perf_counter()
    product(a, b)
    return time.perf_counter() - start


class Blocks:
    """Rows in blocks for products. bf16 is held as a whole; float32 is read where it lies, so a memory map stays on disk.

    Attributes:
        length: rows of a block; a tile of scores stays in the cache, and wide rows make a small tile worth its calls.
        lost: float64 (N,) L2 norm of what rounding to bf16 takes from each row; None for float32.
    """

    def __init__(self, rows: np.ndarray, dtype: torch.dtype) -> None:
        self.rows, self.length = rows, 512 if rows.shape[1] >= 1024 else 1024
        self.lost: np.ndarray | None = None
        self.rounded: list[Tensor] = []
        if dtype != torch.float32:
            parts = in_threads(self._round, range(len(self)))
            self.rounded, self.lost = [part[0] for part in parts], np.concatenate([part[1] for part in parts])

    def __len__(self) -> int:
        return -(-len(self.rows) // self.length)

    def __getitem__(self, i: int) -> Tensor:
        return self.rounded[i] if self.rounded else self._read(i)

    def _read(self, i: int) -> Tensor:
        return torch.from_numpy(np.require(self.rows[i * self.length : (i + 1) * self.length], requirements="W"))

    def _round(self, i: int) -> tuple[Tensor, np.ndarray]:
        part = self._read(i)
        rounded = part.bfloat16()
        return rounded, (part - rounded.float()).norm(dim=1).numpy().astype(np.float64)


def _order(rows: int, columns: int, symmetric: bool) -> list[tuple[int, int]]:
    """Tiles along diagonals, so that every list soon has a high threshold and neighbours in time share no block."""
    if symmetric:
        return [(i, i + step) for step in range(columns) for i in range(columns - step)]
    return [(i, (i + step) % columns) for step in range(columns) for i in range(rows)]
