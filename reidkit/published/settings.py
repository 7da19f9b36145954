"""Networks, recipes and schedules of the published runs (clustering reference, the tables X.5-X.9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from reidkit.compute import derive_seed
from reidkit.errors import ReidkitError, nearest_name
from reidkit.method import Method
from reidkit.methods import canu, cluster_finetune, learn_by_guessing, lf2, mmt, source_pretraining, ssg
from reidkit.models import Embedder, FusionModule, PartExperts, StripeEmbedder, build_embedder
from reidkit.published import sources
from reidkit.training import Schedule

STEPS = Schedule(epochs=40, steps=400, renew_optimiser=True)
UDAP = Schedule(epochs=30, steps=None, passes=70, identities=32, optimiser="sgd", learning_rate=6e-5, weight_decay=0.0)
SSG = replace(UDAP, weight_decay=5e-4)
SOURCE = Schedule(epochs=120, steps=None, warmup_epochs=10, milestones=(40, 70))
GUESSING = replace(SOURCE, epochs=5 * (20 + 90))

Network = Callable[[int, str], Embedder]


@runtime_checkable
class Build(Protocol):
    """(cameras, labels of a labelled training set, backbone, seed, options of the recipe) -> a fresh method.

    `backbone` is a name, or makes a network from a seed and the name of a neck: networks that were trained before.
    """

    def __call__(self, cameras: int, labels: np.ndarray, backbone: str | Network, seed: int, **options: Any) -> Method: ...


@dataclass(frozen=True)
class Published:
    """How a method was published.

    Attributes:
        build: makes it.
        schedule: epochs, batches and rates.
        said: setting -> who decided it and where (`reidkit.published.sources`).
        backbone: name of the network of the printed results.
        differs: what the printed runs had that this does not.
    """

    build: Build
    schedule: Schedule
    said: Mapping[str, str]
    backbone: str = "resnet50"
    differs: str = ""


def _embedder(backbone: str | Network, seed: int, *, neck: str = "bn") -> Embedder:
    """UDAP and SSG keep torchvision's last stride 2; the others set it to 1."""
    if not isinstance(backbone, str):
        return backbone(seed, neck)
    return build_embedder(backbone, neck=neck, last_stride=2 if neck == "relu" else 1, seed=seed)


def _bot(cameras: int, labels: np.ndarray, backbone: str | Network, seed: int, **options: Any) -> Method:
    recipe = source_pretraining.Recipe.of(**options)
    return source_pretraining.SourcePretraining(_embedder(backbone, seed, neck=recipe.neck), labels, recipe, seed=seed)


def _finetune(cameras: int, labels: np.ndarray, backbone: str | Network, seed: int, **options: Any) -> Method:
    recipe = cluster_finetune.Recipe.of(**options)
    neck = "relu" if recipe.loss == "all-pairs" else "bn"
    return cluster_finetune.ClusterAndFinetune(_embedder(backbone, seed, neck=neck), recipe, seed=seed)


def _guessing(cameras: int, labels: np.ndarray, backbone: str | Network, seed: int, **options: Any) -> Method:
    return learn_by_guessing.LearnByGuessing(_embedder(backbone, seed), learn_by_guessing.Recipe.of(**options), seed=seed)


def _ssg(cameras: int, labels: np.ndarray, backbone: str | Network, seed: int, **options: Any) -> ssg.SSG:
    return ssg.SSG(StripeEmbedder(_embedder(backbone, seed, neck="relu")), ssg.Recipe.of(**options))


def _mmt(cameras: int, labels: np.ndarray, backbone: str | Network, seed: int, *, networks: int = 2, **options: Any) -> mmt.MMT:
    students = [_embedder(backbone, seed + 1 + number) for number in range(networks)]
    return mmt.MMT(students, mmt.Recipe.of(**options), seed=seed)


def _canu(build: Build, taps: tuple[str, ...], dimension: Callable[[Any], int], **usual: Any) -> Build:
    """CANU on what `build` makes, whose taps have that `dimension`; the option ``adversary`` has the options of CANU itself."""

    def made(
        cameras: int,
        labels: np.ndarray,
        backbone: str | Network,
        seed: int,
        *,
        adversary: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> canu.CANU:
        base = build(cameras, labels, backbone, seed, **options)
        return canu.CANU(base, taps, dimension(base), cameras, seed=seed, **(usual | dict(adversary or {})))

    return made


def _lf2(cameras: int, labels: np.ndarray, backbone: str | Network, seed: int, **options: Any) -> lf2.LF2:
    """The trunk is carried over, everything behind it starts anew (reference 7.7), drawn from the seed."""
    trunk = _embedder(backbone, seed).backbone
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(seed, "LF2"))
        student = PartExperts(trunk)
        fusion = FusionModule(student.dimension)
    return lf2.LF2(student, fusion, lf2.Recipe.of(**options), seed=seed)


def _with(build: Build, **fixed: Any) -> Build:
    """The same with other defaults."""

    def made(cameras: int, labels: np.ndarray, backbone: str | Network, seed: int, **options: Any) -> Method:
        return build(cameras, labels, backbone, seed, **(fixed | options))

    return made


IBN = "resnet50-ibn-a"
PUBLISHED: dict[str, Published] = {
    "BoT": Published(_bot, SOURCE, sources.BOT),
    "UDAP": Published(
        _with(_finetune, loss="all-pairs"),
        UDAP,
        sources.UDAP,
        differs="without the source term unless the run has a companion and source_weight=0.1",
    ),
    "cluster baseline": Published(_finetune, STEPS, sources.MMT),
    "Learn by Guessing": Published(
        _guessing, GUESSING, sources.GUESSING, IBN, "a fixed number of steps (5) instead of stopping by test score"
    ),
    "SSG": Published(_ssg, SSG, sources.SSG, differs="source term off unless the run has a companion"),
    "MMT-500": Published(_with(_mmt, clustering="kmeans", clusters=500), STEPS, sources.MMT, IBN),
    "MMT-DBSCAN": Published(_mmt, STEPS, sources.MMT_DBSCAN, IBN),
    "CANU-SSG": Published(
        _canu(_ssg, ssg.VIEWS, lambda base: base.network.dimension, mu=0.05, optimiser="adam"), SSG, sources.CANU_SSG
    ),
    "CANU-MMT": Published(
        _canu(_mmt, ("network1", "network2"), lambda base: base.dimension, mu=0.1), STEPS, sources.CANU_MMT, IBN
    ),
    "LF2": Published(_lf2, replace(STEPS, epochs=80), sources.LF2),
}
"""Optimisers, learning rates and batch sizes are the schedules' (256 x 128 pixels throughout)."""


def published(name: str) -> Published:
    """The settings of the published method of that name; the nearest names when there is none."""
    if name not in PUBLISHED:
        rule = "Published settings have the names of the papers' rows."
        raise ReidkitError(f"No published method is called {name!r}.", rule=rule, action=nearest_name(name, PUBLISHED))
    return PUBLISHED[name]
