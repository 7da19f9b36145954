"""`fit`: train a method, or go on with a run that was begun."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from pathlib import Path

from filelock import Timeout

from reidkit.capsule import Capsule
from reidkit.compute import Compute, memory_for
from reidkit.errors import TrainingError
from reidkit.method import Method
from reidkit.records import ImageTable
from reidkit.storage import lock
from reidkit.training.draw import Companion
from reidkit.training.guards import check_shares
from reidkit.training.judge import Judge
from reidkit.training.loop import Loop
from reidkit.training.schedule import Schedule

log = logging.getLogger(__name__)
LESS_MEMORY = "Lower the schedule's identities, instances or size, or train with Compute(precision='bf16')."


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

    Processes that torchrun started train together: every one makes this call. Each batch is cut into as many parts of
    P / n identities; a step follows the mean of the parts' gradients, so a loss compares images within a part only, and
    batch norm sees one part at a time. Its running statistics are those of the first process, which alone judges and
    writes. `out` must be a folder that all of them see.

    Args:
        method: any `Method`.
        table: the training images. Identities, when there are any, go to the capsule for diagnosis and nowhere else.
        schedule: epochs, batches and rates.
        judge: scores the method after an epoch (`reidkit.training.judge_on`); stored, never read.
        companion: a second domain whose images each step sees as well.
        allow: names of settings that may differ from those the begun run was started with.

    Raises:
        TrainingError: another run trains in `out`; the begun run had other settings; a loss is not finite; a batch has
            fewer than two identities for each process.
        StorageError: `out` cannot be written to.
        ReidkitError: a batch does not fit into memory.
    """
    folder, compute = Path(out), compute or Compute()
    processes = compute.join()
    check_shares(schedule.identities, processes.count)
    alone = lock(folder / ".lock", wait=False) if processes.first else nullcontext()
    try:
        with alone, memory_for(f"the run in {folder}", less=LESS_MEMORY):
            processes.wait()
            shown = progress and processes.first
            return Loop(method, table, schedule, folder, seed, judge, companion, compute, shown, processes).go(allow)
    except Timeout as error:
        what, rule = f"{folder} is in use by another run.", "One run trains in a folder at a time."
        raise TrainingError(what, rule=rule, action="Wait for it, or use another folder.") from error
    except KeyboardInterrupt:
        log.warning("%s: interrupted; the same call goes on after its last whole epoch.", folder)
        raise
