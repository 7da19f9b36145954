"""Learn by Guessing: camera-normalised clustering, cluster selection, progressive steps.

"Learn by Guessing: Multi-step Pseudo-label Refinement for Person Re-Identification" (2022); clustering reference, 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from reidkit.features import Features
from reidkit.labels import ClusterSettings, Distance, PseudoLabels, SingleCamera, centroids, cluster_step, label_change
from reidkit.losses import batch_hard_triplet, centre_loss, smoothed_cross_entropy
from reidkit.method import Batch, Loss, Method, frozen_eps, weigh
from reidkit.models import Centres, Classifier, Embedder, Remembered, build_embedder
from reidkit.records import ImageTable, Records


@dataclass(frozen=True)
class Recipe(ClusterSettings):
    """Table 3's ladder: raw labels are ``camera="as-is", min_size=0, single_camera="keep"``; then selection, then cameras.

    Args:
        clustering, min_samples: or k-means (Table 4). [paper: 3.3.1, 3.3.2]
        distance: what eps refers to (reference 6.5); ``"l2"``, ``"squared-l2"``, ``"jaccard"`` too. [ours: not printed]
        eps: radius with Market as target; 0.35 with Duke. [paper: 3.3.2]
        eps_grid, search: radii of which the ``"first"`` or ``"every"`` step takes the best balanced, not `eps`. [paper: 3.3.2]
        clusters: 0 is floor(N / 15), for ``clustering="kmeans"``. [paper: eq. 1]
        camera, min_size, single_camera: normalisation and selection. [paper: eq. 4, 3.4, 4.4]
        tap: what is clustered, ``"b"`` after the neck or ``"f"`` before it. [ours: BoT's test feature]
        frozen_epochs, epochs: of a step: only the new classifier learns, all of it learns. [paper: 3.6.1, 3.6.2]
        frozen: those ``"before"`` these, which begin the schedule anew, or the first ``"inside"`` them. [ours: not printed]
        start: of the new classifier, ``"random"`` or ``"centroids"``. [paper: 3.6.2]
        patience, settled_at: stop after so many steps (0: never) of which `label_change` is small. [ours: in place of scores]
        centre_weight: of the centre loss. [paper: eq. 5]
        margin, centre_rate, smoothing: not printed. [code: michuanhaohao/reid-strong-baseline configs, of the baseline]
    """

    distance: Distance = "cosine"
    eps: float | None = 0.42
    eps_grid: tuple[float, ...] = ()
    search: Literal["first", "every"] = "first"
    clusters: int = 0
    camera: Literal["as-is", "normalised"] = "normalised"
    min_size: int = 4
    single_camera: SingleCamera = "drop"
    tap: Literal["f", "b"] = "b"
    frozen_epochs: int = 20
    epochs: int = 90
    frozen: Literal["before", "inside"] = "before"
    start: Literal["random", "centroids"] = "random"
    patience: int = 0
    settled_at: float = 0.95
    margin: float = 0.3
    centre_weight: float = 0.005
    centre_rate: float = 0.5
    smoothing: float = 0.1


class LearnByGuessing(Method):
    """L = L_TRI + L_ID + 0.005 L_C (eq. 5) on the images whose clusters were kept."""

    paper = "Learn by Guessing: Multi-step Pseudo-label Refinement for Person Re-Identification (2022)"
    lesson: ClassVar[str] = "10_learn_by_guessing"
    draw = "exhaustive"
    eps: Tensor
    still: Tensor

    def __init__(self, embedder: Embedder, recipe: Recipe | None = None, *, seed: int = 0) -> None:
        super().__init__()
        self.embedder, self.recipe, self.seed = embedder, recipe or Recipe(), seed
        self.classifier = Classifier(embedder.dimension, 1, seed=seed)
        self.centres = Centres(embedder.dimension, seed=seed)
        self.guess = Remembered(torch.zeros(0, dtype=torch.int64))
        self.register_buffer("eps", frozen_eps())
        self.register_buffer("still", torch.tensor(0))  # steps in a row whose labels stood still
        self.frozen = False

    def embed(self, images: Tensor) -> Tensor:
        return self.embedder(images)[1 if self.recipe.tap == "b" else 0]

    def embed_test(self, images: Tensor) -> Tensor:
        return self.embedder(images)[1]

    def within(self, epoch: int) -> int:
        """Epochs since the step began."""
        return epoch % (self.recipe.epochs + self.recipe.frozen_epochs * (self.recipe.frozen == "before"))

    def relabels(self, epoch: int) -> bool:
        return self.within(epoch) == 0

    def finished(self, epoch: int) -> str:
        """Asked where a step would begin: have the labels settled (reference 6.8)?"""
        settled = self.relabels(epoch) and 0 < self.recipe.patience <= int(self.still)
        return f"the labels of {int(self.still)} steps in a row agreed with those before" if settled else ""

    def clock(self, epoch: int) -> int:
        """The schedule begins anew with each phase of a step (``frozen="inside"``: with each step)."""
        within, frozen = self.within(epoch), self.recipe.frozen_epochs
        return within if within < frozen or self.recipe.frozen == "inside" else within - frozen

    def prepare_epoch(self, features: Features, epoch: int, companion: Features | None = None) -> PseudoLabels:
        self.frozen = self.within(epoch) < self.recipe.frozen_epochs
        self.embedder.requires_grad_(not self.frozen)
        self.embedder.neck.bias.requires_grad_(False)
        if self.within(epoch):
            return PseudoLabels(self.guess.value.numpy(force=True), {"step": "goes on"})
        labels = self.label(features)
        self.guess.keep(torch.from_numpy(labels.labels))
        if labels.num_clusters:
            rows = torch.from_numpy(centroids(features.matrix, labels.labels))
            self.classifier.remake(rows if self.recipe.start == "centroids" else labels.num_clusters)
            self.centres.remake(labels.num_clusters)
        return labels

    def label(self, features: Features) -> PseudoLabels:
        """The labels of a new step, with what the history says of them."""
        eps, how = None if self.eps.isnan() or self.recipe.search == "every" else float(self.eps), self.recipe
        made = cluster_step(features.unit().matrix, features.camera, how, eps=eps, grid=how.eps_grid, seed=self.seed)
        self.eps.fill_(made.eps)
        change = label_change(self.guess.value.numpy(force=True), made.labels)
        self.still.copy_(self.still + 1 if change.is_small(self.recipe.settled_at) else 0 * self.still)
        told = {"step": "begins", "portion": float(made.kept.mean()), "agreement": change.agreement}
        return PseudoLabels(made.labels, made.history | told, graph=made.graph)

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
        return cls(build_embedder("tiny", seed=0), Recipe(eps=0.6, min_size=2, frozen_epochs=0, epochs=1))
