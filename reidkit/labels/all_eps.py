"""Every eps at once: DBSCAN's labels at any radius as a cut through one spanning forest."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from reidkit.errors import LabelsError
from reidkit.jaccard.graph import JaccardGraph
from reidkit.labels.density import check_radius

SHARES, SAMPLE = (0.03, 0.25), 100_000


@dataclass(frozen=True, eq=False)
class AllEps:
    """DBSCAN of one graph and one min_samples at every radius.

    Attributes:
        core: float32 (N,), the radius from which on a point is a core point (inf: not within the graph).
        weights: float32 (E,), ascending; the radius at which edge `ends` joins two clusters.
        ends: int32 (E, 2), the edges of the minimum spanning forest of mutual reachability max(d, core i, core j).
        claims, claimants, least: border points: point i is claimed by ``claimants[claims[i]:claims[i + 1]]``, each from
            the radius `least` on, until it is a core point itself.
        claimed: float32 (N,), the radius from which on a point is no outlier.
        limit: radii must be below it (or at most it, when ``inclusive``).
        inclusive: whether the limit itself may be asked.
        min_samples: of a core point.

    Source: mutual reachability: "Density-Based Clustering Based on Hierarchical Density Estimates" (2013), section 3;
    here with the border points of the original DBSCAN.
    """

    core: np.ndarray
    weights: np.ndarray
    ends: np.ndarray
    claims: np.ndarray
    claimants: np.ndarray
    least: np.ndarray
    claimed: np.ndarray
    limit: float
    inclusive: bool
    min_samples: int

    def labels(self, eps: float) -> np.ndarray:
        """int64 (N,), equal to ``dbscan(graph, eps, min_samples)``; a cut, no clustering."""
        from reidkit.labels.kernels import cut

        self._refuse(eps)
        return cut(self.core, self.weights, self.ends, self.claims, self.claimants, self.least, np.float32(eps))

    def clusters(self, eps: ArrayLike | float) -> np.ndarray:
        """int64 of the shape of `eps`: number of clusters, core points so far minus joins so far."""
        radius = self._radii(eps)
        return np.asarray(np.searchsorted(np.sort(self.core), radius, "right") - np.searchsorted(self.weights, radius, "right"))

    def outliers(self, eps: ArrayLike | float) -> np.ndarray:
        """int64 of the shape of `eps`: number of outliers."""
        return np.asarray(len(self.core) - np.searchsorted(np.sort(self.claimed), self._radii(eps), "right"))

    def curve(self, eps: ArrayLike | None = None) -> pd.DataFrame:
        """Columns `eps`, `clusters`, `outliers`; at 200 radii up to the limit unless they are given."""
        radii = np.linspace(0, self.limit, 201, endpoint=self.inclusive)[1:] if eps is None else np.asarray(eps, dtype=float)
        return pd.DataFrame({"eps": radii, "clusters": self.clusters(radii), "outliers": self.outliers(radii)})

    def _radii(self, eps: ArrayLike | float) -> np.ndarray:
        radii = np.asarray(eps, dtype=np.float64)
        if radii.size:
            self._refuse(float(radii.max()))
        return radii.astype(np.float32)

    def _refuse(self, eps: float) -> None:
        radius, limit = np.float32(eps), np.float32(self.limit)
        if radius > limit or (radius == limit and not self.inclusive):
            raise LabelsError(
                f"eps = {eps}, but this graph decides radii {'up to' if self.inclusive else 'below'} {self.limit:.6g} only.",
                rule="Beyond it, pairs that the graph does not store would count.",
                action="Use a smaller eps, or build the graph with a larger max_distance (at most 1.0).",
            )


def all_eps(graph: JaccardGraph, min_samples: int = 4) -> AllEps:
    """Prepare every radius of a graph: one pass for the core radii, one spanning forest.

    Edges are taken in a few ascending ranges of weight; those whose ends are joined already are never sorted.
    """
    from reidkit.labels import kernels

    check_radius(1.0, min_samples)
    indptr, indices, data = graph.matrix.indptr, graph.matrix.indices, graph.matrix.data
    core = kernels.core_distances(indptr, data, min_samples)
    parent = np.arange(len(core))
    weights, ends = [np.empty(0, np.float32)], [np.empty((0, 2), np.int32)]
    bounds = [-1.0, *np.quantile(data[:: 1 + len(data) // SAMPLE], SHARES).tolist(), np.inf]
    for low, high in pairwise(bounds):
        edge_weights, edge_ends = kernels.reachability_edges(
            indptr, indices, data, core, parent, np.float32(low), np.float32(min(high, np.finfo(np.float32).max))
        )
        order = np.argsort(edge_weights, kind="stable")
        kept = order[kernels.spanning(order, edge_ends, parent)]
        weights.append(edge_weights[kept])
        ends.append(edge_ends[kept])
    lengths, claimants, least = kernels.border_claims(indptr, indices, data, core)
    claims = np.concatenate([[0], np.cumsum(lengths)])
    claimed = core.copy()
    np.minimum.at(claimed, np.repeat(np.arange(len(core)), lengths), least)
    inclusive = graph.max_distance < 1.0
    limit = graph.max_distance if inclusive else float(graph.least_absent())
    joined = np.concatenate(weights), np.concatenate(ends)
    return AllEps(core, *joined, claims, claimants, least, claimed, limit, inclusive, min_samples)
