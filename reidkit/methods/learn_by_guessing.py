"""Learn by Guessing: camera-normalised clustering, cluster selection, progressive steps.

"Learn by Guessing: Multi-step Pseudo-label Refinement for Person Re-Identification" (2022); clustering reference,
section 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from reidkit.features import Features
from reidkit.labels import ClusterSettings, PseudoLabels, centroids, cluster
from reidkit.losses import batch_hard_triplet, centre_loss, smoothed_cross_entropy
from reidkit.method import Batch, Loss, Method, weigh
from reidkit.models import Centres, Classifier, Embedder, Remembered, build_embedder
from reidkit.records import ImageTable, Records


@dataclass(frozen=True)
class Recipe(ClusterSettings):
    """Table 3's ladder: raw labels are ``camera="as-is", min_size=0, single_camera="keep"``; then selection, then cameras.

    Args:
        distance, eps: 0.42 with Market as target, 0.35 with Duke (3.3.2), read as cosine distances (reference 6.5).
        clusters: 0 is floor(N / 15) for ``clustering="kmeans"`` (eq. 1).
        min_size, single_camera, camera: sections 3.4 and 3.3.1 (eq. 4).
        tap: feature that is clustered, ``"b"`` after the neck or ``"f"`` before it (the paper does not say).
        frozen_epochs: epochs of a step in which only the new classifier learns (3.6.2: 20).
        epochs: further epochs of a step, in which all of it learns (3.6.1: 90); then the next step labels anew.
        start: of the new classifier, ``"random"`` (the paper's) or ``"centroids"``.
        margin, centre_weight, centre_rate, smoothing: eq. 5 (0.3 and 0.5 from BoT, 0.005, 0.1).
    """

    distance: str = "cosine"
    eps: float | None = 0.42
    clusters: int = 0
    camera: str = "normalised"
    min_size: int = 4
    single_camera: str = "drop"
    tap: str = "b"
    frozen_epochs: int = 20
    epochs: int = 90
    start: str = "random"
    margin: float = 0.3
    centre_weight: float = 0.005
    centre_rate: float = 0.5
    smoothing: float = 0.1


class LearnByGuessing(Method):
    """L = L_TRI + L_ID + 0.005 L_C (eq. 5) on the images whose clusters were kept."""

    paper = "Learn by Guessing: Multi-step Pseudo-label Refinement for Person Re-Identification (2022)"
    lesson: ClassVar[str] = "10_learn_by_guessing"
    draw = "exhaustive"

    def __init__(self, embedder: Embedder, recipe: Recipe | None = None, *, seed: int = 0) -> None:
        super().__init__()
        self.embedder, self.recipe, self.seed = embedder, recipe or Recipe(), seed
        self.classifier = Classifier(embedder.dimension, 1, seed=seed)
        self.centres = Centres(embedder.dimension, seed=seed)
        self.guess = Remembered(torch.zeros(0, dtype=torch.int64))
        self.frozen = False

    def embed(self, images: Tensor) -> Tensor:
        f, b = self.embedder(images)
        return b if self.recipe.tap == "b" else f

    def embed_test(self, images: Tensor) -> Tensor:
        return self.embedder(images)[1]

    def relabels(self, epoch: int) -> bool:
        return epoch % (self.recipe.frozen_epochs + self.recipe.epochs) == 0

    def clock(self, epoch: int) -> int:
        """The schedule begins anew with each phase of a step."""
        within = epoch % (self.recipe.frozen_epochs + self.recipe.epochs)
        return within if within < self.recipe.frozen_epochs else within - self.recipe.frozen_epochs

    def prepare_epoch(self, features: Features, epoch: int, companion: Features | None = None) -> PseudoLabels:
        within = epoch % (self.recipe.frozen_epochs + self.recipe.epochs)
        self.frozen = within < self.recipe.frozen_epochs
        self.embedder.requires_grad_(not self.frozen)
        self.embedder.neck.bias.requires_grad_(False)
        if within:
            return PseudoLabels(self.guess.value.numpy(force=True), {"step": "goes on"})
        labels = cluster(features.unit().matrix, features.camera, self.recipe, seed=self.seed)
        self.guess.keep(torch.from_numpy(labels.labels))
        if labels.num_clusters:
            rows = torch.from_numpy(centroids(features.unit().matrix, labels.labels))
            self.classifier.remake(rows if self.recipe.start == "centroids" else labels.num_clusters)
            self.centres.remake(labels.num_clusters)
        return PseudoLabels(
            labels.labels, labels.history | {"step": "begins", "portion": float(labels.kept.mean())}, graph=labels.graph
        )

    def train(self, mode: bool = True) -> LearnByGuessing:
        """While the body is frozen its batch-norm statistics stand still too (CHK-6.6)."""
        super().train(mode)
        self.embedder.train(mode and not self.frozen)
        return self

    def loss(self, batch: Batch) -> Loss:
        recipe, y = self.recipe, batch.label
        f, b = self.embedder(batch.views[0])
        loss = weigh(
            triplet=(1.0, batch_hard_triplet(f, y, recipe.margin)),
            identity=(1.0, smoothed_cross_entropy(self.classifier(b), y, recipe.smoothing)),
            centre=(recipe.centre_weight, centre_loss(f, y, self.centres.value)),
        )
        return loss.keeping(f=f).tapping(f=f)

    def after_step(self, batch: Batch, loss: Loss) -> None:
        self.centres.step(loss.keep["f"], batch.label, self.recipe.centre_rate)

    @classmethod
    def toy(cls, source: Records, target: ImageTable) -> LearnByGuessing:
        recipe = Recipe(eps=0.6, min_size=2, frozen_epochs=0, epochs=1)
        return cls(build_embedder("tiny", seed=0), recipe)
