"""Where features look: the strength of their maps, and what they lose when a window of the picture is hidden.

A map is a picture of activity. Whether a feature *depends* on a place is another question, which hiding the place answers
("Visualizing and Understanding Convolutional Networks", Zeiler and Fergus 2014, section 4.2: occlusion sensitivity). Both are
kept here side by side, with the channel weights that LF2's fusion gives them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float32, UInt8

from reidkit.errors import DiagnosisError, nearest_name

KINDS = ("activity", "loss")


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """Maps of F features over N pictures, and the channel weights of V views.

    Attributes:
        names: of the features, in the order of the maps.
        pictures: uint8 (N, H, W, 3), as the network saw them.
        activity: float32 (F, N, h, w), length over channels of each feature's map; 0 where the feature has no map.
        loss: float32 (F, N, H, W), mean of 1 - cosine over the hidden windows that cover a pixel.
        pooled: float32 (V, N, C), F_j: what each view's half is pooled to, channel by channel.
        gates: float32 (V, N, C), Z_j: the weight that each view gives each channel of the whole map.
        views: names of the V views.
    """

    names: tuple[str, ...]
    pictures: UInt8[np.ndarray, "n H W 3"] = field(repr=False)
    activity: Float32[np.ndarray, "f n h w"] = field(repr=False)
    loss: Float32[np.ndarray, "f n H W"] = field(repr=False)
    pooled: Float32[np.ndarray, "v n c"] = field(repr=False)
    gates: Float32[np.ndarray, "v n c"] = field(repr=False)
    views: tuple[str, ...] = ("upper", "lower")

    def __len__(self) -> int:
        return len(self.pictures)

    def of(self, kind: str) -> Float32[np.ndarray, "f n a b"]:
        """The maps of one of `KINDS`."""
        if kind not in KINDS:
            raise DiagnosisError(f"No maps are called {kind!r}.", rule=f"Kinds: {KINDS}.", action=nearest_name(kind, KINDS))
        maps: np.ndarray = getattr(self, kind)
        return maps

    def upper_shares(self) -> pd.DataFrame:
        """One row a picture and feature: the share of the map in the upper half of the picture, by kind; NaN for an empty map."""
        index = pd.MultiIndex.from_product([self.names, range(len(self))], names=["feature", "picture"])
        return pd.DataFrame({kind: upper_share(self.of(kind)).ravel() for kind in KINDS}, index=index)

    def gate_table(self) -> pd.DataFrame:
        """One row a picture and view: how the gate follows what it gates, and how alike the views' gates are.

        ``follows``: correlation of Z_j and F_j over channels; ``alike``: correlation of Z_j with the mean of the other views'
        gates; ``spread``: deviation of Z_j / F_j over channels, in units of its mean (0: the gate is F_j times a constant).
        """
        rows = []
        for view, name in enumerate(self.views):
            others = np.delete(self.gates, view, axis=0).mean(axis=0)
            for picture in range(len(self)):
                gate, pooled = self.gates[view, picture], self.pooled[view, picture]
                active = pooled > 0
                ratio = gate[active] / pooled[active]
                row = {"view": name, "picture": picture, "follows": _correlation(gate, pooled)}
                spread = float(ratio.std() / ratio.mean()) if len(ratio) else float("nan")
                rows.append(row | {"alike": _correlation(gate, others[picture]), "spread": spread})
        return pd.DataFrame(rows).set_index(["view", "picture"])


def upper_share(maps: Float[np.ndarray, "... h w"]) -> np.ndarray:
    """Share of each map's sum that lies in its upper half of rows; a middle row counts half. NaN for a map of zeros."""
    rows = maps.sum(axis=-1, dtype=np.float64)
    height = rows.shape[-1]
    upper = rows[..., : height // 2].sum(axis=-1) + (rows[..., height // 2] / 2 if height % 2 else 0.0)
    total = rows.sum(axis=-1)
    return np.divide(upper, total, out=np.full(total.shape, np.nan), where=total > 0)


def windows(size: tuple[int, int], window: tuple[int, int], stride: int) -> Bool[np.ndarray, "r h w"]:
    """Every place of a window of that height and width on a grid, and at the lower and right edges: true where it stands.

    Raises:
        DiagnosisError: when the window is larger than the picture, or the stride below 1.
    """
    (height, width), (tall, wide) = size, window
    if not (0 < tall <= height and 0 < wide <= width and stride >= 1):
        what = f"A window of {window} pixels and stride {stride} on a picture of {size}."
        raise DiagnosisError(what, rule="It fits into the picture and moves.", action="Make it smaller, or stride 1 or more.")
    tops, lefts = (sorted({*range(0, far + 1, stride), far}) for far in (height - tall, width - wide))
    places = np.zeros((len(tops) * len(lefts), height, width), bool)
    for place, (top, left) in zip(places, ((top, left) for top in tops for left in lefts), strict=True):
        place[top : top + tall, left : left + wide] = True
    return places


def spread_over_pixels(loss: Float[np.ndarray, "r ..."], places: Bool[np.ndarray, "r h w"]) -> Float32[np.ndarray, "... h w"]:
    """A number for each window -> for each pixel the mean over the windows that cover it (0 where none does)."""
    cover = places.reshape(len(places), -1).astype(np.float64)
    total = np.tensordot(loss, cover, axes=(0, 0))
    mean = total / np.maximum(cover.sum(axis=0), 1.0)
    return mean.reshape(*loss.shape[1:], *places.shape[1:]).astype(np.float32)


def _correlation(a: Float[np.ndarray, " c"], b: Float[np.ndarray, " c"]) -> float:
    """Pearson's; NaN when one of them is constant."""
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else float("nan")
