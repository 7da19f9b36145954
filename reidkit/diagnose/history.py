"""A run over its epochs: one row an epoch, from its labels alone, with scores of the judge beside them when there are any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int

from reidkit.diagnose.counts import as_singletons
from reidkit.diagnose.identities import identity_table
from reidkit.diagnose.information import entropy, information
from reidkit.diagnose.inputs import Labelling, check_inputs
from reidkit.diagnose.pairwise import count_pairs
from reidkit.errors import DiagnosisError

COLUMNS = {
    "epoch": "epoch, from 0",
    "clusters": "clusters",
    "outliers": "images without a cluster",
    "agreement": "adjusted Rand index with the epoch before, outliers as singletons; undefined for the first",
    "camera_information": "I(label; camera), nats, outliers left out",
    "camera_information_chance": "its mean when labels are permuted within the same cluster sizes, nats",
    "camera_floor": "I(identity; camera) of all images of known identity, nats: what the truth itself has",
    "camera_entropy": "H(camera) of all images, nats: the most that labels could tell",
    "precision": "pairs in one cluster that are of one identity, outliers dropped, 0 to 1",
    "recall": "pairs of one identity that are in one cluster, outliers as singletons, 0 to 1",
    "f1": "pairwise F, outliers as singletons, 0 to 1",
    "f1_cross_camera": "the same over pairs from two cameras",
    "lost": "identities that are the majority of no cluster",
    "unseen": "identities of which every image is an outlier: lost as CANU-ReID counts",
    "lost_for_good": "identities lost in this epoch and in every later one; only where there are several epochs",
    "mean_ap": "mean average precision on the test side, 0 to 1, where that epoch was judged",
}


def epoch_table(
    labels: Int[np.ndarray, "e n"],
    cameras: object,
    *,
    identities: object = None,
    scores: pd.DataFrame | None = None,
    history: Sequence[Mapping[str, object]] | None = None,
    permutations: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """One row an epoch; see `COLUMNS` (the truth's columns only when truth is known).

    Args:
        labels: (E, N), -1 outliers.
        cameras, identities: (N,), as in `diagnose`.
        scores: a table with the column `epoch`; its other columns (mean_ap, rank1, ...) are joined where judged.
        history: one mapping an epoch; a number under `eps` is shown.
        permutations, seed: of the chance level.

    Raises:
        DiagnosisError: when labels are no table of epochs, or do not fit the other columns.
    """
    if labels.ndim != 2 or not len(labels):
        raise DiagnosisError(f"labels {labels.shape}.", rule="Labels are (epochs, images).", action="Train for an epoch first.")
    rows, before, lost = [], None, []
    for epoch, label in enumerate(labels):
        labelling = check_inputs(label, cameras, identities)
        row = _epoch_row(labelling, permutations, seed) | {"epoch": epoch, "agreement": np.nan}
        if labelling.known.any():
            people = identity_table(labelling)
            lost.append(people["lost"].to_numpy(bool))
            row |= {"lost": int(lost[-1].sum()), "unseen": int((people["status"] == "unseen").sum())}
        alone = as_singletons(labelling.label)
        if before is not None:
            row["agreement"] = count_pairs(before, alone, np.zeros_like(alone))["all"].ari
        before = alone
        rows.append(row | _eps(history, epoch))
    frame = pd.DataFrame(rows)
    if len(lost) > 1:
        frame["lost_for_good"] = [int(np.all(lost[epoch:], axis=0).sum()) for epoch in range(len(lost))]
    frame = frame[[name for name in (*COLUMNS, "eps") if name in frame]]
    return frame if scores is None or not len(scores) else frame.merge(scores, on="epoch", how="left")


def _epoch_row(labelling: Labelling, permutations: int, seed: int) -> dict[str, int | float]:
    kept = labelling.inlier
    row: dict[str, int | float] = {"clusters": len(labelling.cluster_names), "outliers": int((~kept).sum())}
    found = information(labelling.label[kept], labelling.camera[kept], permutations=permutations, seed=seed)
    row |= {"camera_information": float(found), "camera_information_chance": found.chance}
    row["camera_entropy"] = entropy(labelling.camera)
    known = labelling.known
    if labelling.identity is None or not known.any():
        return row
    row["camera_floor"] = float(information(labelling.identity[known], labelling.camera[known]))
    both = known & kept
    row["precision"] = count_pairs(*(side[both] for side in (labelling.label, labelling.identity, labelling.camera)))[
        "all"
    ].precision
    alone = as_singletons(labelling.label)
    pairs = count_pairs(alone[known], labelling.identity[known], labelling.camera[known])
    return row | {"recall": pairs["all"].recall, "f1": pairs["all"].f1, "f1_cross_camera": pairs["cross-camera"].f1}


def _eps(history: Sequence[Mapping[str, object]] | None, epoch: int) -> dict[str, int | float]:
    value = history[epoch].get("eps") if history is not None and epoch < len(history) else None
    return {"eps": float(value)} if isinstance(value, int | float) else {}
