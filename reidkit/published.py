"""Each method as its paper ran it: network, recipe and schedule in one place (clustering reference, the tables X.5-X.9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from reidkit.errors import ReidkitError, nearest_name
from reidkit.method import Method
from reidkit.methods import canu, cluster_finetune, learn_by_guessing, lf2, mmt, source_pretraining, ssg
from reidkit.models import Embedder, FusionModule, PartExperts, StripeEmbedder, build_backbone, build_embedder
from reidkit.training import Schedule

STEPS = Schedule(epochs=40, steps=400, renew_optimiser=True)
UDAP = Schedule(epochs=30, steps=None, passes=70, identities=32, optimiser="sgd", learning_rate=6e-5, weight_decay=0.0)
SSG = replace(UDAP, weight_decay=5e-4)
SOURCE = Schedule(epochs=120, steps=None, warmup_epochs=10, milestones=(40, 70))
GUESSING = replace(SOURCE, epochs=5 * (20 + 90))


@dataclass(frozen=True)
class Published:
    """How a method was published.

    Attributes:
        build: (cameras, labels of a labelled training set, backbone, seed) -> a fresh method.
        schedule: epochs, batches and rates.
        backbone: name of the network of the printed results.
        differs: what the printed runs had that this does not.
    """

    build: Callable[[int, np.ndarray, str, int], Method]
    schedule: Schedule
    backbone: str = "resnet50"
    differs: str = ""


def _embedder(backbone: str, seed: int, *, neck: str = "bn") -> Embedder:
    """UDAP and SSG keep torchvision's last stride 2; the others set it to 1."""
    return build_embedder(backbone, neck=neck, last_stride=2 if neck == "relu" else 1, seed=seed)


def _ssg(backbone: str, seed: int) -> ssg.SSG:
    return ssg.SSG(StripeEmbedder(_embedder(backbone, seed, neck="relu")), ssg.Recipe())


def _mmt(backbone: str, seed: int, **options: object) -> mmt.MMT:
    networks = [_embedder(backbone, number) for number in (seed + 1, seed + 2)]
    return mmt.MMT(networks, replace(mmt.Recipe(), **options), seed=seed)  # type: ignore[arg-type]


def _canu_mmt(cameras: int, labels: np.ndarray, backbone: str, seed: int) -> canu.CANU:
    base = _mmt(backbone, seed)
    return canu.CANU(base, ("network1", "network2"), base.dimension, cameras, 0.1, seed=seed)


def _canu_ssg(cameras: int, labels: np.ndarray, backbone: str, seed: int) -> canu.CANU:
    base = _ssg(backbone, seed)
    return canu.CANU(base, ssg.VIEWS, base.network.dimension, cameras, 0.05, optimiser="own", seed=seed)


def _lf2(cameras: int, labels: np.ndarray, backbone: str, seed: int) -> lf2.LF2:
    student = PartExperts(build_backbone(backbone, seed=seed))
    return lf2.LF2(student, FusionModule(student.dimension), lf2.Recipe(), seed=seed)


def _udap(cameras: int, labels: np.ndarray, backbone: str, seed: int) -> cluster_finetune.ClusterAndFinetune:
    recipe = cluster_finetune.Recipe(loss="all-pairs")
    return cluster_finetune.ClusterAndFinetune(_embedder(backbone, seed, neck="relu"), recipe, seed=seed)


PUBLISHED: dict[str, Published] = {
    "BoT": Published(lambda c, y, b, s: source_pretraining.SourcePretraining(_embedder(b, s), y, seed=s), SOURCE),
    "UDAP": Published(_udap, UDAP, differs="without the source term unless the run has a companion and source_weight=0.1"),
    "cluster baseline": Published(lambda c, y, b, s: cluster_finetune.ClusterAndFinetune(_embedder(b, s), seed=s), STEPS),
    "Learn by Guessing": Published(
        lambda c, y, b, s: learn_by_guessing.LearnByGuessing(_embedder(b, s), seed=s),
        GUESSING,
        "resnet50-ibn-a",
        "a fixed number of steps (5) instead of stopping by test score",
    ),
    "SSG": Published(lambda c, y, b, s: _ssg(b, s), SSG, differs="source term off unless the run has a companion"),
    "MMT-500": Published(lambda c, y, b, s: _mmt(b, s, clustering="kmeans", clusters=500), STEPS, "resnet50-ibn-a"),
    "MMT-DBSCAN": Published(lambda c, y, b, s: _mmt(b, s), STEPS, "resnet50-ibn-a"),
    "CANU-SSG": Published(_canu_ssg, SSG),
    "CANU-MMT": Published(_canu_mmt, STEPS, "resnet50-ibn-a"),
    "LF2": Published(_lf2, replace(STEPS, epochs=80)),
}
"""Optimisers, learning rates and batch sizes are the schedules' (256 x 128 pixels throughout)."""


def published(name: str) -> Published:
    """The settings of the published method of that name; the nearest names when there is none."""
    if name not in PUBLISHED:
        rule = "Published settings have the names of the papers' rows."
        raise ReidkitError(f"No published method is called {name!r}.", rule=rule, action=nearest_name(name, PUBLISHED))
    return PUBLISHED[name]
