"""The picture of a run: four panels over epochs, one epoch marked, and under them a few of its clusters."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from reidkit.diagnose import Diagnosis
from reidkit.diagnose.genealogy import EVENTS, fate_table, restless_flows
from reidkit.diagnose.text import counted
from reidkit.records import ImageTable
from reidkit.show.chart import line_chart
from reidkit.show.embedding_map import EmbeddingMap
from reidkit.show.figures import plot_epochs
from reidkit.show.galleries import cluster_gallery
from reidkit.show.genealogy_figure import genealogy_figure
from reidkit.show.picture import Picture, new_figure
from reidkit.show.stack import stacked

PANELS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("Clusters", "count", {"clusters": "clusters", "outliers": "outliers"}),
    ("Quality", "share", {"mean_ap": "mAP (test)", "f1": "pairwise F", "f1_cross_camera": "F across cameras"}),
    (
        "Camera information",
        "nats",
        {
            "camera_information": "I(label; camera)",
            "camera_information_chance": "by chance",
            "camera_floor": "I(identity; camera)",
            "camera_entropy": "H(camera), ceiling",
        },
    ),
    (
        "Lost identities",
        "identities",
        {"lost": "majority of no cluster", "unseen": "all images outliers", "lost_for_good": "lost for good"},
    ),
)
CLUSTERS, ACROSS = 4, 14
MARGINS = {"left": 0.07, "right": 0.845, "top": 0.945, "bottom": 0.1, "hspace": 0.55, "wspace": 0.7}  # legends stand beside


def history_figure(
    epochs: pd.DataFrame,
    epoch: int,
    labels: np.ndarray,
    diagnosis: Diagnosis,
    table: ImageTable | None = None,
    fault: str = "largest",
) -> Picture:
    """Curves of `epochs` (see `diagnose.history.COLUMNS`) with `epoch` marked; where the images of `labels` (E, N) go next;
    with `table` clusters, sorted by `fault`; with features a map."""
    below, first = {}, min(epoch, len(labels) - 2)  # the last epoch is shown with what led to it
    if first >= 0 and (labels[first] >= 0).any():
        below["genealogy"] = genealogy_figure(restless_flows(labels, first), first)
    if table is not None and len(diagnosis.clusters):
        below[f"clusters of epoch {epoch}"] = cluster_gallery(diagnosis, table, fault=fault, rows=CLUSTERS, across=ACROSS)
    if diagnosis.space.features is not None and len(diagnosis.labelling) > 2:
        below[f"map of epoch {epoch}"] = EmbeddingMap(diagnosis).static()
    curves = history_curves(epochs, epoch)
    whole = stacked(curves.figure, *(picture.figure for picture in below.values())) if below else curves.figure
    return Picture(whole, " ".join([curves.alt, *(f"Below, {name}: {picture.alt}" for name, picture in below.items())]))


def history_curves(epochs: pd.DataFrame, epoch: int) -> Picture:
    """The curves alone."""
    panels = [(title, unit, {c: n for c, n in columns.items() if c in epochs}) for title, unit, columns in PANELS]
    panels = [panel for panel in panels if panel[2]]
    two_rows = len(panels) > 2
    figure = new_figure(10.0, 4.6 if two_rows else 2.4, margins=MARGINS if two_rows else MARGINS | {"top": 0.89, "bottom": 0.2})
    for axes, (title, unit, columns) in zip(figure.subplots(-(-len(panels) // 2), 2, squeeze=False).flat, panels):
        plot_epochs(axes, epochs, columns, unit=unit, title=title, mark=epoch)
    for axes in figure.axes[len(panels) :]:
        axes.remove()
    words = f"Curves over {len(epochs)} epochs with epoch {epoch} marked: " + ", ".join(p[0].lower() for p in panels) + "."
    return Picture(figure, words)


def history_chart(epochs: pd.DataFrame, epoch: int) -> dict[str, object]:
    """The same curves to be pointed at."""
    return line_chart(epochs, "epoch", PANELS, mark=epoch)


def history_sentence(epochs: pd.DataFrame, epoch: int, labels: np.ndarray) -> str:
    """One epoch of `labels` (E, N) in one sentence, with what becomes of its clusters in the next one."""
    row = epochs.iloc[epoch]
    parts = [f"{counted(row['clusters'], 'cluster')} and {counted(row['outliers'], 'outlier')}"]
    if "f1" in epochs:
        gone = f", {int(row['lost_for_good'])} for good" if "lost_for_good" in epochs else ""
        words = f"{counted(row['lost'], 'identity')} lost ({int(row['unseen'])} unseen{gone})"
        parts.append(f"pairwise F {row['f1']:.2f}, {words}")
    information = f"I(label; camera) {row['camera_information']:.2f} nats ({row['camera_information_chance']:.2f} by chance"
    parts.append(information + (f", truth {row['camera_floor']:.2f})" if "camera_floor" in epochs else ")"))
    if "mean_ap" in epochs and not math.isnan(row["mean_ap"]):
        parts.append(f"mAP {row['mean_ap']:.1%}")
    fates = fate_table(labels[epoch : epoch + 2])["event"].value_counts() if epoch + 1 < len(labels) else {}
    if len(fates):
        parts.append("next its clusters: " + ", ".join(f"{event} {fates[event]}" for event in EVENTS if event in fates))
    return f"Epoch {epoch} of 0 to {len(epochs) - 1}: " + "; ".join(parts) + "."
