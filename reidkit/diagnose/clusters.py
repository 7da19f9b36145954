"""What is wrong with each cluster: exactly one status each, the first that applies.

* ``too small``: fewer than `min_size` images.
* ``merged``: identities other than its main one hold more than `merge_share` of its images of known identity.
* ``single-camera``: one camera only, while other cameras saw its main identity too.
* ``fragment``: its main identity has half of its images or more elsewhere.
* ``clean``: none of these; ``unknown``: none of its images has a known identity.

Without any truth a cluster is ``too small``, ``single-camera`` or ``cross-camera``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float

from reidkit.diagnose.counts import cell_frame, largest
from reidkit.diagnose.inputs import Labelling

STATUS = ("clean", "merged", "single-camera", "fragment", "too small", "unknown", "cross-camera")
COLUMNS = {
    "cluster": "number of the cluster, as given",
    "images": "images in it",
    "cameras": "cameras among them",
    "camera_entropy": "entropy of its cameras, nats; 0 for a single camera",
    "main_camera": "its most frequent camera (the first among equals)",
    "main_camera_share": "share of its images from that camera, 0 to 1",
    "judged": "images of known identity in it",
    "identities": "true identities among them",
    "main_identity": "its most frequent identity (the first among equals)",
    "purity": "share of the judged images that are of the main identity, 0 to 1",
    "recall": "share of the main identity's images that are here, 0 to 1",
    "silhouette": "mean silhouette of its images in the graph, -1 to 1",
    "radius": "mean cosine distance of its images to its centre, 0 to 2",
    "status": "one of: " + ", ".join(STATUS),
}


def cluster_table(labelling: Labelling, *, min_size: int = 4, merge_share: float = 0.2) -> pd.DataFrame:
    """One row a cluster, in ascending order; see `COLUMNS` (the truth's columns only when truth was given).

    Args:
        min_size: images below which a cluster is too small to train on (4: the usual instances of an identity in a batch).
        merge_share: share of other identities above which a cluster counts as merged.
    """
    inlier = labelling.inlier
    label, camera = labelling.label[inlier], labelling.camera[inlier]
    clusters = np.arange(len(labelling.cluster_names))
    seen = cell_frame(cluster=label, camera=camera)
    images = np.bincount(label, minlength=len(clusters))
    frame = pd.DataFrame({"cluster": labelling.cluster_names, "images": images})
    frame["cameras"] = np.bincount(seen["cluster"], minlength=len(clusters))
    frame["camera_entropy"] = _entropies(seen, len(clusters))
    main = largest(seen, "cluster", "camera").reindex(clusters)
    frame["main_camera"] = [labelling.camera_names[c] for c in main["camera"].astype(np.int64)]
    frame["main_camera_share"] = main["images"].to_numpy() / images
    small, single = images < min_size, (frame["cameras"] == 1).to_numpy()
    if labelling.identity is None:
        frame["status"] = np.select([small, single], ["too small", "single-camera"], "cross-camera")
        return frame
    truth, seen_by = _truth_columns(labelling, len(clusters))
    frame = frame.assign(**truth)
    frame["status"] = np.select(
        [small, frame["judged"] == 0, frame["purity"] < 1 - merge_share - 1e-9, single & (seen_by > 1), frame["recall"] <= 0.5],
        ["too small", "unknown", "merged", "single-camera", "fragment"],
        "clean",
    )
    return frame


def _truth_columns(labelling: Labelling, clusters: int) -> tuple[dict[str, np.ndarray | pd.Series], np.ndarray]:
    """Columns that need the truth, and how many cameras that saw each main identity."""
    assert labelling.identity is not None
    known, both = labelling.known, labelling.known & labelling.inlier
    spread = cell_frame(cluster=labelling.label[both], identity=labelling.identity[both])
    judged = np.bincount(labelling.label[both], minlength=clusters)
    people = len(labelling.identity_names)
    total = np.bincount(labelling.identity[known], minlength=people + 1)
    views = cell_frame(identity=labelling.identity[known], camera=labelling.camera[known])
    seen_by = np.bincount(views["identity"], minlength=people + 1)
    main = largest(spread, "cluster", "identity").reindex(np.arange(clusters))
    who = main["identity"].fillna(people).astype(np.int64).to_numpy()
    most = main["images"].to_numpy(np.float64)
    columns = {
        "judged": judged,
        "identities": np.bincount(spread["cluster"], minlength=clusters),
        "main_identity": pd.Series([labelling.identity_names[i] if i < people else None for i in who], dtype=object),
        "purity": most / np.maximum(judged, 1),
        "recall": most / np.maximum(total[who], 1),
    }
    return columns, seen_by[who]


def _entropies(seen: pd.DataFrame, clusters: int) -> Float[np.ndarray, " k"]:
    """Entropy in nats of each cluster's cameras."""
    share = seen["images"] / seen.groupby("cluster")["images"].transform("sum")
    weights = (-share * np.log(share)).to_numpy(np.float64)
    return np.abs(np.bincount(seen["cluster"], weights=weights, minlength=clusters)).astype(np.float64)
