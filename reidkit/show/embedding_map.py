"""`EmbeddingMap`: all images on a plane; point at one to see it, draw around some to see them together."""

from __future__ import annotations

import ipywidgets
import numpy as np
import pandas as pd

from reidkit.capsule import Capsule
from reidkit.diagnose import Diagnosis, diagnose
from reidkit.diagnose.kept_maps import kept_maps
from reidkit.diagnose.projection import PROJECTIONS, Projection, project_by
from reidkit.records import ImageTable
from reidkit.show.controls import choice
from reidkit.show.map_figure import map_figure, map_sentence
from reidkit.show.picture import Picture
from reidkit.show.widget import View

COLOURS = ("cluster", "camera", "identity")


class EmbeddingMap(View):
    """A map of the features of a diagnosis.

    Args:
        diagnosis: made with `features`; where it has a `graph`, curved maps start from the neighbours in it.
        table: the images, for thumbnails of up to 4,000 of them (evenly drawn) and of what is selected; None shows none.
        projection: ``"PCA"`` (at once), ``"t-SNE"`` or ``"UMAP"`` (on request).
    """

    def __init__(self, diagnosis: Diagnosis, table: ImageTable | None = None, *, projection: str = "PCA") -> None:
        self.diagnosis, self.table, self.colour, self.projection = diagnosis, table, "cluster", projection
        self._made: dict[str, Projection] = {}

    @classmethod
    def from_capsule(
        cls, capsule: Capsule, epoch: int, *, identities: np.ndarray | None = None, table: ImageTable | None = None
    ) -> EmbeddingMap:
        """The map of a stored epoch; maps that are kept in the capsule (`diagnose.keep_maps`) open at once."""
        truth, cameras = capsule.frame.get("identity") if identities is None else identities, capsule.frame["camera"]
        space = {"features": capsule.features(epoch), "graph": capsule.graph(epoch)}
        view = cls(diagnose(capsule.labels[epoch], cameras, identities=truth, permutations=0, **space), table)
        view._made |= kept_maps(capsule, epoch)
        return view

    def controls(self) -> dict[str, ipywidgets.ValueWidget]:
        known = [c for c in COLOURS if c != "identity" or self.diagnosis.labelling.identity is not None]
        return {
            "colour": choice(self.colour, known, "colour"),
            "projection": choice(self.projection, PROJECTIONS, "map"),
        }

    def made(self) -> Projection:
        """The present projection; computed once."""
        if self.projection not in self._made:
            space = self.diagnosis.space
            self._made[self.projection] = project_by(self.projection, space.features, graph=space.graph)
        return self._made[self.projection]

    def codes(self) -> dict[str, np.ndarray]:
        """Name of a colouring -> int (n,) codes of the images on the map, -1 for none."""
        own = self.diagnosis.labelling
        whole = {"cluster": own.label, "camera": own.camera} | ({} if own.identity is None else {"identity": own.identity})
        return {name: code[self.made().rows] for name, code in whole.items()}

    def data(self) -> pd.DataFrame:
        points, rows = self.made().points, self.made().rows
        table = self.diagnosis.images.iloc[rows].reset_index(drop=True)
        return table.assign(x=points[:, 0], y=points[:, 1], selected=np.isin(rows, self.selection.rows))

    def static(self) -> Picture:
        return map_figure(self.data(), self.codes()[self.colour], self.made(), self.colour)

    def describe(self) -> str:
        return map_sentence(self.data(), self.made(), self.colour)

    def live(self) -> ipywidgets.VBox:
        from reidkit.show.live_map import live_map

        return live_map(self)
