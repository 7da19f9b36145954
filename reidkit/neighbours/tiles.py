"""Candidates from tiles of matrix products on the CPU, each tile used for its rows and, where it can be, for its columns."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import lru_cache
from threading import Lock

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from reidkit.neighbours.candidates import Candidates, rounding_margin
from reidkit.threads import for_each, on_one_core

logger = logging.getLogger(__name__)

SMALL, MANY_TILES = 5000, 4000
TRIAL = 512 * 512 * 1024
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


class Lists:
    """The m best candidates so far of each row.

    Scores are float32, or the bits of bfloat16 as int16. Bits of numbers from 0 on are in the order of the numbers, so such
    a list starts at 0 and a row with fewer than m positive similarities has no proof; where that will not do (the farthest
    rows), `ordered_bits` puts all numbers in order.
    """

    def __init__(self, rows: int, m: int, lowest: np.generic) -> None:
        self.values = np.full((rows, m), lowest)
        self.places = np.full((rows, m), -1, np.int32)

    def meet(self, scores: np.ndarray, first_row: int, first_column: int, *, by_columns: bool) -> None:
        """Take in a tile whose rows (or columns) are those of the lists."""
        from reidkit.neighbours.kernels import keep_columns, keep_rows

        (keep_columns if by_columns else keep_rows)(scores, self.values, self.places, first_row, first_column)

    def found(self, margin: np.ndarray) -> Candidates:
        """The lists with their error bound."""
        whole = self.values.dtype == np.float32
        return Candidates(self.values if whole else ordered_bits(self.values), self.places, margin, 0.0 if whole else 2.0**-8)


def ordered_bits(bits: np.ndarray) -> np.ndarray:
    """int16 bits of bfloat16 <-> int16 in the same order as the numbers: negative ones have all bits but the sign flipped."""
    return bits ^ ((bits >> 15) & np.int16(0x7FFF))


def candidates_from_tiles(
    queries: np.ndarray,
    database: np.ndarray | None,
    m: int,
    m_far: int = 0,
    *,
    engine: str | None = None,
    share: tuple[int, int] = (0, 1),
) -> tuple[Candidates, Candidates | None]:
    """The m most and the `m_far` least similar rows by an approximate product, and how far off it can be.

    Args:
        queries: float32 (Q, D).
        database: float32 (G, D); None stands for the queries themselves, of which each leaves itself out.
        m, m_far: candidates to keep, at most G (G - 1 without a database).
        engine: one of `ENGINES`; None takes the fastest on this machine.
        share: (rank, count): every count-th tile from the rank-th on, when several processes divide them.

    Returns:
        The nearest, and the farthest (with the sign of their similarities turned) or None when ``m_far`` is 0.
    """
    from reidkit.neighbours.kernels import order_and_turn

    symmetric, other = database is None, queries if database is None else database
    dtype, product = ENGINES[engine or choose_engine(len(queries), len(other))]
    whole = dtype == torch.float32
    left = Blocks(queries, dtype)
    right = left if symmetric else Blocks(other, dtype)
    lowest = np.float32(-np.inf) if whole else np.int16(-(2**15) if m_far else 0)
    near, far = Lists(len(queries), m, lowest), Lists(len(queries), m_far, lowest)
    locks = [Lock() for _ in range(len(left))]

    def work(tile: tuple[int, int]) -> None:
        i, j = tile
        product_ij = product(left[i], right[j])
        scores = product_ij.numpy() if whole else product_ij.view(torch.int16).numpy()
        turned = None if not m_far else -scores if whole else order_and_turn(scores)
        if symmetric and i == j:
            for square in (scores,) if turned is None else (scores, turned):
                np.fill_diagonal(square, -np.inf if whole else -(2**15))
        for block, by_columns in ((i, False), (j, True)) if symmetric and i != j else ((i, False),):
            with locks[block]:
                near.meet(scores, i * left.length, j * right.length, by_columns=by_columns)
                if turned is not None:
                    far.meet(turned, i * left.length, j * right.length, by_columns=by_columns)

    tiles = _order(len(left), len(right), symmetric)[share[0] :: share[1]]
    for_each(work, tqdm(tiles, "neighbours", unit="tile", disable=None if len(tiles) > MANY_TILES else True, leave=False))
    margin = rounding_margin(queries, other, left.lost, right.lost)
    return near.found(margin), far.found(margin) if m_far else None


def choose_engine(queries: int, database: int) -> str:
    """The fastest engine for a search of this size; bf16 pays when there is enough to multiply."""
    return "float32" if queries * database < SMALL**2 else fastest(min(queries, database) >= SMALL)


def fastest(rounded: bool) -> str:
    """The fastest engine on this machine; `rounded` allows bf16."""
    seconds = {name: s for name, s in trial().items() if rounded or ENGINES[name][0] == torch.float32}
    return min(seconds, key=lambda name: seconds[name])


@lru_cache(maxsize=1)
def trial() -> dict[str, float]:
    """Engine -> processor seconds of one product of `TRIAL` multiplications, measured once and said in the log.

    An engine that is not there, or that says float32 and is not, is left out.
    """
    return on_one_core(_trial)


def _trial() -> dict[str, float]:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(512, 1024, generator=generator), torch.randn(512, 1024, generator=generator)
    wanted, seconds = a.double() @ b.double().T, {}
    for name, (dtype, product) in ENGINES.items():
        try:
            x, y = a.to(dtype), b.to(dtype)
            off = float((product(x, y).double() - wanted).abs().max())
        except (RuntimeError, AttributeError):
            continue
        if dtype == torch.float32 and off > 1e-3:
            logger.info("neighbours: %s is not float32 on this machine (error %.1g), left out", name, off)
            continue
        seconds[name] = min(_seconds(product, x, y) for _ in range(5))
    logger.info("neighbours: engines %s", ", ".join(f"{name} {1e3 * s:.1f} ms" for name, s in seconds.items()))
    return seconds


def _seconds(product: Product, a: Tensor, b: Tensor) -> float:
    start = time.thread_time()
    product(a, b)
    return time.thread_time() - start


class Blocks:
    """Rows in blocks for products. bf16 is held as a whole; float32 is read where it lies, so a memory map stays on disk.

    Attributes:
        length: rows of a block; a tile of scores stays in the cache, and wide rows make a small tile worth its calls.
        lost: float64 (N,) L2 norm of what rounding to bf16 takes from each row; None for float32.
    """

    def __init__(self, rows: np.ndarray, dtype: torch.dtype) -> None:
        self.rows, self.length = rows, 512 if rows.shape[1] >= 1024 else 1024
        self.lost: np.ndarray | None = None
        self.rounded: Tensor | None = None
        if dtype != torch.float32:
            self.rounded, self.lost = torch.empty(rows.shape, dtype=dtype), np.empty(len(rows))
            for_each(self._round, range(len(self)))

    def __len__(self) -> int:
        return -(-len(self.rows) // self.length)

    def __getitem__(self, i: int) -> Tensor:
        return self._read(i) if self.rounded is None else self.rounded[self._place(i)]

    def _place(self, i: int) -> slice:
        return slice(i * self.length, (i + 1) * self.length)

    def _read(self, i: int) -> Tensor:
        return torch.from_numpy(np.require(self.rows[self._place(i)], requirements="W"))

    def _round(self, i: int) -> None:
        assert self.rounded is not None and self.lost is not None
        part = self._read(i)
        rounded = self.rounded[self._place(i)].copy_(part)
        self.lost[self._place(i)] = (part - rounded).norm(dim=1).numpy()


def _order(rows: int, columns: int, symmetric: bool) -> list[tuple[int, int]]:
    """Tiles along diagonals, so that every list soon has a high threshold and neighbours in time share no block."""
    if symmetric:
        return [(i, i + step) for step in range(columns) for i in range(columns - step)]
    return [(i, (i + step) % columns) for step in range(columns) for i in range(rows)]
