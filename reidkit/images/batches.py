"""From rows of a table to tensors, each image under its own seed.

Image number p of a batch is drawn, for view number v, by a generator seeded from ``(*seed, p, v)``. So a batch is the same
with any number of workers and with any neighbours in it, and its parts may be loaded apart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from reidkit.compute import derive_seed
from reidkit.errors import ImageError
from reidkit.images.decode import decode
from reidkit.images.views import Picture, SeenAs
from reidkit.records import ImageTable

AHEAD_PER_WORKER = 2
MOST_IN_MEMORY = 2**28  # bytes
Table = TypeVar("Table", bound=ImageTable)


def load_batch(
    table: ImageTable, rows: np.ndarray | Sequence[int], views: Sequence[SeenAs], *, seed: tuple[int | str, ...], part: int = 0
) -> tuple[Tensor, ...]:
    """Images of the given rows, once for each view.

    Args:
        table: where the rows are.
        rows: (B,) row numbers.
        views: from `make_view`; every image is decoded once and seen by each of them.
        seed: what the draw depends on, for example ``(seed, "train", epoch, step)``.
        part: where the rows stand in a batch of several parts as long as this one; 0 is the beginning.

    Returns:
        One float32 tensor (B, 3, H, W) for each view.

    Raises:
        ImageError: for a file that cannot be decoded, no rows or no views.
    """
    if not len(rows) or not views:
        raise ImageError(
            f"A batch of {len(rows)} images and {len(views)} views.",
            rule="A batch has at least one of each.",
            action="Pass both.",
        )
    generator = torch.Generator()
    seen: list[list[Tensor]] = [[] for _ in views]
    for position, image in enumerate(pictures(table, rows), start=part * len(rows)):
        for number, view in enumerate(views):
            generator.manual_seed(derive_seed(*seed, position, number))
            seen[number].append(view(image, generator))
    return tuple(torch.stack(tensors) for tensors in seen)


def iterate_batches(
    table: ImageTable,
    batches: Iterable[np.ndarray],
    views: Sequence[SeenAs],
    *,
    seed: tuple[int | str, ...],
    workers: int = 0,
    part: int = 0,
) -> Iterator[tuple[np.ndarray, tuple[Tensor, ...]]]:
    """(rows, tensors) for each batch of row numbers, in order; batch number n is drawn under ``(*seed, n)``.

    Args:
        table, views, seed, part: as in `load_batch`.
        batches: row numbers, for example from `sampler`; read only as far ahead as needed.
        workers: threads that load ahead; 0 loads in the calling thread. Decoding and resizing release the interpreter lock.
    """
    if workers <= 0:
        for number, rows in enumerate(batches):
            yield rows, load_batch(table, rows, views, seed=(*seed, number), part=part)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="reidkit-images")
    waiting: deque[tuple[np.ndarray, Future[tuple[Tensor, ...]]]] = deque()
    try:
        for number, rows in enumerate(batches):
            waiting.append((rows, pool.submit(load_batch, table, rows, views, seed=(*seed, number), part=part)))
            if len(waiting) > AHEAD_PER_WORKER * workers:
                rows, future = waiting.popleft()
                yield rows, future.result()
        while waiting:
            rows, future = waiting.popleft()
            yield rows, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def pictures(table: ImageTable, rows: np.ndarray | Sequence[int]) -> Iterator[Picture]:
    """Images of a table, one by one: pixels (h, w, 3) where they are in memory, else decoded files."""
    if table.pixels is not None:
        yield from (table.pixels[row] for row in rows)
        return
    for path in table.frame["path"].iloc[np.asarray(rows)].tolist():
        yield decode(table.root / path if table.root is not None else path)


def preloaded(table: Table, most: int = MOST_IN_MEMORY) -> Table:
    """The table with its pictures decoded once, where they are of one size and take at most `most` bytes; else as it is.

    What is drawn from it is the same, bit for bit. For training over many epochs; for display, keep the files.
    """
    if table.pixels is not None or len(table) == 0:
        return table
    first = np.asarray(next(pictures(table, [0])))
    if first.nbytes * len(table) > most:
        return table
    pixels = np.empty((len(table), *first.shape), np.uint8)
    for row, image in enumerate(map(np.asarray, pictures(table, range(len(table))))):
        if image.shape != first.shape:
            return table
        pixels[row] = image
    return replace(table, pixels=pixels)
