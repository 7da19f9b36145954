"""`reidkit bench ranking`: CMC, mAP and mINP of queries against a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from reidkit.bench.contest import Contestant, Goal, Inputs, Outputs, Task, store
from reidkit.bench.generator import make_query_gallery

GALLERY, QUICK, PER_QUERY, WIDE = 15_913, 600, 4.7247, 2048  # Market-1501: 3,368 queries
MAX_RANK = 50
OURS, STREAMED, LOOP = "reidkit, from distances", "reidkit, from features", "Python loop as usually published"
AVERAGE, TORCHREID, PRODUCT = "scikit-learn average_precision", "torchreid", "torch.mm queries x galleryᵀ"


def make(queries: int, gallery: int, folder: Path) -> None:
    """Features, who they are, and the distances 1 - cos."""
    import torch

    split = make_query_gallery(queries, gallery, WIDE)
    distance = (1.0 - torch.from_numpy(split.query) @ torch.from_numpy(split.gallery).T).numpy()
    store(folder, **vars(split), distance=distance)


def who(inputs: Inputs) -> tuple[np.ndarray, ...]:
    """Identities of queries and gallery, then their cameras."""
    return tuple(inputs[name] for name in ("query_ids", "gallery_ids", "query_cameras", "gallery_cameras"))


def part(inputs: Inputs, rows: int) -> Inputs:
    """The first queries, for warming up."""
    named = {name: array[:rows] for name, array in inputs.items() if name.startswith("query")}
    return {**inputs, **named, "distance": inputs["distance"][:rows]}


def from_distances(inputs: Inputs) -> Outputs:
    from reidkit.evaluate import evaluate_ranking

    scores = evaluate_ranking(inputs["distance"], *who(inputs), max_rank=MAX_RANK)
    return {"mAP": scores.mean_ap, "mINP": scores.mean_inp, "CMC": scores.cmc}


def from_features(inputs: Inputs) -> Outputs:
    from reidkit.evaluate import evaluate_features

    scores = evaluate_features(inputs["query"], inputs["gallery"], *who(inputs), max_rank=MAX_RANK)
    return {"mAP": scores.mean_ap, "mINP": scores.mean_inp, "CMC": scores.cmc}


def warm_distances(inputs: Inputs) -> Inputs:
    from_distances(part(inputs, 20))
    return inputs


def warm_features(inputs: Inputs) -> Inputs:
    from_features(part(inputs, 20))
    return inputs


def python_loop(inputs: Inputs) -> Outputs:
    """Sort every row, then walk over the queries: the field's usual evaluator with mINP."""
    query_ids, gallery_ids, query_cameras, gallery_cameras = who(inputs)
    order = np.argsort(inputs["distance"], axis=1, kind="stable")
    matches = gallery_ids[order] == query_ids[:, None]
    precisions, penalties, curves = [], [], []
    for query in range(len(query_ids)):
        same_view = matches[query] & (gallery_cameras[order[query]] == query_cameras[query])
        kept = ~same_view & (gallery_ids[order[query]] != -1)
        right = matches[query][kept].astype(np.int64)
        if not right.any():
            continue
        found = right.cumsum()
        precisions.append(sum(found[place] / (place + 1.0) for place in range(len(right)) if right[place]) / found[-1])
        penalties.append(found[-1] / (np.flatnonzero(right)[-1] + 1.0))
        curves.append(np.minimum(found, 1)[:MAX_RANK])
    return {"mAP": float(np.mean(precisions)), "mINP": float(np.mean(penalties)), "CMC": np.mean(curves, axis=0)}


def average_precision(inputs: Inputs) -> Outputs:
    """scikit-learn's average precision, one query at a time."""
    from sklearn.metrics import average_precision_score

    query_ids, gallery_ids, query_cameras, gallery_cameras = who(inputs)
    values = []
    for query, row in enumerate(inputs["distance"]):
        right = gallery_ids == query_ids[query]
        kept = ~(right & (gallery_cameras == query_cameras[query])) & (gallery_ids != -1)
        if right[kept].any():
            values.append(average_precision_score(right[kept], -row[kept]))
    return {"mAP": float(np.mean(values))}


def import_sklearn(inputs: Inputs) -> Inputs:
    average_precision(part(inputs, 5))
    return inputs


def torchreid_rank(inputs: Inputs) -> Outputs:
    """torchreid's evaluator (its compiled one where it was built); junk is taken out first, which it does not know."""
    from torchreid.reid.metrics import rank

    query_ids, gallery_ids, query_cameras, gallery_cameras = who(inputs)
    real = gallery_ids != -1
    given = inputs["distance"][:, real], query_ids, gallery_ids[real], query_cameras, gallery_cameras[real]
    curve, precision = rank.evaluate_rank(*given, max_rank=MAX_RANK)
    return {"CMC": np.asarray(curve, np.float64), "mAP": float(precision), "compiled": str(rank.IS_CYTHON_AVAI)}


def import_torchreid(inputs: Inputs) -> Inputs:
    torchreid_rank(part(inputs, 20))
    return inputs


def product(inputs: Inputs) -> Outputs:
    import torch

    return {"shape": list(torch.mm(torch.from_numpy(inputs["query"]), torch.from_numpy(inputs["gallery"]).T).shape)}


def import_torch(inputs: Inputs) -> Inputs:
    product({"query": inputs["query"][:100], "gallery": inputs["gallery"][:100]})
    return inputs


def tasks(sizes: Sequence[int] = (), quick: bool = False) -> list[Task]:
    """One task a gallery size."""
    return [_task(gallery) for gallery in (sizes or ((QUICK,) if quick else (GALLERY,)))]


def _task(gallery: int) -> Task:
    queries = round(gallery / PER_QUERY)
    pairs = float(queries) * gallery
    peer = partial(Contestant, agrees_with=OURS)
    loop = 8.5e-7 * pairs  # seconds of Python
    goals = [
        Goal("at most 0.25 s from distances", OURS, at_most=0.25),
        Goal("at most 1.2 s from features", STREAMED, at_most=1.2),
    ]
    return Task(
        f"ranking of {queries:,} x {gallery:,}",
        partial(make, queries, gallery),
        [
            Contestant(OURS, from_distances, warm_distances),
            peer(STREAMED, from_features, warm_features),
            Contestant(PRODUCT, product, import_torch, memory=4 * pairs),
            peer(LOOP, python_loop, memory=16 * pairs, seconds=loop),
            peer(AVERAGE, average_precision, import_sklearn, package="scikit-learn", seconds=2e-7 * pairs),
            peer(TORCHREID, torchreid_rank, import_torchreid, package="torchreid", memory=20 * pairs, seconds=loop),
        ],
        compare={"mAP": "score", "mINP": "score", "CMC": "score"},
        goals=goals if gallery == GALLERY else [],
        inputs_memory=4 * pairs + 4.0 * WIDE * (queries + gallery),
        about=f"synthetic features of {WIDE} columns, distractors and junk in the gallery, Market-1501's protocol",
    )
