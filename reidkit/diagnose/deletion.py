"""The deletion test of a heat map over two images: does the match break when the region that the map marks goes?

A heat map always looks like an answer. Here it is one of three orders in which an image loses its pixels: the most salient
first, the least salient first, or at random in patches of the same grain. A map that marks what the match rests on breaks it
with less than chance needs (the deletion curve of Petsiuk et al. 2018, "RISE", section 4.2, on a pair's similarity).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float32, UInt8

from reidkit.errors import DiagnosisError

ORDERS = ("most", "least", "random")
SIDES = ("first", "second")
SHARES = tuple(tenth / 10 for tenth in range(10))
HALF = 0.5  # of the map's maximum: what counts as marked
VERDICTS = {
    "no match": "there was no match to break",
    "confirmed": "the match breaks, and not by chance",
    "unspecific": "the match breaks, but as much of anything else breaks it too",
    "not broken": "the match does not rest on that region alone",
    "refuted": "the match survives that, but not the loss of as much elsewhere: the map is wrong",
}


def removal_orders(saliency: Float[np.ndarray, "h w"], chance: Float[np.ndarray, "r h w"]) -> dict[str, np.ndarray]:
    """Order -> maps (k, H, W); the highest values of a map go first."""
    return {"most": saliency[None], "least": -saliency[None], "random": chance}


def removed(order: Float[np.ndarray, "h w"], share: float) -> Bool[np.ndarray, "h w"]:
    """The `share` (0 to 1) of the pixels that goes first; among equals the upper left ones."""
    if not 0.0 <= share <= 1.0:
        raise DiagnosisError(f"share = {share}.", rule="A share of the pixels is from 0 to 1.", action="Correct it.")
    gone = np.zeros(order.size, bool)
    gone[np.argsort(-order, axis=None, kind="stable")[: round(share * order.size)]] = True
    return gone.reshape(order.shape)


def without(picture: UInt8[np.ndarray, "h w 3"], gone: Bool[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """The picture with its own mean colour where pixels are gone."""
    left = picture.copy()
    left[gone] = picture.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
    return left


@dataclass(frozen=True, eq=False)
class PairDeletion:
    """Heat maps of the similarity of two images, and what became of it as pixels went from one of them.

    Attributes:
        pair: rows of the two images in their table.
        similarity: cosine of their features, both images whole.
        threshold: from which similarity on two images count as a match.
        pictures: uint8 (2, H, W, 3), as the network saw them.
        maps: float32 (2, H, W), 0 to 1; how much each place of each picture speaks for the similarity.
        chance: float32 (R, H, W), random maps as coarse as the heat maps.
        curve: one row a test: `side` (which picture lost pixels; the other stayed whole), `order`, `draw`, `share`,
            `similarity`. Shares are `SHARES` and, for ``most`` and ``random``, the marked area.
    """

    pair: tuple[int, int]
    similarity: float
    threshold: float
    pictures: UInt8[np.ndarray, "2 h w 3"] = field(repr=False)
    maps: Float32[np.ndarray, "2 h w"] = field(repr=False)
    chance: Float32[np.ndarray, "r h w"] = field(repr=False)
    curve: pd.DataFrame = field(repr=False)

    def area(self, side: str) -> float:
        """Share of the picture whose map is above half of its maximum, 0 to 1."""
        return marked(self.maps[SIDES.index(side)])

    def means(self) -> pd.DataFrame:
        """One row a side, order and share: `similarity` (mean over draws), `low` and `high`."""
        grouped = self.curve.groupby(["side", "order", "share"], sort=True)["similarity"]
        return grouped.agg(similarity="mean", low="min", high="max").reset_index()

    def at(self, side: str, order: str, share: float) -> pd.Series:
        """The row of `means` for one side, order and share."""
        table = self.means()
        rows = table[(table["side"] == side) & (table["order"] == order) & np.isclose(table["share"], share)]
        if not len(rows):
            what = f"{side}, {order}, share {share} was not tested."
            raise DiagnosisError(what, rule="Tests are the rows of `curve`.", action=f"Take one of {SHARES}.")
        return rows.iloc[0]

    def verdict(self, side: str) -> str:
        """One of `VERDICTS`, from the loss of the marked region and of as much at random."""
        area, level = self.area(side), self.threshold
        if self.similarity < level:
            return "no match"
        broken = [bool(self.at(side, order, area)["similarity"] < level) for order in ("most", "random")]
        return {(True, False): "confirmed", (True, True): "unspecific", (False, False): "not broken"}.get(
            (broken[0], broken[1]), "refuted"
        )

    def describe(self, side: str) -> str:
        """The verdict with its numbers, in one sentence."""
        area, (first, second) = self.area(side), self.pair
        text = f"Images {first} and {second} are {self.similarity:.2f} alike (a match from {self.threshold:.2f} on)"
        whole, chance = self.at(side, "most", area)["similarity"], self.at(side, "random", area)
        text += f"; the map marks {area:.0%} of the {side} picture: without it {whole:.2f}, without as much at random "
        return f"{text}{chance['similarity']:.2f} ({chance['low']:.2f} to {chance['high']:.2f}): {VERDICTS[self.verdict(side)]}."


def marked(saliency: Float[np.ndarray, "h w"]) -> float:
    """Share of a map that lies above half of its maximum; 0 for a map of zeros."""
    return float((saliency > HALF * saliency.max()).mean()) if saliency.max() > 0 else 0.0
