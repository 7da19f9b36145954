"""The parts of the application: views over one diagnosis that share a selection."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import ipywidgets
import numpy as np
import pandas as pd
from scipy import sparse

from reidkit.analyst.source import Source
from reidkit.diagnose import Diagnosis
from reidkit.diagnose.text import plain
from reidkit.errors import RecordsError
from reidkit.jaccard import JaccardGraph, jaccard_graph
from reidkit.records import ImageTable, make_records
from reidkit.show import CameraInformation, ClusterGallery, EmbeddingMap, EpsExplorer, LostIdentities, TableBrowser, View, link

MOST = 20_000  # images for which a graph is made from features while somebody waits
K1, K2 = 20, 6


@dataclass(frozen=True, eq=False)
class Application:
    """A diagnosis and the views of it that its files allow.

    Attributes:
        diagnosis: of the labels.
        views: title -> view, in the order of the page.
        missing: title -> what it would need.
    """

    diagnosis: Diagnosis
    views: dict[str, View]
    missing: dict[str, str]

    def part(self, title: str) -> ipywidgets.Widget:
        """One part of the page, live; or a line that says what it needs."""
        if title in self.views:
            return ipywidgets.VBox([ipywidgets.HTML(f"<h2>{escape(title)}</h2>"), self.views[title].live()])
        return ipywidgets.HTML(f"<h2>{escape(title)}</h2><p>{escape(self.missing[title])}</p>")

    def summary(self) -> ipywidgets.HTML:
        """The main findings, alarms first."""
        rung = self.diagnosis.alarms[self.diagnosis.alarms["rings"]]
        alarms = "".join(f"<li>{escape(plain(name))}</li>" for name in rung["alarm"])
        told = f"<p>{escape(plain(self.diagnosis.describe()))}</p>"
        return ipywidgets.HTML(f'{told}<ul role="alert" style="color:#B30000">{alarms}</ul>' if alarms else told)


def open_application(source: Source | None = None) -> Application:
    """Diagnose the files of `source`, or of the one that `reidkit analyst` named.

    Raises:
        DiagnosisError, RecordsError: for tables and pictures that cannot be read.
    """
    source = source or Source.from_environment()
    diagnosis = source.diagnose()
    own, table = diagnosis.labelling, pictures_of(diagnosis, source.images)
    views: dict[str, View] = {"Scores": TableBrowser(diagnosis, table="scores"), "Cameras": CameraInformation(diagnosis)}
    missing: dict[str, str] = {}
    truth = None if own.identity is None else np.where(own.identity < 0, -1, own.identity)
    if diagnosis.space.features is not None and len(own) > 2:
        views["Map"] = EmbeddingMap(diagnosis, table)
    else:
        missing["Map"] = "A map needs features (--features)."
    graph = graph_of(diagnosis)
    if graph is not None:
        views["Radius"] = EpsExplorer(graph, own.camera, truth, table=table)
    else:
        missing["Radius"] = f"The radius needs a graph (--graph), or the features of at most {MOST:,} images (--features)."
    views["Tables"] = TableBrowser(diagnosis)
    for title, kind, wanted in (("Clusters", ClusterGallery, True), ("Lost identities", LostIdentities, truth is not None)):
        if table is not None and wanted:
            views[title] = kind(diagnosis, table)
        else:
            missing[title] = "Needs pictures (--images)" + ("." if wanted else " and true identities.")
    link(*views.values())
    return Application(diagnosis, views, missing)


def pictures_of(diagnosis: Diagnosis, folder: str | None) -> ImageTable | None:
    """The images as a table; None without a folder. Photographs stay blank unless they were asked for."""
    if folder is None:
        return None
    own = diagnosis.labelling
    frame = pd.DataFrame({"path": own.paths, "camera": own.camera, "identity": 0})
    try:
        return make_records(frame, root=folder).blind()
    except RecordsError as error:
        error.add_note(f"The paths of the table are looked for in {folder}.")
        raise


def graph_of(diagnosis: Diagnosis) -> JaccardGraph | None:
    """The stored graph with its diagonal, else one made from the features of not too many images."""
    stored, features = diagnosis.space.graph, diagnosis.space.features
    if stored is not None:
        (row, column), everyone = sparse.coo_array(stored).coords, np.arange(stored.shape[0])
        data = np.r_[sparse.coo_array(stored).data, np.zeros(len(everyone))].astype(np.float32)
        whole = sparse.csr_array((data, (np.r_[row, everyone], np.r_[column, everyone])), shape=stored.shape)
        whole.sort_indices()
        return JaccardGraph(whole)
    if features is None or not K1 < len(features) <= MOST:
        return None
    return jaccard_graph(features, k1=K1, k2=K2)
