"""The oracle ladder: what each kind of error costs, found by undoing it, and only it, with the truth.

* ``undo merges``: every cluster is cut by identity; the pieces of an identity stay apart.
* ``undo splits``: clusters with the same main identity become one; what is wrong in them stays wrong.
* ``rescue noise``: every outlier joins the cluster that holds most of its identity; identities that have none become one.
* ``remove camera shift``: features lose, for each camera, the mean offset between a person's images there and that person's
  images everywhere; then they are clustered again in the same way.
* ``all``: the truth itself, as the top of the ladder.

The mAP of a labelling is that of ranking the training images by it: images of the query's cluster first, then the others,
each part by distance in the given features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from reidkit.diagnose.counts import as_singletons
from reidkit.diagnose.inputs import OUTLIER
from reidkit.diagnose.oracles import remove_camera_shift, rescue_noise, undo_merges, undo_splits
from reidkit.diagnose.pairwise import count_pairs
from reidkit.errors import DiagnosisError
from reidkit.evaluate import evaluate_ranking

if TYPE_CHECKING:
    from reidkit.diagnose.diagnosis import Diagnosis

RUNGS = ("as they are", "undo merges", "undo splits", "rescue noise", "remove camera shift", "all")
COLUMNS = {
    "rung": "what was undone, alone",
    "clusters": "clusters after it",
    "outliers": "outliers after it",
    "f1": "pairwise F, outliers as singletons, 0 to 1",
    "gain_f1": "F that this kind of error costs",
    "mean_ap": "mAP of ranking by cluster, then by feature, across cameras, 0 to 1",
    "gain_mean_ap": "mAP that this kind of error costs",
}


def oracle_ladder(
    diagnosis: Diagnosis, *, cluster: Callable[[np.ndarray], np.ndarray] | None = None, queries: int = 300, seed: int = 0
) -> pd.DataFrame:
    """One row a rung; see `COLUMNS`. Images of unknown identity are left as they are and do not count.

    Args:
        diagnosis: made with `identities`; with `features` the mAP is computed as well.
        cluster: features (N, D) -> labels (N,), as the labels were made; without it the camera's rung is left out.
        queries, seed: how many images are drawn as queries for the mAP.

    Raises:
        DiagnosisError: without truth.
    """
    labelling, features = diagnosis.labelling, diagnosis.space.features
    if labelling.identity is None or not labelling.known.any():
        raise DiagnosisError(
            "There is no truth.", rule="The ladder undoes errors, which takes the truth.", action="Pass identities."
        )
    known = np.flatnonzero(labelling.known)
    draw = np.sort(np.random.default_rng(seed).permutation(known)[:queries])
    rows = []
    for rung, label in _rungs(labelling.label, labelling.identity, labelling.camera, features, cluster):
        pairs = count_pairs(as_singletons(label)[known], labelling.identity[known], labelling.camera[known])["all"]
        row = {
            "rung": rung,
            "clusters": len(np.unique(label[label >= 0])),
            "outliers": int((label == OUTLIER).sum()),
            "f1": pairs.f1,
        }
        if features is not None:
            row["mean_ap"] = ranking_by_label(features, label, labelling.identity, labelling.camera, draw)
        rows.append(row)
    frame = pd.DataFrame(rows)
    for name in ("f1", "mean_ap"):
        if name in frame:
            frame[f"gain_{name}"] = frame[name] - frame[name].iloc[0]
    return frame[[name for name in COLUMNS if name in frame]]


def ranking_by_label(
    features: Float[np.ndarray, "n d"],
    label: Int[np.ndarray, " n"],
    identity: Int[np.ndarray, " n"],
    camera: Int[np.ndarray, " n"],
    queries: Int[np.ndarray, " q"],
) -> float:
    """mAP (0 to 1) of the queries against all images: their cluster first, then the rest, each part by cosine distance."""
    group = as_singletons(label)
    distance = 1.0 - features[queries] @ features.T
    distance += np.where(group[queries][:, None] == group[None, :], 0.0, 4.0)
    known = identity >= 0
    sides = identity[queries], identity[known], camera[queries], camera[known]
    return float(evaluate_ranking(distance[:, known], *sides).mean_ap)


def _rungs(
    label: np.ndarray, identity: np.ndarray, camera: np.ndarray, features: np.ndarray | None, cluster: Callable | None
) -> Iterator[tuple[str, np.ndarray]]:
    yield RUNGS[0], label
    yield RUNGS[1], undo_merges(label, identity)
    yield RUNGS[2], undo_splits(label, identity)
    yield RUNGS[3], rescue_noise(label, identity)
    if cluster is not None and features is not None:
        yield RUNGS[4], np.asarray(cluster(remove_camera_shift(features, identity, camera)), np.int64)
    yield RUNGS[5], np.where(identity >= 0, identity, OUTLIER)
