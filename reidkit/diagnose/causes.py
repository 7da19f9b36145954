"""Why an identity was lost.

The first cause that applies:

* ``too few images``: fewer than `min_samples`; on their own they can never be a cluster.
* ``cameras apart``: half or more of its pairs within a camera are linked, and those across cameras four times as rarely.
* ``broken reciprocity``: its images are alike, and yet most of those that are near in feature space are not linked: they are
  not in the graph.
* ``eps too strict``: the same, but they are in the graph, beyond eps.
* ``twin``: a third or more of its images are in one cluster, which but for a fifth holds one other identity only.
* ``merged``: a third or more of its images are in one cluster, with several other identities.
* ``scattered``: none of these: its images are not alike.

A pair is *linked* when its graph distance is at most eps, and *near* when it is as near in feature space as nine of ten linked
pairs are. Images of an identity are *alike* when half of its pairs are nearer than three of four pairs of different identities.
Without features all pairs in the graph stand for the near ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from reidkit.diagnose.identities import spread_of
from reidkit.diagnose.inputs import OUTLIER
from reidkit.diagnose.rescue import entries

if TYPE_CHECKING:
    from reidkit.diagnose.diagnosis import Diagnosis

CAUSES = ("too few images", "cameras apart", "broken reciprocity", "eps too strict", "twin", "merged", "scattered")
TWO_OWNERS, SWALLOWED, LINKED, RARER, FAILING = 0.8, 1 / 3, 0.5, 0.25, 1 / 3
NEAR, APART, PAIRS = 90.0, 25.0, 200_000


class Found(NamedTuple):
    """A cause and what was counted."""

    cause: str
    evidence: str


class Scale(NamedTuple):
    """Cosine distances, 0 to 2, to hold others against; NaN without features.

    Attributes:
        near: nine of ten linked pairs are at most so far apart.
        apart: one of four pairs of different identities is at most so far apart.
    """

    near: float
    apart: float

    @staticmethod
    def of(diagnosis: Diagnosis, linked: sparse.csr_array) -> Scale:
        """From at most 200,000 linked pairs, evenly taken, and as many pairs drawn at random (always the same)."""
        features, identity = diagnosis.space.features, diagnosis.labelling.identity
        if features is None or identity is None:
            return Scale(float("nan"), float("nan"))
        row, column = sparse.coo_array(linked).coords
        taken = np.linspace(0, len(row) - 1, min(len(row), PAIRS)).astype(np.int64)
        a, b = np.random.default_rng(0).integers(0, len(features), (2, PAIRS))
        different = (identity[a] != identity[b]) & (identity[a] >= 0) & (identity[b] >= 0)
        return Scale(
            _percentile(_cosine_distance(features, row[taken], column[taken]), NEAR),
            _percentile(_cosine_distance(features, a[different], b[different]), APART),
        )


def find_cause(
    diagnosis: Diagnosis, images: np.ndarray, code: int, status: str, linked: sparse.csr_array, scale: Scale, min_samples: int
) -> Found:
    """The cause for one lost identity: its `images`, its `code` and `status`, what is linked, and the scale of this set."""
    labelling, graph, features = diagnosis.labelling, diagnosis.space.graph, diagnosis.space.features
    assert graph is not None
    if len(images) < min_samples:
        return Found("too few images", f"{len(images)} images, min_samples {min_samples}")
    first, second = np.triu_indices(len(images), 1)
    a, b = images[first], images[second]
    link = entries(linked, a, b) > 0
    stored = (entries(graph, a, b) != 0) | link  # a distance of zero is a link
    same = labelling.camera[a] == labelling.camera[b]
    within, across = _share(link[same]), _share(link[~same])
    if within >= LINKED and across < RARER * within and not same.all():
        return Found("cameras apart", f"{within:.0%} of its pairs within a camera are linked, {across:.0%} across cameras")
    distance = None if features is None else _cosine_distance(features, a, b)
    alike = _share(stored) >= LINKED if distance is None else float(np.median(distance)) <= scale.apart
    near = stored if distance is None else distance <= scale.near
    if alike and near.sum() >= min_samples and _share(link[near]) < FAILING:
        missing, beyond = _share(~stored[near]), _share((stored & ~link)[near])
        if missing > beyond:
            return Found("broken reciprocity", f"{missing:.0%} of its {near.sum()} near pairs are not in the graph")
        return Found("eps too strict", f"{beyond:.0%} of its {near.sum()} near pairs are in the graph, beyond eps")
    if status == "swallowed" and diagnosis.identities["largest_share"].iloc[code] >= SWALLOWED:
        return _swallowed(diagnosis, images, code)
    beyond = _share(stored & ~link)
    if alike and beyond >= LINKED:
        return Found("eps too strict", f"{beyond:.0%} of its pairs are in the graph, beyond eps")
    return Found("scattered", f"{_share(~stored):.0%} of its pairs are not in the graph")


def _swallowed(diagnosis: Diagnosis, images: np.ndarray, code: int) -> Found:
    labelling = diagnosis.labelling
    assert labelling.identity is not None
    kept = (labelling.label != OUTLIER) & (labelling.identity >= 0)
    home = pd.Series(labelling.label[images])
    cluster = int(home[home != OUTLIER].mode().iloc[0])
    spread = spread_of(labelling.identity[kept], labelling.label[kept])
    here = spread[spread["cluster"] == cluster].set_index("identity")["images"]
    others = here.drop(code)
    name = labelling.identity_names[int(others.idxmax())]
    text = (
        f"cluster {labelling.cluster_names[cluster]}: {here[code]} of it, {others.max()} of identity {name}, {here.sum()} in all"
    )
    return Found("twin" if here[code] + others.max() >= TWO_OWNERS * here.sum() else "merged", text)


def _share(found: np.ndarray) -> float:
    return float(found.mean()) if len(found) else 0.0


def _percentile(values: np.ndarray, q: float) -> float:
    return float(np.percentile(values, q)) if len(values) else float("nan")


def _cosine_distance(features: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return 1.0 - np.einsum("nd,nd->n", features[a], features[b])
