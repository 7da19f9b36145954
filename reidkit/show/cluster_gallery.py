"""`ClusterGallery`: the pictures of clusters, sorted by a chosen fault."""

from __future__ import annotations

import ipywidgets
import numpy as np
import pandas as pd

from reidkit.diagnose import Diagnosis
from reidkit.diagnose.faults import faults_of, sort_clusters
from reidkit.diagnose.text import counted, plain
from reidkit.records import ImageTable
from reidkit.show.controls import choice, page_of, pages
from reidkit.show.galleries import cluster_title, draw_clusters
from reidkit.show.picture import Picture
from reidkit.show.selection import Choosing, named
from reidkit.show.widget import View


class ClusterGallery(Choosing, View):
    """A page of clusters, one row each; with truth the pictures of other identities are marked.

    While images are selected, only their clusters are shown; choosing a cluster selects its images.

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
        return {
            "fault": choice(self.fault, faults_of(self.diagnosis.clusters), "first"),
            "page": pages(len(self.diagnosis.clusters), self.rows, self.page),
            "chosen": choice(self.chosen, self.choices(), "select"),
        }

    def group_of(self) -> np.ndarray:
        return named(self.diagnosis.labelling.label, self.diagnosis.labelling.cluster_names)

    def data(self) -> pd.DataFrame:
        table = sort_clusters(self.diagnosis.clusters, self.fault)
        touched = table["cluster"].map(plain).isin(self.touched())
        return table[touched].reset_index(drop=True) if len(self.selection.rows) else table

    def static(self) -> Picture:
        shown, words = page_of(self.data(), self.page, self.rows), f"{self.fault} first"
        return draw_clusters(self.diagnosis.labelling, shown, self.table, words=words, rows=self.rows, across=self.across)

    def describe(self) -> str:
        table = self.data()
        if not len(table):
            return "There is no cluster here: every image is an outlier."
        status = ", ".join(f"{count} {name}" for name, count in table["status"].value_counts().sort_index().items())
        worst = cluster_title(table.iloc[0].to_dict())
        return f"{counted(len(table), 'cluster')} ({status}), {self.fault} first; page {self.page}. First of all: {worst}."
