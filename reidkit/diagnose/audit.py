"""A few minutes of a person's eyes: judge a stratified sample of clustered pairs, get the precision with its interval.

It is the only unbiased gauge without truth. Pairs are drawn uniformly within two strata, pairs of one camera and pairs of
two; the second is what retrieval is graded on, so each stratum gets at least a third of the sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reidkit.diagnose.counts import together
from reidkit.errors import DiagnosisError

if TYPE_CHECKING:
    from reidkit.diagnose.diagnosis import Diagnosis

STRATA = ("same-camera", "cross-camera")
SAMPLE_COLUMNS = {
    "pair": "number of the pair, in the order to be judged",
    "image_a": "row of one image",
    "image_b": "row of the other",
    "path_a": "its file name",
    "path_b": "its file name",
    "cluster": "the cluster of both",
    "stratum": "one of: " + ", ".join(STRATA),
    "weight": "share of all clustered pairs that this stratum holds",
}
Z = 1.959963984540054


def audit_sample(diagnosis: Diagnosis, pairs: int = 100, *, seed: int = 0) -> pd.DataFrame:
    """Pairs of images of one cluster to be judged by eye; see `SAMPLE_COLUMNS`. In random order, without repetition."""
    labelling, generator = diagnosis.labelling, np.random.default_rng(seed)
    rows = np.flatnonzero(labelling.inlier)
    label, camera = labelling.label[rows], labelling.camera[rows]
    of_cluster, of_camera = together(label), together(label, camera)
    partners = {"same-camera": of_camera - 1, "cross-camera": of_cluster - of_camera}
    totals = {stratum: int(count.sum()) // 2 for stratum, count in partners.items()}
    wanted = _shares(totals, pairs)
    frames = []
    for stratum in STRATA:
        drawn = _draw(label, camera, partners[stratum], stratum, wanted[stratum], totals[stratum], generator)
        frame = pd.DataFrame(rows[drawn], columns=["image_a", "image_b"])
        frames.append(frame.assign(stratum=stratum, weight=totals[stratum] / max(sum(totals.values()), 1)))
    sample = pd.concat(frames, ignore_index=True)
    sample = sample.iloc[generator.permutation(len(sample))].reset_index(drop=True)
    for side in ("a", "b"):
        sample[f"path_{side}"] = [labelling.paths[row] for row in sample[f"image_{side}"]]
    sample["cluster"] = [labelling.cluster_names[labelling.label[row]] for row in sample["image_a"]]
    return sample.assign(pair=np.arange(len(sample)))[list(SAMPLE_COLUMNS)]


def audit_result(sample: pd.DataFrame, same: object) -> pd.DataFrame:
    """What the judgements say about all clustered pairs, with 95 % Wilson intervals.

    Args:
        sample: from `audit_sample`.
        same: (pairs,) True where the eye saw one person, False where two, None or NaN where it could not tell.

    Returns:
        One row a stratum and one for all pairs: stratum, judged, right, precision, low, high, weight. The interval of all
        pairs is Wilson's at the effective number of pairs of the stratified estimate.
    """
    answers = pd.Series(np.asarray(same, dtype=object))
    if len(answers) != len(sample):
        raise DiagnosisError(f"{len(answers)} answers for {len(sample)} pairs.", rule="One answer a pair.", action="Add None.")
    told = answers.notna().to_numpy()
    right = answers[told].astype(bool).to_numpy()
    stratum = sample["stratum"].to_numpy()[told]
    weight = sample.groupby("stratum")["weight"].first().reindex(STRATA).fillna(0.0)
    rows = [_row(name, int((stratum == name).sum()), int(right[stratum == name].sum()), float(weight[name])) for name in STRATA]
    seen = [row for row in rows if row["judged"]]
    total = sum(row["weight"] for row in seen)
    shares = [row["weight"] / total for row in seen] if total else []
    value = sum(s * row["precision"] for s, row in zip(shares, seen)) if seen else float("nan")
    spread = sum(s**2 * _smooth(row) * (1 - _smooth(row)) / row["judged"] for s, row in zip(shares, seen))
    plain = sum(s * _smooth(row) for s, row in zip(shares, seen))
    effective = plain * (1 - plain) / spread if spread else 0.0
    low, high = wilson(value * effective, effective)
    judged, hits = int(told.sum()), int(right.sum())
    rows.append(
        {"stratum": "all", "judged": judged, "right": hits, "precision": value, "low": low, "high": high, "weight": total}
    )
    return pd.DataFrame(rows)


def wilson(right: int | float, judged: int | float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; (0, 1) when nothing was judged."""
    if judged <= 0:
        return 0.0, 1.0
    share, z2 = right / judged, Z * Z
    middle = (share + z2 / (2 * judged)) / (1 + z2 / judged)
    half = Z / (1 + z2 / judged) * np.sqrt(share * (1 - share) / judged + z2 / (4 * judged**2))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def _row(name: str, judged: int, right: int, weight: float) -> dict:
    low, high = wilson(right, judged)
    share = right / judged if judged else float("nan")
    return {"stratum": name, "judged": judged, "right": right, "precision": share, "low": low, "high": high, "weight": weight}


def _smooth(row: dict) -> float:
    """A share that is never quite 0 or 1, so that a stratum without an error still counts as uncertain."""
    return (row["right"] + 1) / (row["judged"] + 2)


def _shares(totals: dict[str, int], pairs: int) -> dict[str, int]:
    """In proportion, but at least a third for each stratum, and never more pairs than there are."""
    whole = max(sum(totals.values()), 1)
    wanted = {name: min(count, max(round(pairs * count / whole), pairs // 3)) for name, count in totals.items()}
    large = max(wanted, key=lambda name: wanted[name])
    wanted[large] = max(0, min(totals[large], pairs - sum(count for name, count in wanted.items() if name != large)))
    return wanted


def _draw(
    label: np.ndarray,
    camera: np.ndarray,
    partners: np.ndarray,
    stratum: str,
    wanted: int,
    total: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """`wanted` different pairs (wanted, 2) of positions, uniform over the stratum: an image by its partners, then one of them."""
    found: set[tuple[int, int]] = set()
    order = np.argsort(label, kind="stable")
    starts = np.searchsorted(label[order], np.arange(int(label.max(initial=-1)) + 2))
    while len(found) < min(wanted, total):
        for a in generator.choice(len(label), size=wanted, p=partners / partners.sum()):
            mates = order[starts[label[a]] : starts[label[a] + 1]]
            near = camera[mates] == camera[a]
            mates = mates[(near & (mates != a)) if stratum == "same-camera" else ~near]
            b = int(generator.choice(mates))
            if len(found) < wanted:
                found.add((min(int(a), b), max(int(a), b)))
    return np.array(sorted(found), np.int64).reshape(-1, 2)
