"""Several processes share one search: each does part of the tiles, and all end with the same lists.

Start them with ``torchrun --nproc-per-node=4 script.py`` and call ``torch.distributed.init_process_group("gloo")`` first.
"""

from __future__ import annotations

import numpy as np

from reidkit import processes
from reidkit.neighbours.candidates import Candidates, Neighbours

ROWS_AT_ONCE = 65536


class Processes(processes.Processes):
    """Which of how many processes this is, and how their lists become one."""

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

    def gathered(self, part: Neighbours) -> Neighbours:
        """The rows of all processes, one after another."""
        if self.count == 1:
            return part
        similarity, index = np.concatenate(self._all(part.similarity)), np.concatenate(self._all(part.index))
        farthest, least = (None if x is None else np.concatenate(self._all(x)) for x in (part.farthest, part.least))
        redone = int(sum(int(piece[0]) for piece in self._all(np.array([part.redone]))))
        return Neighbours(similarity, index, farthest, least, redone)
