"""Supervised training on a labelled source set: what every adaptation starts from.

BoT: "Bag of Tricks and A Strong Baseline for Deep Person Re-identification" (2019). MMT, UDAP and SSG start from
checkpoints of their own recipes, which are named options here (clustering reference, section 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from torch import Tensor

from reidkit.features import Features
from reidkit.labels import PseudoLabels
from reidkit.losses import batch_hard_triplet, centre_loss, smoothed_cross_entropy, softmax_triplet
from reidkit.method import Batch, Loss, Method, weigh
from reidkit.models import Centres, Classifier, Embedder, build_embedder
from reidkit.options import Options
from reidkit.records import ImageTable, Records


@dataclass(frozen=True)
class Recipe(Options):
    """Weights and choices of source training. Defaults: BoT, configs/softmax_triplet_with_center.yml.

    Args:
        smoothing: eps of label smoothing (MMT 0.1; UDAP none). [code: reid-strong-baseline configs]
        triplet: ``"batch-hard"`` (BoT, UDAP) or ``"softmax"`` (MMT, LF2). [code: reid-strong-baseline configs]
        margin: of the batch-hard triplet (UDAP 0.5; CANU V-A 0.5). [code: reid-strong-baseline configs]
        centre_weight: of the centre loss (Learn by Guessing, eq. 5, 0.005; 0 is off). [code: reid-strong-baseline configs]
        centre_rate: learning rate of the centres, which does not depend on `centre_weight`. [code: reid-strong-baseline configs]
        view: ``"strong"`` has random erasing (BoT), ``"weak"`` has none (MMT, LF2), ``"udap-source"`` crops.
            [code: reid-strong-baseline configs]
        neck: ``"bn"`` (BNNeck) or ``"relu"`` (the embedding ReLU(BN(W f)) of UDAP and SSG); must fit the network.
            [code: reid-strong-baseline modeling/baseline.py]
    """

    smoothing: float = 0.1
    triplet: Literal["batch-hard", "softmax"] = "batch-hard"
    margin: float = 0.3
    centre_weight: float = 0.0005
    centre_rate: float = 0.5
    view: str = "strong"
    neck: Literal["bn", "relu"] = "bn"


BOT = Recipe()
BOT_WITHOUT_CENTRES = Recipe(centre_weight=0.0)
LEARN_BY_GUESSING = Recipe(centre_weight=0.005)
MMT = Recipe(triplet="softmax", centre_weight=0.0, view="weak")
UDAP = Recipe(smoothing=0.0, margin=0.5, centre_weight=0.0, view="udap-source", neck="relu")
RECIPES = {
    "bot": BOT,
    "bot-without-centres": BOT_WITHOUT_CENTRES,
    "learn-by-guessing": LEARN_BY_GUESSING,
    "mmt": MMT,
    "udap": UDAP,
}


class SourcePretraining(Method):
    """Identity loss after the neck, metric loss before it.

    When the run has a companion, its images are forwarded and thrown away: batch-norm statistics become a mixture of
    both domains, as in the published MMT checkpoints.
    """

    paper = "Bag of Tricks and A Strong Baseline for Deep Person Re-identification (2019)"
    lesson: ClassVar[str] = "03_strong_baseline"
    trains_on = "source"
    clusters = False

    def __init__(self, embedder: Embedder, labels: np.ndarray, recipe: Recipe = BOT, *, seed: int = 0) -> None:
        """`labels`: int (N,) true classes 0..M-1, row by row the table handed to the loop."""
        super().__init__()
        self.embedder, self.labels, self.recipe = embedder, labels, recipe
        self.views = (recipe.view,)
        classes = int(labels.max()) + 1
        self.classifier = Classifier(embedder.dimension, classes, seed=seed)
        self.centres = Centres(embedder.dimension, classes, seed=seed)

    def embed(self, images: Tensor) -> Tensor:
        before, after = self.embedder(images)
        return after if self.recipe.neck == "bn" else before

    def prepare_epoch(self, features: Features, epoch: int, companion: Features | None = None) -> PseudoLabels:
        return PseudoLabels(self.labels, {"source": "true labels"})

    def loss(self, batch: Batch) -> Loss:
        recipe, y = self.recipe, batch.label
        f, b = self.embedder(batch.views[0])
        triplet = softmax_triplet(f, y) if recipe.triplet == "softmax" else batch_hard_triplet(f, y, recipe.margin)
        terms = {"identity": (1.0, smoothed_cross_entropy(self.classifier(b), y, recipe.smoothing)), "triplet": (1.0, triplet)}
        if recipe.centre_weight:
            terms["centre"] = (recipe.centre_weight, centre_loss(f, y, self.centres.value))
        if batch.companion is not None:
            self.embedder(batch.companion.views[0])
        return weigh(**terms).keeping(f=f)

    def after_step(self, batch: Batch, loss: Loss) -> None:
        self.centres.step(loss.keep["f"], batch.label, self.recipe.centre_rate)

    @classmethod
    def toy(cls, source: Records, target: ImageTable) -> SourcePretraining:
        return cls(build_embedder("tiny", seed=0), source.class_labels())
