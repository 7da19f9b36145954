"""The rows of the papers' ablation tables as options: what is changed, by the name of the row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from reidkit.errors import ReidkitError, nearest_name
from reidkit.method import Method
from reidkit.published.settings import Network, published


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        of: name in `PUBLISHED` of the settings that it starts from.
        options: what it changes in the recipe; ``adversary`` holds the changes of CANU's own recipe.
        backbone: another network than the published one; an empty string for that one.
        rounds: how many clusterings it does; None as many as the schedule, 0 none at all (direct transfer).
        length: batches of an epoch, as a multiple of the schedule's.
        distance: of the test (`reidkit.training.judge.DISTANCES`).
        source: table, row or section, and whose it is.
    """

    of: str
    options: Mapping[str, Any] = field(default_factory=dict)
    backbone: str = ""
    rounds: int | None = None
    length: float = 1.0
    distance: str = "cosine"
    source: str = ""

    def build(self, cameras: int, labels: np.ndarray, backbone: str | Network = "", seed: int = 0, **options: Any) -> Method:
        """The method of this row, fresh; `options` stand before the row's own, which stand before the published ones."""
        start = published(self.of)
        given = {**self.options, **options}
        if "adversary" in self.options:
            given["adversary"] = {**self.options["adversary"], **options.get("adversary", {})}
        return start.build(cameras, labels, backbone or self.backbone or start.backbone, seed, **given)


MMT_SOURCE = {"centre_weight": 0.0, "triplet": "softmax", "view": "weak"}
UDAP_SOURCE = {"centre_weight": 0.0, "smoothing": 0.0, "margin": 0.5, "view": "udap-source", "neck": "relu"}
GUESSING_SOURCE = {"centre_weight": 0.005}
R50, IBN = "resnet50", "resnet50-ibn-a"
MEAN_TEACHER = {"networks": 1, "taught_by": "own", "soft_triplet": 1.0}  # taught by its own average: w_id 0.5, w_tri 1
RAW = {"camera": "as-is", "min_size": 0, "single_camera": "keep"}
SELECTED = {"camera": "as-is"}
GRID = (0.3, 0.35, 0.4, 0.45, 0.5)
CODE, NONE = "yxgeee/MMT README", {"soft_identity": 0.0, "soft_triplet": 0.0}


def _ladder() -> dict[str, Row]:
    of, table = "Learn by Guessing", "Table {}"
    three, four = table.format(3), table.format(4)
    return {
        "supervised on target": Row("BoT", GUESSING_SOURCE, IBN, source=table.format(1)),
        "ResNet-50": Row("BoT", GUESSING_SOURCE, R50, rounds=0, source=three),
        "+ IBN-Net50-a": Row("BoT", GUESSING_SOURCE, IBN, rounds=0, source=three + ", and direct transfer of Table 1"),
        "+ domain adaptation": Row(of, RAW, rounds=1, source=three),
        "+ progressive learning": Row(of, RAW, source=three),
        "+ cluster selection": Row(of, SELECTED, source=three),
        "+ camera normalisation": Row(of, source=three),
        "k-means": Row(of, {"clustering": "kmeans", "clusters": 0}, source=four),
        "DBSCAN": Row(of, source=four),
        "re-ranking": Row(of, distance="k-reciprocal", source=table.format(2)),
        "eps from a grid": Row(of, {"eps_grid": GRID}, source="3.3.2; the grid is ours"),
        "radius anew at every step": Row(of, {"eps_grid": GRID, "search": "every"}, source="ours: 3.3.2 searches once"),
        "until the labels settle": Row(of, {"patience": 3}, source="ours, in place of the test score of 3.2"),
        "feature before the neck": Row(of, {"tap": "f"}, source="3.6.1 leaves it open"),
        "deviation over n - 1": Row(of, {"camera_ddof": 1}, source="ours: equation 4 leaves it open"),
        "frozen epochs inside": Row(of, {"frozen": "inside"}, source="ours: 3.6.2 leaves it open"),
    }


