"""`reidkit bench explorer`: one step of `EpsExplorer`'s slider, from the change of the radius to the finished picture."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.bench.contest import Contestant, Goal, Inputs, Outputs, Task, store
from reidkit.bench.generator import make_features

SIZES, QUICK, WIDE = (32_621,), (600,), 512
OURS, K1, K2 = "reidkit", 30, 6
RADII = (0.30, 0.35, 0.40, 0.45, 0.50, 0.55, 0.60, 0.65)
PICTURE = (64, 32, 3)


def make(images: int, folder: Path) -> None:
    features, cast = make_features(images, WIDE)
    pixels = np.random.default_rng([0, images]).integers(0, 256, (images, *PICTURE), np.uint8)
    store(folder, features=features, identity=cast.identity, camera=cast.camera, pixels=pixels)


def opened(inputs: Inputs) -> Any:
    """The live widget with gallery and truth, and its slider; the graph and the labels of every radius are made here."""
    import pandas as pd

    from reidkit.jaccard import jaccard_graph
    from reidkit.records import make_records
    from reidkit.show import EpsExplorer

    paths = [f"{row}.png" for row in range(len(inputs["identity"]))]
    frame = pd.DataFrame({"path": paths, "identity": inputs["identity"], "camera": inputs["camera"]})
    table = make_records(frame, pixels=np.asarray(inputs["pixels"]), drawn=True, check_paths=False)
    graph = jaccard_graph(inputs["features"], k1=K1, k2=K2)
    live = EpsExplorer(graph, table.camera, table.identity, table=table).live()
    slider = live.children[0].children[0]
    slider.value = 0.25
    return live, slider


def turned(prepared: Any) -> Outputs:
    """Every radius once; the median and the slowest step."""
    live, slider = prepared
    taken = []
    for eps in RADII:
        began = time.perf_counter()
        slider.value = eps
        taken.append(time.perf_counter() - began)
    return {"seconds step": float(np.median(taken)), "seconds slowest step": max(taken), "says": live.children[2].value}


def tasks(sizes: Sequence[int] = (), quick: bool = False) -> list[Task]:
    """One task a size."""
    return [_task(images) for images in (sizes or (QUICK if quick else SIZES))]


def _task(images: int) -> Task:
    goals = [
        Goal("at most 0.5 s a step", OURS, "seconds step", at_most=0.5),
        Goal("at most 0.5 s the slowest of 8 steps", OURS, "seconds slowest step", at_most=0.5),
    ]
    return Task(
        f"EpsExplorer over {images:,} images",
        partial(make, images),
        [Contestant(OURS, turned, opened, memory=2e5 * images, seconds=3e-3 * images)],
        goals=goals if images in SIZES else [],
        about=f"features of {WIDE} columns, k1={K1}, k2={K2}; labels, counts, lost identities, leakage, curves and pictures",
    )
