"""`reidkit bench kmeans`: clusters of equal number, from a start of one's own and from a given one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from reidkit.bench.contest import Contestant, Goal, Inputs, Outputs, Task, store
from reidkit.bench.generator import make_features

SIZES, QUICK, WIDE, PER_CLUSTER = (12_936,), (400,), 2048, 18.48  # 700 clusters of 12,936 images
OURS, SKLEARN, FAISS = "reidkit, k-means++", "scikit-learn's default call", "faiss.Kmeans, given start"
OURS_GIVEN, SKLEARN_GIVEN = "reidkit, given start", "scikit-learn, given start"
ITERATIONS = 300


def make(images: int, folder: Path) -> None:
    features = make_features(images, WIDE)[0]
    clusters = round(images / PER_CLUSTER)
    first = np.random.default_rng(1).choice(images, clusters, replace=False)
    store(folder, features=features, start=features[first])


def inertia(inputs: Inputs, outputs: Outputs) -> Outputs:
    """Sum of squared distances to the mean of the own cluster, in float64; not timed."""
    features, labels = inputs["features"], outputs["labels"]
    total = 0.0
    for cluster in np.unique(labels):
        members = features[labels == cluster].astype(np.float64)
        total += float(((members - members.mean(axis=0)) ** 2).sum())
    return {"inertia": total}


def ours(inputs: Inputs) -> Outputs:
    from reidkit.labels import kmeans

    return {"labels": kmeans(inputs["features"], len(inputs["start"]), seed=0)}


def ours_given(inputs: Inputs) -> Outputs:
    from reidkit.labels import kmeans

    labels = kmeans(inputs["features"], len(inputs["start"]), seed=0, start=inputs["start"])
    return {"labels": labels, "near labels": labels}


def warm(inputs: Inputs) -> Inputs:
    """Compile, and probe the engines at a size at which they are used."""
    some = inputs["features"][:6000]
    ours({"features": some, "start": some[:50]})
    ours_given({"features": some, "start": some[:300]})
    return inputs


def sklearn_default(inputs: Inputs) -> Outputs:
    from sklearn.cluster import KMeans

    return {"labels": KMeans(len(inputs["start"]), random_state=0).fit(inputs["features"]).labels_}


def sklearn_given(inputs: Inputs) -> Outputs:
    from sklearn.cluster import KMeans

    model = KMeans(len(inputs["start"]), init=inputs["start"], n_init=1, max_iter=ITERATIONS)
    return {"near labels": model.fit(inputs["features"]).labels_}


def warm_sklearn(inputs: Inputs) -> Inputs:
    sklearn_given({"features": inputs["features"][:200], "start": inputs["features"][:5]})
    return inputs


def faiss_given(inputs: Inputs) -> Outputs:
    import faiss

    features, start = inputs["features"], inputs["start"]
    model = faiss.Kmeans(features.shape[1], len(start), niter=ITERATIONS, max_points_per_centroid=len(features), seed=0)
    model.train(features, init_centroids=start)
    return {"near labels": model.index.search(features, 1)[1].ravel()}


def warm_faiss(inputs: Inputs) -> Inputs:
    faiss_given({"features": inputs["features"][:300], "start": inputs["features"][:5]})
    return inputs


def inertia_near(inputs: Inputs, outputs: Outputs) -> Outputs:
    return inertia(inputs, {"labels": outputs["near labels"]})


def tasks(sizes: Sequence[int] = (), quick: bool = False) -> list[Task]:
    """One task a size, 18.5 images a cluster."""
    return [_task(images) for images in (sizes or (QUICK if quick else SIZES))]


def _task(images: int) -> Task:
    clusters = round(images / PER_CLUSTER)
    work = images * clusters / (12_936 * 700)
    goals = [
        Goal("at most 1/6 of scikit-learn's default call", OURS, against=SKLEARN, at_most=1 / 6),
        Goal("at no worse inertia (0.5 %)", OURS, "inertia", against=SKLEARN, at_most=1.005),
        Goal("at most 1/2 of scikit-learn's time from the same start", OURS_GIVEN, against=SKLEARN_GIVEN, at_most=1 / 2),
        Goal("at the same inertia", OURS_GIVEN, "inertia", against=SKLEARN_GIVEN, at_most=1.001),
        Goal("at most 1/2 of faiss's time from the same start", OURS_GIVEN, against=FAISS, at_most=1 / 2),
    ]
    given = partial(Contestant, finish=inertia_near, agrees_with=OURS_GIVEN, seconds=5 * work)
    return Task(
        f"k-means of {images:,} x {WIDE}, k = {clusters}",
        partial(make, images),
        [
            Contestant(OURS, ours, warm, inertia),
            Contestant(SKLEARN, sklearn_default, warm_sklearn, inertia, package="scikit-learn", seconds=30 * work),
            Contestant(OURS_GIVEN, ours_given, warm, inertia),
            given(SKLEARN_GIVEN, sklearn_given, warm_sklearn, package="scikit-learn"),
            given(FAISS, faiss_given, warm_faiss, package="faiss-cpu"),
        ],
        compare={"near labels": "near-labels"},
        goals=goals if images == SIZES[0] else [],
        inputs_memory=4.0 * WIDE * (images + clusters),
        about="synthetic features; inertia in float64 after the run",
    )
