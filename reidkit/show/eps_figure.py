"""The picture of one radius: the count curves with the radius marked, sizes of clusters, and some of the clusters."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reidkit.diagnose.inputs import Labelling
from reidkit.records import ImageTable
from reidkit.show.galleries import draw_clusters
from reidkit.show.palette import BLUE, ORANGE
from reidkit.show.picture import Picture, new_figure
from reidkit.show.stack import stacked

MARGINS = {"left": 0.08, "right": 0.92, "top": 0.9, "bottom": 0.2, "wspace": 0.55}


def eps_figure(
    curve: pd.DataFrame, eps: float, labelling: Labelling, order: pd.DataFrame | None, table: ImageTable | None, fault: str
) -> Picture:
    """Clusters and outliers over the radius, the sizes at `eps`, and with `table` the first clusters of `order`."""
    figure = new_figure(9.0, 2.6, margins=MARGINS)
    left, right = figure.subplots(1, 2)
    left.plot(curve["eps"], curve["clusters"], color=BLUE, label="clusters")
    left.set(xlabel="eps", ylabel="clusters", title="", ylim=(0, None))
    other = left.twinx()
    other.plot(curve["eps"], curve["outliers"], color=ORANGE, ls="--", label="outliers")
    other.set_ylabel("outliers")
    other.set_ylim(bottom=0)
    left.axvline(eps, color="black", lw=1, ls=":")
    left.legend(handles=[*left.get_lines()[:1], *other.get_lines()], fontsize=7, loc="upper left")
    sizes = np.sort(np.bincount(labelling.label[labelling.inlier]))[::-1]
    right.stairs(sizes, np.arange(len(sizes) + 1) + 0.5, fill=True, color=BLUE)  # one shape: a thousand bars take a second
    right.set(xlabel="cluster, the largest first", ylabel="images")
    right.set_title(f"sizes at eps {eps:.2f}", fontsize=9)
    words = f"Number of clusters and outliers over eps, {eps:.2f} marked, and the sizes of the clusters there."
    if table is None or order is None or not len(order):
        return Picture(figure, words)
    below = draw_clusters(labelling, order, table, words=f"{fault} first", rows=4, across=14)
    return Picture(stacked(figure, below.figure), f"{words} Below: {below.alt}")


def eps_sentence(row: pd.Series) -> str:
    """One radius in one sentence."""
    parts = [f"{int(row['clusters'])} clusters and {int(row['outliers'])} outliers"]
    if "f1" in row:
        parts.append(f"pairwise F {row['f1']:.2f} ({row['f1_cross_camera']:.2f} across cameras)")
        parts.append(f"{int(row['lost'])} identities lost ({int(row['unseen'])} unseen)")
    chance = f"{row['camera_information_chance']:.2f} by chance" + (
        f", truth {row['camera_floor']:.2f}" if "camera_floor" in row else ""
    )
    return (
        f"At eps {row['eps']:.2f}: " + "; ".join(parts) + f"; I(label; camera) {row['camera_information']:.2f} nats ({chance})."
    )