def _mutual() -> dict[str, Row]:
    grid = (500, 700, 900, 1000, 1500, 2000)
    rows = {f"MMT-{k}": Row("MMT-500", {"clusters": k}, source=CODE) for k in grid}
    rows |= {f"ResNet-50, MMT-{k}": Row("MMT-500", {"clusters": k}, R50, source=CODE) for k in grid}
    return rows | {
        "pre-trained": Row("BoT", MMT_SOURCE, IBN, rounds=0, source=CODE),
        "ResNet-50, pre-trained": Row("BoT", MMT_SOURCE, R50, rounds=0, source=CODE),
        "MMT (DBSCAN)": Row("MMT-DBSCAN", source="CANU-ReID, Table I"),
        "hard labels only": Row("MMT-500", NONE, source="MMT, ablation without soft labels"),
        "two networks apart": Row("MMT-500", {**NONE, "momentum": 0.0, "ramp": False}, source=CODE + ", the paper's baseline"),
        "without soft cross-entropy": Row("MMT-500", {"soft_identity": 0.0}, source=CODE),
        "without soft triplet": Row("MMT-500", {"soft_triplet": 0.0}, source=CODE),
        "soft triplet alone": Row("MMT-500", {"soft_triplet": 1.0}, source=CODE + ", w_tri = 1"),
        "without averaging": Row("MMT-500", {"momentum": 0.0, "ramp": False}, source="MMT, ablation"),
        "taught by its own average": Row("MMT-500", {"taught_by": "own"}, source="ours: mean teachers side by side"),
        "one network": Row("MMT-500", {"networks": 1, "taught_by": "own"}, source="MMT, ablation"),
        "batch norm over the whole batch": Row("MMT-500", {"norm_group": None}, source=CODE + ", number of GPUs"),
        "dropout 0.5": Row("MMT-500", {"dropout": 0.5}, source=CODE),
        "800 iterations": Row("MMT-500", length=2.0, source=CODE + ", as in the paper"),
        "cluster baseline": Row("cluster baseline", source="yxgeee/MMT examples/base_train_*.py"),
    }


def _canu(base: str) -> dict[str, Row]:
    of, four = f"CANU-{base}", "Table IV"
    alone = {"SSG": "SSG", "MMT": "MMT-DBSCAN"}[base]
    rows = {
        base: Row(alone, source=four),
        f"{base}+Adv": Row(of, {"adversary": {"condition": "none"}}, source=four),
        f"CANU-{base}": Row(of, source=four),
        "capacity-matched +Adv": Row(of, {"adversary": {"condition": "none", "join": "zero"}}, source="ours"),
        "sum in the discriminator": Row(of, {"adversary": {"join": "sum"}}, source="IV, the other reading of its layers"),
        "alternating updates": Row(of, {"adversary": {"play": "alternating"}}, source="ours: IV leaves it open"),
        "unit centroids": Row(of, {"adversary": {"normalise_centroid": True}}, source="ours: IV leaves it open"),
        "centroids of its own": Row(of, {"adversary": {"centroid": "own"}}, source="ours: IV leaves it open"),
        "condition on the feature": Row(of, {"adversary": {"condition": "feature"}}, source="IV, read literally for SSG"),
        "judges with SGD": Row(of, {"adversary": {"optimiser": "sgd"}}, source="ours: IV leaves it open"),
        "judges renewed": Row(of, {"adversary": {"renew": True}}, source="ours: IV leaves it open"),
    }
    if base == "MMT":
        rows["feature behind the neck"] = Row(of, {"adversary": {"tap": "b"}}, source="ours: IV leaves it open")
        rows["shuffled batches"] = Row(of, {"adversary": {"draw": "shuffle"}}, source='yihongXU/CANUREID README, "no sampler"')
    if base == "SSG":
        rows["one pass a round"] = Row(of, length=1 / 70, source="V-A, read literally")
    grid = (0.01, 0.05, 0.1, 0.2, 0.4, 1.8)
    return rows | {f"mu = {mu:g}": Row(of, {"adversary": {"mu": mu}}, source="Table III") for mu in grid}


