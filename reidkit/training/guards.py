"""What stops a run that has gone wrong, before it overwrites what was good."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from reidkit.errors import TrainingError
from reidkit.labels import PseudoLabels
from reidkit.method import Batch, Loss
from reidkit.records import ImageTable
from reidkit.storage import write_json


def check_loss(loss: Loss, batch: Batch, table: ImageTable, *, epoch: int, step: int, folder: Path) -> None:
    """Stop at the first loss that is not a number, and leave a note of what met in that batch.

    Raises:
        TrainingError: naming the step and the file ``crash.json`` with terms and paths; no checkpoint is touched.
    """
    if bool(loss.total.isfinite()):
        return
    terms = {name: float(value) for name, (_, value) in loss.terms.items()}
    paths = [table.frame["path"].iat[int(row)] for row in batch.index]
    bundle = {"epoch": epoch, "step": step, "terms": terms, "paths": paths, "largest_pixel": float(batch.views[0].abs().max())}
    note = write_json(folder / "crash.json", bundle)
    raise TrainingError(
        f"The loss is {float(loss.total.detach())} at epoch {epoch}, step {step}: "
        + ", ".join(f"{name}={value:.4g}" for name, value in terms.items()),
        rule="A loss is a finite number.",
        action=f"Look at {note}; lower the learning rate, or resume from the last epoch, which is untouched.",
    )


def check_shares(identities: int, processes: int) -> None:
    """Stop before a run whose batches cannot be shared: a loss compares identities, so each process needs two.

    Raises:
        TrainingError: P identities a batch are fewer than two a process.
    """
    if processes > 1 and identities < 2 * processes:
        raise TrainingError(
            f"{identities} identities a batch for {processes} processes.",
            rule="Each process compares at least two identities.",
            action=f"Start at most {max(1, identities // 2)} of them, or raise Schedule.identities.",
        )


def collapse(labels: PseudoLabels, processes: int = 1) -> str:
    """One sentence when there is nothing to learn from these labels, else an empty string."""
    kept = labels.kept
    clusters = min(len(np.unique(view[kept])) for view in labels.labels.reshape(len(labels), -1).T)
    hint = "raise eps" if labels.history.get("eps") is not None else "look at the features"
    if clusters == 0:
        return f"no cluster: all {len(kept)} images are outliers ({hint}, see the distances to the 4th neighbour)"
    if clusters == 1:
        return f"one cluster holds all {int(kept.sum())} images that were kept (lower eps)"
    if processes > 1 and clusters < 2 * processes:
        return f"{clusters} clusters for {processes} processes, of which each needs two (train in fewer processes)"
    return ""
