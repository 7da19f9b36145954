"""CMC, mAP and mINP under named protocols. Exact, without torch.

The ranking of a query is by distance, ties by gallery index (a stable sort).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reidkit.errors import EvaluationError, nearest_name, shown

logger = logging.getLogger(__name__)

JUNK = -1
PROTOCOLS = ("market", "literal-camera", "no-camera")


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
        return float(self.cmc[k - 1])


def evaluate_ranking(
    distance: np.ndarray,
    query_ids: np.ndarray,
    gallery_ids: np.ndarray,
    query_cameras: np.ndarray | None = None,
    gallery_cameras: np.ndarray | None = None,
    *,
    protocol: str = "market",
    max_rank: int = 50,
) -> RankingScores:
    """Score a distance matrix.

    Gallery images of identity -1 (junk) are removed for every query; distractors (0) stay as wrong answers. Then
    ``"market"`` removes images with the query's identity *and* camera, ``"literal-camera"`` all images of the query's
    camera, ``"no-camera"`` none. What is left is ranked; a query without a right image there is not counted.

    Args:
        distance: (Q, G), smaller is more alike.
        query_ids, gallery_ids: int (Q,), (G,).
        query_cameras, gallery_cameras: int (Q,), (G,); may be None under ``"no-camera"``.
        protocol: one of `PROTOCOLS`.
        max_rank: length of the CMC curve.

    Raises:
        EvaluationError: for shapes that do not fit, NaN distances, or an unknown protocol.

    Source: "Scalable Person Re-identification: A Benchmark" (2015), section 5; mINP: "Deep Learning for Person
    Re-identification: A Survey and Outlook" (2021), section 3.3.
    """
    distance = np.asarray(distance)
    query_ids, gallery_ids = np.asarray(query_ids), np.asarray(gallery_ids)
    query_cameras, gallery_cameras = _cameras(protocol, query_cameras, gallery_cameras, len(query_ids), len(gallery_ids))
    _check(distance, query_ids, gallery_ids, query_cameras, gallery_cameras, max_rank)
    precision, penalty = np.full(len(query_ids), np.nan), np.full(len(query_ids), np.nan)
    first = np.zeros(len(query_ids), np.int64)
    for q in range(len(query_ids)):
        removed = _removed(protocol, int(query_ids[q]), gallery_ids, int(query_cameras[q]), gallery_cameras)
        order = np.argsort(distance[q], kind="stable")
        order = order[~removed[order]]
        places = np.flatnonzero(gallery_ids[order] == query_ids[q]) + 1
        if len(places):
            precision[q] = (np.arange(1, len(places) + 1) / places).mean()
            penalty[q] = len(places) / places[-1]
            first[q] = places[0]
    return scores_of(precision, penalty, first, protocol, max_rank)


def scores_of(precision: np.ndarray, penalty: np.ndarray, first: np.ndarray, protocol: str, max_rank: int) -> RankingScores:
    """Means and the CMC curve from the figures of each query."""
    answered = first > 0
    if not answered.any():
        logger.warning("evaluate_ranking: no query has a right image in the gallery under protocol %r", protocol)
        return RankingScores(np.nan, np.full(max_rank, np.nan), np.nan, precision, penalty, first, protocol)
    hits = np.bincount(np.minimum(first[answered], max_rank + 1), minlength=max_rank + 2)[1 : max_rank + 1]
    cmc = np.cumsum(hits) / answered.sum()
    means = float(precision[answered].mean()), float(penalty[answered].mean())
    return RankingScores(means[0], cmc, means[1], precision, penalty, first, protocol)


def camera_pair_scores(
    distance: np.ndarray,
    query_ids: np.ndarray,
    gallery_ids: np.ndarray,
    query_cameras: np.ndarray,
    gallery_cameras: np.ndarray,
    *,
    protocol: str = "market",
) -> pd.DataFrame:
    """Scores of the queries of one camera against the gallery images of another, for every pair of cameras.

    Returns:
        One row a pair: `query_camera`, `gallery_camera`, `queries` (those that can be answered), `mean_ap`, `rank1`,
        `mean_inp` (NaN where no query can be answered, as within one camera under ``"market"``).
    """
    query_cameras, gallery_cameras = np.asarray(query_cameras), np.asarray(gallery_cameras)
    query_ids, gallery_ids, distance = np.asarray(query_ids), np.asarray(gallery_ids), np.asarray(distance)
    rows = []
    for a in np.unique(query_cameras):
        of_a = np.flatnonzero(query_cameras == a)
        for b in np.unique(gallery_cameras):
            of_b = np.flatnonzero(gallery_cameras == b)
            scores = evaluate_ranking(
                distance[np.ix_(of_a, of_b)],
                query_ids[of_a],
                gallery_ids[of_b],
                query_cameras[of_a],
                gallery_cameras[of_b],
                protocol=protocol,
                max_rank=1,
            )
            rows.append(
                {
                    "query_camera": int(a),
                    "gallery_camera": int(b),
                    "queries": scores.answered,
                    "mean_ap": scores.mean_ap,
                    "rank1": scores.rank(1),
                    "mean_inp": scores.mean_inp,
                }
            )
    return pd.DataFrame(rows)


def _removed(protocol: str, identity: int, gallery_ids: np.ndarray, camera: int, cameras: np.ndarray) -> np.ndarray:
    """bool (G,): what is taken out of this query's ranking."""
    junk = gallery_ids == JUNK
    if protocol == "market":
        return junk | ((gallery_ids == identity) & (cameras == camera))
    return junk | (cameras == camera) if protocol == "literal-camera" else junk


def _cameras(
    protocol: str, query: np.ndarray | None, gallery: np.ndarray | None, queries: int, images: int
) -> tuple[np.ndarray, np.ndarray]:
    """The cameras as arrays; made up under a protocol that does not look at them."""
    if protocol not in PROTOCOLS:
        raise EvaluationError(
            f"Protocol {protocol!r} is unknown.", rule=f"Protocols: {PROTOCOLS}.", action=nearest_name(protocol, PROTOCOLS)
        )
    if protocol == "no-camera":
        return np.zeros(queries, np.int64), np.ones(images, np.int64)
    if query is None or gallery is None:
        raise EvaluationError(
            "No cameras were given.",
            rule=f"Protocol {protocol!r} removes images by camera.",
            action="Pass query_cameras and gallery_cameras, or protocol='no-camera'.",
        )
    return np.asarray(query), np.asarray(gallery)


def _check(distance: np.ndarray, *columns: np.ndarray | int) -> None:
    """Shapes that fit and distances that are numbers."""
    query_ids, gallery_ids, query_cameras, gallery_cameras, max_rank = columns
    wanted = (np.size(query_ids), np.size(gallery_ids))
    if distance.shape != wanted or np.size(query_cameras) != wanted[0] or np.size(gallery_cameras) != wanted[1]:
        raise EvaluationError(
            f"Distances {distance.shape} for {wanted[0]} queries and {wanted[1]} gallery images with "
            f"{np.size(query_cameras)} and {np.size(gallery_cameras)} cameras.",
            rule="distance is (queries, gallery); one identity and one camera an image.",
            action="Check the order of the arguments.",
        )
    if np.size(max_rank) != 1 or int(np.max(max_rank)) < 1:
        raise EvaluationError(f"max_rank = {max_rank}.", rule="max_rank >= 1.", action="Ask for at least rank 1.")
    wrong = [int(q) for q, row in enumerate(distance) if np.isnan(row).any()]
    if wrong:
        raise EvaluationError(
            f"NaN in the distances of query {shown(wrong)}.", rule="Distances are numbers.", action="Check the features."
        )
