"""A row of the papers' tables, run at a profile's size on a pair of worlds: trained once, kept, shared by lessons and claims."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import reidkit
from reidkit import datasets, stages
from reidkit.capsule import Capsule
from reidkit.errors import ReidkitError, nearest_name
from reidkit.images.batches import preloaded
from reidkit.method import Method
from reidkit.methods.cluster_finetune import ClusterAndFinetune
from reidkit.models import Embedder, build_embedder
from reidkit.published import Row, ablation, published
from reidkit.records import Records
from reidkit.storage import fingerprint, sha256
from reidkit.training import Schedule, fit, judge_on, load_model

PAIRS = {
    "standard": ("summer", "winter"),
    "hard": ("hard-summer", "hard-winter"),
    "dependent": ("dependent-summer", "dependent-winter"),
}
RHO = {"smoke": 0.015, "demo": 0.005, "full": 0.0016}  # as in lesson 06
PEOPLE = 751  # in Market-1501's training images, which the papers' numbers of clusters belong to
CLUSTERS = {"MMT-500": 500, "LF2": 700}  # published numbers of clusters, by the settings that a row starts from
GRID = tuple(round(0.8 * 0.75**step, 4) for step in range(18))  # radii from 0.8 down to 0.006
GUESS = "Learn by Guessing"
SOURCES = {GUESS: "learn-by-guessing", "SSG": "udap", "UDAP": "udap", "CANU-SSG": "udap"}  # others: MMT's source stage
LABELLING = ("features.py", "method.py", "labels", "jaccard", "neighbours", "evaluate", "methods", "published")
MADE_BY = (*LABELLING, "trials.py", "stages.py")


@dataclass(frozen=True)
class Scale:
    """What a profile makes of the published schedules: rounds of clustering, and Learn by Guessing's steps."""

    rounds: int
    steps: int
    frozen_epochs: int
    epochs: int


SCALES = {"smoke": Scale(2, 2, 0, 1), "demo": Scale(4, 4, 1, 2), "full": Scale(40, 5, 20, 90)}


@dataclass(frozen=True)
class Trial:
    """A finished run: the trained method (in eval mode), its capsule, and the world that it was adapted to."""

    method: Method
    capsule: Capsule
    world: Records


def trial(
    profile: str,
    pair: str,
    paper: str,
    row: str,
    *,
    seed: int = 0,
    rounds: int | None = None,
    progress: bool = False,
    **options: Any,
) -> Trial:
    """The run of one row of `reidkit.published.ABLATIONS`, from the cache when it was done before.

    Profiles ``"smoke"`` and ``"demo"`` scale what follows the size of a set (`scaled`) and use the profile's schedule;
    ``"full"`` is the paper's experiment, with its network and schedule.

    Args:
        pair: one of `PAIRS`; for ``"full"`` see `pair_of`.
        seed: of the worlds, the networks and the training at once.
        rounds: clusterings; None as many as the profile (or the row) says.
        options: changes of the recipe that stand before the row's own.

    Raises:
        ReidkitError: no such pair or row, or a row of direct transfer, which trains nothing (use `direct`).
    """
    wanted = ablation(paper, row)
    if wanted.rounds == 0:
        what, rule = f"Row {row!r} of {paper!r} is direct transfer.", "A trial adapts to the target."
        raise ReidkitError(what, rule=rule, action="Call reidkit.trials.direct instead.")
    world, size = target_of(profile, pair, seed), stages.profile(profile).size
    schedule = schedule_of(profile, wanted, rounds)
    given = scaled(profile, wanted, len(set(world.train.truth()))) | options

    def method() -> Method:
        return build(profile, pair, wanted, seed, world, **given)

    def make(folder: Path) -> None:
        seen = preloaded(world)
        judge = judge_on(seen, size=schedule.size, distance=wanted.distance)
        fit(method(), seen.train.blind(), schedule=schedule, out=folder / "run", seed=seed, judge=judge, progress=progress)

    made_from: dict[str, Any] = {
        "row": asdict(wanted),
        "given": given,
        "schedule": asdict(schedule),
        "size": size,
        "code": code_of(MADE_BY),
    }
    made_from |= {"profile": asdict(stages.profile(profile)), "pair": pair_of(profile, pair), "seed": seed}
    folder = stages.stage("trials", made_from | {"data": datasets.data_fingerprint(*pair_of(profile, pair))}, make)
    trained = method()
    load_model(folder / "run", trained)
    return Trial(trained.eval(), Capsule.open(folder / "run"), world)


def direct(profile: str, pair: str, seed: int = 0) -> dict[str, float]:
    """Scores of the source's network on the target, before any adaptation (0..1)."""
    embedder = networks(profile, pair, seed)(seed, "bn")
    judge = judge_on(target_of(profile, pair, seed), size=stages.profile(profile).size)
    return judge(ClusterAndFinetune(embedder))


