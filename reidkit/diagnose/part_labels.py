"""Several labellings of the same images side by side (SSG: whole, upper and lower body): where they agree, who meets by which.

Two images *meet by* a part when they share a cluster of that part's labels. Outliers meet nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from reidkit.diagnose.counts import cells, pairs, renumbered
from reidkit.diagnose.inputs import OUTLIER
from reidkit.diagnose.pairwise import count_pairs
from reidkit.errors import DiagnosisError

MEETING_COLUMNS = {
    "pairs": "pairs of images that meet by exactly these parts",
    "same": "of these, pairs that share the given code (an identity, a camera, a colour)",
    "share": "same / pairs, 0 to 1; undefined without pairs",
}
COMPANY_COLUMNS = {
    "part": "name of the part",
    "image": "row of another image in its cluster of that part",
    "parts": "by how many parts the two meet",
    "met_by": "names of these parts, joined by +",
}


def agreement_table(labels: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """(P, P) adjusted Rand index of each two columns of `labels` (N, P), over images that both cluster; NaN without any."""
    _check(labels, names)
    table = pd.DataFrame(1.0, index=list(names), columns=list(names))
    for a, b in combinations(range(len(names)), 2):
        both = (labels[:, [a, b]] != OUTLIER).all(axis=1)
        first, second = renumbered(labels[both, a]), renumbered(labels[both, b])
        found = count_pairs(first, second, np.zeros_like(first))["all"].ari if both.any() else float("nan")
        table.iloc[a, b] = table.iloc[b, a] = found
    return table


def meeting_table(labels: np.ndarray, names: Sequence[str], same: np.ndarray | None = None) -> pd.DataFrame:
    """One row for each set of parts by which some pair of images meets, and no other part; see `MEETING_COLUMNS`.

    Pairs are counted from contingency cells, set by set, and what belongs to a larger set is taken away again.

    Args:
        labels: (N, P), one column a part, -1 = outlier.
        names: of the parts.
        same: a code of each image, for instance its identity; pairs are asked whether they share it.
    """
    _check(labels, names)
    sets = [chosen for size in range(1, len(names) + 1) for chosen in combinations(range(len(names)), size)]
    exactly: dict[tuple[int, ...], np.ndarray] = {}
    for chosen in reversed(sets):
        larger = [exactly[other] for other in sets if len(other) > len(chosen) and set(chosen) < set(other)]
        exactly[chosen] = _pairs_in_all(labels[:, chosen], same) - sum(larger, np.zeros(2, np.int64))
    rows = {"+".join(names[part] for part in chosen): exactly[chosen] for chosen in sets if exactly[chosen][0]}
    table = pd.DataFrame(rows, index=["pairs", "same"]).T.rename_axis("met by")
    return table.assign(share=table["same"] / table["pairs"]) if same is not None else table[["pairs"]]


def company_table(labels: np.ndarray, names: Sequence[str], image: int) -> pd.DataFrame:
    """Whom one image meets: one row a part and other image, within a part those first whom fewest parts bring; see
    `COMPANY_COLUMNS`.
    """
    _check(labels, names)
    met = (labels == labels[image]) & (labels[image] != OUTLIER)
    met[image] = False
    by = np.array(["+".join(name for name, one in zip(names, row) if one) for row in met], dtype=object)
    frames = []
    for part, name in enumerate(names):
        others = np.flatnonzero(met[:, part])
        others = others[np.argsort(met[others].sum(axis=1), kind="stable")]
        frames.append(pd.DataFrame({"part": name, "image": others, "parts": met[others].sum(axis=1), "met_by": by[others]}))
    return pd.concat(frames, ignore_index=True)[list(COMPANY_COLUMNS)]


def _pairs_in_all(labels: np.ndarray, same: np.ndarray | None) -> np.ndarray:
    """(pairs that share a cluster in every column, those of them that share the code as well)."""
    kept = (labels != OUTLIER).all(axis=1)
    columns = list(labels[kept].T)
    if not kept.any():
        return np.zeros(2, np.int64)
    alike = pairs(cells(*columns, np.unique(same[kept], return_inverse=True)[1])[1]) if same is not None else 0
    return np.array([pairs(cells(*columns)[1]), alike])


def _check(labels: np.ndarray, names: Sequence[str]) -> None:
    if labels.ndim != 2 or labels.shape[1] != len(names) or not len(labels):
        what = f"labels {labels.shape} of {len(names)} parts."
        raise DiagnosisError(what, rule="Labels have one row an image and one column a part.", action="Stack them.")
