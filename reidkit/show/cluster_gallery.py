"""`ClusterGallery`: the pictures of clusters, sorted by a chosen fault."""

from __future__ import annotations

import ipywidgets
import pandas as pd

from reidkit.diagnose import Diagnosis
from reidkit.diagnose.faults import faults_of, sort_clusters
from reidkit.records import ImageTable
from reidkit.show.controls import choice, slider
from reidkit.show.galleries import cluster_gallery, cluster_title
from reidkit.show.picture import Picture
from reidkit.show.widget import View


class ClusterGallery(View):
    """A page of clusters, one row each; with truth the pictures of other identities are marked.

    Args:
        diagnosis: of the pseudo-labels.
        table: the images that were diagnosed, row by row.
        fault: what to sort by (see `diagnose.faults.FAULTS`; some need truth, features or a graph).
        rows, across: clusters a page, and pictures of each.
    """

    def __init__(
        self, diagnosis: Diagnosis, table: ImageTable, *, fault: str = "largest", rows: int = 5, across: int = 12
    ) -> None:
        self.diagnosis, self.table, self.fault, self.page, self.rows, self.across = diagnosis, table, fault, 1, rows, across

    def controls(self) -> dict[str, ipywidgets.ValueWidget]:
        pages = max(1, -(-len(self.diagnosis.clusters) // self.rows))
        return {
            "fault": choice(self.fault, faults_of(self.diagnosis.clusters), "first"),
            "page": slider(self.page, 1, pages, "page"),
        }

    def data(self) -> pd.DataFrame:
        return sort_clusters(self.diagnosis.clusters, self.fault)

    def static(self) -> Picture:
        first = (self.page - 1) * self.rows
        return cluster_gallery(self.diagnosis, self.table, fault=self.fault, first=first, rows=self.rows, across=self.across)

    def describe(self) -> str:
        table = self.data()
        if not len(table):
            return "There is no cluster: every image is an outlier."
        status = ", ".join(f"{count} {name}" for name, count in table["status"].value_counts().sort_index().items())
        worst = cluster_title(table.iloc[0].to_dict())
        return f"{len(table)} clusters ({status}), {self.fault} first; page {self.page}. First of all: {worst}."
