"""Scores on the test images, for the run's record only: the loop stores them and never reads them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reidkit.errors import EvaluationError, nearest_name
from reidkit.evaluate import RankingScores, evaluate_ranking
from reidkit.features import Embed, Features, extract
from reidkit.jaccard import rerank
from reidkit.method import Method
from reidkit.records import Records

Judge = Callable[[Method], dict[str, float]]


def cosine_distance(query: Features, gallery: Features) -> np.ndarray:
    """float32 (Q, G), 1 - cosine, in [0, 2]."""
    return 1.0 - query.unit().matrix @ gallery.unit().matrix.T


def reranked_distance(query: Features, gallery: Features) -> np.ndarray:
    """float32 (Q, G), k-reciprocal re-ranking with the defaults of `reidkit.jaccard.rerank`, on at most Q + G - 1 neighbours."""
    images = len(query) + len(gallery)
    return rerank(query.unit().matrix, gallery.unit().matrix, k1=min(20, images - 1), k2=min(6, images))


DISTANCES = {"cosine": cosine_distance, "k-reciprocal": reranked_distance}


def judge_on(records: Records, *, size: tuple[int, int], protocol: str = "market", distance: str = "cosine") -> Judge:
    """A closure over the truth that turns a method's `embed_test` into scores.

    Args:
        records: a set with query and gallery images.
        size: (height, width) that the network sees.
        protocol: name of the evaluation protocol (`reidkit.evaluate.PROTOCOLS`).
        distance: ``"cosine"``, or ``"k-reciprocal"``: re-ranking at test, as in the last row of Learn by Guessing's Table 2.

    Returns:
        method -> mean_ap, rank1, rank5, rank10, mean_inp in [0, 1] and the number of valid queries.
    """

    def judge(method: Method) -> dict[str, float]:
        ranking = rank(method.embed_test, records, size=size, protocol=protocol, flip=method.flip, distance=distance)
        ranks = {f"rank{k}": float(ranking.cmc[min(k, len(ranking.cmc)) - 1]) for k in (1, 5, 10)}
        valid = float(np.isfinite(ranking.average_precision).sum())
        return {"mean_ap": float(ranking.mean_ap), **ranks, "mean_inp": float(ranking.mean_inp), "valid_queries": valid}

    return judge


def rank(
    embed: Embed,
    records: Records,
    *,
    size: tuple[int, int],
    protocol: str = "market",
    flip: bool = False,
    distance: str = "cosine",
) -> RankingScores:
    """Rank the gallery for each query by one of `DISTANCES`, on the device that the network is on, and score the result."""
    if distance not in DISTANCES:
        what, rule = f"No distance is called {distance!r}.", f"Distances at test: {tuple(DISTANCES)}."
        raise EvaluationError(what, rule=rule, action=nearest_name(distance, DISTANCES))
    query, gallery = records.query, records.gallery
    features = [extract(embed, part.blind(), size=size, flip=flip, progress=False) for part in (query, gallery)]
    distances = DISTANCES[distance](*features)
    return evaluate_ranking(distances, query.identity, gallery.identity, query.camera, gallery.camera, protocol=protocol)
