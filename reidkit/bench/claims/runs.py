"""The runs that claims need: rows of the papers' tables, scaled to a profile, trained once and kept as numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from reidkit import stages, trials
from reidkit.bench.claims.measures import curves, part_scores
from reidkit.bench.pairs import kept_numbers
from reidkit.diagnose.records_summary import records_summary
from reidkit.published import ablation
from reidkit.training import Schedule, judge_on

CODE = (*trials.MADE_BY, "diagnose", "bench/pairs.py", "bench/claims/runs.py", "bench/claims/measures.py")


@dataclass(frozen=True)
class Run:
    """One run: a row of `reidkit.published.ABLATIONS`.

    Attributes:
        paper, row: its names there; empty for what is measured without training.
        cost: its steps, in steps of one network on one batch.
        also: what is measured of the trained network besides its curves: ``"reranked"`` or ``"parts"``.
    """

    paper: str = ""
    row: str = ""
    cost: float = 1.0
    also: str = ""


GUESS, MMT, SSG = trials.GUESS, "CANU on MMT", "CANU on SSG"
RUNS = {
    "facts": Run(cost=0.0),
    "direct": Run(cost=0.0),
    "baseline": Run("MMT", "cluster baseline"),
    "guess raw": Run(GUESS, "+ progressive learning"),
    "guess selected": Run(GUESS, "+ cluster selection"),
    "guess": Run(GUESS, "+ camera normalisation", also="reranked"),
    "guess k-means": Run(GUESS, "k-means"),
    "ssg": Run(SSG, "SSG", 1.2),
    "ssg whole": Run("SSG", "whole body only", 1.1),
    "adv ssg": Run(SSG, "SSG+Adv", 1.4),
    "canu ssg": Run(SSG, "CANU-SSG", 1.4),
    "canu ssg 1.8": Run(SSG, "mu = 1.8", 1.4),
    "mmt": Run(MMT, "MMT", 3.0),
    "adv mmt": Run(MMT, "MMT+Adv", 3.2),
    "canu mmt": Run(MMT, "CANU-MMT", 3.2),
    "canu mmt 1.8": Run(MMT, "mu = 1.8", 3.2),
    "lf2 global": Run("LF2", "baseline", 2.0),
    "lf2 parts": Run("LF2", "LF2 w/o FM", 4.0),
    "lf2": Run("LF2", "LF2, M = 700", 4.0, also="parts"),
}


def measured(profile: str, pair: str, run: str, seed: int) -> dict[str, Any]:
    """The numbers of a run on world `seed` of a pair, from the cache when it was done before."""
    return kept_numbers("claims", identity(profile, pair, run, seed), partial(_measure, profile, pair, run, seed))


def identity(profile: str, pair: str, run: str, seed: int) -> dict[str, Any]:
    """Everything that a run's numbers depend on besides the code that stages watch."""
    what, scale = asdict(RUNS[run]), asdict(trials.SCALES[profile])
    settings = {"profile": asdict(stages.profile(profile)), "rho": trials.RHO[profile], "scale": scale}
    code = trials.code_of(CODE)
    return {"run": what, "name": run, "pair": trials.pair_of(profile, pair), "seed": seed, "code": code, **settings}


def schedule_of(profile: str, run: str) -> Schedule:
    """The schedule of a run's row at the profile's size."""
    return trials.schedule_of(profile, ablation(RUNS[run].paper, RUNS[run].row))


def _measure(profile: str, pair: str, run: str, seed: int, folder: Path) -> dict[str, Any]:
    """The numbers of a run; what is trained lies with the trials, not in `folder`."""
    if run == "facts":
        found = records_summary(trials.target_of(profile, pair, seed).train)
        excess = found.value("camera_information") - found.value("camera_information_chance")
        return {"excess": excess, "identities": found.value("identities"), "images": found.value("images")}
    if run == "direct":
        scores = trials.direct(profile, pair, seed)
        return {"map": [scores["mean_ap"]], "rank1": [scores["rank1"]]}
    row = RUNS[run]
    done = trials.trial(profile, pair, row.paper, row.row, seed=seed)
    numbers: dict[str, Any] = curves(done.capsule, done.world.train.camera, done.world.train.truth())
    size = stages.profile(profile).size
    if row.also == "reranked":
        again = judge_on(done.world, size=size, distance="k-reciprocal")(done.method)
        numbers |= {"reranked_map": again["mean_ap"], "reranked_rank1": again["rank1"]}
    if row.also == "parts":
        numbers |= part_scores(done.method, done.world, size)
    return numbers
