"""The synthetic camera network: people, cameras, ways, pictures, and the cause of every error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import torch
from tqdm.auto import tqdm

from reidkit.compute import Compute, threads
from reidkit.errors import ReidkitError
from reidkit.records import Records
from reidkit.threads import can_fork, in_forks
from reidkit.world.batches import take_pictures
from reidkit.world.cameras import Camera, make_cameras
from reidkit.world.network import Cast, draw_cast, plan
from reidkit.world.settings import DIALS, PRESETS, SIZES, WorldSettings, resolve
from reidkit.world.stage import Shot, shots_of, take_some
from reidkit.world.truth import KINDS, PART_CODES, truth
from reidkit.world.writer import in_memory, to_folder

TOGETHER, AT_ONCE = 4, 64  # pictures whose bodies are rendered together; such groups that wait in threads
MANY = 256  # pictures from which forks are worth their start

__all__ = ["DIALS", "KINDS", "PART_CODES", "PRESETS", "SIZES", "WorldSettings", "make_world", "truth"]


def make_world(
    world: str | WorldSettings,
    seed: int,
    out: str | os.PathLike[str] | None = None,
    *,
    size: str | None = None,
    device: str = "cpu",
    progress: bool = False,
) -> Records:
    """Make a camera network with people in it.

    The same settings and seed give the same bytes on the same kind of device, in any process and with any number of workers;
    pictures in memory are what a reader would decode from the folder. Many pictures on a CPU are shared out among forks of this
    process (on Linux), one for each usable core.

    Args:
        world: name of a preset (`PRESETS`) or settings.
        seed: 0 or more.
        out: new folder for the Market-1501 layout with ``world.parquet``; None keeps the pictures in memory.
        size: ``"XS"``, ``"S"``, ``"M"`` or ``"L"``: about 150, 1,200, 12,000 or 32,000 training images.
        device: ``"cpu"``, each picture as if alone; ``"cuda"``, batches on a GPU, which rounds otherwise;
            ``"auto"``, a GPU when there is one.
        progress: show a bar.

    Returns:
        Records with every nuisance as a column; uint8 pixels (N, height, width, 3) when `out` is None.

    Raises:
        ReidkitError: unknown preset, size or device, a dial out of range, or a negative seed.
        FormatError: `out` holds something already.
    """
    settings = resolve(world, size)
    if seed < 0:
        raise ReidkitError(f"seed={seed}.", rule="A seed is 0 or more.", action="Choose another.")
    cast = draw_cast(settings, seed)
    cameras = make_cameras(settings, seed)
    frame = plan(settings, seed, cast, cameras)
    place = Compute(device).torch_device
    pictures = _pictures(shots_of(frame, settings, seed), cast, cameras, settings, place, progress)
    kept = frame.drop(columns="offset")
    if out is None:
        return in_memory(kept, pictures, settings.name, (settings.height, settings.width))
    return to_folder(kept, pictures, settings.name, Path(out), settings.to_dict() | {"seed": seed, "device": place.type})


def _pictures(
    shots: list[Shot], cast: Cast, cameras: list[Camera], settings: WorldSettings, device: torch.device, progress: bool
) -> Iterator[tuple[bytes, float, float]]:
    """Pictures in the order of `shots`. On a CPU each is what it would be alone, so workers change nothing but the time."""
    if device.type == "cpu":
        taken = _on_the_cpu(shots, cast, cameras, settings)
    else:
        taken = _on_a_device(shots, cast, cameras, settings, device)
    yield from tqdm(taken, total=len(shots), desc=f"world {settings.name}", disable=not progress, unit="image")


def _on_the_cpu(
    shots: list[Shot], cast: Cast, cameras: list[Camera], settings: WorldSettings
) -> Iterator[tuple[bytes, float, float]]:
    """A few pictures at a time: in forks when there are many, for Python holds its threads up, else in threads."""

    def take(first: int) -> list[tuple[bytes, float, float]]:
        some = shots[first : first + TOGETHER]
        return take_some(some, cast, [cameras[shot.camera - 1] for shot in some], settings)

    starts, workers = range(0, len(shots), TOGETHER), max(1, threads())
    with _one_thread_each():
        if workers > 1 and len(shots) >= MANY and can_fork():
            yield from chain.from_iterable(in_forks(take, starts, workers))
            return
        with ThreadPoolExecutor(workers) as pool:
            for first in range(0, len(starts), AT_ONCE):
                yield from chain.from_iterable(pool.map(take, starts[first : first + AT_ONCE]))


def _on_a_device(
    shots: list[Shot], cast: Cast, cameras: list[Camera], settings: WorldSettings, device: torch.device
) -> Iterator[tuple[bytes, float, float]]:
    with _one_thread_each(), ThreadPoolExecutor(max(1, threads())) as pool:
        yield from take_pictures(shots, cast, cameras, settings, device, pool)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Pictures are shared out among workers, so torch need not split the work on one picture as well."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
