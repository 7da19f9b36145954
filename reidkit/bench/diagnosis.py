"""`reidkit bench diagnosis`: everything that `diagnose` says of pseudo-labels with cameras and truth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from reidkit.bench.contest import Contestant, Goal, Inputs, Outputs, Task, store
from reidkit.bench.generator import make_cast

SIZES, QUICK = (100_000, 1_000_000), (600,)
OURS, SKLEARN = "reidkit", "scikit-learn, four scores alone"
SPLIT, MERGED, OUTLIERS = 0.3, 0.1, 0.15  # shares of identities cut by camera, of identities joined to another, of images
LIMITS = {100_000: ("100,000 images within 5 s", 5), 1_000_000: ("a million images within a minute", 60)}


def make(images: int, folder: Path) -> None:
    """Labels with each kind of error: identities in halves by camera, joined identities, images without a cluster."""
    cast, generator = make_cast(images), np.random.default_rng([0, images])
    people = int(cast.identity.max()) + 1
    cut, joined = generator.random(people) < SPLIT, generator.random(people) < MERGED
    owner = np.where(joined, np.maximum(np.arange(people) - 1, 0), np.arange(people))
    label = 2 * owner[cast.identity] + (cut[cast.identity] & (cast.camera % 2 == 1))
    label = np.where(generator.random(images) < OUTLIERS, -1, np.unique(label, return_inverse=True)[1])
    store(folder, label=label, camera=cast.camera, identity=cast.identity)


def ours(inputs: Inputs) -> Outputs:
    from reidkit.diagnose import diagnose

    found = diagnose(inputs["label"], inputs["camera"], identities=inputs["identity"])
    return {"scores": np.array([found.score(name) for name in ("ari", "ami", "nmi", "v_measure")])}


def sklearn_scores(inputs: Inputs) -> Outputs:
    from sklearn import metrics

    kept = inputs["label"] >= 0
    pair = inputs["identity"][kept], inputs["label"][kept]
    names = ("adjusted_rand_score", "adjusted_mutual_info_score", "normalized_mutual_info_score", "v_measure_score")
    return {"scores": np.array([getattr(metrics, name)(*pair) for name in names])}


def warm(inputs: Inputs) -> Inputs:
    some = {name: np.array(values[:500]) for name, values in inputs.items()}
    ours(some)
    sklearn_scores(some)
    return inputs


def tasks(sizes: Sequence[int] = (), quick: bool = False) -> list[Task]:
    """One task a size."""
    return [_task(images) for images in (sizes or (QUICK if quick else SIZES))]


def _task(images: int) -> Task:
    return Task(
        f"diagnosis of {images:,} images",
        partial(make, images),
        [
            Contestant(OURS, ours, warm, seconds=2e-5 * images),
            Contestant(SKLEARN, sklearn_scores, warm, package="scikit-learn", agrees_with=OURS, seconds=8e-10 * images**2),
        ],
        compare={"scores": "score"},
        goals=[Goal(LIMITS[images][0], OURS, at_most=LIMITS[images][1])] if images in LIMITS else [],
        about="labels that cut, join and leave out identities; cameras and truth given",
    )
