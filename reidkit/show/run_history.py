"""`RunHistory`: a run, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import ipywidgets
import numpy as np
import pandas as pd
from jaxtyping import Int

from reidkit.capsule import Capsule
from reidkit.diagnose import Diagnosis, diagnose
from reidkit.diagnose.faults import faults_of
from reidkit.diagnose.history import epoch_table
from reidkit.records import ImageTable
from reidkit.show.controls import choice, slider
from reidkit.show.history_figure import history_chart, history_figure, history_sentence
from reidkit.show.picture import Picture
from reidkit.show.widget import View


class RunHistory(View):
    """Curves of a run with one epoch marked, and a few of that epoch's clusters when the pictures are at hand.

    Args:
        labels: (E, N), -1 outliers.
        cameras, identities: (N,); identities are truth, for the eye of the reader only.
        scores, history: a table with `epoch` and `mean_ap`, from the judge; one mapping an epoch, of which `eps` is shown.
        table, features: the N images, for the gallery of clusters; epoch -> (N, D), for a map of each epoch.
    """

    def __init__(
        self,
        labels: Int[np.ndarray, "e n"],
        cameras: Sequence[object] | np.ndarray,
        identities: Sequence[object] | np.ndarray | None = None,
        *,
        scores: pd.DataFrame | None = None,
        history: Sequence[Mapping[str, object]] | None = None,
        table: ImageTable | None = None,
        features: Callable[[int], np.ndarray] | None = None,
    ) -> None:
        self.labels, self.cameras, self.identities, self.table, self.features = labels, cameras, identities, table, features
        self.epochs = epoch_table(labels, cameras, identities=identities, scores=scores, history=history)
        self.epoch, self.gallery, self._diagnoses = len(labels) - 1, "largest", dict[int, Diagnosis]()

    @classmethod
    def from_capsule(
        cls, capsule: Capsule, *, identities: Sequence[object] | np.ndarray | None = None, table: ImageTable | None = None
    ) -> RunHistory:
        """The history of a stored run. `identities` (N,) adds the truth when the capsule does not hold it."""
        truth = capsule.frame.get("identity") if identities is None else identities
        cameras, extra = capsule.frame["camera"].to_numpy(), {"scores": capsule.scores, "history": capsule.history}
        extra |= {"features": capsule.features if capsule.has_features else None, "table": table}
        return cls(capsule.labels, cameras, None if truth is None else np.asarray(truth), **extra)

    def controls(self) -> dict[str, ipywidgets.ValueWidget]:
        faults = choice(self.gallery, faults_of(self.diagnosis().clusters), "clusters")
        epoch = {"epoch": slider(self.epoch, 0, len(self.labels) - 1, "epoch")}
        return epoch | ({"gallery": faults} if self.table is not None else {})

    def diagnosis(self) -> Diagnosis:
        """The diagnosis of the present epoch's labels."""
        if self.epoch not in self._diagnoses:
            now, truth, seen = self.labels[self.epoch], self.identities, self.features(self.epoch) if self.features else None
            self._diagnoses[self.epoch] = diagnose(now, self.cameras, identities=truth, features=seen, permutations=5)
        return self._diagnoses[self.epoch]

    def data(self) -> pd.DataFrame:
        return self.epochs

    def static(self) -> Picture:
        return history_figure(self.epochs, self.epoch, self.labels, self.diagnosis(), self.table, self.gallery)

    def chart(self) -> dict[str, object]:
        return history_chart(self.epochs, self.epoch)

    def describe(self) -> str:
        return history_sentence(self.epochs, self.epoch, self.labels)
