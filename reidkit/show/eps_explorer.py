"""`EpsExplorer`: turn the radius, and labels, counts, lost identities, leakage and pictures follow."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets
import numpy as np
import pandas as pd

from reidkit.diagnose.clusters import cluster_table
from reidkit.diagnose.faults import faults_of, sort_clusters
from reidkit.diagnose.history import epoch_table
from reidkit.diagnose.inputs import check_inputs
from reidkit.diagnose.radii import label_curve
from reidkit.jaccard import JaccardGraph
from reidkit.labels.all_eps import all_eps
from reidkit.records import ImageTable
from reidkit.show.controls import choice
from reidkit.show.eps_figure import curve_sheet, eps_chart, eps_figure, eps_sentence
from reidkit.show.picture import Picture
from reidkit.show.widget import View


class EpsExplorer(View):
    """DBSCAN at every radius of one graph; a step of the slider cuts a forest and clusters nothing anew.

    Args:
        graph: the Jaccard graph of N images.
        cameras, identities: (N,); identities are truth, for the eye of the reader only.
        table: the N images, for the pictures of clusters.
        min_samples, eps: of DBSCAN; the radius is that to begin with.
    """

    def __init__(
        self,
        graph: JaccardGraph,
        cameras: Sequence[object] | np.ndarray,
        identities: Sequence[object] | np.ndarray | None = None,
        *,
        table: ImageTable | None = None,
        min_samples: int = 4,
        eps: float = 0.6,
    ) -> None:
        self.every, self.cameras, self.identities, self.table = all_eps(graph, min_samples), cameras, identities, table
        self.top = round(float(np.floor(self.every.limit * 100 - (not self.every.inclusive)) / 100), 2)
        self.eps, self.gallery = min(eps, self.top), "largest"
        self.faults = faults_of(self.clusters())
        radii = np.round(np.arange(1, round(self.top * 100) + 1) / 100, 2)
        told = label_curve(self.every.labels, cameras, radii, identities=identities)
        self.curve = self.every.curve(radii).merge(told, on="eps")
        self._sheet = curve_sheet(self.curve)

    def controls(self) -> dict[str, ipywidgets.ValueWidget]:
        slider = ipywidgets.FloatSlider(self.eps, min=0.01, max=self.top, step=0.01, description="eps", continuous_update=False)
        return {"eps": slider} | ({"gallery": choice(self.gallery, self.faults, "clusters")} if self.table is not None else {})

    @property
    def labels(self) -> np.ndarray:
        """int64 (N,), the labels at the present radius."""
        return self.every.labels(self.eps)

    def clusters(self) -> pd.DataFrame:
        """The clusters at the present radius (columns in `diagnose.clusters.COLUMNS`)."""
        return cluster_table(check_inputs(self.labels, self.cameras, self.identities))

    def data(self) -> pd.DataFrame:
        row = epoch_table(self.labels[None], self.cameras, identities=self.identities, permutations=1)
        return row.drop(columns=["epoch", "agreement"]).assign(eps=self.eps)

    def static(self) -> Picture:
        labelling = check_inputs(self.labels, self.cameras, self.identities)
        order = sort_clusters(cluster_table(labelling), self.gallery) if self.table is not None else None
        return eps_figure(self._sheet, self.eps, labelling, order, self.table, self.gallery)

    def chart(self) -> dict[str, object]:
        return eps_chart(self.curve, self.eps)

    def describe(self) -> str:
        return eps_sentence(self.data().iloc[0])
