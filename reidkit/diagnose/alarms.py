"""What must be looked at before any gauge is believed; no truth needed.

A partition into cameras is stable, compact and consistent: every gauge of geometry likes it, only these alarms see it.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from reidkit.diagnose.counts import cell_frame
from reidkit.diagnose.inputs import Labelling
from reidkit.diagnose.scores import camera_scores, sizes

HOMOGENEITY_LIMIT = 0.95
LARGEST_LIMIT = 0.5
ACTIONS = {
    "no cluster": "Raise eps, or lower min_samples; look at the curve of the cluster count over eps.",
    "one cluster": "Lower eps: everything was merged.",
    "fewer clusters than twice the cameras": "Suspect clusters of cameras or one merged lump; compare with the people expected.",
    "one cluster over half the images": "Lower eps, or look for images that are alike for another reason (empty boxes).",
    "clusters give the camera away": "Normalise features by camera before clustering.",
    "camera without a cross-camera cluster": "Look at that camera's images: light, resolution or box errors set them apart.",
}


def alarm_table(labelling: Labelling) -> pd.DataFrame:
    """One row an alarm, in a fixed order: alarm, rings, value, limit, found (a sentence), action.

    An alarm that cannot be judged (one camera, no cluster) does not ring, its value is NaN, and `found` says why.
    """
    size, cameras = sizes(labelling), len(labelling.camera_names)
    clusters = int(size["clusters"])
    homogeneity = camera_scores(labelling, permutations=0)["camera_homogeneity"]
    alone = lonely_cameras(labelling)
    several = cameras > 1
    one_camera = "undefined: there is one camera only" if not several else "undefined: there is no cluster"
    rows = [
        ("no cluster", clusters == 0, clusters, 0, f"{clusters} clusters, {int(size['outliers'])} outliers"),
        ("one cluster", clusters == 1, clusters, 1, f"{clusters} clusters"),
        (
            "fewer clusters than twice the cameras",
            several and clusters < 2 * cameras,
            clusters,
            2 * cameras,
            f"{clusters} clusters, {cameras} cameras",
        ),
        (
            "one cluster over half the images",
            size["largest_cluster_share"] > LARGEST_LIMIT,
            size["largest_cluster_share"],
            LARGEST_LIMIT,
            f"the largest cluster holds {size['largest_cluster_share']:.1%} of the images",
        ),
        (
            "clusters give the camera away",
            homogeneity > HOMOGENEITY_LIMIT,
            homogeneity,
            HOMOGENEITY_LIMIT,
            one_camera if math.isnan(homogeneity) else f"I(label; camera) / H(camera) = {homogeneity:.3f}",
        ),
        (
            "camera without a cross-camera cluster",
            several and len(alone) > 0,
            len(alone) if several else math.nan,
            0,
            "cameras: " + (", ".join(alone) or "none") if several else one_camera,
        ),
    ]
    frame = pd.DataFrame(rows, columns=["alarm", "rings", "value", "limit", "found"])
    frame[["value", "limit"]] = frame[["value", "limit"]].astype(np.float64)
    return frame.assign(rings=frame["rings"].astype(bool), action=[ACTIONS[name] for name in frame["alarm"]])


def lonely_cameras(labelling: Labelling) -> list[str]:
    """Names of the cameras none of whose images shares a cluster with another camera's."""
    kept = labelling.inlier
    seen = cell_frame(cluster=labelling.label[kept], camera=labelling.camera[kept])
    mixed = seen[seen.groupby("cluster")["camera"].transform("size") > 1]
    met = set(mixed["camera"])
    return [str(name) for code, name in enumerate(labelling.camera_names) if code not in met]
