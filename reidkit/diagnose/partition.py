"""Scores of whole partitions (purity, homogeneity, completeness, V, NMI, AMI): of all images, within cameras, across them.

They count images, not pairs. What corresponds to a kind of pairs:

* ``same-camera``: every camera is a set of its own. Purity is that of the parts of clusters and identities that one camera
  saw; entropies, information and its expectation are given the camera, the mean over cameras weighted by their images.
* ``cross-camera``: one image stands for all images of one cluster, identity and camera. What is rightly joined is then
  joined across cameras, and many pictures of one passage count once.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from sklearn.metrics import homogeneity_completeness_v_measure

from reidkit.diagnose.bcubed import harmonic, purity
from reidkit.diagnose.chance import adjusted_information, expected_information
from reidkit.diagnose.counts import cells, renumbered
from reidkit.diagnose.information import entropy, information
from reidkit.diagnose.pairwise import KINDS

NAMES = ("purity", "inverse_purity", "purity_f1", "homogeneity", "completeness", "v_measure", "nmi", "ami")


def partition_scores(
    cluster: Int[np.ndarray, " n"], identity: Int[np.ndarray, " n"], camera: Int[np.ndarray, " n"]
) -> dict[str, dict[str, float]]:
    """kind (see `pairwise.KINDS`) -> name (see `NAMES`) -> value, 0 to 1 (AMI may be below 0); NaN without images.

    Args:
        cluster: (N,) without outliers: drop them first, or make them singletons (`counts.as_singletons`).
        identity, camera: (N,).
    """
    if not len(cluster):
        return {kind: dict.fromkeys(NAMES, float("nan")) for kind in KINDS}
    one, (once, who, _) = np.zeros_like(camera), cells(cluster, identity, camera)[0]
    return {
        "all": _purities(cluster, identity, one) | _plain(cluster, identity),
        "same-camera": _purities(cluster, identity, camera) | _within(cluster, identity, camera),
        "cross-camera": _purities(once, who, np.zeros_like(once)) | _plain(once, who),
    }


def _purities(cluster: np.ndarray, identity: np.ndarray, camera: np.ndarray) -> dict[str, float]:
    pure, inverse = purity(_joint(cluster, camera), identity), purity(_joint(identity, camera), cluster)
    return {"purity": pure, "inverse_purity": inverse, "purity_f1": harmonic(pure, inverse)}


def _plain(cluster: np.ndarray, identity: np.ndarray) -> dict[str, float]:
    homogeneity, completeness, v = (float(x) for x in homogeneity_completeness_v_measure(identity, cluster))
    found = {"homogeneity": homogeneity, "completeness": completeness, "v_measure": v, "nmi": v}
    return found | {"ami": adjusted_information(cluster, identity)}


def _within(cluster: np.ndarray, identity: np.ndarray, camera: np.ndarray) -> dict[str, float]:
    """The same from means over cameras of H(cluster), H(identity), I and the expectation of I."""
    order = np.argsort(camera, kind="stable")
    means = np.zeros(4)
    for rows in np.split(order, np.flatnonzero(np.diff(camera[order])) + 1):
        a, b = renumbered(cluster[rows]), renumbered(identity[rows])
        told = entropy(a), entropy(b), float(information(a, b)), expected_information(a, b)
        means += len(rows) / len(camera) * np.array(told)
    of_cluster, of_identity, shared, expected = (float(x) for x in means)
    homogeneity, completeness = (shared / whole if whole > 0 else 1.0 for whole in (of_identity, of_cluster))
    v, room = harmonic(homogeneity, completeness), (of_cluster + of_identity) / 2 - expected
    found = {"homogeneity": homogeneity, "completeness": completeness, "v_measure": v, "nmi": v}
    return found | {"ami": (shared - expected) / room if room > 1e-12 else 1.0}


def _joint(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return renumbered(a * (int(b.max(initial=0)) + 1) + b)
