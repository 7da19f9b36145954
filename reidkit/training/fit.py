"""`fit`: train a method, or go on with a run that was begun."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from reidkit.capsule import Capsule
from reidkit.compute import Compute
from reidkit.errors import TrainingError
from reidkit.method import Method
from reidkit.records import ImageTable
from reidkit.training.draw import Companion
from reidkit.training.judge import Judge
from reidkit.training.loop import Loop
from reidkit.training.schedule import Schedule


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
        judge: scores the method after an epoch (`reidkit.training.judge_on`); stored, never read.
        companion: a second domain whose images each step sees as well.
        allow: names of settings that may differ from those the begun run was started with.

    Raises:
        TrainingError: another process trains in `out`; the begun run had other settings; a loss is not finite.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            return Loop(method, table, schedule, folder, seed, judge, companion, compute or Compute(), progress).go(allow)
    except Timeout as error:
        what, rule = f"{folder} is in use by another run.", "One process trains in a folder at a time."
        raise TrainingError(what, rule=rule, action="Wait for it, or use another folder.") from error
