"""How much a pseudo-label tells about the camera, and how much of that is chance.

I(Y; C) = sum over y, c of n_yc / n * log(n n_yc / (n_y n_c)), in nats (CANU-ReID, Figs 3 and 5). The estimate is inflated by
about (M - 1)(C - 1) / (2 n) for M clusters and C cameras, so a raw value means nothing without its level under permutation.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from reidkit.diagnose.counts import cells, renumbered
from reidkit.diagnose.inputs import check_inputs


class Information(float):
    """Mutual information in nats: a float that also knows its level by chance.

    Attributes:
        chance: mean in nats over random permutations of the labels, cluster sizes and cameras kept.
        chance_sd: standard deviation of those permuted values, in nats.
    """

    chance: float
    chance_sd: float

    def __new__(cls, nats: float, chance: float, chance_sd: float) -> Information:
        self = super().__new__(cls, nats)
        self.chance, self.chance_sd = chance, chance_sd
        return self

    def __reduce__(self) -> tuple[type[Information], tuple[float, float, float]]:
        return Information, (float(self), self.chance, self.chance_sd)

    @property
    def bits(self) -> float:
        """The same in bits."""
        return float(self) / float(np.log(2.0))

    @property
    def excess(self) -> float:
        """What is left above chance, in nats."""
        return float(self) - self.chance


def mutual_information(labels: object, cameras: object, *, permutations: int = 20, seed: int = 0) -> Information:
    """I(label; camera) in nats over the images that have a cluster, with its level under permutation.

    Args:
        labels: (N,) integers; outliers (-1) are left out. True identities may be passed as well.
        cameras: (N,) numbers or names.
        permutations: random permutations behind `Information.chance`; 0 leaves it undefined (NaN).
        seed: of the permutations.

    Returns:
        A float >= 0 (0 when there is no inlier), with `.chance`, `.chance_sd`, `.bits` and `.excess`.

    Raises:
        DiagnosisError: when the columns do not fit together.
    """
    checked = check_inputs(labels, cameras)
    kept = checked.inlier
    return information(checked.label[kept], checked.camera[kept], permutations=permutations, seed=seed)


def information(a: Int[np.ndarray, " n"], b: Int[np.ndarray, " n"], *, permutations: int = 0, seed: int = 0) -> Information:
    """Mutual information of two codings without gaps or outliers; see `mutual_information`."""
    a, b = renumbered(a), renumbered(b)
    generator = np.random.default_rng(seed)
    draws = np.array([_nats(generator.permutation(a), b) for _ in range(permutations)])
    mean, spread = (float(draws.mean()), float(draws.std())) if permutations else (float("nan"), float("nan"))
    return Information(_nats(a, b), mean, spread)


def entropy(codes: Int[np.ndarray, " n"]) -> float:
    """Entropy of a coding, in nats."""
    counts = np.unique(codes, return_counts=True)[1]
    return entropy_of_counts(counts)


def entropy_of_counts(counts: Int[np.ndarray, " m"]) -> float:
    """Entropy of a distribution given by counts, in nats; 0 for no counts."""
    share = counts[counts > 0] / max(int(counts.sum()), 1)
    return max(0.0, -float((share * np.log(share)).sum()))


def _nats(a: np.ndarray, b: np.ndarray) -> float:
    if not len(a):
        return 0.0
    (ia, ib), counts = cells(a, b)
    n, size_a, size_b = len(a), np.bincount(a), np.bincount(b)
    value = counts / n * (np.log(counts) + np.log(n) - np.log(size_a[ia]) - np.log(size_b[ib]))
    return max(0.0, float(value.sum()))
