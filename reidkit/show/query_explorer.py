"""`QueryExplorer`: the ranked gallery of a query, as the protocol sees it."""

from __future__ import annotations

import ipywidgets
import numpy as np
import pandas as pd
from jaxtyping import Float

from reidkit.diagnose.ranking import average_precision, rank_query
from reidkit.diagnose.text import counted
from reidkit.evaluate import evaluate_ranking
from reidkit.records import Records
from reidkit.show.controls import choice, slider
from reidkit.show.galleries import ranking_gallery
from reidkit.show.picture import Picture
from reidkit.show.widget import View

ORDERS = ("worst first", "best first", "random", "as given")


class QueryExplorer(View):
    """A query and the nearest gallery images: right and wrong ones, junk, and what the protocol takes out.

    Args:
        distance: (Q, G), smaller is more alike; rows and columns as in `query` and `gallery`.
        protocol: see `reidkit.evaluate.PROTOCOLS`.
        top: gallery images shown.
        order: which query comes first, one of `ORDERS`; queries without a right answer stand last.
    """

    def __init__(
        self,
        distance: Float[np.ndarray, "q g"],
        query: Records,
        gallery: Records,
        *,
        protocol: str = "market",
        top: int = 10,
        order: str = "worst first",
        seed: int = 0,
    ) -> None:
        self.distance, self.query, self.gallery, self.protocol, self.top = distance, query, gallery, protocol, top
        ids, cameras = (query.identity, gallery.identity), (query.camera, gallery.camera)
        precision = evaluate_ranking(distance, *ids, *cameras, protocol=protocol).average_precision
        worst, best = (np.argsort(np.where(np.isnan(precision), 2.0, sign * precision), kind="stable") for sign in (1, -1))
        self.orders = dict(zip(ORDERS, (worst, best, np.random.default_rng(seed).permutation(len(query)), np.arange(len(query)))))
        self.order, self.position, self.removed = order, 0, "shown"

    def controls(self) -> dict[str, ipywidgets.ValueWidget]:
        return {
            "order": choice(self.order, ORDERS, "queries"),
            "position": slider(self.position, 0, len(self.query) - 1, "number"),
            "removed": choice(self.removed, ("shown", "hidden"), "taken out"),
        }

    @property
    def row(self) -> int:
        """Row of the present query."""
        return int(self.orders[self.order][self.position])

    def ranking(self) -> pd.DataFrame:
        """The whole ranking of the present query (columns in `diagnose.ranking.COLUMNS`)."""
        sides = int(self.query.identity[self.row]), int(self.query.camera[self.row]), self.gallery.identity, self.gallery.camera
        return rank_query(self.distance[self.row].astype(np.float64), *sides, protocol=self.protocol)

    def data(self) -> pd.DataFrame:
        whole = self.ranking()
        return whole[(whole["rank"] > 0) | (self.removed == "shown")].head(self.top).reset_index(drop=True)

    def static(self) -> Picture:
        return ranking_gallery(self.query, self.row, self.gallery, self.data())

    def describe(self) -> str:
        ranks, who = self.ranking(), f"Query identity {self.query.identity[self.row]}, row {self.row}"
        value, out = average_precision(ranks), int((ranks["rank"] == 0).sum())
        first = ranks.loc[ranks["mark"] == "match", "rank"]
        found = f"average precision {value:.2f}, first match at rank {first.iloc[0]}" if len(first) else "no match in the gallery"
        out_of = f"{counted(out, 'image')} taken out by protocol {self.protocol}"
        return f"{who}: {found}; {counted(len(first), 'match')} in all, {out_of}."
