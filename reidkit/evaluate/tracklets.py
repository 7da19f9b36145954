"""Video: the frames of a tracklet become one feature, and tracklets are ranked (MARS).

Two query counts are published for the same files of MARS, and both are right about what they count:

* ``"queries-in-gallery"`` (the official tool): all 12,180 test tracklets are the gallery, queries among them. A query never
  finds itself, as its own camera is removed, but finds the *other* queries of its identity: 1,980 queries count.
* ``"queries-removed"`` (SCR, deep-person-reid, most code): the gallery is what is left without the 1,980 queries, 10,200 of
  which 870 are junk. 140 queries then have no tracklet of another camera left and are skipped: 1,840 count.

Say which one a number belongs to; `RankingScores.answered` is the count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from reidkit.errors import EvaluationError, nearest_name, shown
from reidkit.evaluate.ranking import RankingScores, evaluate_ranking

POOLINGS = ("mean", "max")
CONVENTIONS = {"queries-removed": 1840, "queries-in-gallery": 1980}
"""Convention -> queries that count on the full MARS."""


@dataclass(frozen=True, eq=False)
class Tracklets:
    """One row a tracklet, ascending by number.

    Attributes:
        matrix: float32 (T, D), L2-normalised.
        tracklet: int64 (T,), its number.
        identity, camera: int64 (T,).
        frames: int64 (T,), how many frames were pooled.
    """

    matrix: np.ndarray
    tracklet: np.ndarray
    identity: np.ndarray
    camera: np.ndarray
    frames: np.ndarray

    def __len__(self) -> int:
        return len(self.tracklet)


def pool_tracklets(
    features: ArrayLike, tracklets: ArrayLike, identities: ArrayLike, cameras: ArrayLike, *, how: str = "mean"
) -> Tracklets:
    """Pool the frames of each tracklet, then divide by the L2 norm (a row of zeros stays zero).

    Args:
        features: (N, D), one row a frame; pass unit rows for SCR's average, raw ones for the official tool's maximum.
        tracklets, identities, cameras: int (N,), of each frame; a tracklet has one identity and one camera.
        how: ``"mean"`` (SCR) or ``"max"`` over the frames, dimension by dimension (the official tool).

    Raises:
        EvaluationError: for columns that do not fit, values that are not finite, or a tracklet of two people or cameras.

    Source: "MARS: A Video Benchmark for Large-Scale Person Re-Identification" (2016), section 4; thesis reference, 8.5.
    """
    if how not in POOLINGS:
        raise EvaluationError(f"how = {how!r}.", rule=f"Poolings: {POOLINGS}.", action=nearest_name(how, POOLINGS))
    rows = np.asarray(features)
    columns = [np.asarray(column) for column in (tracklets, identities, cameras)]
    if rows.ndim != 2 or not len(rows) or any(c.shape != (len(rows),) or c.dtype.kind not in "iu" for c in columns):
        raise EvaluationError(
            f"Features {rows.shape} with columns {[(c.shape, str(c.dtype)) for c in columns]}.",
            rule="One frame a row; tracklet, identity and camera are whole numbers, one a frame.",
            action="Pass (N, D) features and the columns tracklet, identity and camera of the same N frames.",
        )
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise EvaluationError(
            f"Frame {int(bad[0])} has a feature that is no number.", rule="Features are finite.", action="Check the network."
        )
    order = np.argsort(columns[0], kind="stable")
    number, identity, camera = (column[order].astype(np.int64) for column in columns)
    names, starts, frames = np.unique(number, return_index=True, return_counts=True)
    for what, column in (("identities", identity), ("cameras", camera)):
        mixed = names[np.maximum.reduceat(column, starts) != np.minimum.reduceat(column, starts)]
        if len(mixed):
            raise EvaluationError(
                f"Tracklet {shown(mixed.tolist())} has several {what}.",
                rule="A tracklet is one person before one camera.",
                action="Correct the column tracklet; numbers must not be used twice, in train and test, say.",
            )
    pooled = _pooled(rows, order, starts, frames, how)
    return Tracklets(pooled, names.astype(np.int64), identity[starts], camera[starts], frames.astype(np.int64))


def evaluate_tracklets(
    query: Tracklets, gallery: Tracklets, *, convention: str = "queries-removed", max_rank: int = 50
) -> RankingScores:
    """Rank tracklets by 1 - cosine under the rule of Market-1501: junk (-1) ignored, distractors (0) stay as wrong answers.

    Args:
        query: the query tracklets.
        gallery: the other test tracklets.
        convention: one of `CONVENTIONS`; whether the queries are ranked as well, see this module's first lines.
        max_rank: length of the CMC curve.

    Raises:
        EvaluationError: for an unknown convention, features of two networks, or a tracklet on both sides.
    """
    if convention not in CONVENTIONS:
        raise EvaluationError(
            f"convention = {convention!r}.",
            rule=f"Conventions: {tuple(CONVENTIONS)}.",
            action=nearest_name(convention, CONVENTIONS),
        )
    if query.matrix.shape[1] != gallery.matrix.shape[1]:
        raise EvaluationError(
            f"Query features of length {query.matrix.shape[1]}, gallery features of length {gallery.matrix.shape[1]}.",
            rule="Both come from the same network.",
            action="Extract both again.",
        )
    both = np.intersect1d(query.tracklet, gallery.tracklet)
    if len(both):
        raise EvaluationError(
            f"Tracklet {shown(both.tolist())} is query and gallery.",
            rule="`gallery` holds the tracklets that are no query.",
            action="Leave the queries out; convention='queries-in-gallery' puts them in.",
        )
    ranked = gallery if convention == "queries-removed" else _together(query, gallery)
    distance = 1.0 - query.matrix @ ranked.matrix.T
    sides = query.identity, ranked.identity, query.camera, ranked.camera
    return evaluate_ranking(distance, *sides, protocol="market", max_rank=max_rank)


def _pooled(rows: np.ndarray, order: np.ndarray, starts: np.ndarray, frames: np.ndarray, how: str) -> np.ndarray:
    """float32 (T, D) unit rows; a tracklet at a time, so that a million frames are not copied."""
    pooled = np.empty((len(starts), rows.shape[1]), np.float32)
    for t, (start, count) in enumerate(zip(starts, frames)):
        part = rows[order[start : start + count]]
        one = (part.max(axis=0) if how == "max" else part.mean(axis=0, dtype=np.float64)).astype(np.float64)
        norm = float(np.linalg.norm(one))
        pooled[t] = one / norm if norm > 0 else one
    return pooled


def _together(a: Tracklets, b: Tracklets) -> Tracklets:
    """Both, ascending by tracklet number."""
    order = np.argsort(np.concatenate([a.tracklet, b.tracklet]), kind="stable")
    columns = ((x, y) for x, y in zip(vars(a).values(), vars(b).values()))
    return Tracklets(*(np.concatenate(pair)[order] for pair in columns))
