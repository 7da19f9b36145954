"""The first half of an epoch: features of the training images, and the labels that a method makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reidkit.capsule import CapsuleWriter
from reidkit.compute import Compute, Processes
from reidkit.errors import TrainingError
from reidkit.features import Features, extract
from reidkit.labels import PseudoLabels
from reidkit.method import Method
from reidkit.records import ImageTable
from reidkit.training.draw import Companion
from reidkit.training.schedule import Schedule


@dataclass(frozen=True)
class Labeller:
    """How a run extracts features and stores what was clustered."""

    schedule: Schedule
    compute: Compute
    capsule: CapsuleWriter
    progress: bool
    processes: Processes

    def label(self, method: Method, table: ImageTable, companion: Companion | None, epoch: int, *, keep: bool) -> PseudoLabels:
        """Labels of one epoch; with `keep`, the features and the graph go to the capsule.

        Several processes extract a part of the features each, and then all make the same labels of all of them.

        Raises:
            TrainingError: they did not.
        """
        anew = method.relabels(epoch)
        features = self.extract(method, table) if anew else Features(np.empty((len(table), 0), np.float32), table)
        second = self.extract(method, companion.table) if anew and companion and method.companion_features else None
        labels = method.prepare_epoch(features, epoch, second)
        self.refuse_disagreement(labels, epoch)
        self.processes.align(self.compute.place(method))
        if anew and keep:
            self.capsule.add_features(epoch, features.matrix)
            if labels.graph is not None:
                self.capsule.add_graph(epoch, labels.graph.matrix)
        return labels

    def extract(self, method: Method, table: ImageTable) -> Features:
        """What `Method.embed` makes of the images, without augmentation."""
        shared = self.processes.count > 1
        part = extract(
            method.embed,
            table.take(np.arange(*self.processes.rows(len(table)))) if shared else table,
            size=self.schedule.size,
            batch=self.schedule.extraction_batch,
            parts=method.parts,
            flip=method.flip,
            device=self.compute.torch_device,
            precision=self.compute.precision,
            progress=self.progress,
            workers=self.schedule.workers,
        )
        return Features(self.processes.joined(part.matrix), table, part.parts, part.precision) if shared else part

    def refuse_disagreement(self, labels: PseudoLabels, epoch: int) -> None:
        """Processes that train on different labels would not be one run."""
        if not self.processes.agree(labels.labels):
            raise TrainingError(
                f"The processes made different labels at epoch {epoch}.",
                rule="All of them make the same labels of the same features.",
                action="Run them on machines of one kind with the same versions, or in one process.",
            )
