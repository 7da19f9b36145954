"""Holds, does not hold, or cannot be decided: from the effects of the seeds.

The effect of a seed is the claim's contrast, so that runs on the same world from the same networks are compared in pairs. Over
n >= 2 seeds its mean has the interval mean +- t(0.95, n - 1) * sd / sqrt(n) (two-sided 90 %, Student). A claim of rule
``"above"`` *holds* when the whole interval lies above the margin, and *does not hold* when the whole of it lies at or below it;
a claim of rule ``"within"`` holds when the interval lies inside +- margin, and does not when it lies wholly outside.
Otherwise, and with one seed, it *cannot be decided*. No correction is made for the number of claims: of twenty contrasts that
are nothing but chance, about one will seem to hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reidkit.bench.claims.data import ABOVE, CLAIMS, Claim
from reidkit.bench.claims.measures import value

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "cannot be decided"
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Verdict:
    """A claim on one pair of worlds: effects by seed, their mean and spread (n - 1), the interval, and the word."""

    claim: str
    world: str
    word: str
    effects: dict[str, float] = field(default_factory=dict)
    mean: float | None = None
    spread: float | None = None
    interval: tuple[float, float] | None = None


def effect(claim: Claim, runs: dict[str, dict[str, Any]]) -> float:
    """The contrast of one seed; NaN when a run or measure is missing."""
    total = 0.0
    for term, coefficient in claim.contrast.items():
        run, _, measure = term.partition(": ")
        total += coefficient * value(runs.get(run, {}), measure)
    return total


def interval(effects: Sequence[float]) -> tuple[float, float]:
    """Two-sided 90 % interval of the mean of two effects or more."""
    from scipy.stats import t

    half = float(t.ppf(CONFIDENCE, len(effects) - 1) * np.std(effects, ddof=1) / np.sqrt(len(effects)))
    return float(np.mean(effects)) - half, float(np.mean(effects)) + half


def decide(rule: str, margin: float, low: float, high: float) -> str:
    """The word for an interval."""
    if rule == ABOVE:
        return HOLDS if low > margin else FAILS if high <= margin else UNDECIDED
    inside, outside = -margin < low and high < margin, low >= margin or high <= -margin
    return HOLDS if inside else FAILS if outside else UNDECIDED


def judge_claim(claim: Claim, world: str, seeds: dict[str, dict[str, dict[str, Any]]]) -> Verdict:
    """A claim on one world; `seeds` is seed -> run -> numbers."""
    effects = {seed: effect(claim, runs) for seed, runs in sorted(seeds.items())}
    known = {seed: found for seed, found in effects.items() if np.isfinite(found)}
    if len(known) < 2:
        mean = next(iter(known.values())) if known else None
        return Verdict(claim.id, world, UNDECIDED, known, mean)
    found = list(known.values())
    low, high = interval(found)
    spread = float(np.std(found, ddof=1))
    word = decide(claim.rule, claim.margin, low, high)
    return Verdict(claim.id, world, word, known, float(np.mean(found)), spread, (low, high))


def verdicts(runs: dict[str, dict[str, dict[str, Any]]], claims: Sequence[Claim] = CLAIMS) -> list[Verdict]:
    """Every claim on each of its worlds; `runs` is world -> seed -> run -> numbers."""
    return [judge_claim(claim, world, runs[world]) for claim in claims for world in claim.worlds if world in runs]
