"""Lost identities: why each one was lost, and the smallest change that brings it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reidkit.diagnose.causes import CAUSES, Scale, find_cause
from reidkit.diagnose.identities import LOST, identity_table
from reidkit.diagnose.inputs import check_inputs
from reidkit.diagnose.radii import Cluster, dbscan_on
from reidkit.diagnose.rescue import Rescue, rescuing_edge
from reidkit.errors import DiagnosisError

if TYPE_CHECKING:
    from reidkit.diagnose.diagnosis import Diagnosis

COLUMNS = {
    "identity": "true identity",
    "images": "images of it",
    "status": "swallowed or unseen",
    "cause": "one of: " + ", ".join(CAUSES),
    "evidence": "what was counted",
    "change": "the smallest change that brings it back: eps, edge or none",
    "eps": "nearest radius tried at which it is not lost; empty when there is none",
    "edge_a": "image of a missing edge that brings it back; empty when no single edge does",
    "edge_b": "the other image",
}


def autopsy(
    diagnosis: Diagnosis,
    *,
    eps: float,
    min_samples: int = 4,
    radii: Sequence[float] | np.ndarray | None = None,
    cluster: Cluster | None = None,
) -> pd.DataFrame:
    """One row a lost identity, in ascending order; see `COLUMNS`, and `causes` for what each cause means.

    Args:
        diagnosis: made with `identities` and `graph` (and, for *broken reciprocity*, `features`).
        eps, min_samples: of the DBSCAN that made the labels.
        radii: where a change of eps is looked for; None: 37 radii from 0.05 to 0.95.
        cluster: radius -> labels (N,); None runs DBSCAN on the graph.

    Raises:
        DiagnosisError: without truth or graph.
    """
    labelling, graph = diagnosis.labelling, diagnosis.space.graph
    if labelling.identity is None or graph is None:
        raise DiagnosisError("Truth or graph is missing.", rule="An autopsy needs both.", action="Pass identities and graph.")
    tried = np.linspace(0.05, 0.95, 37) if radii is None else np.unique(np.asarray(radii, np.float64))
    recovering = _recovering_radii(diagnosis, eps, tried, cluster or dbscan_on(graph, min_samples))
    rescue = Rescue.of(graph, eps, min_samples, labelling.identity)
    scale = Scale.of(diagnosis, rescue.linked)
    rows = []
    for code, person in enumerate(diagnosis.identities.itertuples()):
        if person.status not in LOST:
            continue
        images = np.flatnonzero(labelling.identity == code)
        found = find_cause(diagnosis, images, code, str(person.status), rescue.linked, scale, min_samples)
        edge = rescuing_edge(rescue, images, code, diagnosis.space.features)
        radius = recovering[code]
        change = "edge" if edge is not None and (np.isnan(radius) or person.status == "unseen") else "eps"
        change = "none" if edge is None and np.isnan(radius) else change
        ends = edge if edge is not None else (pd.NA, pd.NA)
        rows.append((person.identity, person.images, person.status, *found, change, radius, *ends))
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"edge_a": "Int64", "edge_b": "Int64", "eps": np.float64})


def _recovering_radii(diagnosis: Diagnosis, eps: float, tried: np.ndarray, cluster: Cluster) -> np.ndarray:
    """For each identity the radius nearest to eps at which it is not lost (the smaller of two equals); NaN for none."""
    labelling = diagnosis.labelling
    best = np.full(len(labelling.identity_names), np.nan)
    for radius in sorted(tried.tolist(), key=lambda r: (abs(r - eps), r)):
        if not np.isnan(best[diagnosis.identities["lost"].to_numpy(bool)]).any():
            break
        lost = identity_table(check_inputs(cluster(radius), labelling.camera, labelling.identity))["lost"].to_numpy(bool)
        best = np.where(np.isnan(best) & ~lost, radius, best)
    return best
