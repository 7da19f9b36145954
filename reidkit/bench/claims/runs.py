"""The runs that claims need: rows of the papers' tables, scaled to a profile, trained once and kept as numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from reidkit import stages
from reidkit.bench.claims.measures import curves, part_scores
from reidkit.bench.pairs import PAIRS, RHO, code_of, judged, kept_numbers
from reidkit.diagnose.records_summary import records_summary
from reidkit.method import Method
from reidkit.methods.cluster_finetune import ClusterAndFinetune
from reidkit.models import Embedder, build_embedder
from reidkit.published import ablation
from reidkit.records import Records
from reidkit.training import Schedule, fit, judge_on

LABELLING = ("features.py", "method.py", "labels", "jaccard", "neighbours", "evaluate", "diagnose", "methods", "published")
CODE = (*LABELLING, "bench/pairs.py", "bench/claims/runs.py", "bench/claims/measures.py")
MARKET = 12_936  # training images that the papers' numbers of clusters belong to
GRID = tuple(round(0.8 * 0.75**step, 4) for step in range(18))  # radii from 0.8 down to 0.006


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


GUESS, MMT, SSG = "Learn by Guessing", "CANU on MMT", "CANU on SSG"
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


@dataclass(frozen=True)
class Scale:
    """What a profile makes of the published schedules: rounds of clustering, and Learn by Guessing's steps."""

    rounds: int
    steps: int
    frozen_epochs: int
    epochs: int


SCALES = {"smoke": Scale(2, 2, 0, 1), "demo": Scale(6, 5, 1, 2), "full": Scale(40, 5, 20, 90)}


def measured(profile: str, pair: str, run: str, seed: int) -> dict[str, Any]:
    """The numbers of a run on world `seed` of a pair, from the cache when it was done before."""
    return kept_numbers("claims", identity(profile, pair, run, seed), partial(_measure, profile, pair, run, seed))


def identity(profile: str, pair: str, run: str, seed: int) -> dict[str, Any]:
    """Everything that a run's numbers depend on besides the code that stages watch."""
    what, scale = asdict(RUNS[run]), asdict(SCALES[profile])
    settings = {"profile": asdict(stages.profile(profile)), "rho": RHO[profile], "scale": scale}
    return {"run": what, "name": run, "pair": PAIRS[pair], "seed": seed, "code": code_of(CODE), **settings}


def schedule_of(profile: str, run: str) -> Schedule:
    """The profile's schedule of adaptation, as long as the run's method needs it, judged after every epoch."""
    scale = SCALES[profile]
    epochs = scale.steps * (scale.frozen_epochs + scale.epochs) if RUNS[run].paper == GUESS else scale.rounds
    return replace(stages.profile(profile).target, epochs=epochs, judge_every=1, keep_every=epochs)


def scaled(profile: str, run: str, images: int) -> dict[str, Any]:
    """Options that follow the size of the set: radius, number of clusters, lengths of Learn by Guessing's phases."""
    scale, row = SCALES[profile], ablation(RUNS[run].paper, RUNS[run].row)
    if RUNS[run].paper == GUESS:
        return {"eps_grid": GRID, "frozen_epochs": scale.frozen_epochs, "epochs": scale.epochs}
    if row.of == "LF2":
        return {"clusters": max(2, round(row.options.get("clusters", 700) * images / MARKET))}
    return {"rho": RHO[profile]}


def networks(profile: str, source: str, seed: int) -> Callable[[int, str], Embedder]:
    """(number, neck) -> the network that a source world trained from that seed; another neck starts anew on its trunk."""

    def network(number: int, neck: str) -> Embedder:
        embedder = stages.pretrained(profile, source, number, world_seed=seed, progress=False)
        if neck == "bn":
            return embedder
        other = build_embedder(stages.profile(profile).backbone, neck=neck, seed=number)
        other.backbone.load_state_dict(embedder.backbone.state_dict())
        return other

    return network


def build(profile: str, pair: str, run: str, seed: int, world: Records) -> Method:
    """The method of a run, around networks that its source trained."""
    network = networks(profile, PAIRS[pair][0], seed)
    options = scaled(profile, run, len(world.train))
    row = ablation(RUNS[run].paper, RUNS[run].row)
    return row.build(world.num_cameras, world.train.class_labels(), network, seed, **options)


def _measure(profile: str, pair: str, run: str, seed: int, folder: Path) -> dict[str, Any]:
    source, target = PAIRS[pair]
    world, size = stages.shared_world(profile, target, seed), stages.profile(profile).size
    if run == "facts":
        found = records_summary(world.train)
        excess = found.value("camera_information") - found.value("camera_information_chance")
        return {"excess": excess, "identities": found.value("identities"), "images": found.value("images")}
    if run == "direct":
        embedder = networks(profile, source, seed)(seed, "bn")
        scores = judged(profile, target, ClusterAndFinetune(embedder), seed)
        return {"map": [scores["mean_ap"]], "rank1": [scores["rank1"]]}
    method, schedule = build(profile, pair, run, seed, world), schedule_of(profile, run)
    judge = judge_on(world, size=size)
    capsule = fit(method, world.train.blind(), schedule=schedule, out=folder / "run", seed=seed, judge=judge, progress=False)
    numbers: dict[str, Any] = curves(capsule, world.train.camera, world.train.truth())
    if RUNS[run].also == "reranked":
        again = judged(profile, target, method, seed, distance="k-reciprocal")
        numbers |= {"reranked_map": again["mean_ap"], "reranked_rank1": again["rank1"]}
    if RUNS[run].also == "parts":
        numbers |= part_scores(method, world, size)
    return numbers
