"""Why an identity was lost.

The first cause that applies:

* ``too few images``: fewer than `min_samples`; on their own they can never be a cluster.
* ``cameras apart``: half or more of its pairs within a camera are linked, fewer than a tenth of those across cameras.
* ``twin``: a third or more of its images are in one cluster, which but for a fifth holds one other identity only.
* ``merged``: a third or more of its images are in one cluster, with several other identities.
* ``broken reciprocity``: half or more of its pairs are as near in feature space as linked pairs are, and yet not in the graph.
* ``eps too strict``: half or more of its pairs are in the graph, beyond eps.
* ``scattered``: none of these: its images are not alike.

A pair is *linked* when its graph distance is at most eps.
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

CAUSES = ("too few images", "cameras apart", "twin", "merged", "broken reciprocity", "eps too strict", "scattered")
TWO_OWNERS, SWALLOWED, LINKED, UNLINKED, NEAR = 0.8, 1 / 3, 0.5, 0.1, 90.0


class Found(NamedTuple):
    """A cause and what was counted."""

    cause: str
    evidence: str


def near_distance(diagnosis: Diagnosis, linked: sparse.csr_array) -> float:
    """Cosine distance within which nine of ten linked pairs lie; NaN without features."""
    features = diagnosis.space.features
    row, column = sparse.coo_array(linked).coords
    if features is None or not len(row):
        return float("nan")
    taken = np.linspace(0, len(row) - 1, min(len(row), 200_000)).astype(np.int64)
    distance = 1.0 - np.einsum("nd,nd->n", features[row[taken]], features[column[taken]])
    return float(np.percentile(distance, NEAR))


def find_cause(
    diagnosis: Diagnosis, images: np.ndarray, code: int, status: str, linked: sparse.csr_array, near: float, min_samples: int
) -> Found:
    labelling, graph, features = diagnosis.labelling, diagnosis.space.graph, diagnosis.space.features
    assert graph is not None
    if len(images) < min_samples:
        return Found(CAUSES[0], f"{len(images)} images, min_samples {min_samples}")
    first, second = np.triu_indices(len(images), 1)
    a, b = images[first], images[second]
    link = entries(linked, a, b) > 0
    stored = (entries(graph, a, b) != 0) | link  # a distance of zero is a link
    same = labelling.camera[a] == labelling.camera[b]
    within, across = _share(link[same]), _share(link[~same])
    if within >= LINKED and across < UNLINKED:
        return Found(CAUSES[1], f"{within:.0%} of its pairs within a camera are linked, {across:.0%} across cameras")
    if status == "swallowed" and diagnosis.identities["largest_share"].iloc[code] >= SWALLOWED:
        return _swallowed(diagnosis, images, code)
    if features is not None:
        close = 1.0 - np.einsum("nd,nd->n", features[a], features[b]) <= near
        if _share(close & ~stored) >= LINKED:
            return Found(CAUSES[4], f"{_share(close & ~stored):.0%} of its pairs are near in feature space, but not in the graph")
    if _share(stored & ~link) >= LINKED:
        return Found(CAUSES[5], f"{_share(stored & ~link):.0%} of its pairs are in the graph, beyond eps")
    return Found(CAUSES[6], f"{_share(~stored):.0%} of its pairs are not in the graph")


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
    return Found(CAUSES[2] if here[code] + others.max() >= TWO_OWNERS * here.sum() else CAUSES[3], text)


def _share(found: np.ndarray) -> float:
    return float(found.mean()) if len(found) else 0.0
