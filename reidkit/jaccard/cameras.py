"""The camera-aware Jaccard distance: neighbours are looked for within the image's camera and outside it.

Source: "CA-Jaccard: Camera-aware Jaccard Distance for Person Re-identification" (2024), sections 3.2 and 3.3, and the
published code (lists hold k + 1 entries, no expansion of the sets, weights exp(-d^2)).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from reidkit.errors import LabelsError
from reidkit.jaccard.build import graph_of, jaccard_graph
from reidkit.jaccard.graph import JaccardGraph, checked_settings
from reidkit.neighbours import checked_rows, is_unit, neighbour_lists
from reidkit.neighbours.search import search

Lists = tuple[sparse.csr_array, sparse.csr_array]


def camera_jaccard_graph(
    features: ArrayLike,
    cameras: ArrayLike,
    *,
    k1_intra: int = 5,
    k1_inter: int = 20,
    k2_intra: int = 2,
    k2_inter: int = 4,
    k1: int = 30,
    k2: int = 6,
    max_distance: float = 1.0,
) -> JaccardGraph:
    """`jaccard_graph` with reciprocal neighbours of each image's own camera and of the other cameras.

    Args:
        features: (N, D) float32, L2-normalised.
        cameras: int (N,).
        k1_intra, k1_inter: neighbours within the camera and outside it.
        k2_intra, k2_inter: entries of the two lists that are averaged (within the camera the image itself is the first).
        k1, k2: of the plain distance, which this is when there is one camera only.
        max_distance: as in `jaccard_graph`.
    """
    rows, camera = checked_rows(features), np.asarray(cameras)
    if camera.shape != (len(rows),):
        raise LabelsError(f"Cameras of shape {camera.shape} for {len(rows)} rows.", rule="One camera a row.", action="Pass (N,).")
    if min(k1_intra, k1_inter, k2_intra) < 1 or k2_inter < 0:
        raise LabelsError(
            "A list of no neighbours.", rule="k1_intra, k1_inter, k2_intra >= 1, k2_inter >= 0.", action="Raise them."
        )
    if len(np.unique(camera)) < 2:
        return jaccard_graph(rows, k1=k1, k2=k2, max_distance=max_distance)
    checked_settings(k1, k2, "index", max_distance)
    if not is_unit(rows):
        raise LabelsError("Features are not of length 1.", rule="This distance compares by cosine.", action="Normalise the rows.")
    within, outside = _lists(rows, camera, k1_intra, k2_intra, own=True), _lists(rows, camera, k1_inter, k2_inter, own=False)
    weights = _mutual(within[0]) + _mutual(outside[0])
    encoding = sparse.diags_array(1.0 / weights.sum(axis=1)) @ weights
    expanded = within[1] + outside[1]
    mean = sparse.diags_array(1.0 / expanded.sum(axis=1)) @ expanded
    return JaccardGraph(graph_of((mean @ encoding).tocsr(), max_distance), k1, k2, "camera-aware", max_distance)


def _lists(rows: np.ndarray, camera: np.ndarray, k1: int, k2: int, *, own: bool) -> Lists:
    """Weights exp(-d^2) of the first k1 + 1 neighbours, and ones at the first k2, within each camera or outside it."""
    starts, columns, weights, first = [], [], [], []
    for name in np.unique(camera):
        mine, pool = np.flatnonzero(camera == name), np.flatnonzero((camera == name) == own)
        k = min(k1 + 1, len(pool))
        found = neighbour_lists(rows[mine], k) if own else search(rows[mine], rows[pool], k)
        starts.append(np.repeat(mine, k))
        columns.append(pool[found.index].ravel())
        weights.append(np.exp(2.0 * found.similarity - 2.0).ravel())
        first.append(np.tile(np.arange(k) < k2, len(mine)))
    place, shape = (np.concatenate(starts), np.concatenate(columns)), (len(rows), len(rows))
    chosen = np.concatenate(first)
    ones = sparse.csr_array((np.ones(chosen.sum()), (place[0][chosen], place[1][chosen])), shape=shape)
    return sparse.csr_array((np.concatenate(weights), place), shape=shape), ones


def _mutual(lists: sparse.csr_array) -> sparse.csr_array:
    """The entries whose mirror image is an entry as well."""
    return lists.multiply(lists.T > 0).tocsr()
