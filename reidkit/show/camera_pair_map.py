"""`CameraPairMap`: two cameras on the principal components of their images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import ipywidgets
import numpy as np
import pandas as pd
from jaxtyping import Float

from reidkit.diagnose.camera_map import camera_pair_map
from reidkit.diagnose.text import pictured
from reidkit.show.controls import choice
from reidkit.show.palette import style
from reidkit.show.picture import Picture, new_figure
from reidkit.show.widget import View


class CameraPairMap(View):
    """Do two cameras overlap? A map of both, and how well a straight line tells them apart.

    Args:
        features: (N, D).
        cameras: (N,), camera index 0..C-1.
        names: what to call each camera; None numbers them from 1, as papers do.
    """

    def __init__(self, features: Float[np.ndarray, "n d"], cameras: np.ndarray, names: Sequence[str] | None = None) -> None:
        self.features, self.cameras = features, np.asarray(cameras, np.int64)
        self.names = [str(n) for n in names or range(1, int(self.cameras.max()) + 2)]
        self.pairs = {
            f"{self.names[a]} and {self.names[b]}": (a, b) for a, b in combinations(np.unique(self.cameras).tolist(), 2)
        }
        self.pair = next(iter(self.pairs), "")
        self._found: dict[str, tuple[pd.DataFrame, dict[str, float]]] = {}

    def controls(self) -> dict[str, ipywidgets.ValueWidget]:
        return {"pair": choice(self.pair, list(self.pairs) or [""], "cameras")}

    def found(self) -> tuple[pd.DataFrame, dict[str, float]]:
        """The map of the present two cameras and its numbers."""
        if self.pair not in self._found:
            self._found[self.pair] = camera_pair_map(self.features, self.cameras, *self.pairs.get(self.pair, (0, 0)))
        return self._found[self.pair]

    def data(self) -> pd.DataFrame:
        return self.found()[0]

    def static(self) -> Picture:
        table, numbers = self.found()
        figure = new_figure(5.4, 4.2)
        axes = figure.subplots()
        for place, camera in enumerate(self.pairs[self.pair]):
            part, (colour, marker, _) = table[table["camera"] == camera], style(place)
            label = f"camera {pictured(self.names[camera])}"
            axes.scatter(part["x"], part["y"], s=12, c=colour, marker=marker, alpha=0.6, label=label, lw=0)
        axes.set(xlabel="first principal component", ylabel="second principal component")
        axes.set_title(f"{numbers['variance']:.0%} of the variance of these {len(table)} images", fontsize=9)
        axes.legend(fontsize=8)
        return Picture(figure, f"Map of the images of cameras {self.pair} on two principal components.")

    def describe(self) -> str:
        numbers = self.found()[1]
        on_map, full = numbers["map_accuracy"], numbers["full_accuracy"]
        if np.isnan(on_map):
            return f"Cameras {self.pair}: too few images to say how well they can be told apart."
        return (
            f"A straight line tells cameras {self.pair} apart with balanced accuracy {on_map:.2f} on the map "
            f"and {full:.2f} in all {self.features.shape[1]} dimensions (0.5: full overlap)."
        )