def pair_of(profile: str, pair: str) -> tuple[str, str]:
    """Names of source and target for `reidkit.stages.shared_world`.

    Profile ``"full"`` takes the real sets below REIDKIT_DATA for the standard pair (`reidkit.datasets.real_pair`).
    """
    if pair not in PAIRS:
        raise ReidkitError(f"No pair {pair!r}.", rule=f"Pairs: {tuple(PAIRS)}.", action=nearest_name(pair, PAIRS))
    source, target = PAIRS[pair]
    return datasets.real_pair(source, target) if profile == "full" and pair == "standard" else (source, target)


def target_of(profile: str, pair: str, seed: int = 0) -> Records:
    """The target of a pair, world `seed`."""
    return stages.shared_world(profile, pair_of(profile, pair)[1], seed)


def schedule_of(profile: str, row: Row, rounds: int | None = None) -> Schedule:
    """The schedule of a row at a profile's size, judged after every epoch; ``"full"`` keeps the published one."""
    scale, start = SCALES[profile], published(row.of)
    base = start.schedule if profile == "full" else stages.profile(profile).target
    if rounds is None:
        rounds = row.rounds
    guess, inside = row.of == GUESS, row.options.get("frozen") == "inside"
    base = lengthened(base, row.length)
    if profile == "full" and rounds is None and not inside:
        return base
    clusterings = rounds or (scale.steps if guess else scale.rounds)
    step = scale.epochs + (0 if inside else scale.frozen_epochs)
    epochs = clusterings * step if guess else clusterings
    return replace(base, epochs=epochs, judge_every=1, keep_every=epochs)


def lengthened(schedule: Schedule, by: float) -> Schedule:
    """A schedule whose epochs have `by` times as many batches, or passes where it counts those."""
    unit = "passes" if schedule.steps is None else "steps"
    return replace(schedule, **{unit: max(1, round(getattr(schedule, unit) * by))})


def scaled(profile: str, row: Row, people: int) -> dict[str, Any]:
    """Options that follow the size of the set: radius, number of clusters, lengths of Learn by Guessing's phases.

    The number of clusters keeps the papers' proportion to people. That takes the number of people, as the papers' own choice
    did: they name the best of several. None for ``"full"``: the papers' values belong to sets of that size.
    """
    if profile == "full":
        return {}
    if row.of == GUESS:
        return {"eps_grid": GRID, "frozen_epochs": SCALES[profile].frozen_epochs, "epochs": SCALES[profile].epochs}
    if row.of in CLUSTERS:
        fewest = stages.profile(profile).target.identities  # a batch wants that many
        return {"clusters": max(fewest, round(row.options.get("clusters", CLUSTERS[row.of]) * people / PEOPLE))}
    return {"rho": RHO[profile]}


def networks(profile: str, pair: str, seed: int, row: Row | None = None) -> Callable[[int, str], Embedder]:
    """(number, neck) -> the network that the pair's source trained from that seed; another neck starts anew on its trunk.

    For ``"full"``, the row's own backbone, trained as its paper's source stage says (UDAP and SSG with a last stride of 2).
    A trunk keeps the stride that it was trained with.
    """
    source, wanted = pair_of(profile, pair)[0], stages.profile(profile)
    backbone, recipe = wanted.backbone, "bot-without-centres"
    if profile == "full" and row is not None:
        backbone, recipe = row.backbone or published(row.of).backbone, SOURCES.get(row.of, "mmt")
    stride = 2 if recipe == "udap" else 1

    def network(number: int, neck: str) -> Embedder:
        given: dict[str, Any] = {"world_seed": seed, "recipe": recipe, "backbone": backbone, "progress": False}
        embedder = stages.pretrained(profile, source, number, last_stride=stride, **given)
        if neck == "bn":
            return embedder
        other = build_embedder(backbone, neck=neck, last_stride=stride, seed=number)
        other.backbone.load_state_dict(embedder.backbone.state_dict())
        return other

    return network


def build(profile: str, pair: str, row: Row, seed: int, world: Records, **options: Any) -> Method:
    """The method of a row, fresh, around networks that its source trained."""
    network = networks(profile, pair, seed, row)
    return row.build(world.num_cameras, world.train.class_labels(), network, seed, **options)


@cache
def code_of(names: tuple[str, ...]) -> str:
    """A hash of files and folders of the package, for those that stages do not watch."""
    here = Path(reidkit.__file__).parent
    files = [f for name in names for f in ([here / name] if name.endswith(".py") else sorted((here / name).glob("*.py")))]
    return fingerprint([[f.relative_to(here).as_posix(), sha256(f)] for f in files])
