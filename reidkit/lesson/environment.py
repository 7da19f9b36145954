"""What a notebook runs on: seeds, threads, and three lines that belong into every report of a problem."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version


def prepare(seed: int, lesson: str) -> None:
    """Seed everything and let each library use as many threads as this process was given."""
    import matplotlib as mpl
    import torch

    from reidkit.compute import seed_everything, threads

    seed_everything(seed, "lesson", lesson)
    torch.set_num_threads(threads())
    mpl.rcParams.update({"figure.constrained_layout.use": True, "axes.spines.top": False, "axes.spines.right": False})


def environment_lines(profile: str, seed: int) -> list[str]:
    """Three lines: versions, machine, settings."""
    import torch

    from reidkit.compute import threads

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    packages = " · ".join(f"{name} {_version(name)}" for name in ("reidkit", "torch", "numpy", "scikit-learn"))
    return [
        f"Python {platform.python_version()} on {sys.platform} · {packages}",
        f"{os.cpu_count()} cores, {threads()} thread(s) for this notebook · {gpu}",
        f"profile {profile} · seed {seed}",
    ]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(from source)"
