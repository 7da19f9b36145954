"""`reidkit bench rerank`: k-reciprocal re-ranking of a gallery for queries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from reidkit.bench.contest import Contestant, Goal, Inputs, Outputs, Task, store
from reidkit.bench.generator import make_query_gallery
from reidkit.bench.ranking import GALLERY, PER_QUERY, QUICK, WIDE

K1, K2, LAMBDA = 20, 6, 0.3
OURS, DENSE, TORCHREID, PRODUCT = "reidkit", "published form, dense", "torchreid", "torch.mm X Xᵀ"


def make(queries: int, gallery: int, folder: Path) -> None:
    split = make_query_gallery(queries, gallery, WIDE)
    store(folder, query=split.query, gallery=split.gallery)


def small(inputs: Inputs) -> Inputs:
    """A part of the inputs, for warming up."""
    return {"query": inputs["query"][:40].copy(), "gallery": inputs["gallery"][:160].copy()}


def ours(inputs: Inputs) -> Outputs:
    from reidkit.jaccard import rerank

    return {"distance": rerank(inputs["query"], inputs["gallery"], k1=K1, k2=K2, lambda_value=LAMBDA)}


def warm(inputs: Inputs) -> Inputs:
    """Compile, and probe the engines at a size at which they are used."""
    ours({"query": inputs["query"][:600], "gallery": inputs["gallery"][:5000]})
    return inputs


def dense_form(inputs: Inputs) -> Outputs:
    """All distances of queries and gallery together, squared, ranked whole."""
    from reidkit.bench import peers

    queries = len(inputs["query"])
    squared = peers.squared_distances(np.concatenate([inputs["query"], inputs["gallery"]]))
    jaccard, distance = peers.dense_form(squared, K1, K2, queries)
    return {"distance": (jaccard * (1 - LAMBDA) + distance[:queries] * LAMBDA)[:, queries:]}


def warm_dense(inputs: Inputs) -> Inputs:
    dense_form(small(inputs))
    return inputs


def torchreid_form(inputs: Inputs) -> Outputs:
    """torchreid's function, which squares what it is given: it gets plain distances, so that it squares once."""
    from torchreid.reid.utils.rerank import re_ranking

    from reidkit.bench import peers

    queries = len(inputs["query"])
    distance = np.sqrt(peers.squared_distances(np.concatenate([inputs["query"], inputs["gallery"]])))
    parts = distance[:queries, queries:], distance[:queries, :queries], distance[queries:, queries:]
    return {"distance": re_ranking(*parts, k1=K1, k2=K2, lambda_value=LAMBDA)}


def warm_torchreid(inputs: Inputs) -> Inputs:
    torchreid_form(small(inputs))
    return inputs


def product(inputs: Inputs) -> Outputs:
    import torch

    rows = torch.cat([torch.from_numpy(inputs["query"]), torch.from_numpy(inputs["gallery"])])
    return {"images": len(torch.mm(rows, rows.T))}


def warm_product(inputs: Inputs) -> Inputs:
    product(small(inputs))
    return inputs


def tasks(sizes: Sequence[int] = (), quick: bool = False) -> list[Task]:
    """One task a gallery size."""
    return [_task(gallery) for gallery in (sizes or ((QUICK,) if quick else (GALLERY,)))]


def _task(gallery: int) -> Task:
    queries = round(gallery / PER_QUERY)
    images = queries + gallery
    square, rows = 4.0 * images**2, 3e-3 * images * (images / 19_281) ** 0.6
    peer = partial(Contestant, agrees_with=OURS, seconds=rows)
    goals = [
        Goal("at most 3 s", OURS, at_most=3),
        Goal("at most 0.6 GB", OURS, "memory", at_most=0.6e9),
        Goal("15 x faster than the published form", DENSE, against=OURS, at_least=15),
    ]
    return Task(
        f"re-ranking of {queries:,} x {gallery:,}",
        partial(make, queries, gallery),
        [
            Contestant(OURS, ours, warm, memory=8.0 * queries * gallery + 2e4 * images),
            Contestant(PRODUCT, product, warm_product, memory=square + 4.0 * WIDE * images),
            peer(DENSE, dense_form, warm_dense, memory=6.5 * square),
            peer(TORCHREID, torchreid_form, warm_torchreid, package="torchreid", memory=8 * square),
        ],
        compare={"distance": "near-distance"},
        goals=goals if gallery == GALLERY else [],
        inputs_memory=4.0 * WIDE * images,
        about=f"synthetic features of {WIDE} columns, k1 {K1}, k2 {K2}, lambda {LAMBDA}",
    )
