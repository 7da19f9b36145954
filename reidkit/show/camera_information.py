"""`CameraInformation`: what the labels give away about the camera, and which cameras are put together."""

from __future__ import annotations

import ipywidgets
import numpy as np
import pandas as pd

from reidkit.diagnose import Diagnosis
from reidkit.diagnose.text import pictured
from reidkit.show.chart import matrix_chart
from reidkit.show.controls import choice
from reidkit.show.palette import BLUE, GREEN, GREY, ORANGE
from reidkit.show.picture import Picture, new_figure
from reidkit.show.widget import View

BARS = {
    "camera_information": ("labels", BLUE, ""),
    "camera_information_chance": ("chance", ORANGE, "//"),
    "camera_floor": ("truth", GREEN, ".."),
    "camera_entropy": ("ceiling H(camera)", GREY, "xx"),
}
MATRICES = ("f1", "recall", "precision", "bcubed_f1", "ari", "shared_clusters", "clustered_pairs")


class CameraInformation(View):
    """I(label; camera) beside its level by chance, that of the truth and its ceiling; and a matrix of camera pairs."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        self.diagnosis = diagnosis
        self.matrix = next(name for name in MATRICES if name in diagnosis.camera_pairs)

    def controls(self) -> dict[str, ipywidgets.ValueWidget]:
        columns = [name for name in MATRICES if name in self.diagnosis.camera_pairs]
        return {"matrix": choice(self.matrix, columns, "matrix")}

    def data(self) -> pd.DataFrame:
        scores, columns = self.diagnosis.scores, ["score", "value", "unit", "meaning"]
        return scores.loc[scores["score"].str.startswith(("camera_", "excess_")), columns].reset_index(drop=True)

    def square(self) -> np.ndarray:
        """(C, C) of the chosen column, symmetric."""
        table, names = self.diagnosis.camera_pairs, self.diagnosis.labelling.camera_names
        first, second = np.triu_indices(len(names))
        square = np.full((len(names), len(names)), np.nan)
        square[first, second] = square[second, first] = table[self.matrix]
        return square

    def static(self) -> Picture:
        values, names = self.data().set_index("score")["value"], [pictured(n, 16) for n in self.diagnosis.labelling.camera_names]
        shown = {name: bar for name, bar in BARS.items() if name in values}
        figure = new_figure(9.0, 3.4)
        left, right = figure.subplots(1, 2)
        for place, (name, (_, colour, hatch)) in enumerate(shown.items()):
            left.bar_label(left.bar(place, values[name], color=colour, hatch=hatch, edgecolor="white"), fmt="%.2f", fontsize=8)
        left.set_xticks(range(len(shown)), [label for label, _, _ in shown.values()], fontsize=8)
        left.set(ylabel="nats", title="I(label; camera)")
        image = right.imshow(self.square(), cmap="cividis")
        right.set_xticks(range(len(names)), names, fontsize=7)
        right.set_yticks(range(len(names)), names, fontsize=7)
        right.set(xlabel="camera", ylabel="camera", title=self.matrix)
        figure.colorbar(image, ax=right)
        return Picture(
            figure, f"Bars of the camera information, and a matrix of {self.matrix} for each two of {len(names)} cameras."
        )

    def chart(self) -> dict[str, object]:
        return matrix_chart(self.square(), self.diagnosis.labelling.camera_names, self.matrix)

    def describe(self) -> str:
        values = self.data().set_index("score")["value"]
        table, columns = self.diagnosis.camera_pairs, ["camera_a", "camera_b"]
        told, excess = values["camera_information"], values["excess_leakage"]
        text = f"The labels tell {told:.2f} nats about the camera, {excess:.2f} bits above chance"
        text += f"; truth {values['camera_floor']:.2f} nats" if "camera_floor" in values else ""
        apart = table[(table["camera_a"] != table["camera_b"]) & table[self.matrix].notna()]
        if not len(apart):
            return text + "."
        a, b = apart.loc[apart[self.matrix].astype(float).idxmin(), columns]
        return f"{text}. Lowest {self.matrix} across cameras: {a} and {b}, {apart[self.matrix].min():.3g}."
