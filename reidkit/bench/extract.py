"""`reidkit bench extract`: features of a ResNet-50 with a last stride of 1, plain and in faster forms."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.bench.contest import Contestant, Goal, Inputs, Outputs, Task, store

SIZES, QUICK, BATCH, PLANNED = (192,), (6,), 32, 12_936
NETWORKS = {False: ("resnet50", (256, 128), 0.04), True: ("tiny", (64, 32), 0.001)}  # quick -> backbone, size, s an image
PLAIN, FOLDED, COMPILED = "plain float32", "reidkit, without a compiler", "reidkit, compiled"
CHOSEN = f"reidkit, as the probe chooses for {PLANNED:,}"


def make(images: int, quick: bool, folder: Path) -> None:
    size = NETWORKS[quick][1]
    store(folder, images=np.random.default_rng(0).standard_normal((images, 3, *size), dtype=np.float32), quick=np.array(quick))


def prepared(inputs: Inputs, form: str = "") -> dict[str, Any]:
    """The network (random weights) in a form, compiled and warm; the form that a probe chooses where none is named."""
    import torch

    from reidkit.models import build_embedder
    from reidkit.models.forms import in_form
    from reidkit.models.probe import fastest_form

    images = torch.from_numpy(np.array(inputs["images"]))
    network = build_embedder(NETWORKS[bool(inputs["quick"])][0], seed=0).eval()
    first = images[:BATCH]
    with torch.no_grad():
        if form:
            embed = in_form(network.embed, form, first[:2])
        else:
            choice = fastest_form(network.embed, first, 1 if inputs["quick"] else PLANNED, batch=len(first))
            form, embed = choice.form, choice.embed
        embed(first)
    return {"images": images, "embed": embed, "form": form}


def plain(inputs: Inputs) -> dict[str, Any]:
    return prepared(inputs, "float32")


def folded(inputs: Inputs) -> dict[str, Any]:
    return prepared(inputs, "bf16-folded")


def compiled(inputs: Inputs) -> dict[str, Any]:
    return prepared(inputs, "bf16-compiled")


def features_of(given: dict[str, Any]) -> Outputs:
    """All images in batches of equal size."""
    import torch

    with torch.no_grad():
        rows = [given["embed"](batch).float().numpy() for batch in given["images"].split(BATCH)]
    return {"features": np.concatenate(rows), "form": given["form"]}


def tasks(sizes: Sequence[int] = (), quick: bool = False) -> list[Task]:
    """One task a number of images, whole batches of 32."""
    return [_task(images, quick) for images in (sizes or (QUICK if quick else SIZES))]


def _task(images: int, quick: bool) -> Task:
    images = images if images < BATCH else images // BATCH * BATCH
    name, (height, width), seconds = NETWORKS[quick]
    where = "the images a second of plain float32 (where the CPU has bf16)"
    goals = [
        Goal(f"4.5 x {where}, compiled", PLAIN, against=COMPILED, at_least=4.5),
        Goal(f"3 x {where}, without a compiler", PLAIN, against=FOLDED, at_least=3),
        Goal(f"3 x {where}, as the probe chooses", PLAIN, against=CHOSEN, at_least=3),
    ]
    compiling = Contestant(COMPILED, features_of, compiled, agrees_with=PLAIN, seconds=seconds * images / 4 + 20)
    return Task(
        f"features of {images} images {height}x{width}, {name}",
        partial(make, images, quick),
        [
            Contestant(PLAIN, features_of, plain, seconds=seconds * images),
            Contestant(FOLDED, features_of, folded, agrees_with=PLAIN, seconds=seconds * images / 3),
            *([] if quick else [compiling]),
            Contestant(CHOSEN, features_of, prepared, agrees_with=PLAIN, seconds=seconds * images / 4 + 40),
        ],
        compare={"features": "cosine"},
        goals=[] if quick else goals,
        inputs_memory=12.0 * images * height * width,
        about=f"random weights, last stride 1, batches of {BATCH}; compiling and probing before the clock starts",
    )
