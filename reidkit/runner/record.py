"""The record of a notebook's run: what ran, on what, with which values, how it ended and which figures came out."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from reidkit.environment import git_commit, installed_versions
from reidkit.runner.child import CELL_RAISED, KERNEL_DIED
from reidkit.runner.plan import Limits
from reidkit.runner.processes import Ended
from reidkit.runner.scan import Reading
from reidkit.storage import sha256

SCHEMA = 1
VERDICTS = ("passed", "failed", "swallowed", "timeout", "died", "interrupted")
EXIT_CODES = {"interrupted": 130, "died": 138, "timeout": 124, "failed": 1, "swallowed": 1, "passed": 0}  # worst first


@dataclass(frozen=True)
class Judgement:
    """A verdict of `VERDICTS`, and why in one sentence ("" when it passed)."""

    verdict: str
    reason: str = ""


def judge(ended: Ended, reading: Reading, limits: Limits) -> Judgement:
    """How a notebook's run ended; the first of these that holds."""
    place = _place(reading)
    if ended.stopped == "interrupted":
        return Judgement("interrupted", f"stopped from outside{place}")
    if ended.stopped == "timeout":
        return Judgement("timeout", f"over its limit of {limits.seconds:g} s{place}")
    if ended.status == KERNEL_DIED or (ended.status is not None and ended.status < 0):
        return Judgement("died", f"the kernel died{place}; killed from outside, or out of memory")
    if ended.status == CELL_RAISED or reading.error is not None:
        return Judgement("failed", str(reading.error or "a cell raised"))
    if ended.status:
        return Judgement("failed", "papermill failed: " + (ended.log.strip().splitlines() or ["it said nothing"])[-1])
    if reading.unfinished:
        return Judgement("failed", f"it ended before its last cell: cell {reading.unfinished[0]} never ran (sys.exit?)")
    if reading.swallowed:
        return Judgement("swallowed", "; ".join(str(finding) for finding in reading.swallowed[:3]))
    return Judgement("passed")


def make_record(
    ended: Ended, reading: Reading, judgement: Judgement, profile: str, limits: Limits, warnings: list[str]
) -> dict[str, Any]:
    """The content of ``record.json``; ``docs/runner.md`` explains each field."""
    job = ended.job
    return {
        "schema": SCHEMA,
        "notebook": job.notebook.name,
        "source_sha256": sha256(job.notebook),
        "profile": profile,
        "parameters": {name: value for name, value in job.values.items() if name != "out"},
        "seed": job.values.get("seed"),
        "verdict": judgement.verdict,
        "reason": judgement.reason,
        "swallowed": [vars(finding) for finding in reading.swallowed],
        "warnings": warnings,
        "metrics": list(reading.metrics),
        "started": datetime.fromtimestamp(ended.started, UTC).isoformat(timespec="seconds"),
        "seconds": round(ended.seconds, 2),
        "cells": list(reading.cells),
        "device": reading.kernel.get("device"),
        "peak_memory_mib": reading.kernel.get("peak_memory_mib"),
        "threads": limits.threads,
    } | describe_machine(job.notebook.parent)


@cache
def describe_machine(folder: Path) -> dict[str, Any]:
    """Commit, versions and platform: the same for all notebooks of a run."""
    return {
        "git": git_commit(folder),
        "versions": installed_versions(),
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
    }


def _place(reading: Reading) -> str:
    """`` in cell 7 (`train(...)`)``: the last cell that was begun."""
    begun = [cell for cell in reading.cells if cell["status"] != "pending"]
    return f" in cell {begun[-1]['cell']} (`{begun[-1]['first']}`)" if begun else " before its first cell"
