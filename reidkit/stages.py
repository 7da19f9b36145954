"""What many lessons share, made once and kept: worlds and source-trained networks, at three sizes.

A stage is a folder in the cache, named after everything it was made from (settings, seed, the code of the rooms that
made it). Two processes that want the same stage wait for each other; a killed one leaves nothing under a final name.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from reidkit import __version__, datasets
from reidkit.errors import RunnerError, nearest_name
from reidkit.formats import load
from reidkit.methods.source_pretraining import RECIPES, SourcePretraining
from reidkit.models import Embedder, build_embedder
from reidkit.records import Records
from reidkit.storage import fingerprint, lock, sha256
from reidkit.training import Schedule, fit, judge_on, load_model
from reidkit.world import make_world
from reidkit.world.settings import resolve

MADE_BY = ("compute.py", "records.py", "world", "images", "models", "losses", "methods/source_pretraining.py", "training")


@dataclass(frozen=True)
class Profile:
    """One size of every lesson.

    Args:
        world: size of the synthetic worlds.
        size: (height, width) in pixels of what the network sees.
        backbone: network of the lessons.
        source, target: schedules of source pre-training and of adaptation.
        seeds: how many seeds a comparison runs.
    """

    name: str
    world: str
    size: tuple[int, int]
    backbone: str
    source: Schedule
    target: Schedule
    seeds: int = 1
    weights: str | None = None


PROFILES = {
    "smoke": Profile(
        "smoke",
        "XS",
        (64, 32),
        "tiny",
        source=Schedule(epochs=3, steps=15, identities=8, size=(64, 32), judge_every=3, warmup_epochs=1, warmup_factor=0.1),
        target=Schedule(epochs=2, steps=8, identities=8, size=(64, 32)),
    ),
    "demo": Profile(
        "demo",
        "S",
        (64, 32),
        "tiny",
        source=Schedule(
            epochs=8,
            steps=40,
            size=(64, 32),
            learning_rate=1e-3,
            judge_every=8,
            milestones=(6,),
            warmup_epochs=2,
            warmup_factor=0.1,
        ),
        target=Schedule(epochs=4, steps=40, size=(64, 32)),
        seeds=3,
    ),
    "full": Profile(
        "full",
        "L",
        (256, 128),
        "resnet50",
        source=Schedule(epochs=80, steps=200, warmup_epochs=10, milestones=(40, 70), judge_every=40, workers=8),
        target=Schedule(epochs=40, steps=400, renew_optimiser=True, workers=8),
        seeds=3,
        weights="imagenet",
    ),
}


def profile(name: str) -> Profile:
    """The profile of that name: ``smoke`` (seconds), ``demo`` (a laptop, minutes) or ``full`` (a GPU)."""
    if name not in PROFILES:
        raise RunnerError(
            f"No profile is called {name!r}.", rule=f"Profiles: {tuple(PROFILES)}.", action=nearest_name(name, PROFILES)
        )
    return PROFILES[name]


def cache_folder() -> Path:
    """Where stages are kept: REIDKIT_CACHE, else ``.cache/reidkit`` in the working directory's project or home."""
    if folder := os.environ.get("REIDKIT_CACHE"):
        return Path(folder)
    here = Path.cwd().resolve()
    for parent in (here, *here.parents):
        if (parent / "pyproject.toml").exists():
            return parent / ".cache" / "reidkit"
    return Path.home() / ".cache" / "reidkit"


def stage(kind: str, made_from: dict[str, Any], make: Callable[[Path], object]) -> Path:
    """The folder that `make` fills, made once for each `made_from`.

    `make` gets a folder that survives a kill, so that it can resume; the stage counts as made when ``.done`` is there.
    """
    folder = stage_folder(kind, made_from)
    with lock(folder.with_suffix(".lock")):
        if not (folder / ".done").exists():
            make(folder)
            (folder / ".done").touch()
    return folder


def stage_folder(kind: str, made_from: dict[str, Any]) -> Path:
    """Where a stage lies, made or not."""
    return cache_folder() / kind / fingerprint({**made_from, "code": code_fingerprint(), "version": __version__})


def code_fingerprint() -> str:
    """A hash of the source of the rooms that make stages."""
    here = Path(__file__).parent
    files = [
        path for name in MADE_BY for path in ([here / name] if name.endswith(".py") else sorted((here / name).rglob("*.py")))
    ]
    return fingerprint([[str(path.relative_to(here)), sha256(path)] for path in files])


def shared_world(profile_name: str, preset: str, seed: int = 0) -> Records:
    """The synthetic world `preset` at the profile's size, as files in the Market-1501 layout; a ``data:`` name as it lies."""
    if datasets.is_real(preset):
        return datasets.open_real(preset)
    wanted = profile(profile_name)
    made_from = {"preset": preset, "seed": seed, "size": wanted.world, "pixels": wanted.size}

    def make(folder: Path) -> None:
        height, width = wanted.size
        settings = replace(resolve(preset, wanted.world), height=height, width=width)
        make_world(settings, seed, out=folder / "world")

    folder = stage("worlds", made_from, make)
    return replace(load(folder / "world"), name=preset)


def pretrained(
    profile_name: str,
    preset: str,
    seed: int = 0,
    *,
    world_seed: int = 0,
    recipe: str = "bot-without-centres",
    schedule: Schedule | None = None,
    backbone: str = "",
    last_stride: int = 1,
    progress: bool = True,
) -> Embedder:
    """A network trained, from `seed`, with the identities of the synthetic world `preset` of `world_seed`.

    `schedule` and `backbone` take the place of the profile's own; `last_stride` is that of the trunk (UDAP, SSG: 2).
    """
    given = profile(profile_name)
    wanted = replace(given, source=schedule or given.source, backbone=backbone or given.backbone)
    made_from = {"profile": asdict(wanted), "preset": preset, "seed": seed, "world_seed": world_seed, "recipe": recipe}
    if last_stride != 1:
        made_from["last_stride"] = last_stride
    if datasets.is_real(preset):
        made_from["data"] = datasets.data_fingerprint(preset)
    records = shared_world(profile_name, preset, world_seed)

    def method() -> SourcePretraining:
        embedder = build_embedder(wanted.backbone, weights=wanted.weights, last_stride=last_stride, seed=seed)
        return SourcePretraining(embedder, records.train.class_labels(), RECIPES[recipe], seed=seed)

    def make(folder: Path) -> None:
        judge = judge_on(records, size=wanted.size)
        fit(method(), records.train, schedule=wanted.source, out=folder / "run", seed=seed, judge=judge, progress=progress)

    folder = stage("pretrained", made_from, make)
    trained = method()
    load_model(folder / "run", trained)
    return trained.embedder
