"""The selection funnel: how many images reach training, and what the truth says of those that do not.

Cluster selection is "Learn by Guessing" (2022), section 3.4: outliers, clusters with too few images and clusters of one camera
are not trained on. Table 4 of the paper prints the share that is left as *portion*.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from reidkit.diagnose.counts import cell_frame
from reidkit.diagnose.diagnosis import Diagnosis
from reidkit.diagnose.inputs import OUTLIER, Labelling
from reidkit.errors import DiagnosisError

STAGES = ("all images", "in a cluster", "large enough", "from two cameras")
FATES = ("too small", "single camera", "trained on")
SINGLE_CAMERA = ("keep", "drop")
COLUMNS = {
    "stage": "one of: " + ", ".join(STAGES),
    "images": "images that are left",
    "portion": "share of all images that are left, 0 to 1",
    "clusters": "clusters that are left",
    "identities": "identities with an image that is left",
    "crossing": "of these, identities with images of two cameras in one cluster (in the first stage, at all)",
    "right": "images left that are of their cluster's main identity",
    "purity": "their share of the images left, 0 to 1; undefined where nothing is left, and before there are clusters",
    "cluster_purity": "mean purity of the clusters left: what a batch meets, which draws clusters and not images",
    "lost_purity": "as `purity`, of the images whose clusters this stage removed",
}


def cluster_fates(clusters: pd.DataFrame, *, min_size: int = 4, single_camera: str = "drop") -> pd.Series:
    """What selection does to each cluster, one of `FATES`, indexed like `clusters` (`Diagnosis.clusters`); size is asked first.

    Args:
        min_size: least images of a cluster that is trained on.
        single_camera: ``"keep"`` or ``"drop"`` clusters that one camera alone sees.
    """
    if single_camera not in SINGLE_CAMERA:
        what = f"single_camera = {single_camera!r}."
        raise DiagnosisError(what, rule=f"One of {SINGLE_CAMERA}.", action="Choose one.")
    small, single = clusters["images"] < min_size, (clusters["cameras"] < 2) & (single_camera == "drop")
    return pd.Series(np.select([small, single], list(FATES[:2]), FATES[2]), index=clusters.index, name="fate")


def selection_funnel(diagnosis: Diagnosis, *, min_size: int = 4, single_camera: str = "drop") -> pd.DataFrame:
    """One row a stage, from all images to those that are trained on; see `COLUMNS` (the truth's columns only with truth).

    Args:
        diagnosis: of the labels *before* selection.
        min_size, single_camera: see `cluster_fates`.
    """
    own, clusters = diagnosis.labelling, diagnosis.clusters
    fate = cluster_fates(clusters, min_size=min_size, single_camera=single_camera).to_numpy()
    left = [np.ones(len(clusters), bool), np.ones(len(clusters), bool), fate != FATES[0], fate == FATES[2]]
    rows: list[dict[str, object]] = []
    for stage, kept in enumerate(left):
        inside = np.append(kept, stage == 0)[own.label]  # -1, an outlier, reads the last entry
        row: dict[str, object] = {"stage": STAGES[stage], "images": int(inside.sum()), "portion": float(inside.mean())}
        row["clusters"] = int(kept.sum()) if stage else 0
        if own.identity is not None:
            row |= _people(own, inside, own.label if stage else np.zeros_like(own.label))
            row |= _right(clusters[kept & (stage > 0)])
            row["cluster_purity"] = clusters["purity"][kept & (stage > 0)].mean()
            row["lost_purity"] = _right(clusters[left[max(stage - 1, 0)] & ~kept])["purity"]
        rows.append(row)
    return pd.DataFrame(rows)[[name for name in COLUMNS if name in rows[0]]]


def _people(own: Labelling, inside: np.ndarray, label: np.ndarray) -> dict[str, int]:
    """Identities among some images, and those with images of two cameras under one label."""
    assert own.identity is not None
    known = inside & own.known
    found = {"identities": len(np.unique(own.identity[known]))}
    member = known & (label != OUTLIER)
    cells = cell_frame(identity=own.identity[member], label=label[member], camera=own.camera[member])
    seen = cells.groupby(["identity", "label"]).size()
    return found | {"crossing": int((seen >= 2).groupby(level="identity").any().sum()) if len(seen) else 0}


def _right(clusters: pd.DataFrame) -> dict[str, float]:
    """Images of the main identity of some clusters, and their share of those of known identity."""
    judged = clusters["judged"].to_numpy(np.float64)
    right = float(np.round(np.nan_to_num(clusters["purity"].to_numpy(np.float64)) * judged).sum())
    return {"right": right, "purity": right / judged.sum() if judged.sum() else float("nan")}
