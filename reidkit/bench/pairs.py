"""Numbers of runs on pairs of worlds that are kept: what calibration, gauges and the claims share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from reidkit import stages
from reidkit.method import Method
from reidkit.records import Records
from reidkit.storage import write_json
from reidkit.training import judge_on
from reidkit.world import make_world
from reidkit.world.settings import resolve


def kept_numbers(kind: str, made_from: dict[str, Any], measure: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """What `measure` returns, from the cache of stages when it was measured before.

    `measure` gets a folder that survives a kill, so that a training goes on there.
    """
    folder = stages.stage(kind, made_from, lambda folder: write_json(folder / "numbers.json", measure(folder)))
    return json.loads((folder / "numbers.json").read_text(encoding="utf-8"))


def judged(profile: str, preset: str, method: Method, seed: int) -> dict[str, float]:
    """Scores of a network on world `seed` of a preset, 0..1."""
    world = stages.shared_world(profile, preset, seed)
    return judge_on(world, size=stages.profile(profile).size)(method)


def rendered(profile: str, preset: str, seed: int, **dials: float | int) -> Records:
    """The training side of a preset's world at the profile's size, in memory, with settings of it changed."""
    wanted = stages.profile(profile)
    height, width = wanted.size
    settings = replace(resolve(preset, wanted.world), height=height, width=width, test_identities=0)
    return make_world(replace(settings, **dials), seed).train  # type: ignore[arg-type]


def finite(values: Iterable[float]) -> list[float | None]:
    """Numbers for a record: what is not finite becomes None."""
    return [float(value) if value == value and abs(value) != float("inf") else None for value in values]
