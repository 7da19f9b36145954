"""What a run was made from: settings, data and versions, as plain values that can be compared."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import torch

from reidkit import __version__
from reidkit.compute import Processes
from reidkit.method import Method
from reidkit.records import ImageTable
from reidkit.storage import fingerprint
from reidkit.training.draw import Companion
from reidkit.training.schedule import Schedule


def describe_run(
    method: Method, table: ImageTable, schedule: Schedule, seed: int, companion: Companion | None, processes: Processes
) -> dict[str, Any]:
    """Everything that two runs must share for one to go on where the other stopped.

    The number of processes is among it when there are several: it says how a batch was cut.
    """
    run = {
        "method": type(method).__name__,
        "paper": method.paper,
        "recipe": dataclasses.asdict(method.recipe),
        "schedule": dataclasses.asdict(schedule),
        "seed": seed,
        "data": {"name": table.name, "images": len(table), "fingerprint": fingerprint_images(table)},
        "companion": fingerprint_images(companion.table) if companion else None,
        "parameters": sum(p.numel() for name, p in method.named_parameters() if "classifier" not in name),
        "versions": {"reidkit": __version__, "torch": torch.__version__.split("+")[0], "numpy": np.__version__},
    }
    if processes.count > 1:
        run["processes"] = processes.count
    plain: dict[str, Any] = json.loads(json.dumps(run))
    return plain


def fingerprint_images(table: ImageTable) -> str:
    """A hash of paths, cameras and, for pictures in memory, a sample of their pixels; identities do not enter."""
    sample = table.pixels[:: max(1, len(table) // 64)].tobytes().hex()[:4096] if table.pixels is not None else ""
    return fingerprint([list(table.frame["path"]), table.camera.tolist(), sample])
