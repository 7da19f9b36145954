"""One object that says what is wrong with a set of pseudo-labels, from any code base."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from reidkit.diagnose.alarms import alarm_table
from reidkit.diagnose.camera_pairs import camera_pair_table
from reidkit.diagnose.clusters import cluster_table
from reidkit.diagnose.compare import Comparison, compare_tables
from reidkit.diagnose.export import write_csv, write_parquet
from reidkit.diagnose.identities import COLUMNS as IDENTITY_COLUMNS
from reidkit.diagnose.identities import identity_table
from reidkit.diagnose.images import image_table
from reidkit.diagnose.inputs import Labelling, check_inputs
from reidkit.diagnose.report import write_report
from reidkit.diagnose.scores import score_table
from reidkit.diagnose.space import Space, add_geometry
from reidkit.diagnose.text import counted
from reidkit.errors import DiagnosisError, nearest_name

FRAMES = ("scores", "alarms", "clusters", "identities", "images", "camera_pairs")


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """Tables about N images and K clusters. Row order is fixed: scores by kind, everything else in ascending order.

    Attributes:
        scores: one row a score, convention for outliers and kind of pairs (see `meanings.MEANING`).
        alarms: what must be looked at first; one row an alarm, whether it rang or not.
        clusters: one row a cluster (columns in `clusters.COLUMNS`).
        identities: one row a true identity (`identities.COLUMNS`); empty without truth.
        images: one row an image (`images.COLUMNS`).
        camera_pairs: one row for each two cameras a <= b (`camera_pairs.COLUMNS`).
        labelling: the checked input.
        space: features and graph, when they were given.
    """

    scores: pd.DataFrame
    alarms: pd.DataFrame
    clusters: pd.DataFrame
    identities: pd.DataFrame
    images: pd.DataFrame
    camera_pairs: pd.DataFrame
    labelling: Labelling = field(repr=False)
    space: Space = field(repr=False)

    def score(self, name: str, *, outliers: str = "dropped", pairs: str = "all") -> float:
        """One value of `scores`, by name; NaN when it is undefined for these labels.

        Raises:
            DiagnosisError: when there is no such score (e.g. one that needs the truth).
        """
        rows = self.scores[self.scores["score"] == name]
        exact = rows[rows["outliers"].isin(["", outliers]) & rows["pairs"].isin(["", pairs])]
        if not len(exact):
            known = " ".join(sorted(set(self.scores["score"])))
            raise DiagnosisError(
                f"No score {name!r} with outliers={outliers!r}, pairs={pairs!r}. {nearest_name(name, known.split())}",
                rule="Scores with truth need `identities`; not every score is defined for each kind of pairs.",
                action="Look at `diagnosis.scores`.",
            )
        return float(exact["value"].iloc[0])

    def describe(self) -> str:
        """The main findings in a few words."""
        s, rung = self.score, self.alarms[self.alarms["rings"]]
        text = ", ".join(counted(s(noun + "s"), noun) for noun in ("image", "cluster", "outlier"))
        if len(self.identities):
            text += f"; F {s('f1'):.3f} ({s('f1', pairs='cross-camera'):.3f} across cameras)"
            text += f", {int(s('lost'))} of {counted(s('identities'), 'identity')} lost"
        return text + (f"; alarms: {', '.join(rung['alarm'])}." if len(rung) else "; no alarm.")

    def compare(self, other: Diagnosis) -> Comparison:
        """What changed from this diagnosis (before) to another of the same images (after).

        Raises:
            DiagnosisError: when the two do not describe the same images in the same order.
        """
        before, after = (self.labelling, self.scores, self.identities), (other.labelling, other.scores, other.identities)
        return compare_tables(before, after)

    def report(self, path: str | os.PathLike[str], *, title: str = "Diagnosis of pseudo-labels") -> Path:
        """One self-contained HTML file: sortable tables, and with features a map that tells what it is pointed at."""
        return write_report(self, path, title=title)

    def to_csv(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Every table as a CSV file that a spreadsheet opens without running anything; returns the paths."""
        return write_csv({name: getattr(self, name) for name in FRAMES}, folder)

    def to_parquet(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Every table as a Parquet file; returns the paths."""
        return write_parquet({name: getattr(self, name) for name in FRAMES}, folder)


def diagnose(
    pseudo_labels: object,
    cameras: object,
    *,
    identities: object = None,
    features: object = None,
    graph: object = None,
    paths: Sequence[object] | None = None,
    min_size: int = 4,
    merge_share: float = 0.2,
    permutations: int = 20,
    seed: int = 0,
) -> Diagnosis:
    """Diagnose the pseudo-labels of any code base.

    Args:
        pseudo_labels: (N,) integers, -1 for an outlier; or an object with such a `labels`.
        cameras: (N,) numbers or names.
        identities: (N,) true identities, numbers or names; negative or missing where unknown.
        features: (N, D) floats; cosine distance is used.
        graph: sparse (N, N) distances in which absent pairs are at distance 1 (a `JaccardGraph` or a SciPy matrix).
        paths: (N,) file names, treated as text.
        min_size, merge_share: see `clusters.cluster_table`.
        permutations, seed: of the chance level of the camera information.

    Raises:
        DiagnosisError: when the inputs do not fit together.
    """
    labelling = check_inputs(pseudo_labels, cameras, identities, paths)
    space = Space.of(features, graph, len(labelling))
    people = identity_table(labelling) if labelling.known.any() else pd.DataFrame(columns=list(IDENTITY_COLUMNS))
    scores = score_table(labelling, people, permutations=permutations, seed=seed)
    clusters = cluster_table(labelling, min_size=min_size, merge_share=merge_share)
    images, clusters, scores = add_geometry(labelling, space, image_table(labelling), clusters, scores)
    pairs = camera_pair_table(labelling.label, labelling.camera, labelling.identity, labelling.camera_names)
    return Diagnosis(scores, alarm_table(labelling), clusters, people, images, pairs, labelling, space)
