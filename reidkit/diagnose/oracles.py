"""Undoing one kind of error with the truth, and only that kind: the rungs of `ladder`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from reidkit.diagnose.counts import renumbered
from reidkit.diagnose.identities import spread_of
from reidkit.diagnose.inputs import OUTLIER


def undo_merges(label: Int[np.ndarray, " n"], identity: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Every cluster cut by identity; images of unknown identity stay together."""
    kept = label >= 0
    joint = label * (int(identity.max(initial=0)) + 2) + identity + 1
    return renumbered(np.where(kept, joint, OUTLIER))


def undo_splits(label: Int[np.ndarray, " n"], identity: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Clusters of which one identity holds more than half become one cluster."""
    judged = (label >= 0) & (identity >= 0)
    spread = spread_of(identity[judged], label[judged])
    owner = spread[spread["own"]].set_index("cluster")["identity"]
    target = {
        cluster: f"i{owner[cluster]}" if cluster in owner.index else f"c{cluster}" for cluster in np.unique(label[label >= 0])
    }
    names = {name: code for code, name in enumerate(dict.fromkeys(target.values()))}
    return np.array([OUTLIER if k == OUTLIER else names[target[k]] for k in label], np.int64)


def rescue_noise(label: Int[np.ndarray, " n"], identity: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Every outlier of known identity joins the cluster that holds most of that identity, or a new one."""
    result, judged = label.copy(), (label >= 0) & (identity >= 0)
    spread = spread_of(identity[judged], label[judged]).sort_values(
        ["identity", "images", "cluster"], ascending=[True, False, True]
    )
    home = spread.drop_duplicates("identity").set_index("identity")["cluster"]
    lost = np.flatnonzero((label == OUTLIER) & (identity >= 0))
    fresh = int(label.max(initial=-1)) + 1
    result[lost] = [int(home[i]) if i in home.index else fresh + int(i) for i in identity[lost]]
    return renumbered(result)


def remove_camera_shift(
    features: Float[np.ndarray, "n d"], identity: Int[np.ndarray, " n"], camera: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "n d"]:
    """Features minus, for each camera, the mean offset of its images from their person's mean; rows of unit length."""
    known = identity >= 0
    frame = pd.DataFrame(features[known]).groupby(identity[known]).transform("mean").to_numpy()
    offset = np.zeros((int(camera.max()) + 1, features.shape[1]), features.dtype)
    for c in np.unique(camera[known]):
        offset[c] = (features[known] - frame)[camera[known] == c].mean(axis=0)
    moved = features - offset[camera]
    return moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)
