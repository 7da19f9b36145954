"""Scores of a ranking, from distances or straight from features.

The ranking of a query is by distance, ties by gallery index: a stable sort, which is never made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from reidkit.errors import EvaluationError
from reidkit.evaluate.protocols import JUNK, Task, checked_matrix, make_task, not_a_number
from reidkit.threads import in_threads, row_ranges

logger = logging.getLogger(__name__)

BLOCK, FEATURE_BLOCK = 128, 512


@dataclass(frozen=True, eq=False)
class RankingScores:
    """How well a gallery is ranked.

    Attributes:
        mean_ap: mean of `average_precision` over the queries that can be answered, 0..1 (NaN when there is none).
        cmc: float64 (max_rank,); entry k-1 is the share of those queries with a right image among the first k.
        mean_inp: mean of `inverse_negative_penalty`, 0..1.
        average_precision: float64 (Q,), NaN for queries without a right image in the gallery.
        inverse_negative_penalty: float64 (Q,), right images / rank of the last of them; NaN likewise.
        first_hit: int64 (Q,), rank of the first right image, from 1; 0 for queries without one.
        protocol: one of `PROTOCOLS`.
    """

    mean_ap: float
    cmc: np.ndarray
    mean_inp: float
    average_precision: np.ndarray
    inverse_negative_penalty: np.ndarray
    first_hit: np.ndarray
    protocol: str

    @property
    def answered(self) -> int:
        """Queries with at least one right image in the gallery: those that the means are over."""
        return int((self.first_hit > 0).sum())

    @property
    def unanswerable(self) -> int:
        """Queries without one; they count nowhere."""
        return len(self.first_hit) - self.answered

    def rank(self, k: int) -> float:
        """CMC at rank k, 0..1."""
        return float(self.cmc[min(k, len(self.cmc)) - 1])


def evaluate_ranking(
    distance: ArrayLike,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cameras: ArrayLike | None = None,
    gallery_cameras: ArrayLike | None = None,
    *,
    protocol: str = "market",
    max_rank: int = 50,
) -> RankingScores:
    """Score a distance matrix.

    Gallery images of identity -1 (junk) are removed for every query; distractors (0) stay as wrong answers. Then
    ``"market"`` removes images with the query's identity *and* camera, ``"literal-camera"`` all images of the query's
    camera, ``"no-camera"`` none. What is left is ranked; a query without a right image there is not counted.

    Args:
        distance: (Q, G), smaller is more alike; float32 or float64.
        query_ids, gallery_ids: int (Q,), (G,).
        query_cameras, gallery_cameras: int (Q,), (G,); not needed under ``"no-camera"``.
        protocol: one of `PROTOCOLS`.
        max_rank: length of the CMC curve.

    Raises:
        EvaluationError: for shapes that do not fit, NaN distances (queries are named), or an unknown protocol.

    Source: "Scalable Person Re-identification: A Benchmark" (2015), section 5; mINP: "Deep Learning for Person
    Re-identification: A Survey and Outlook" (2021), section 3.3. Published code sorts with an unstable sort: with tied
    distances its last digits depend on the library.
    """
    task = make_task(protocol, query_ids, gallery_ids, query_cameras, gallery_cameras)
    return _said(_scores(checked_matrix(distance, task), task, max_rank))


def evaluate_features(
    query: ArrayLike,
    gallery: ArrayLike,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cameras: ArrayLike | None = None,
    gallery_cameras: ArrayLike | None = None,
    *,
    protocol: str = "market",
    max_rank: int = 50,
) -> RankingScores:
    """`evaluate_ranking` of 1 - query @ gallery.T in float32, a few rows at a time: the matrix is never stored.

    Args:
        query, gallery: (Q, D), (G, D), L2-normalised. The rest as in `evaluate_ranking`.
    """
    import torch

    from reidkit.neighbours.rows import checked_rows
    from reidkit.neighbours.tiles import ENGINES, fastest

    task = make_task(protocol, query_ids, gallery_ids, query_cameras, gallery_cameras)
    rows, others = checked_rows(query, "query features"), checked_rows(gallery, "gallery features")
    if (len(rows), len(others)) != (len(task.query_ids), len(task.gallery_ids)) or rows.shape[1] != others.shape[1]:
        raise EvaluationError(
            f"Features {rows.shape} and {others.shape} for {len(task.query_ids)} and {len(task.gallery_ids)} identities.",
            rule="One row an image, both from the same network.",
            action="Check the order of the arguments.",
        )
    product = ENGINES[fastest(False)][1]
    held = torch.from_numpy(np.require(others, requirements="W"))

    def distances(start: int, stop: int) -> np.ndarray:
        part = torch.from_numpy(np.require(rows[start:stop], requirements="W"))
        return (1.0 - product(part, held)).numpy()

    return _said(_scores(distances, task, max_rank))


def camera_pair_scores(
    distance: ArrayLike,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cameras: ArrayLike,
    gallery_cameras: ArrayLike,
    *,
    protocol: str = "market",
) -> pd.DataFrame:
    """Scores of the queries of one camera against the gallery images of another, for every pair of cameras.

    Returns:
        One row a pair: `query_camera`, `gallery_camera`, `queries` (those that can be answered), `mean_ap`, `rank1`,
        `mean_inp` (NaN where no query can be answered, as within one camera under ``"market"``).
    """
    whole = make_task(protocol, query_ids, gallery_ids, query_cameras, gallery_cameras)
    cameras = np.asarray(query_cameras), np.asarray(gallery_cameras)
    checked_matrix(distance, whole)
    distance, rows = np.asarray(distance), []
    for a in np.unique(cameras[0]):
        of_a = np.flatnonzero(cameras[0] == a)
        for b in np.unique(cameras[1]):
            of_b = np.flatnonzero(cameras[1] == b)
            ids = whole.query_ids[of_a], whole.gallery_ids[of_b]
            task = make_task(protocol, *ids, cameras[0][of_a], cameras[1][of_b])
            scores = _scores(checked_matrix(distance[np.ix_(of_a, of_b)], task), task, 1)
            means = {"mean_ap": scores.mean_ap, "rank1": scores.rank(1), "mean_inp": scores.mean_inp}
            rows.append({"query_camera": int(a), "gallery_camera": int(b), "queries": scores.answered, **means})
    return pd.DataFrame(rows)


def _scores(distances: np.ndarray | Callable[[int, int], np.ndarray], task: Task, max_rank: int) -> RankingScores:
    """Score queries in pieces of consecutive rows; `distances` is the matrix or makes the rows asked for."""
    from reidkit.evaluate.counting import score_rows

    if max_rank < 1:
        raise EvaluationError(f"max_rank = {max_rank}.", rule="max_rank >= 1.", action="Ask for at least rank 1.")
    queries = len(task.query_ids)
    precision, penalty, first_hit = np.full(queries, np.nan), np.full(queries, np.nan), np.zeros(queries, np.int64)
    index = task.query_cameras, task.gallery_cameras, task.gallery_ids == JUNK, task.by_identity, task.first, task.last
    views = np.concatenate(task.views), np.concatenate([[0], np.cumsum([len(view) for view in task.views])]), task.view_of

    def work(piece: tuple[int, int]) -> int:
        block = distances[slice(*piece)] if isinstance(distances, np.ndarray) else distances(*piece)
        return score_rows(block, piece[0], *index, *views, task.camera_rule, precision, penalty, first_hit)

    wrong = [
        q for q in in_threads(work, row_ranges(queries, BLOCK if isinstance(distances, np.ndarray) else FEATURE_BLOCK)) if q >= 0
    ]
    if wrong:
        raise not_a_number(wrong[0])
    answered = first_hit > 0
    if not answered.any():
        return RankingScores(np.nan, np.full(max_rank, np.nan), np.nan, precision, penalty, first_hit, task.protocol)
    hits = np.bincount(np.minimum(first_hit[answered], max_rank + 1), minlength=max_rank + 2)[1 : max_rank + 1]
    cmc = np.cumsum(hits) / answered.sum()
    means = float(precision[answered].mean()), float(penalty[answered].mean())
    return RankingScores(means[0], cmc, means[1], precision, penalty, first_hit, task.protocol)


def _said(scores: RankingScores) -> RankingScores:
    """The scores, with a warning when they are about nothing."""
    if not scores.answered:
        logger.warning("no query has a right image in the gallery under protocol %r: the scores are NaN", scores.protocol)
    return scores
