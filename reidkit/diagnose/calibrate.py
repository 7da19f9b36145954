"""Which gauges earned trust on data like yours: each gauge's rank correlation with the true F on sets with known truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from reidkit.diagnose.radii import GAUGES, Cluster, eps_curve

COLUMNS = {
    "case": "name of the set with known truth; 'all' is the mean over sets",
    "gauge": "what was read without truth (see `radii.COLUMNS`)",
    "correlation": "Spearman rank correlation of the gauge with the true F over the radii, -1 to 1",
    "picked_eps": "radius at which the gauge is largest (camera homogeneity: smallest)",
    "picked_f1": "true F there",
    "best_f1": "largest true F over the radii",
    "regret": "F given away by trusting the gauge: best_f1 - picked_f1",
}
SMALLER_IS_BETTER = ("camera_homogeneity",)


@dataclass(frozen=True, eq=False)
class Case:
    """A set with known truth: its sparse graph (N, N), cameras (N,), identities (N,), and how it is clustered."""

    graph: object
    cameras: Sequence[object] | np.ndarray
    identities: Sequence[object] | np.ndarray
    cluster: Cluster | None = None


def calibrate_gauges(cases: Mapping[str, Case], eps: Sequence[float] | np.ndarray, *, min_samples: int = 4) -> pd.DataFrame:
    """One row a case and gauge, then the mean over cases; see `COLUMNS`. Undefined correlations (a constant gauge) are NaN.

    Args:
        cases: sets that look like the analyst's: synthetic worlds, or a labelled set of another site.
        eps: radii to try, below 1.
    """
    rows = []
    for name, case in cases.items():
        curve = eps_curve(
            case.graph, case.cameras, eps, identities=case.identities, min_samples=min_samples, cluster=case.cluster
        )
        rows += [{"case": name, "gauge": gauge} | _judge(curve, gauge) for gauge in GAUGES]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = ["correlation", "picked_f1", "best_f1", "regret"]
    mean = frame.groupby("gauge", sort=False)[numbers].mean().reset_index().assign(case="all", picked_eps=np.nan)
    return pd.concat([frame, mean[list(COLUMNS)]], ignore_index=True)


def _judge(curve: pd.DataFrame, gauge: str) -> dict[str, float]:
    known = curve[curve[gauge].notna() & curve["f1"].notna()]
    sign = -1.0 if gauge in SMALLER_IS_BETTER else 1.0
    if not len(known):
        return dict.fromkeys(("correlation", "picked_eps", "picked_f1", "best_f1", "regret"), float("nan"))
    varied = known[gauge].nunique() > 1 and known["f1"].nunique() > 1
    picked = known.loc[(sign * known[gauge]).idxmax()]
    best = float(curve["f1"].max())
    return {
        "correlation": float(spearmanr(known[gauge], known["f1"]).statistic) if varied else float("nan"),
        "picked_eps": float(picked["eps"]),
        "picked_f1": float(picked["f1"]),
        "best_f1": best,
        "regret": best - float(picked["f1"]),
    }
