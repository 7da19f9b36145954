"""When a progressive run stopped getting better: one row a step, and the step that counts as converged."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from reidkit.capsule import Capsule
from reidkit.errors import DiagnosisError

NEAR = 0.001


def progressive_steps(run: Capsule) -> pd.DataFrame:
    """One row a step of Learn by Guessing.

    Columns: ``epoch`` (its first), ``clusters``, ``portion`` of images kept (0..1), ``agreement`` with the step before
    (adjusted Rand index, NaN at first), and of its last judged epoch ``mean_ap`` (0..1, NaN when there is none).

    Raises:
        DiagnosisError: when the run has no steps.
    """
    begun = [entry for entry in run.history if entry.get("step") == "begins"]
    if not begun:
        what, rule = f"{run.folder} has no steps.", "A progressive run says in its history where a step begins."
        raise DiagnosisError(what, rule=rule, action="Open a run of LearnByGuessing.")
    first = [int(entry["epoch"]) for entry in begun]
    scores, last = run.scores, [*first[1:], run.epochs]
    rows = []
    for entry, start, stop in zip(begun, first, last, strict=True):
        judged = scores[(scores["epoch"] >= start) & (scores["epoch"] < stop)]["mean_ap"].to_numpy() if len(scores) else []
        row = {"epoch": start, "clusters": int(run.labels[start].max()) + 1, "portion": float(entry["portion"])}
        row |= {"agreement": float(entry.get("agreement", np.nan))}
        rows.append(row | {"mean_ap": float(judged[-1]) if len(judged) else float("nan")})
    return pd.DataFrame(rows)


def peak_step(mean_ap: ArrayLike, near: float = NEAR) -> int:
    """0-based index of the first step whose mAP is within `near` of the run's maximum; steps without a score do not count.

    The arrow in figure 2 of "Learn by Guessing" (2022) marks such a step; how it was found is not printed. The tolerance
    of 0.1 points is ours, and the score is that of the test, which a run without labels cannot know.

    Raises:
        DiagnosisError: when no step has a score.
    """
    scores = np.asarray(mean_ap, dtype=np.float64)
    if scores.ndim != 1 or not np.isfinite(scores).any():
        raise DiagnosisError(f"Scores {scores}.", rule="One mAP a step, at least one of them finite.", action="Judge the run.")
    return int(np.flatnonzero(np.nan_to_num(scores, nan=-np.inf) >= np.nanmax(scores) - near)[0])
