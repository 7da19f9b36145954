"""`JaccardSteps`: walk from neighbours to the Jaccard distance of two images, one step at a time."""

from __future__ import annotations

import ipywidgets
import pandas as pd

from reidkit.jaccard.dense import DenseSteps
from reidkit.jaccard.trace import STEPS, rows_of, trace
from reidkit.records import ImageTable
from reidkit.show.controls import choice, slider
from reidkit.show.jaccard_figure import step_figure
from reidkit.show.picture import Picture
from reidkit.show.widget import View


class JaccardSteps(View):
    """Neighbours, reciprocal ones, expansion, weights and overlap, for a chosen image and a chosen partner.

    Args:
        steps: what `dense_steps` kept of at most a few hundred images.
        table: these images, row by row; with identities they are written under the pictures.
        k1: as `dense_steps` had it.
        image, partner: rows to begin with.
        step: one of `jaccard.trace.STEPS`.
    """

    def __init__(
        self, steps: DenseSteps, table: ImageTable, k1: int, *, image: int = 0, partner: int = 1, step: str = "neighbours"
    ) -> None:
        self.steps, self.table, self.k1 = steps, table, k1
        self.step, self.image, self.partner = step, image, partner

    def controls(self) -> dict[str, ipywidgets.ValueWidget]:
        last = len(self.table) - 1
        return {
            "step": choice(self.step, STEPS, "step"),
            "image": slider(self.image, 0, last, "image"),
            "partner": slider(self.partner, 0, last, "partner"),
        }

    def whole(self) -> pd.DataFrame:
        """All steps of the present pair (columns in `jaccard.trace.COLUMNS`)."""
        return trace(self.steps, self.image, self.partner, self.k1)

    def data(self) -> pd.DataFrame:
        return rows_of(self.whole(), self.step)

    def static(self) -> Picture:
        return step_figure(self.data(), self.step, self.image, self.partner, self.k1, self.table)

    def describe(self) -> str:
        table, pair = self.whole(), f"Image {self.image} and partner {self.partner}"
        listed, mutual = int(table["listed"].sum()) - 1, int(table["mutual"].sum()) - 1
        joined = int((table["expanded"] & ~table["mutual"]).sum())
        before, after = int((table["weight"] > 0).sum()), int((table["encoding"] > 0).sum())
        m, distance = table["smaller"].sum(), self.steps.jaccard[self.image, self.partner]
        told = {
            "neighbours": f"the image has {listed} neighbours besides itself",
            "reciprocal": f"{mutual} of the image's {listed} neighbours list it in return",
            "expansion": f"to {mutual} reciprocal neighbours {joined} more are brought by shared friends",
            "weights": f"the image's row has {before} weights, and {after} after averaging over its first neighbours",
            "overlap": f"their rows share {m:.3f}, so the distance is 1 - {m:.3f} / (2 - {m:.3f}) = {distance:.3f}",
        }
        near = self.steps.distance[self.image, self.partner]
        return f"{pair} (squared distance {near:.3f}): {told[self.step]}."
