"""One threshold on distances, chosen on a labelled sample of one's own data: its two errors, and how sure they are.

A pair is *accepted* when its distance is at most the threshold. False match rate: the share of pairs of two identities that
are accepted; false non-match rate: the share of pairs of one identity that are not. Pairs of one camera do not count.

All pairs of an identity stand and fall together, so the band is drawn over **identities**: they are drawn with repetition,
a pair of identities i and j counting w_i w_j times and a pair within i counting w_i times (Bolle, Ratha and Pankanti, "Error
analysis of pattern recognition systems: the subsets bootstrap", 2004).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from reidkit.errors import DiagnosisError

BOUNDS = ("rate", "upper")
COLUMNS = {
    "threshold": "largest distance that is accepted",
    "false_match": "share of pairs of two identities that are accepted, 0 to 1",
    "false_match_low": "lower end of its 95 % band over identities; false_match_high: its upper end",
    "false_match_high": "see there",
    "false_non_match": "share of pairs of one identity that are not accepted, 0 to 1; _low and _high likewise",
    "false_non_match_low": "see there",
    "false_non_match_high": "see there",
}
BAND = (0.025, 0.975)


@dataclass(frozen=True, eq=False)
class Calibration:
    """A threshold, and what is to be expected of it on other identities of the same kind.

    Attributes:
        threshold: the largest one of `rates` that keeps to `allowed`; below every distance when none does.
        allowed: the false match rate that was asked for.
        bound: what was held to it: the ``"rate"`` itself, or the ``"upper"`` end of its band.
        rates: one row a threshold, ascending; see `COLUMNS`.
        identities, strangers, mates: identities in the sample, pairs of two identities and of one.
    """

    threshold: float
    allowed: float
    bound: str
    rates: pd.DataFrame = field(repr=False)
    identities: int
    strangers: int
    mates: int

    def at(self, threshold: float) -> pd.Series:
        """The row of `rates` at the largest threshold tried that is not above this one."""
        return self.rates.iloc[max(0, int(np.searchsorted(self.rates["threshold"], threshold, side="right")) - 1)]

    def describe(self) -> str:
        """The calibration in a sentence."""
        row = self.at(self.threshold)
        sample = f"{self.identities} identities, {self.strangers:,} pairs of two and {self.mates:,} of one"
        text = f"At most {self.threshold:.3f} apart is accepted: false match {row['false_match']:.2%} "
        text += f"({row['false_match_low']:.2%} to {row['false_match_high']:.2%}), false non-match {row['false_non_match']:.1%} "
        return text + f"({row['false_non_match_low']:.1%} to {row['false_non_match_high']:.1%}); from {sample}."


def calibrate_threshold(
    distance: Float[np.ndarray, "q g"],
    query_ids: Int[np.ndarray, " q"],
    gallery_ids: Int[np.ndarray, " g"],
    query_cameras: Int[np.ndarray, " q"] | None = None,
    gallery_cameras: Int[np.ndarray, " g"] | None = None,
    *,
    allowed: float = 0.01,
    bound: str = "rate",
    steps: int = 200,
    draws: int = 300,
    seed: int = 0,
) -> Calibration:
    """Choose the largest threshold whose false match rate keeps to `allowed`; `at` on another sample's calibration checks it.

    Args:
        distance: of each query to each gallery image, any scale.
        query_ids, gallery_ids: identities; 0 and below (distractors, junk) are left out.
        query_cameras, gallery_cameras: pairs of one camera are left out; None counts all pairs (and then a picture must not
            stand on both sides).
        bound: ``"rate"``, or ``"upper"`` for the upper end of the band, which is the careful choice for a small sample.
        steps: thresholds tried: half of them evenly over the distances, half at their quantiles.
        draws, seed: of the band.

    Raises:
        DiagnosisError: when shapes or numbers do not fit, or a kind of pair is missing.
    """
    _check(distance, query_ids, gallery_ids, allowed, bound, (query_cameras is None) != (gallery_cameras is None))
    counted = (query_ids > 0)[:, None] & (gallery_ids > 0)[None]
    if query_cameras is not None and gallery_cameras is not None:
        counted &= query_cameras[:, None] != gallery_cameras[None]
    row, column = np.nonzero(counted)
    names, codes = np.unique(np.r_[query_ids[row], gallery_ids[column]], return_inverse=True)
    i, j, found = codes[: len(row)], codes[len(row) :], distance[row, column].astype(np.float64)
    same = i == j
    strangers, mates = int((~same).sum()), int(same.sum())
    if not strangers or not mates:
        what = f"{strangers} pairs of two identities, {mates} pairs of one."
        raise DiagnosisError(what, rule="Both kinds are needed, from two cameras.", action="Label more identities.")
    tried = _thresholds(found, steps)
    place = np.searchsorted(tried, found)
    drawn = np.random.default_rng(seed).integers(len(names), size=(draws, len(names)))
    times = np.stack([np.bincount(row, minlength=len(names)) for row in drawn]).astype(np.float64)
    sides = {"false_match": (~same, False), "false_non_match": (same, True)}
    frame = {"threshold": tried}
    for name, (part, missed) in sides.items():
        whole, band = (
            _rates(weights, i[part], j[part], place[part], len(tried), missed) for weights in (np.ones((1, len(names))), times)
        )
        frame[name] = whole[0]
        frame[f"{name}_low"], frame[f"{name}_high"] = np.nanquantile(band, BAND, axis=0)
    rates = pd.DataFrame(frame)[list(COLUMNS)]
    held = rates["false_match" if bound == "rate" else "false_match_high"] <= allowed
    threshold = float(rates["threshold"][held].max()) if held.any() else float(tried[0])
    return Calibration(threshold, allowed, bound, rates, len(names), strangers, mates)


def _rates(weights: np.ndarray, i: np.ndarray, j: np.ndarray, place: np.ndarray, steps: int, missed: bool) -> np.ndarray:
    """(W, T): for each row of weights the share of pairs at most each threshold apart, or of those that are not."""
    rows = []
    for weight in weights:
        of_pair = weight[i] if missed else weight[i] * weight[j]
        counts = np.bincount(place, weights=of_pair, minlength=steps + 1)
        share = counts.cumsum()[:steps] / counts.sum() if counts.sum() else np.full(steps, np.nan)
        rows.append(1.0 - share if missed else share)
    return np.stack(rows)


def _thresholds(distance: np.ndarray, steps: int) -> np.ndarray:
    """Ascending thresholds, the first below every distance."""
    even = np.linspace(distance.min(), distance.max(), max(2, steps // 2))
    return np.unique(np.r_[np.nextafter(distance.min(), -np.inf), even, np.quantile(distance, np.linspace(0, 1, steps // 2))])


def _check(distance: np.ndarray, queries: np.ndarray, gallery: np.ndarray, allowed: float, bound: str, one_side: bool) -> None:
    fits = distance.shape == (len(queries), len(gallery)) and bool(np.isfinite(distance).all())
    if not fits or not 0.0 <= allowed < 1.0 or bound not in BOUNDS or one_side:
        what = (
            f"distance {distance.shape}{'' if fits else ' with values that are not finite'}, allowed={allowed}, bound={bound!r}"
        )
        what += ", cameras of one side only." if one_side else "."
        rule = f"A finite (Q, G) matrix, 0 <= allowed < 1, bound one of {BOUNDS}, cameras on both sides or on none."
        raise DiagnosisError(what, rule=rule, action="Correct this argument.")
