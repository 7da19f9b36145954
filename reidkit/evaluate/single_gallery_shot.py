"""CMC against a gallery that shows every identity once: drawn again and again (CUHK03's first protocol), or given so.

CUHK03's *new* protocol (767/700 identities) is no such thing: it is scored with `evaluate_ranking`, as Market-1501.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from reidkit.errors import EvaluationError, nearest_name, shown
from reidkit.evaluate.protocols import JUNK, Task, checked_matrix, make_task, not_a_number

logger = logging.getLogger(__name__)

CAMERA_RULES = {"cuhk03": "literal-camera", "single-shot": "no-camera"}
"""Protocol -> the camera rule it has when none is asked for (names of `reidkit.evaluate.PROTOCOLS`)."""
CMC_PROTOCOLS = tuple(CAMERA_RULES)


@dataclass(frozen=True, eq=False)
class CmcScores:
    """How soon the one right image is found.

    Attributes:
        cmc: float64 (max_rank,), mean over the repetitions; entry k-1 is the share of answered queries with the right image
            among the first k. NaN when no query can be answered.
        cmc_sd: float64 (max_rank,), standard deviation over the repetitions (population form).
        ranks: int64 (R, Q), rank of the right image in each repetition, from 1; 0 for queries without one.
        protocol: one of `CMC_PROTOCOLS`.
        camera_rule: one of `reidkit.evaluate.PROTOCOLS`.
    """

    cmc: np.ndarray
    cmc_sd: np.ndarray
    ranks: np.ndarray
    protocol: str
    camera_rule: str

    @property
    def answered(self) -> int:
        """Queries with a right image in the gallery; the means are over them."""
        return int((self.ranks[0] > 0).sum())

    @property
    def unanswerable(self) -> int:
        """Queries without one; they count nowhere."""
        return self.ranks.shape[1] - self.answered

    def rank(self, k: int) -> float:
        """CMC at rank k, 0..1."""
        return float(self.cmc[min(k, len(self.cmc)) - 1])


def evaluate_cmc(
    distance: ArrayLike,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cameras: ArrayLike | None = None,
    gallery_cameras: ArrayLike | None = None,
    *,
    protocol: str = "cuhk03",
    camera_rule: str | None = None,
    repetitions: int = 10,
    seed: int = 0,
    max_rank: int = 50,
) -> CmcScores:
    """CMC with one gallery image of each identity.

    Junk (identity -1) is removed, then what the camera rule removes, query by query. Under ``"cuhk03"`` one image of each
    identity is then drawn at random, `repetitions` times, and the curves are averaged. Under ``"single-shot"`` (VIPeR, GRID,
    PRID 2011) the gallery already has one image of each identity and nothing is drawn; published numbers are means over ten
    random splits, which is the caller's loop. CUHK01 has two images a person and view: draw one of them with ``"cuhk03"`` and
    ``camera_rule="no-camera"``. A distractor (0) is nobody else's image, so each of them stays.

    The draw: repetition r has a random order of the gallery (the r-th ``permutation`` of ``default_rng(seed)``), and of each
    identity the first image in it that is left counts. So every image is as likely as another, the first ten repetitions of
    a hundred are those of ten, and what one query meets does not depend on the other queries.

    Args:
        distance: (Q, G), smaller is more alike; ties by gallery index.
        query_ids, gallery_ids: int (Q,), (G,).
        query_cameras, gallery_cameras: int (Q,), (G,); not needed under the camera rule ``"no-camera"``.
        protocol: one of `CMC_PROTOCOLS`.
        camera_rule: what is removed, by the name of a protocol of `evaluate_ranking`; None takes `CAMERA_RULES`. Published code
            differs for CUHK03: all images of the query's camera (``"literal-camera"``, open-reid's "separate camera set" and
            the original tool), or only those of the query's identity as well (``"market"``, deep-person-reid).
        repetitions: R, draws under ``"cuhk03"`` (10 in common code, 100 in the original tool).
        seed: of the draws.
        max_rank: length of the CMC curve.

    Raises:
        EvaluationError: for shapes that do not fit, NaN distances, an unknown name, or several images of an identity in the
            gallery of ``"single-shot"``.

    Source: "DeepReID: Deep Filter Pairing Neural Network for Person Re-Identification" (2014), section 4; thesis reference,
    section 8.1.
    """
    if protocol not in CMC_PROTOCOLS:
        raise EvaluationError(
            f"Protocol {protocol!r} is unknown.",
            rule=f"Protocols: {CMC_PROTOCOLS}.",
            action=nearest_name(protocol, CMC_PROTOCOLS),
        )
    if repetitions < 1 or max_rank < 1:
        raise EvaluationError(
            f"repetitions = {repetitions}, max_rank = {max_rank}.", rule="Both are at least 1.", action="Raise the one below 1."
        )
    rule = camera_rule or CAMERA_RULES[protocol]
    task = make_task(rule, query_ids, gallery_ids, query_cameras, gallery_cameras)
    matrix = checked_matrix(distance, task)
    wrong = np.flatnonzero(np.isnan(matrix).any(axis=1))
    if len(wrong):
        raise not_a_number(int(wrong[0]))
    if protocol == "single-shot":
        _refuse_several(task.gallery_ids)
    draws = repetitions if protocol == "cuhk03" else 1
    generator = np.random.default_rng(seed)
    orders = np.array([generator.permutation(matrix.shape[1]) for _ in range(draws)], np.int64).reshape(draws, -1)
    ranks = _ranks(matrix, task, orders)
    answered = ranks[0] > 0
    if not answered.any():
        logger.warning("no query has a right image in the gallery under protocol %r (%s): CMC is NaN", protocol, rule)
        return CmcScores(np.full(max_rank, np.nan), np.full(max_rank, np.nan), ranks, protocol, rule)
    curves = (ranks[:, answered, None] <= np.arange(1, max_rank + 1)).mean(axis=1)
    return CmcScores(curves.mean(axis=0), curves.std(axis=0), ranks, protocol, rule)


def _ranks(distance: np.ndarray, task: Task, orders: np.ndarray) -> np.ndarray:
    """int64 (R, Q): the place of the right image among the images drawn; `orders` (R, G) are orders of the gallery."""
    draws, gallery = orders.shape
    ranks = np.zeros((draws, len(distance)), np.int64)
    if not gallery:
        return ranks
    turn = np.empty_like(orders)
    np.put_along_axis(turn, orders, np.arange(gallery)[None], axis=1)
    person = np.where(task.gallery_ids > 0, task.gallery_ids, -1 - np.arange(gallery))  # nobody shares a distractor's group
    grouped = np.argsort(person, kind="stable")
    names, starts = np.unique(person[grouped], return_index=True)
    turn, real = turn[:, grouped], (task.gallery_ids != JUNK)[grouped]
    for q, row in enumerate(distance):
        group = int(np.searchsorted(names, task.query_ids[q]))
        if group == len(names) or names[group] != task.query_ids[q] or task.query_ids[q] <= 0:
            continue
        kept = real & ~_removed(task, q)[grouped]
        first = np.minimum.reduceat(np.where(kept, turn, gallery), starts, axis=1)
        if first[0, group] == gallery:
            continue
        drawn = np.take_along_axis(orders, np.minimum(first, gallery - 1), axis=1)
        value, right = row[drawn], drawn[:, [group]]
        ahead = (value < row[right]) | ((value == row[right]) & (drawn < right))
        ranks[:, q] = (ahead & (first < gallery)).sum(axis=1) + 1
    return ranks


def _removed(task: Task, q: int) -> np.ndarray:
    """bool (G,), what the camera rule takes out for one query."""
    near = task.gallery_cameras == task.query_cameras[q]
    return {"no-camera": np.zeros_like(near), "literal-camera": near, "market": near & (task.gallery_ids == task.query_ids[q])}[
        task.protocol
    ]


def _refuse_several(gallery_ids: np.ndarray) -> None:
    """A single-shot gallery has one image of each person."""
    names, counts = np.unique(gallery_ids[gallery_ids > 0], return_counts=True)
    several = names[counts > 1]
    if len(several):
        raise EvaluationError(
            f"The gallery has several images of identity {shown(several.tolist())}.",
            rule="A single-shot gallery shows every identity once.",
            action="Keep one image of each, draw them with protocol='cuhk03', or use evaluate_ranking.",
        )
