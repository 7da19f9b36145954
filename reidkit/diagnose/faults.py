"""Which clusters to look at first, and which of their images to show."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reidkit.diagnose.inputs import Labelling
from reidkit.errors import DiagnosisError, nearest_name

FAULTS: dict[str, tuple[str, bool]] = {
    "largest": ("images", False),
    "smallest": ("images", True),
    "fewest cameras": ("camera_entropy", True),
    "least pure": ("purity", True),
    "least complete": ("recall", True),
    "lowest silhouette": ("silhouette", True),
    "widest": ("radius", False),
    "by number": ("cluster", True),
}


def faults_of(clusters: pd.DataFrame) -> list[str]:
    """The faults that this table of clusters can be sorted by."""
    return [name for name, (column, _) in FAULTS.items() if column in clusters]


def sort_clusters(clusters: pd.DataFrame, fault: str) -> pd.DataFrame:
    """Clusters, the worst first; larger ones first among equals, then by number. Undefined values stand last."""
    if fault not in faults_of(clusters):
        what = f"Clusters cannot be sorted by {fault!r}. {nearest_name(fault, faults_of(clusters))}"
        raise DiagnosisError(what, rule="A fault needs its column (truth, graph or features).", action="Choose another.")
    column, ascending = FAULTS[fault]
    keys = {column: ascending} | {name: up for name, up in (("images", False), ("cluster", True)) if name != column}
    return clusters.sort_values(list(keys), ascending=list(keys.values())).reset_index(drop=True)


def members(labelling: Labelling, cluster: object, most: int) -> pd.DataFrame:
    """Up to `most` images of a cluster, evenly over its identities and cameras: image, mark.

    The main identity comes first. `mark` is ``main``, ``other`` or ``unknown`` (no truth).
    """
    code = labelling.cluster_names.index(cluster)  # type: ignore[arg-type]
    rows = np.flatnonzero(labelling.label == code)
    camera = labelling.camera[rows]
    if labelling.identity is None:
        who, main = np.full(len(rows), -1), np.zeros(len(rows), bool)
    else:
        who = labelling.identity[rows]
        judged = who[who >= 0]
        main = who == (np.bincount(judged).argmax() if len(judged) else -2)
    order = np.lexsort((rows, camera, who, ~main))
    picked = order[np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(np.int64)]
    mark = np.select([who < 0, main], ["unknown", "main"], "other")
    return pd.DataFrame({"image": rows, "mark": mark}).iloc[picked].reset_index(drop=True)
