"""`JaccardGraph`: a distance between all pairs of which only the small ones are stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from scipy import sparse

from reidkit.errors import LabelsError, nearest_name

Variant = Literal["index", "full"]
VARIANTS = get_args(Variant)


@dataclass(frozen=True, eq=False)
class JaccardGraph:
    """Symmetric distances between N images; a pair that is not stored has the distance `absent_distance` gives.

    Attributes:
        matrix: CSR (N, N) float32, symmetric, diagonal stored, indices sorted; explicit zeros are distances of zero.
        k1, k2, variant: how the encoding was made (see `jaccard_graph`).
        max_distance: pairs above it were not stored (1.0: all pairs with an overlap are there).
        absent: distance of a pair that is not stored, before the offsets.
        offset: float64 (N,) or None; a pair that is not stored has ``absent + offset[i] + offset[j]`` (see `mix_source`).
    """

    matrix: sparse.csr_array
    k1: int = 0
    k2: int = 0
    variant: str = ""
    max_distance: float = 1.0
    absent: float = 1.0
    offset: np.ndarray | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return int(self.matrix.shape[0])

    def distance(self, i: int, j: int) -> float:
        """The distance of images i and j."""
        start, stop = self.matrix.indptr[i], self.matrix.indptr[i + 1]
        place = start + int(np.searchsorted(self.matrix.indices[start:stop], j))
        if place < stop and self.matrix.indices[place] == j:
            return float(self.matrix.data[place])
        return float(self.absent_distance(np.array([i]), np.array([j]))[0])

    def absent_distance(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """float32 distance that pairs (i, j) have when they are not stored."""
        if self.offset is None:
            return np.full(np.broadcast_shapes(i.shape, j.shape), self.absent, np.float32)
        return (self.absent + (self.offset[i] + self.offset[j])).astype(np.float32)

    def least_absent(self) -> np.float32:
        """The smallest distance that a pair which is not stored can have."""
        if self.offset is None or len(self) < 2:
            return np.float32(self.absent)
        return np.float32(self.absent + np.partition(self.offset, 1)[:2].sum())

    def toarray(self) -> np.ndarray:
        """(N, N) float32, for small sets and tests; 1.0 where nothing is stored (unless a source term was mixed in)."""
        everyone = np.arange(len(self))
        dense = self.absent_distance(everyone[:, None], everyone[None, :])
        rows = np.repeat(everyone, np.diff(self.matrix.indptr))
        dense[rows, self.matrix.indices] = self.matrix.data
        return dense

    @staticmethod
    def estimate_memory(images: int, columns: int = 2048, *, k1: int = 30, max_distance: float = 1.0) -> int:
        """Bytes above the features that `jaccard_graph` takes (see `reidkit.jaccard.estimate`)."""
        from reidkit.jaccard.estimate import estimate

        return estimate(images, columns, k1=k1, max_distance=max_distance).memory


def checked_settings(k1: int, k2: int, variant: str, max_distance: float = 1.0) -> None:
    """Refuse settings that no graph has."""
    if variant not in VARIANTS:
        raise LabelsError(
            f"Variant {variant!r} is unknown.", rule=f"Variants: {VARIANTS}.", action=nearest_name(variant, VARIANTS)
        )
    if k1 < 1 or k2 < 1:
        raise LabelsError(
            f"k1 = {k1}, k2 = {k2}.", rule="Both are at least 1 (k2 = 1: no query expansion).", action="Raise them."
        )
    if not 0.0 < max_distance <= 1.0:
        raise LabelsError(f"max_distance = {max_distance}.", rule="0 < max_distance <= 1.", action="Use 1.0 to keep all pairs.")
