"""What two partitions share by chance: the exact mean of mutual information over permutations, and what it adjusts."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from scipy.special import gammaln

from reidkit.diagnose.information import entropy, information


def expected_information(a: Int[np.ndarray, " n"], b: Int[np.ndarray, " n"]) -> float:
    """The exact mean of I over all permutations (the hypergeometric model behind adjusted mutual information), in nats.

    Groups of equal size contribute equally, so the sum runs over *distinct* sizes: fast for a million images, where
    scikit-learn's sum over all pairs of groups is not.
    """
    n = len(a)
    (sizes_a, many_a), (sizes_b, many_b) = (
        np.unique(np.unique(side, return_counts=True)[1], return_counts=True) for side in (a, b)
    )
    total = 0.0
    for size_a, repeat_a in zip(sizes_a.tolist(), many_a.tolist()):
        for size_b, repeat_b in zip(sizes_b.tolist(), many_b.tolist()):
            both = np.arange(max(1, size_a + size_b - n), min(size_a, size_b) + 1)
            log_probability = (
                gammaln(size_a + 1) + gammaln(size_b + 1) + gammaln(n - size_a + 1) + gammaln(n - size_b + 1) - gammaln(n + 1)
            ) - (
                gammaln(both + 1)
                + gammaln(size_a - both + 1)
                + gammaln(size_b - both + 1)
                + gammaln(n - size_a - size_b + both + 1)
            )
            gain = both / n * (np.log(n) + np.log(both) - np.log(size_a) - np.log(size_b))
            total += repeat_a * repeat_b * float((gain * np.exp(log_probability)).sum())
    return total


def adjusted_information(a: Int[np.ndarray, " n"], b: Int[np.ndarray, " n"]) -> float:
    """Adjusted mutual information (arithmetic mean of the entropies): 1 for equal partitions, 0 on average by chance."""
    groups_a, groups_b = len(np.unique(a)), len(np.unique(b))
    if groups_a == groups_b <= 1:
        return 1.0
    expected = expected_information(a, b)
    room = (entropy(a) + entropy(b)) / 2 - expected
    tiny = float(np.finfo(np.float64).eps)
    return (float(information(a, b)) - expected) / (min(room, -tiny) if room < 0 else max(room, tiny))
