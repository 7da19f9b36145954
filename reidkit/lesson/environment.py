"""What a notebook runs on: seeds, threads, and three lines that belong into every report of a problem."""

from __future__ import annotations

import platform
import sys

from reidkit import __version__
from reidkit.environment import installed_version, usable_cores


def prepare(seed: int, lesson: str) -> None:
    """Seed everything and let each library use as many threads as this process was given."""
    import torch

    from reidkit.compute import seed_everything, threads

    seed_everything(seed, "lesson", lesson)
    torch.set_num_threads(threads())


def environment_lines(profile: str, seed: int) -> list[str]:
    """Three lines: versions, machine, settings."""
    import torch

    from reidkit.compute import threads

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    packages = " · ".join(f"{name} {installed_version(name)}" for name in ("torch", "numpy", "scikit-learn"))
    return [
        f"Python {platform.python_version()} on {sys.platform} · reidkit {__version__} · {packages}",
        f"{usable_cores()} cores, {threads()} thread(s) for this notebook · {gpu}",
        f"profile {profile} · seed {seed}",
    ]
