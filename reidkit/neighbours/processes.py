"""Several processes share one search: each does part of the tiles, and all end with the same lists.

Start them with ``torchrun --nproc-per-node=4 script.py`` and call ``torch.distributed.init_process_group("gloo")`` first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reidkit.neighbours.candidates import Candidates, Neighbours

ROWS_AT_ONCE = 65536


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this is.

    Attributes:
        rank: 0..count - 1.
        count: processes that share the work; 1 for none but this.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def current(cls) -> Processes:
        """The process group that torch has been given; this process alone when there is none."""
        import torch.distributed as dist

        if not dist.is_available() or not dist.is_initialized():
            return cls()
        return cls(dist.get_rank(), dist.get_world_size())

    def merged(self, found: Candidates) -> Candidates:
        """The best of all processes' lists; a list's last value still bounds all that no process kept."""
        if self.count == 1:
            return found
        values, places = np.empty_like(found.values), np.empty_like(found.places)
        m = values.shape[1]
        for start in range(0, len(values), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            floats = np.concatenate(self._all(found.floats(rows)), axis=1)
            bits = np.concatenate(self._all(found.values[rows]), axis=1)
            owners = np.concatenate(self._all(found.places[rows]), axis=1)
            order = np.argsort(-floats, axis=1, kind="stable")[:, :m]
            values[rows], places[rows] = np.take_along_axis(bits, order, 1), np.take_along_axis(owners, order, 1)
        return Candidates(values, places, found.margin, found.relative)

    def rows(self, count: int) -> tuple[int, int]:
        """The consecutive rows that this process proves."""
        return self.rank * count // self.count, (self.rank + 1) * count // self.count

    def gathered(self, part: Neighbours) -> Neighbours:
        """The rows of all processes, one after another."""
        if self.count == 1:
            return part
        similarity, index = np.concatenate(self._all(part.similarity)), np.concatenate(self._all(part.index))
        farthest, least = (None if x is None else np.concatenate(self._all(x)) for x in (part.farthest, part.least))
        redone = int(sum(int(piece[0]) for piece in self._all(np.array([part.redone]))))
        return Neighbours(similarity, index, farthest, least, redone)

    def _all(self, array: np.ndarray) -> list[np.ndarray]:
        """The arrays of all processes, in the order of their ranks."""
        import torch.distributed as dist

        pieces: list[object] = [None] * self.count
        dist.all_gather_object(pieces, np.ascontiguousarray(array))
        return [np.asarray(piece) for piece in pieces]
