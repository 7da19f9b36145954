"""Lloyd's iterations, exact, without comparing what cannot have changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reidkit.threads import in_threads, row_ranges

BLOCK = 1024


@dataclass(frozen=True, eq=False)
class Lloyd:
    """Where the iterations ended.

    Attributes:
        labels: int64 (N,), the closest centre of each point, ties to the lower number.
        centres: float32 (k, D).
        inertia: sum of squared distances to the closest centre.
        iterations: updates of the centres, the last one that changed nothing counted.
    """

    labels: np.ndarray
    centres: np.ndarray
    inertia: float
    iterations: int


def lloyd(rows: np.ndarray, start: np.ndarray, *, max_iterations: int = 300, tolerance: float = 1e-4) -> Lloyd:
    """k-means from given centres, with scikit-learn's rules for stopping and for clusters that lose all points.

    Only centres whose members changed move. A point whose own centre stayed, or moved and came no farther, is compared
    with the moved centres only; the others with all. Moved centres are summed from scratch, so nothing drifts.

    Args:
        rows: float32 (N, D).
        start: float32 (k, D).
        max_iterations: limit of updates.
        tolerance: stop when the centres' summed squared shift is at most this times the mean variance of a column.

    Source: "Least squares quantization in PCM" (1982).
    """
    state = _State(rows, start)
    limit = tolerance * float(rows.var(axis=0, dtype=np.float64).mean())
    state.assign_all()
    for iteration in range(1, max_iterations + 1):
        before = state.labels.copy()
        shift = state.update()
        state.assign_changed()
        if shift <= limit:
            break
        if np.array_equal(before, state.labels):
            iteration = min(iteration + 1, max_iterations)
            break
    return Lloyd(state.labels, state.centres, state.inertia(), iteration)


class _State:
    """Points, centres and who belongs where."""

    def __init__(self, rows: np.ndarray, start: np.ndarray) -> None:
        from reidkit.neighbours.tiles import ENGINES, fastest

        self.rows, self.centres = rows, np.array(start, np.float32)
        self.dtype, self.product = ENGINES[fastest(True) if len(rows) * len(start) > BLOCK**2 else "float32"]
        self.held, self.lost = self._rounded(rows)
        self.squared = np.einsum("nd,nd->n", rows, rows, dtype=np.float64)
        self.half = self._half(np.arange(len(start)))
        self.labels, self.scores = np.full(len(rows), -1, np.int64), np.full(len(rows), -np.inf)
        self.stale = np.ones(len(start), bool)
        self.members_before = np.full(len(rows), -1, np.int64)
        self.moved = np.arange(len(start))

    def assign_all(self) -> None:
        """Compare every point with every centre."""
        self._assign(np.arange(len(self.rows)), np.arange(len(self.centres)), keep_own=False)

    def update(self) -> float:
        """Move the centres whose members changed; the summed squared shift."""
        from reidkit.labels.mean_kernels import sum_members

        changed = self.members_before != self.labels
        self.stale[self.labels[changed]] = True
        self.stale[self.members_before[changed & (self.members_before >= 0)]] = True
        self.members_before[:] = self.labels
        clusters = np.flatnonzero(self.stale)
        counts = np.bincount(self.labels, minlength=len(self.centres))
        members, starts = np.argsort(self.labels, kind="stable"), np.concatenate([[0], np.cumsum(counts)])
        sums = np.empty((len(clusters), self.rows.shape[1]))
        pieces = [slice(s, s + 16) for s in range(0, len(clusters), 16)]
        in_threads(lambda piece: sum_members(self.rows, members, starts, clusters[piece], sums[piece]), pieces)
        self.stale[:] = False
        sums, sizes, clusters = self._refilled(sums, counts, clusters)
        means = (sums / np.maximum(sizes, 1)[:, None]).astype(np.float32)
        means[sizes == 0] = self.centres[clusters[sizes == 0]]
        shift = float(((means - self.centres[clusters]).astype(np.float64) ** 2).sum())
        self.moved = clusters[(means != self.centres[clusters]).any(axis=1)]
        self.centres[clusters] = means
        self.half[clusters] = self._half(clusters)
        return shift

    def assign_changed(self) -> None:
        """Bring every point to its closest centre after an update."""
        if len(self.moved) == 0:
            return
        has_moved = np.zeros(len(self.centres), bool)
        has_moved[self.moved] = True
        mine = np.flatnonzero(has_moved[self.labels])
        now = self._own_scores(mine)
        farther = now < self.scores[mine]
        self.scores[mine] = now
        everything = np.zeros(len(self.rows), bool)
        everything[mine[farther]] = True
        self._assign(np.flatnonzero(~everything), self.moved, keep_own=True)
        self._assign(np.flatnonzero(everything), np.arange(len(self.centres)), keep_own=False)

    def inertia(self) -> float:
        return float((self.squared - 2 * self._own_scores(np.arange(len(self.rows)))).sum())

    def _refilled(self, sums: np.ndarray, counts: np.ndarray, clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Empty clusters take the points farthest from their centres, as scikit-learn does."""
        empty = np.flatnonzero(counts == 0)
        if len(empty) == 0:
            return sums, counts[clusters], clusters
        far = np.argpartition(self.squared - 2 * self.scores, -len(empty))[: -len(empty) - 1 : -1]
        donors = self.labels[far]
        involved = np.union1d(clusters, np.union1d(empty, donors))
        place = {int(c): p for p, c in enumerate(involved)}
        wide, sizes = np.zeros((len(involved), sums.shape[1])), counts[involved].copy()
        for c in np.setdiff1d(involved, clusters):
            wide[place[int(c)]] = self.rows[self.labels == c].sum(axis=0, dtype=np.float64)
        wide[[place[int(c)] for c in clusters]] = sums
        for c, donor, i in zip(empty, donors, far):
            wide[place[int(c)]] = self.rows[i]
            wide[place[int(donor)]] -= self.rows[i]
            sizes[place[int(c)]], sizes[place[int(donor)]] = 1, sizes[place[int(donor)]] - 1
        self.stale[empty] = self.stale[donors] = True
        return wide, sizes, involved

    def _assign(self, points: np.ndarray, centres: np.ndarray, *, keep_own: bool) -> None:
        from reidkit.labels.mean_kernels import assign

        held, lost = self._rounded(self.centres[centres])
        largest, worst = float(np.sqrt(2 * self.half[centres].max(initial=0.0))), float(lost.max(initial=0.0))
        relative = self.rows.shape[1] * 2.0**-23 + (2.0**-8 if self.dtype != torch.float32 else 0.0)
        margin = np.sqrt(self.squared) * (largest * relative + worst) + self.lost * (largest + worst)

        def work(start: int) -> None:
            some = points[start : start + BLOCK]
            products = self.product(self.held[torch.from_numpy(some)], held).float().numpy()
            assign(products, some, centres, self.rows, self.centres, self.half, margin, keep_own, self.labels, self.scores)

        in_threads(work, range(0, len(points), BLOCK))

    def _own_scores(self, points: np.ndarray) -> np.ndarray:
        """float64 score of each given point with the centre it has."""
        from reidkit.labels.mean_kernels import score_own

        result, given = np.empty(len(points)), (self.rows, self.centres, self.half, self.labels, points)
        in_threads(lambda piece: score_own(*given, *piece, result), row_ranges(len(points)))
        return result

    def _rounded(self, rows: np.ndarray) -> tuple[Tensor, np.ndarray]:
        """Rows as the engine wants them, and float64 L2 norms of what that takes from each."""
        whole = torch.from_numpy(np.require(rows, requirements="W"))
        if self.dtype == torch.float32:
            return whole, np.zeros(len(rows))
        parts = [(part, part.bfloat16()) for part in whole.split(BLOCK)] or [(whole, whole.bfloat16())]
        lost = [(part - rounded.float()).norm(dim=1) for part, rounded in parts]
        return torch.cat([rounded for _, rounded in parts]), torch.cat(lost).numpy().astype(np.float64)

    def _half(self, clusters: np.ndarray) -> np.ndarray:
        return np.einsum("kd,kd->k", self.centres[clusters], self.centres[clusters], dtype=np.float64) / 2
