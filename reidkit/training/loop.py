"""The one epoch loop: label, train, judge, store. It never asks which method it runs."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tqdm.auto import tqdm

from reidkit.capsule import Capsule, CapsuleWriter, Unwritten
from reidkit.compute import Compute, Processes, seed_everything
from reidkit.method import Batch, Method
from reidkit.records import ImageTable, Records
from reidkit.training.checkpoint import CHECKPOINTS, load_checkpoint, save_checkpoint
from reidkit.training.draw import Companion, draw_batches
from reidkit.training.guards import check_loss, collapse
from reidkit.training.judge import Judge
from reidkit.training.labelling import Labeller
from reidkit.training.optimisers import Optimisers, players_of, ready_optimisers, restore_optimisers, take_step
from reidkit.training.provenance import describe_run
from reidkit.training.schedule import Schedule
from reidkit.training.together import LossRow, mean_values, whole

log = logging.getLogger(__name__)


@dataclass
class Loop:
    """One training of `method` on `table`, stored in `folder`; the arguments are those of `reidkit.training.fit`."""

    method: Method
    table: ImageTable
    schedule: Schedule
    folder: Path
    seed: int = 0
    judge: Judge | None = None
    companion: Companion | None = None
    compute: Compute = field(default_factory=Compute)
    progress: bool = True
    processes: Processes = field(default_factory=Processes)
    idle: int = 0
    optimisers: Optimisers = field(default_factory=dict)

    def go(self, allow: tuple[str, ...] = ()) -> Capsule:
        """Resume where a begun run stopped, then every epoch that is left."""
        settings = describe_run(self.method, self.table, self.schedule, self.seed, self.companion, self.processes)
        self.seen = self.table.blind() if isinstance(self.table, Records) else self.table
        self.compute.place(self.method)
        first = self.resume(settings, allow)
        self.processes.align(self.method)
        writer = CapsuleWriter if self.processes.first else Unwritten
        self.capsule = writer.create(self.folder, self.table.frame, {**settings, "stopped": ""})
        self.capsule.forget_after(first)
        self.labeller = Labeller(self.schedule, self.compute, self.capsule, self.progress, self.processes)
        for epoch in tqdm(range(first, self.schedule.epochs), "epochs", disable=not self.progress, leave=False):
            if reason := self.reason_to_stop(epoch):
                self.capsule.note(stopped=reason)
                log.warning("%s: %s", self.folder, reason)
                break
            seed_everything(self.seed, "epoch", epoch)
            self.epoch(epoch)
            if self.processes.first:
                checkpoints = self.folder / CHECKPOINTS
                save_checkpoint(checkpoints, self.method, self.optimisers, epoch=epoch, idle=self.idle, settings=settings)
        self.processes.wait()
        return Capsule.open(self.folder)

    def reason_to_stop(self, epoch: int) -> str:
        """Why `epoch` and those after it are not begun; an empty string when they are."""
        if self.idle >= self.schedule.idle_epochs:
            return f"{self.idle} epochs in a row, the last of them {epoch - 1}, had no usable cluster"
        return self.method.finished(epoch)

    def resume(self, settings: dict[str, object], allow: tuple[str, ...]) -> int:
        """Load the newest sound checkpoint; returns the first epoch that is still to do."""
        stored = load_checkpoint(self.folder / CHECKPOINTS, self.method, settings=settings, allow=allow)
        if stored is None:
            return 0
        self.idle = stored.idle
        self.optimisers = restore_optimisers(self.method, self.schedule, stored.optimisers)
        log.info("%s: resumed after epoch %d.", self.folder, stored.epoch)
        return stored.epoch + 1

    def epoch(self, epoch: int) -> None:
        """Label, train, judge."""
        last = epoch == self.schedule.epochs - 1
        keep = last or epoch % self.schedule.keep_every == 0
        labels = self.labeller.label(self.method, self.seen, self.companion, epoch, keep=keep)
        trouble = collapse(labels, self.processes.count)
        self.capsule.add_labels(labels.labels, {"epoch": epoch, **labels.history, "note": trouble})
        self.idle = self.idle + 1 if trouble else 0
        if trouble:
            log.warning("Epoch %d trains nothing: %s.", epoch, trouble)
        else:
            self.optimisers = ready_optimisers(self.method, self.schedule, epoch, self.optimisers)
            drawn = self.method, self.seen, labels, self.schedule, self.seed, epoch, self.companion, self.processes
            self.train(epoch, draw_batches(*drawn))
        if self.judge and self.processes.first and (last or epoch % self.schedule.judge_every == 0):
            self.capsule.add_scores(epoch, self.judge(self.method))

    def train(self, epoch: int, batches: Iterable[Batch]) -> None:
        """One pass over the batches of an epoch."""
        self.method.train()
        rows: list[LossRow] = []
        bar = tqdm(batches, f"epoch {epoch}", self.schedule.steps, disable=not self.progress, leave=False)
        for step, batch in enumerate(bar):
            batch = batch.to(self.compute.torch_device)
            for player, loss in players_of(self.method, batch, self.compute):
                check_loss(loss, batch, self.seen, epoch=epoch, step=step, folder=self.folder)
                take_step([self.optimisers[name] for name in player.split("+")], loss, self.processes)
                rows += [(epoch, step, player, name, weight, float(value)) for name, (weight, value) in loss.terms.items()]
            self.method.after_step(*whole(batch, loss, self.processes))
        self.processes.align(self.method)
        self.capsule.add_losses(mean_values(rows, self.processes))
