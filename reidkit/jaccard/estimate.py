"""What a graph will take, said before it starts."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from reidkit.errors import LabelsError
from reidkit.threads import threads

logger = logging.getLogger(__name__)

ENTRIES, PAIRS_BELOW_1, PAIRS = 70, 1700, 40
GIB = 2.0**30
MANY = 20_000


@dataclass(frozen=True)
class Estimate:
    """Memory and time of `jaccard_graph`.

    Attributes:
        memory: bytes above the features; grows with N * k, never with N * N.
        seconds: on this machine's free cores.
    """

    memory: int
    seconds: float

    def __str__(self) -> str:
        return f"about {self.memory / GIB:.2f} GiB above the features and {self.seconds:.0f} s"


def estimate(images: int, columns: int, *, k1: int = 30, max_distance: float = 1.0, dense: int = 0) -> Estimate:
    """What the graph of `images` rows of `columns` features needs.

    Counts measured on clustered features: an encoding holds about 70 entries, an image has up to 1,700 others at a distance
    below 1, and about 40 below 0.8. `dense` float32 numbers come on top (the distances of `rerank`).
    """
    from reidkit.neighbours.candidates import SPARE
    from reidkit.neighbours.tiles import SMALL, TRIAL, fastest, trial

    engine = fastest(images >= SMALL)
    copy = 2 * columns if engine == "bf16" else 0
    search = 5 * (copy + 6 * (k1 + 1 + SPARE) + 12 * (k1 + 1)) // 4
    encoding = 12 * (k1 + 1) + 8 * (k1 + 1) + 3 * 12 * ENTRIES
    pairs = min(images, PAIRS_BELOW_1 if max_distance > 0.8 else PAIRS)
    graph = 12 * (k1 + 1) + 12 * ENTRIES + 24 * pairs
    products = trial()[engine] * images**2 * columns / 2 / TRIAL
    scans = images**2 * 1e-10 + images * (1e-4 + 4e-8 * pairs)
    return Estimate(images * max(search, encoding, graph) + 4 * dense, (products + scans) / threads())


def check_estimate(images: int, columns: int, *, k1: int, max_distance: float, dense: int = 0) -> None:
    """Say what a large graph will take, and refuse one that cannot fit. Arguments as in `estimate`.

    Raises:
        LabelsError: naming the number, the limit and the setting that would make it fit.
    """
    needed = estimate(images, columns, k1=k1, max_distance=max_distance, dense=dense)
    logger.info("jaccard: %d images of %d features: %s", images, columns, needed)
    free = available_memory()
    if needed.memory <= free:
        return
    smaller = estimate(images, columns, k1=k1, max_distance=0.7, dense=dense).memory
    fits = (
        f"max_distance=0.7 ({smaller / GIB:.2f} GiB)"
        if smaller <= free and not dense
        else "fewer images, or features of fewer columns"
    )
    raise LabelsError(
        f"The graph of {images} images takes {needed}, but {free / GIB:.2f} GiB are free.",
        rule="A graph must fit into memory.",
        action=f"Use {fits}, or free some memory.",
    )


def available_memory() -> int:
    """Bytes that new arrays may take without swapping."""
    import psutil

    return int(psutil.virtual_memory().available)
