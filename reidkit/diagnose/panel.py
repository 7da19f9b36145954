"""One page to read when there is no truth: alarms first, then what ranks, then what only supports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reidkit.diagnose.columns import integers
from reidkit.diagnose.radii import agreement
from reidkit.errors import DiagnosisError

if TYPE_CHECKING:
    from reidkit.diagnose.diagnosis import Diagnosis

ROLES = ("alarm", "ranks", "supports")
COLUMNS = {
    "role": "alarm: look before anything else; ranks: may choose between labellings of one space; supports: never used alone",
    "gauge": "what was measured",
    "value": "its value",
    "reading": "what that means, in a sentence",
}
READINGS = {
    "silhouette": "mean silhouette on the graph, outliers as one group; compare within this space only",
    "clusters": "its peak over eps is often near the best radius; cheap",
    "best eps by silhouette": "radius with the largest silhouette on the curve",
    "best eps by clusters": "radius with the most clusters on the curve",
    "stability over eps": "agreement with neighbouring radii; trivial partitions are the most stable",
    "agreement with the epoch before": "early collapse looks consistent",
    "agreement of parts": "all parts can share the bias of the camera",
    "single-camera clusters": "people may keep to one camera, clusters should not",
}


def panel(
    diagnosis: Diagnosis,
    *,
    curve: pd.DataFrame | None = None,
    eps: float | None = None,
    previous: object = None,
    parts: Mapping[str, object] | None = None,
) -> pd.DataFrame:
    """Everything that can be read without truth; see `COLUMNS`. What was not handed in is left out, not guessed.

    Args:
        diagnosis: made with `graph` for the silhouette.
        curve: `eps_curve` on the same graph; with `eps`, the radius in use, also the stability there.
        previous: (N,) labels of the epoch before.
        parts: name -> (N,) labels from another view, e.g. upper and lower body.
    """
    rows: list[tuple[str, str, float, str]] = []
    for alarm in diagnosis.alarms.itertuples():
        rows.append(("alarm", str(alarm.alarm), float(alarm.value), ("RINGS: " if alarm.rings else "quiet: ") + str(alarm.found)))

    def add(role: str, gauge: str, value: float, extra: str = "") -> None:
        rows.append((role, gauge + extra, value, READINGS[gauge]))

    if diagnosis.space.graph is not None:
        add("ranks", "silhouette", diagnosis.score("silhouette"))
    add("ranks", "clusters", diagnosis.score("clusters"))
    if curve is not None:
        for gauge, column in (("best eps by silhouette", "silhouette"), ("best eps by clusters", "clusters")):
            if curve[column].notna().any():
                add("ranks", gauge, float(curve.loc[curve[column].idxmax(), "eps"]))
        if eps is not None:
            nearest = (curve["eps"] - eps).abs().idxmin()
            add("supports", "stability over eps", float(curve.loc[nearest, "stability"]))
    add("supports", "single-camera clusters", diagnosis.score("single_camera_clusters"))
    if previous is not None:
        add("supports", "agreement with the epoch before", _agreement(diagnosis, previous, "previous"))
    for name, labels in (parts or {}).items():
        add("supports", "agreement of parts", _agreement(diagnosis, labels, name), f": {name}")
    return pd.DataFrame(rows, columns=list(COLUMNS))


def reliability(label: np.ndarray, looser: np.ndarray, tighter: np.ndarray) -> pd.DataFrame:
    """SpCL's two gauges of each cluster: does it survive a looser and a tighter radius?

    Independence is the share |A and B| / |A or B| of a cluster A and the cluster B that its images have at the looser
    radius, averaged over its images; compactness is the same for the tighter radius, where an outlier is a cluster of its own.

    Returns:
        One row a cluster in ascending order: cluster, independence, compactness, each 0 to 1.
    """
    kept = label >= 0
    frame = pd.DataFrame({"cluster": label[kept]})
    for name, other in (("independence", looser), ("compactness", tighter)):
        frame[name] = _overlap(label, other)[kept]
    return frame.groupby("cluster").mean().reset_index()


def _overlap(label: np.ndarray, other: np.ndarray) -> np.ndarray:
    from reidkit.diagnose.counts import as_singletons, together

    first, second = as_singletons(label), as_singletons(other)
    both = together(first, second)
    return both / (together(first) + together(second) - both)


def _agreement(diagnosis: Diagnosis, labels: object, name: str) -> float:
    other: Sequence[int] | np.ndarray = integers(getattr(labels, "labels", labels), name)
    if len(other) != len(diagnosis.labelling):
        raise DiagnosisError(
            f"{name} has {len(other)} labels for {len(diagnosis.labelling)} images.",
            rule="Labellings that are compared describe the same images.",
            action="Pass them row by row.",
        )
    return agreement(diagnosis.labelling.label, np.where(np.asarray(other) < 0, -1, np.asarray(other)))