ABLATIONS: dict[str, dict[str, Row]] = {
    "base recipes": {
        "direct transfer": Row("BoT", rounds=0, source="every paper's first row: the source's network as it is"),
        "supervised upper bound": Row("BoT", source="the target's own identities; Learn by Guessing, Table 1"),
        "cluster baseline": Row("cluster baseline", source="yxgeee/MMT examples/base_train_*.py"),
        "Mean-Teacher baseline": Row("MMT-500", MEAN_TEACHER, R50, source="ABMT, MT-Baseline + K-Means"),
        "Mean-Teacher baseline (DBSCAN)": Row("MMT-DBSCAN", MEAN_TEACHER, R50, source="ABMT, MT-Baseline + DBSCAN"),
    },
    "Learn by Guessing": _ladder(),
    "SSG": {
        "SSG": Row("SSG", source="README"),
        "direct transfer": Row("BoT", UDAP_SOURCE, R50, rounds=0, source="README, before adaptation"),
        "whole body only": Row("SSG", {"label_views": ("full",)}, source="ours: the parts taken away"),
        "positives by place": Row("SSG", {"positives": "positional"}, source="OasisYang/SSG reid/trainers.py"),
        "test per view": Row("SSG", {"test": "per-view"}, source="CANU-ReID, V-A"),
        "UDAP": Row("UDAP", source="README"),
    },
    "MMT": _mutual(),
    "CANU on SSG": _canu("SSG"),
    "CANU on MMT": _canu("MMT"),
    "LF2": {
        "direct transfer": Row("BoT", MMT_SOURCE, R50, rounds=0, source="slides, components"),
        "baseline": Row("LF2", {"fusion": "global"}, source="slides, components"),
        "LF2 w/o FM": Row("LF2", {"fusion": "teacher-parts"}, source="slides, components"),
        **{f"LF2, M = {m}": Row("LF2", {"clusters": m}, source="slides, components") for m in (500, 700, 900)},
        "trained fusion": Row("LF2", {"fusion_loss": "triplet"}, source="ours: the released fusion gets no gradient"),
        "sigmoid outside": Row("LF2", {"sigmoid": "outside"}, source="slides, formula of the fusion module"),
        "lambda = 0": Row("LF2", {"lambda_value": 0.0}, source="ours"),
    },
    "BoT": {
        "all tricks": Row("BoT", source="README"),
        "without centre loss": Row("BoT", {"centre_weight": 0.0}, source="README"),
        "without label smoothing": Row("BoT", {"centre_weight": 0.0, "smoothing": 0.0}, source="README"),
        "without erasing": Row("BoT", {"centre_weight": 0.0, "smoothing": 0.0, "view": "weak"}, source="README"),
        "IBN-Net50-a": Row("BoT", backbone=IBN, source="README"),
    },
}
"""Paper -> row -> what it changes."""


def ablation(paper: str, row: str) -> Row:
    """One row; the nearest names when there is none."""
    for name, known, what in ((paper, ABLATIONS, "table"), (row, ABLATIONS.get(paper, {}), "row")):
        if name not in known:
            rule = "Rows have the names of the papers' tables; see reidkit.published.ablation_table()."
            raise ReidkitError(f"There is no {what} {name!r}.", rule=rule, action=nearest_name(name, known))
    return ABLATIONS[paper][row]


def ablation_table() -> pd.DataFrame:
    """One line a row: paper, row, published settings, changes, source."""
    lines = [
        {"paper": paper, "row": name, "of": row.of, "changes": dict(row.options), "rounds": row.rounds, "source": row.source}
        for paper, rows in ABLATIONS.items()
        for name, row in rows.items()
    ]
    return pd.DataFrame(lines).set_index(["paper", "row"])
