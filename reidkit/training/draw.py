"""From labels to batches: which images meet, how they are augmented, and what they carry."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, count, islice

import numpy as np
import torch
from torch import Tensor

from reidkit.compute import Processes, derive_seed
from reidkit.images.batches import iterate_batches
from reidkit.images.samplers import sampler
from reidkit.images.views import make_view
from reidkit.labels import PseudoLabels
from reidkit.method import Batch, Method
from reidkit.records import ImageTable
from reidkit.training.schedule import Schedule

log = logging.getLogger(__name__)
Seed = tuple[int | str, ...]
ALONE = Processes()


@dataclass(frozen=True)
class Companion:
    """A second domain beside the one that is trained on.

    Args:
        table: its images.
        labels: int (N,) 0..M-1 when they are known (a labelled source); None for images without labels.
        view: the augmentation its images get.
    """

    table: ImageTable
    labels: np.ndarray | None = None
    view: str = "weak"


def draw_batches(
    method: Method,
    table: ImageTable,
    labels: PseudoLabels,
    schedule: Schedule,
    seed: int,
    epoch: int,
    companion: Companion | None = None,
    processes: Processes = ALONE,
) -> Iterator[Batch]:
    """The batches of one epoch; what they hold depends on (seed, epoch) only.

    Several processes draw the same batches, and each loads its own part: as many whole groups of K images as the others.
    """
    streams = [_stream(method, table, labels, schedule, seed, epoch, view, processes) for view in method.draw_by]
    others = _companions(companion, schedule, (seed, "companion", epoch), processes) if companion else None
    for batch, *more in zip(*streams):
        yield replace(batch, others=tuple(more), companion=next(others) if others else None)


def _stream(
    method: Method,
    table: ImageTable,
    labels: PseudoLabels,
    schedule: Schedule,
    seed: int,
    epoch: int,
    view: int,
    processes: Processes,
) -> Iterator[Batch]:
    """Batches in which the clusters of one label view meet."""
    parts = labels.labels.reshape(len(table), -1)
    kept = np.where(labels.kept, parts[:, view], -1)
    passes = _passes(kept, table.camera, method.draw, schedule, (seed, "draw", epoch, view), processes.count)
    counted = islice(passes, schedule.passes) if schedule.steps is None else passes
    rows = _own(islice(chain.from_iterable(counted), schedule.steps), processes)
    views, seeds = [make_view(name, schedule.size) for name in method.views], (seed, "images", epoch, view)
    loaded = iterate_batches(table, rows, views, seed=seeds, workers=schedule.workers, part=processes.rank)
    for index, images in loaded:
        yield Batch(images, *_tell(table, index, labels.labels))


def _companions(companion: Companion, schedule: Schedule, seed: Seed, processes: Processes) -> Iterator[Batch]:
    """Batches of the second domain without end: P x K where labels are known, shuffled where not."""
    table, known = companion.table, companion.labels
    draw = "shuffle" if known is None else "identity"
    labels = np.zeros(len(table), np.int64) if known is None else known
    rows = _own(chain.from_iterable(_passes(labels, table.camera, draw, schedule, (*seed, "draw"), processes.count)), processes)
    views = [make_view(companion.view, schedule.size)]
    for index, images in iterate_batches(table, rows, views, seed=(*seed, "images"), workers=0, part=processes.rank):
        yield Batch(images, *_tell(table, index, labels if known is not None else labels - 1))


def _own(batches: Iterable[np.ndarray], processes: Processes) -> Iterator[np.ndarray]:
    """Of each batch, the part of this process."""
    return (rows[slice(*processes.rows(len(rows)))] for rows in batches)


def _passes(
    labels: np.ndarray, cameras: np.ndarray, draw: str, schedule: Schedule, seed: Seed, parts: int
) -> Iterator[Iterator[np.ndarray]]:
    """One pass of the sampler after another, each with its own generator; P is a multiple of `parts`."""
    clusters = len(np.unique(labels[labels >= 0]))
    identities = min(schedule.identities, clusters) if draw != "shuffle" else schedule.identities
    identities -= identities % parts
    if identities < schedule.identities:
        why = f"{clusters} clusters, {parts} process{'es' if parts > 1 else ''}"
        log.warning("%d identities a batch instead of %d: %s.", identities, schedule.identities, why)
    for turn in count():
        generator = np.random.default_rng(derive_seed(*seed, turn))
        yield sampler(draw, labels, cameras, identities=identities, instances=schedule.instances, generator=generator)


def _tell(table: ImageTable, rows: np.ndarray, labels: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Index, label and camera of some rows."""
    return torch.from_numpy(rows), torch.from_numpy(labels[rows]).long(), torch.from_numpy(table.camera[rows])
