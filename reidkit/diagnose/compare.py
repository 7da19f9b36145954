"""Two labellings of the same images, before and after: which scores moved, which identities were gained or lost."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from reidkit.diagnose.chance import adjusted_information
from reidkit.diagnose.counts import as_singletons, cell_frame
from reidkit.diagnose.inputs import OUTLIER, Labelling
from reidkit.diagnose.pairwise import count_pairs
from reidkit.errors import DiagnosisError

SAME_CLUSTER = 0.5
CHANGES = ("gained", "lost", "moved", "same")
EXAMPLES = 4


@dataclass(frozen=True, eq=False)
class Comparison:
    """What changed between two diagnoses.

    Attributes:
        scores: score, outliers, pairs, before, after, change, better, improved (None where neither way is better, or undefined).
        identities: identity, images, status_before, status_after, change (one of `CHANGES`), overlap (Jaccard index of the
            images in its largest cluster before and after, 0 to 1) and examples (file names); changed ones first.
        images: image, path, label_before, label_after, and whether it gained or lost a cluster.
        agreement: adjusted Rand index and adjusted mutual information between the two labellings; outliers as singletons.
    """

    scores: pd.DataFrame
    identities: pd.DataFrame
    images: pd.DataFrame
    agreement: dict[str, float] = field(default_factory=dict)

    def describe(self) -> str:
        """The comparison in one sentence."""
        parts = [f"agreement (adjusted Rand index) {self.agreement['ari']:.3f}"]
        counts = self.identities["change"].value_counts() if len(self.identities) else {}
        parts += [f"{int(counts.get(change, 0))} identities {change}" for change in CHANGES[:3]] if len(self.identities) else []
        return "Before and after: " + ", ".join(parts) + "."


def compare_tables(
    before: tuple[Labelling, pd.DataFrame, pd.DataFrame], after: tuple[Labelling, pd.DataFrame, pd.DataFrame]
) -> Comparison:
    """Compare two (labelling, scores, identities).

    Raises:
        DiagnosisError: when the two do not describe the same images in the same order.
    """
    (old, old_scores, old_people), (new, new_scores, new_people) = before, after
    _same_images(old, new)
    key = ["score", "outliers", "pairs"]
    both = old_scores[[*key, "value", "better"]].merge(new_scores[[*key, "value"]], on=key, suffixes=("_before", "_after"))
    scores = both.rename(columns={"value_before": "before", "value_after": "after"})
    scores["change"] = scores["after"] - scores["before"]
    judged = scores["better"].ne("") & scores["change"].notna() & scores["change"].ne(0)
    up = (scores["change"] > 0) == scores["better"].eq("higher")
    scores["improved"] = up.astype(object).where(judged, None)
    first, second = as_singletons(old.label), as_singletons(new.label)
    found = count_pairs(first, second, np.zeros_like(first))["all"]
    agreement = {"ari": found.ari, "ami": adjusted_information(first, second)}
    people = _identities(old, old_people, new, new_people) if len(old_people) and len(new_people) else pd.DataFrame()
    columns = [*key, "before", "after", "change", "better", "improved"]
    return Comparison(scores[columns], people, _images(old, new), agreement)


def _identities(old: Labelling, old_people: pd.DataFrame, new: Labelling, new_people: pd.DataFrame) -> pd.DataFrame:
    frame = old_people[["identity", "images", "status", "lost", "largest_cluster"]].merge(
        new_people[["identity", "status", "lost", "largest_cluster"]], on="identity", suffixes=("_before", "_after")
    )
    frame["overlap"] = _overlaps(old, new, frame)
    moved = (frame["status_before"] != frame["status_after"]) | (frame["overlap"] < SAME_CLUSTER)
    frame["change"] = np.select(
        [frame["lost_before"] & ~frame["lost_after"], ~frame["lost_before"] & frame["lost_after"], moved & ~frame["lost_after"]],
        list(CHANGES[:3]),
        "same",
    )
    assert old.identity is not None
    rows = pd.Series(np.arange(len(old))).groupby(old.identity).apply(lambda group: group.to_list()[:EXAMPLES])
    code = {name: number for number, name in enumerate(old.identity_names)}
    frame["examples"] = [", ".join(old.paths[row] for row in rows[code[name]]) for name in frame["identity"]]
    order = frame["change"].map({change: place for place, change in enumerate(CHANGES)})
    frame = frame.iloc[np.lexsort((np.arange(len(frame)), order))].reset_index(drop=True)
    return frame[["identity", "images", "status_before", "status_after", "change", "overlap", "examples"]]


def _overlaps(old: Labelling, new: Labelling, frame: pd.DataFrame) -> np.ndarray:
    """Jaccard index of the largest clusters before and after; 0 when either is missing."""
    shared = cell_frame(before=old.label + 1, after=new.label + 1).set_index(["before", "after"])["images"]
    size_before, size_after = np.bincount(old.label + 1), np.bincount(new.label + 1)
    codes_before = {name: code + 1 for code, name in enumerate(old.cluster_names)}
    codes_after = {name: code + 1 for code, name in enumerate(new.cluster_names)}
    overlap = np.zeros(len(frame))
    for row, (a, b) in enumerate(zip(frame["largest_cluster_before"], frame["largest_cluster_after"])):
        if OUTLIER not in (a, b):
            i, j = codes_before[a], codes_after[b]
            common = int(shared.get((i, j), 0))
            overlap[row] = common / (size_before[i] + size_after[j] - common)
    return overlap


def _images(old: Labelling, new: Labelling) -> pd.DataFrame:
    frame = pd.DataFrame({"image": np.arange(len(old)), "path": pd.Series(old.paths, dtype=object)})
    frame["label_before"] = [old.cluster_names[k] if k >= 0 else OUTLIER for k in old.label]
    frame["label_after"] = [new.cluster_names[k] if k >= 0 else OUTLIER for k in new.label]
    gained, lost = ~old.inlier & new.inlier, old.inlier & ~new.inlier
    return frame.assign(change=np.select([gained, lost], ["gained a cluster", "lost its cluster"], ""))


def _same_images(old: Labelling, new: Labelling) -> None:
    what = f"{len(old)} images before, {len(new)} after." if len(old) != len(new) else ""
    if not what:
        first = next((i for i, (a, b) in enumerate(zip(old.paths, new.paths)) if a != b), None)
        what = "" if first is None else f"Row {first} is {old.paths[first]!r} before and {new.paths[first]!r} after."
    if what:
        raise DiagnosisError(
            what, rule="Two runs are compared over the same images in the same order.", action="Sort both alike."
        )
