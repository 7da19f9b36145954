"""What the labels say about each image."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reidkit.diagnose.counts import cell_frame, together
from reidkit.diagnose.inputs import OUTLIER, Labelling

STATUS = ("right", "wrong", "outlier", "unknown")
COLUMNS = {
    "image": "row of the image in the input",
    "path": "its file name, or its row when none was given",
    "camera": "its camera, as given",
    "label": "its cluster, as given; -1 for an outlier",
    "cluster_images": "images in its cluster; 0 for an outlier",
    "identity": "its true identity, as given; empty when unknown",
    "cluster_precision": "share of the judged images of its cluster that have its identity, 0 to 1",
    "identity_recall": "share of its identity's images that are in its cluster, 0 to 1",
    "status": "right: its identity holds more than half of the cluster; wrong: it does not; outlier; unknown identity",
    "silhouette": "silhouette in the graph, outliers as one group, -1 to 1",
    "centre_distance": "cosine distance to the centre of its cluster, 0 to 2",
}


def image_table(labelling: Labelling) -> pd.DataFrame:
    """One row an image, in the order given; see `COLUMNS` (the truth's columns only when truth was given)."""
    label, inlier = labelling.label, labelling.inlier
    frame = pd.DataFrame({"image": np.arange(len(label)), "path": pd.Series(labelling.paths, dtype=object)})
    frame["camera"] = [labelling.camera_names[c] for c in labelling.camera]
    frame["label"] = [labelling.cluster_names[k] if k != OUTLIER else OUTLIER for k in label]
    frame["cluster_images"] = np.where(inlier, together(label + 1), 0)
    if labelling.identity is None:
        return frame
    names = [*labelling.identity_names, None]
    frame["identity"] = pd.Series([names[i] for i in labelling.identity], dtype=object)
    known = labelling.known
    judged = np.flatnonzero(known & inlier)
    cell = together(label[judged], labelling.identity[judged])
    precision, recall = np.full(len(label), np.nan), np.full(len(label), np.nan)
    precision[judged] = cell / together(label[judged])
    total = cell_frame(identity=labelling.identity[known])["images"].to_numpy()
    recall[judged] = cell / total[labelling.identity[judged]]
    frame["cluster_precision"], frame["identity_recall"] = precision, recall
    frame["status"] = np.select([~inlier, ~known, precision > 0.5], ["outlier", "unknown", "right"], "wrong")
    return frame
