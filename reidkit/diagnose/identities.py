"""What became of each true identity: exactly one status each, the first that applies.

A cluster is an identity's *own* when more than half of its images (of known identity) are of that identity.

* ``split by camera``: several clusters are its own, and no camera saw it in two of them (even if one holds most of it: the
  cameras apart are never matched).
* ``kept``: one of its own clusters holds more than half of its images; smaller fragments beside it may exist.
* ``split otherwise``: it has own clusters, but none holds more than half of its images.
* ``swallowed``: some of its images have a cluster, but none is its own.
* ``unseen``: every image is an outlier.

*Lost* has two readings. CANU-ReID (Figs 4, 6) counts the identities none of whose images is an inlier: ``unseen``. One that
is swallowed is lost to training as well: ``lost`` means swallowed or unseen.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Int

from reidkit.diagnose.counts import cell_frame, largest
from reidkit.diagnose.inputs import OUTLIER, Labelling

STATUS = ("kept", "split by camera", "split otherwise", "swallowed", "unseen")
LOST = ("swallowed", "unseen")
COLUMNS = {
    "identity": "name or number of the true identity",
    "images": "images of it",
    "cameras": "cameras that saw it",
    "inliers": "images of it that have a cluster",
    "clusters": "clusters that hold any of its images",
    "own_clusters": "clusters of which it holds more than half",
    "largest_cluster": "the cluster with most of its images (the lowest number among equals), -1 for none",
    "largest_share": "share of its images in that cluster, 0 to 1",
    "status": "one of: " + ", ".join(STATUS),
    "lost": "swallowed or unseen",
}


def identity_table(labelling: Labelling) -> pd.DataFrame:
    """One row an identity, in ascending order; see `COLUMNS`. Images of unknown identity do not count."""
    known = labelling.known
    assert labelling.identity is not None
    identity, label, camera = labelling.identity[known], labelling.label[known], labelling.camera[known]
    inlier = label != OUTLIER
    spread = spread_of(identity[inlier], label[inlier])
    people = np.arange(len(labelling.identity_names))
    main = largest(spread, "identity", "cluster").reindex(people)
    own = spread[spread["own"]]
    frame = pd.DataFrame({"identity": labelling.identity_names, "images": np.bincount(identity, minlength=len(people))})
    seen = cell_frame(identity=identity, camera=camera)
    frame["cameras"] = seen.groupby("identity").size().reindex(people, fill_value=0)
    frame["inliers"] = np.bincount(identity[inlier], minlength=len(people))
    frame["clusters"] = spread.groupby("identity").size().reindex(people, fill_value=0)
    frame["own_clusters"] = own.groupby("identity").size().reindex(people, fill_value=0)
    numbers = main["cluster"].fillna(OUTLIER).astype(np.int64)
    frame["largest_cluster"] = [OUTLIER if k == OUTLIER else labelling.cluster_names[k] for k in numbers]
    frame["largest_share"] = (main["images"].fillna(0) / frame["images"]).to_numpy()
    held = own.groupby("identity")["images"].max().reindex(people, fill_value=0)
    apart = _cameras_apart(own, identity[inlier], label[inlier], camera[inlier]).reindex(people, fill_value=False)
    split = (frame["own_clusters"] > 1) & apart
    frame["status"] = np.select(
        [frame["inliers"] == 0, frame["own_clusters"] == 0, split, 2 * held > frame["images"]],
        ["unseen", "swallowed", "split by camera", "kept"],
        "split otherwise",
    )
    frame["lost"] = frame["status"].isin(LOST)
    return frame


def spread_of(identity: Int[np.ndarray, " n"], cluster: Int[np.ndarray, " n"]) -> pd.DataFrame:
    """How identities spread over clusters: one row a non-empty cell, with `images` and whether the cluster is its `own`."""
    spread = cell_frame(identity=identity, cluster=cluster)
    spread["own"] = 2 * spread["images"] > spread.groupby("cluster")["images"].transform("sum")
    return spread


def status_counts(identities: pd.DataFrame) -> dict[str, int]:
    """Identities of each status, all five named."""
    return {status: int((identities["status"] == status).sum()) for status in STATUS}


def _cameras_apart(own: pd.DataFrame, identity: np.ndarray, label: np.ndarray, camera: np.ndarray) -> pd.Series:
    """identity -> whether no camera saw it in two of its own clusters."""
    views = cell_frame(identity=identity, cluster=label, camera=camera).merge(own[["identity", "cluster"]])
    return ~views.duplicated(["identity", "camera"]).groupby(views["identity"]).any()
