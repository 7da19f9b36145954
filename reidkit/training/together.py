"""What several processes make of their parts of a batch, so that all of them go on alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reidkit.compute import Processes
from reidkit.method import Batch, Loss

LossRow = tuple[int, int, str, str, float, float]


def whole(batch: Batch, loss: Loss, processes: Processes) -> tuple[Batch, Loss]:
    """The batch and the kept tensors of all processes, for `Method.after_step`; images stay where they are."""
    if processes.count == 1:
        return batch, loss
    return _joined(batch, processes), replace(loss, keep={name: processes.whole(kept) for name, kept in loss.keep.items()})


def mean_values(rows: list[LossRow], processes: Processes) -> list[LossRow]:
    """The rows of one epoch, each with the mean of its value over the processes."""
    values = processes.mean(np.array([row[-1] for row in rows]))
    return [(*row[:-1], float(value)) for row, value in zip(rows, values, strict=True)]


def _joined(batch: Batch, processes: Processes) -> Batch:
    """Index, label and camera of the whole batch, and of those that came with it."""
    companion = _joined(batch.companion, processes) if batch.companion is not None else None
    others = tuple(_joined(other, processes) for other in batch.others)
    told = {name: processes.whole(getattr(batch, name)) for name in ("index", "label", "camera")}
    return replace(batch, views=(), companion=companion, others=others, **told)
