"""Which gallery images take part in the ranking of a query."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from reidkit.errors import EvaluationError, nearest_name

JUNK = -1
PROTOCOLS = ("market", "literal-camera", "no-camera")
ELSEWHERE = {
    "cuhk03": "reidkit.evaluate.evaluate_cmc (CUHK03's new protocol is 'market')",
    "single-shot": "reidkit.evaluate.evaluate_cmc",
    "tracklet": "reidkit.evaluate.evaluate_tracklets",
}
"""Protocols that rank something other than all images of the gallery, and what scores them."""


@dataclass(frozen=True, eq=False)
class Task:
    """Queries and a gallery under a protocol.

    Attributes:
        protocol: one of `PROTOCOLS`.
        query_ids, query_cameras: int64 (Q,).
        gallery_ids, gallery_cameras: int64 (G,).
        by_identity: int64 (G,), gallery rows sorted by identity, ascending within one.
        first, last: int64 (Q,), the slice of `by_identity` that has the query's identity.
        views: gallery rows that may be ranked at all, ascending: one list, or one for each camera under ``"literal-camera"``.
        view_of: int64 (Q,), the list of each query.
    """

    protocol: str
    query_ids: np.ndarray
    query_cameras: np.ndarray
    gallery_ids: np.ndarray
    gallery_cameras: np.ndarray
    by_identity: np.ndarray
    first: np.ndarray
    last: np.ndarray
    views: list[np.ndarray]
    view_of: np.ndarray

    @property
    def camera_rule(self) -> int:
        """What `counting.score_rows` does with an image of the query's identity and camera."""
        return {"no-camera": 0, "market": 1, "literal-camera": 2}[self.protocol]


def make_task(
    protocol: str,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cameras: ArrayLike | None,
    gallery_cameras: ArrayLike | None,
) -> Task:
    """Check identities and cameras, and index the gallery by them."""
    if protocol not in PROTOCOLS:
        use = f"Use {ELSEWHERE[protocol]}." if protocol in ELSEWHERE else nearest_name(protocol, PROTOCOLS)
        raise EvaluationError(f"Protocol {protocol!r} is unknown here.", rule=f"Protocols: {PROTOCOLS}.", action=use)
    ids = _numbers(query_ids, "query_ids"), _numbers(gallery_ids, "gallery_ids")
    if protocol == "no-camera":
        cameras = np.zeros(len(ids[0]), np.int64), np.ones(len(ids[1]), np.int64)
    elif query_cameras is None or gallery_cameras is None:
        raise EvaluationError(
            "No cameras were given.",
            rule=f"Protocol {protocol!r} removes images by camera.",
            action="Pass query_cameras and gallery_cameras, or protocol='no-camera'.",
        )
    else:
        cameras = _numbers(query_cameras, "query_cameras"), _numbers(gallery_cameras, "gallery_cameras")
    for side, identity, camera in zip(("query", "gallery"), ids, cameras):
        if len(identity) != len(camera):
            raise EvaluationError(
                f"{side}: {len(identity)} identities, {len(camera)} cameras.",
                rule="One identity and one camera an image.",
                action="Check the order of the arguments.",
            )
    order = np.argsort(ids[1], kind="stable")
    ordered = ids[1][order]
    first, last = np.searchsorted(ordered, ids[0], "left"), np.searchsorted(ordered, ids[0], "right")
    real = ids[1] != JUNK
    views, view_of = [np.flatnonzero(real)], np.zeros(len(ids[0]), np.int64)
    if protocol == "literal-camera":
        names, view_of = np.unique(cameras[0], return_inverse=True)
        views = [np.flatnonzero(real & (cameras[1] != camera)) for camera in names]
    return Task(protocol, ids[0], cameras[0], ids[1], cameras[1], order, first, last, views, view_of.astype(np.int64))


def _numbers(values: ArrayLike, name: str) -> np.ndarray:
    """int64 (n,); refuse anything that is not a list of whole numbers."""
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise EvaluationError(
            f"{name}: shape {array.shape}, type {array.dtype}.",
            rule="Identities and cameras are whole numbers, one an image.",
            action="Pass an integer array of one dimension.",
        )
    return array.astype(np.int64)


def checked_matrix(distance: ArrayLike, task: Task) -> np.ndarray:
    """The distances as a contiguous float32 or float64 matrix, of the shape that the identities ask for."""
    matrix = np.asarray(distance)
    matrix = matrix if matrix.dtype in (np.float32, np.float64) else matrix.astype(np.float64)
    wanted = len(task.query_ids), len(task.gallery_ids)
    if matrix.shape != wanted:
        raise EvaluationError(
            f"Distances {matrix.shape} for {wanted[0]} queries and {wanted[1]} gallery images.",
            rule="distance is (queries, gallery).",
            action="Check the order of the arguments.",
        )
    return np.ascontiguousarray(matrix)


def not_a_number(query: int) -> EvaluationError:
    """The error of a query with a NaN among its distances."""
    return EvaluationError(f"NaN in the distances of query {query}.", rule="Distances are numbers.", action="Check the features.")
