"""The one epoch loop: label, train, judge, store. It never asks which method it runs."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from tqdm.auto import tqdm

from reidkit.capsule import Capsule, CapsuleWriter
from reidkit.compute import Compute, seed_everything
from reidkit.errors import TrainingError
from reidkit.features import Features, extract
from reidkit.labels import PseudoLabels
from reidkit.method import Batch, Loss, Method
from reidkit.records import ImageTable, Records
from reidkit.training.checkpoint import CHECKPOINTS, load_checkpoint, save_checkpoint
from reidkit.training.draw import Companion, draw_batches
from reidkit.training.guards import check_loss, collapse
from reidkit.training.judge import Judge
from reidkit.training.optimisers import Optimisers, ready_optimisers, restore_optimisers, take_step
from reidkit.training.provenance import describe_run
from reidkit.training.schedule import Schedule

log = logging.getLogger(__name__)


@dataclass
class Run:
    """One training of `method` on `table`, stored in `folder`; the arguments are those of `fit`."""

    method: Method
    table: ImageTable
    schedule: Schedule
    folder: Path
    seed: int = 0
    judge: Judge | None = None
    companion: Companion | None = None
    compute: Compute = field(default_factory=Compute)
    progress: bool = True
    idle: int = 0
    optimisers: Optimisers = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings = describe_run(self.method, self.table, self.schedule, self.seed, self.companion)
        self.seen: ImageTable = self.table.blind() if isinstance(self.table, Records) else self.table
        self.compute.place(self.method)

    def go(self, allow: tuple[str, ...] = ()) -> Capsule:
        """Resume where a begun run stopped, then every epoch that is left."""
        first = self.resume(allow)
        self.capsule = CapsuleWriter.create(self.folder, self.table.frame, {**self.settings, "stopped": ""})
        self.capsule.forget_after(first)
        for epoch in tqdm(range(first, self.schedule.epochs), "epochs", disable=not self.progress, leave=False):
            if self.idle >= self.schedule.idle_epochs:
                self.capsule.note(stopped=f"{self.idle} epochs in a row, the last of them {epoch - 1}, had no usable cluster")
                log.warning("%s: %s", self.folder, self.capsule.meta["stopped"])
                break
            seed_everything(self.seed, "epoch", epoch)
            self.epoch(epoch)
            save_checkpoint(
                self.folder / CHECKPOINTS, self.method, self.optimisers, epoch=epoch, idle=self.idle, settings=self.settings
            )
        return Capsule.open(self.folder)

    def resume(self, allow: tuple[str, ...]) -> int:
        """Load the newest sound checkpoint; returns the first epoch that is still to do."""
        stored = load_checkpoint(self.folder / CHECKPOINTS, self.method, settings=self.settings, allow=allow)
        if stored is None:
            return 0
        self.idle = stored.idle
        self.optimisers = restore_optimisers(self.method, self.schedule, stored.optimisers)
        log.info("%s: resumed after epoch %d.", self.folder, stored.epoch)
        return stored.epoch + 1

    def epoch(self, epoch: int) -> None:
        """Label, train, judge."""
        last = epoch == self.schedule.epochs - 1
        labels = self.label(epoch, keep=last or epoch % self.schedule.keep_every == 0)
        trouble = collapse(labels)
        self.capsule.add_labels(labels.labels, {"epoch": epoch, **labels.history, "note": trouble})
        self.idle = self.idle + 1 if trouble else 0
        if trouble:
            log.warning("Epoch %d trains nothing: %s.", epoch, trouble)
        else:
            self.optimisers = ready_optimisers(self.method, self.schedule, epoch, self.optimisers)
            self.train(epoch, draw_batches(self.method, self.seen, labels, self.schedule, self.seed, epoch, self.companion))
        if self.judge and (last or epoch % self.schedule.judge_every == 0):
            self.capsule.add_scores(epoch, self.judge(self.method))

    def label(self, epoch: int, *, keep: bool) -> PseudoLabels:
        """Extract features when the method clusters, let it make labels, and store what was clustered."""
        features = self.extract(self.seen) if self.method.clusters else Features(np.empty((len(self.seen), 0), np.float32), self.seen)
        second = self.extract(self.companion.table) if self.companion and self.method.companion_features else None
        labels = self.method.prepare_epoch(features, epoch, second)
        self.compute.place(self.method)
        if keep and self.method.clusters:
            self.capsule.add_features(epoch, features.matrix)
            if labels.graph is not None:
                self.capsule.add_graph(epoch, labels.graph.matrix)
        return labels

    def extract(self, table: ImageTable) -> Features:
        """What `Method.embed` makes of the images, without augmentation."""
        return extract(
            self.method.embed,
            table,
            size=self.schedule.size,
            batch=self.schedule.extraction_batch,
            parts=self.method.parts,
            flip=self.method.flip,
            device=self.compute.torch_device,
            precision=self.compute.precision,
            progress=self.progress,
            workers=self.schedule.workers,
        )

    def train(self, epoch: int, batches: Iterable[Batch]) -> None:
        """One pass over the batches of an epoch."""
        self.method.train()
        rows: list[tuple[int, int, str, str, float, float]] = []
        for step, batch in enumerate(
            tqdm(batches, f"epoch {epoch}", self.schedule.steps, disable=not self.progress, leave=False)
        ):
            batch = batch.to(self.compute.torch_device)
            losses: list[Loss] = []
            for player, loss in self.players(batch):
                check_loss(loss, batch, self.seen, epoch=epoch, step=step, folder=self.folder)
                take_step([self.optimisers[name] for name in player.split("+")], loss)
                rows += [(epoch, step, player, name, weight, float(value)) for name, (weight, value) in loss.terms.items()]
                losses.append(loss)
            self.method.after_step(batch, losses[-1])
        self.capsule.add_losses(rows)

    def players(self, batch: Batch) -> Iterator[tuple[str, Loss]]:
        """The method's steps, each forward pass in the precision that was asked for."""
        steps = self.method.steps(batch)
        while True:
            with self.compute.autocast():
                pair = next(steps, None)
            if pair is None:
                return
            yield pair


def fit(
    method: Method,
    table: ImageTable,
    *,
    schedule: Schedule,
    out: str | Path,
    seed: int = 0,
    judge: Judge | None = None,
    companion: Companion | None = None,
    compute: Compute | None = None,
    allow: tuple[str, ...] = (),
    progress: bool = True,
) -> Capsule:
    """Train `method` in place on `table` and store the run in `out`; a folder that holds a begun run is gone on with.

    Args:
        method: any `Method`.
        table: the training images. Identities, when there are any, go to the capsule for diagnosis and nowhere else.
        schedule: epochs, batches and rates.
        judge: scores `Method.embed` after an epoch (`reidkit.training.judge`); stored, never read.
        companion: a second domain whose images each step sees as well.
        allow: names of settings that may differ from those the begun run was started with.

    Raises:
        TrainingError: another process trains in `out`; the begun run had other settings; a loss is not finite.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            return Run(method, table, schedule, folder, seed, judge, companion, compute or Compute(), progress).go(allow)
    except Timeout as error:
        rule = "One process trains in a folder at a time."
        raise TrainingError(
            f"{folder} is in use by another run.", rule=rule, action="Wait for it, or use another folder."
        ) from error
