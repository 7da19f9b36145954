"""`reidkit bench maps`: t-SNE, UMAP and two principal components, from known neighbours and by the libraries' own calls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from reidkit.bench.contest import Contestant, Goal, Inputs, Outputs, Task, store
from reidkit.bench.generator import make_features

SIZES, QUICK, WIDE = (12_936,), (400,), 2048
OURS = "reidkit"
OWN = {"t-SNE": "openTSNE's own call", "UMAP": "umap-learn's own call", "PCA": "scikit-learn's own call"}
WARM = 600


def make(images: int, folder: Path) -> None:
    from reidkit.diagnose.maps import wanted
    from reidkit.diagnose.near import Near
    from reidkit.neighbours import neighbour_lists

    features, cast = make_features(images, WIDE)
    found = neighbour_lists(features, wanted("t-SNE", images))
    near = Near.of_similarity(found.similarity, found.index)
    store(folder, features=features, index=near.index, distance=near.distance, identity=cast.identity)


def scored(inputs: Inputs, outputs: Outputs) -> Outputs:
    """How much of the neighbourhood a map keeps (10 nearest), and how many of 10 neighbours on it are the same person."""
    from scipy.spatial import cKDTree

    from reidkit.diagnose.maps import neighbours_kept
    from reidkit.diagnose.near import Near

    points, identity = outputs["points"], inputs["identity"]
    beside = cKDTree(points).query(points, 11)[1][:, 1:]
    purity = (identity[beside] == identity[:, None]).mean()
    return {"kept": neighbours_kept(points, Near(inputs["index"], inputs["distance"])), "purity": float(purity)}


def some(inputs: Inputs) -> Inputs:
    """A small set of the same kind, to compile with."""
    from reidkit.diagnose.near import Near

    features = np.array(inputs["features"][:WARM])
    near = Near.of_features(features, inputs["index"].shape[1])
    return {"features": features, "index": near.index, "distance": near.distance}


def tsne(inputs: Inputs) -> Outputs:
    from reidkit.diagnose.maps import tsne_map
    from reidkit.diagnose.near import Near
    from reidkit.diagnose.projection import project

    return {"points": tsne_map(Near(inputs["index"], inputs["distance"]), project(inputs["features"])[0])}


def umap(inputs: Inputs) -> Outputs:
    from reidkit.diagnose.maps import umap_map
    from reidkit.diagnose.near import Near
    from reidkit.diagnose.projection import project

    return {"points": umap_map(Near(inputs["index"], inputs["distance"]), project(inputs["features"])[0])}


def pca(inputs: Inputs) -> Outputs:
    from reidkit.diagnose.projection import project

    return {"points": project(inputs["features"])[0]}


def own_tsne(inputs: Inputs) -> Outputs:
    from openTSNE import TSNE

    return {"points": np.asarray(TSNE(random_state=0).fit(inputs["features"]))}


def own_umap(inputs: Inputs) -> Outputs:
    from umap import UMAP

    return {"points": UMAP(random_state=0, n_jobs=1).fit_transform(inputs["features"])}


def own_pca(inputs: Inputs) -> Outputs:
    from sklearn.decomposition import PCA

    return {"points": PCA(2, random_state=0).fit_transform(inputs["features"])}


def warm_tsne(inputs: Inputs) -> Inputs:
    tsne(some(inputs))
    return inputs


def warm_umap(inputs: Inputs) -> Inputs:
    umap(some(inputs))
    return inputs


def warm_pca(inputs: Inputs) -> Inputs:
    """Imports are nobody's work here."""
    pca({"features": np.array(inputs["features"][:WARM])})
    return inputs


def warm_own_pca(inputs: Inputs) -> Inputs:
    own_pca({"features": np.array(inputs["features"][:WARM])})
    return inputs


def warm_own_umap(inputs: Inputs) -> Inputs:
    """Above 4,096 images the search is approximate, and other code."""
    own_umap({"features": np.array(inputs["features"][:4200])})
    return inputs


def tasks(sizes: Sequence[int] = (), quick: bool = False) -> list[Task]:
    """Three tasks a size."""
    return [_task(name, images) for images in (sizes or (QUICK if quick else SIZES)) for name in OWN]


def _task(name: str, images: int) -> Task:
    work, times = images / 12_936, {"t-SNE": 1.5, "UMAP": 2.5, "PCA": 3.0}[name]
    told = "keeps neighbours: a share no more than 0.06 below"
    kept = Goal(told, OURS, "kept", against=OWN[name], as_="difference", at_least=-0.06)
    contestants = {
        "t-SNE": [
            Contestant(OURS, tsne, warm_tsne, scored, seconds=35 * work),
            Contestant(OWN[name], own_tsne, finish=scored, package="openTSNE", seconds=65 * work),
        ],
        "UMAP": [
            Contestant(OURS, umap, warm_umap, scored, seconds=5 * work + 10),
            Contestant(OWN[name], own_umap, warm_own_umap, scored, package="umap-learn", seconds=15 * work + 30),
        ],
        "PCA": [
            Contestant(OURS, pca, warm_pca, scored, seconds=work),
            Contestant(OWN[name], own_pca, warm_own_pca, scored, package="scikit-learn", seconds=10 * work),
        ],
    }[name]
    faster = Goal(f"{times:g} x faster than {OWN[name]}", OWN[name], against=OURS, at_least=times)
    return Task(
        f"{name} of {images:,} x {WIDE}",
        partial(make, images),
        contestants,
        goals=[faster, kept] if images == SIZES[0] else [],
        inputs_memory=4.0 * images * (WIDE + 182),
        about="synthetic features, ours from 91 neighbours found before; shares of the 10 nearest, after the run",
    )
