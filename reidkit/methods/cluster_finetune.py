"""Cluster, then fine-tune on the clusters: the skeleton that every later method refines.

UDAP: "Unsupervised Domain Adaptive Re-Identification: Theory and Practice" (2018). The default losses are those of
MMT's single-network baseline (yxgeee/MMT, examples/base_train_*.py); UDAP's own are the option ``loss="all-pairs"``.
Clustering reference, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from reidkit.features import Features
from reidkit.labels import ClusterSettings, PseudoLabels, centroids, cluster
from reidkit.losses import all_pairs_triplet, smoothed_cross_entropy, softmax_triplet
from reidkit.method import Batch, Loss, Method, follow, frozen_eps, teacher_of, weigh
from reidkit.models import Classifier, Embedder, build_embedder
from reidkit.records import ImageTable, Records


@dataclass(frozen=True)
class Recipe(ClusterSettings):
    """How labels are made (`ClusterSettings`) and what is minimised.

    Args:
        loss: ``"identity+triplet"``, or UDAP's ``"all-pairs"`` on f and on z. [code: yxgeee/MMT mmt/trainers.py]
        smoothing: of the identity loss. [code: yxgeee/MMT mmt/trainers.py]
        margin: of the all-pairs triplet. [code: LcDog/DomainAdaptiveReID selftraining.py]
        eps_rule: ``"frozen"`` keeps the first epoch's eps, ``"each-epoch"`` estimates it anew (ABMT, GCL).
            [code: UDAP, SSG selftraining.py; MMT examples/mmt_train_dbscan.py]
        teacher: momentum of an averaged copy that is clustered and evaluated (0.999); None is none.
            [code: yxgeee/MMT examples/base_train_*.py]
    """

    loss: Literal["identity+triplet", "all-pairs"] = "identity+triplet"
    smoothing: float = 0.1
    margin: float = 0.5
    eps_rule: Literal["frozen", "each-epoch"] = "frozen"
    teacher: float | None = None


class ClusterAndFinetune(Method):
    """One network, hard pseudo-labels, a classifier re-made from the cluster centroids each epoch."""

    paper = "Unsupervised Domain Adaptive Re-Identification: Theory and Practice (2018)"
    lesson: ClassVar[str] = "06_first_adaptation"
    eps: Tensor

    def __init__(self, embedder: Embedder, recipe: Recipe | None = None, *, seed: int = 0) -> None:
        super().__init__()
        self.embedder, self.recipe, self.seed = embedder, recipe or Recipe(), seed
        all_pairs = self.recipe.loss == "all-pairs"
        self.views, self.draw = (("udap",), "plain") if all_pairs else (("strong",), "identity")
        self.companion_features = self.recipe.source_weight > 0
        self.classifier = Classifier(embedder.dimension, 1, seed=seed).requires_grad_(not all_pairs)
        self.teacher = teacher_of(embedder) if self.recipe.teacher is not None else None
        self.register_buffer("eps", frozen_eps())

    def embed(self, images: Tensor) -> Tensor:
        f, b = (self.teacher or self.embedder)(images)
        return f if self.recipe.loss == "all-pairs" else b

    def prepare_epoch(self, features: Features, epoch: int, companion: Features | None = None) -> PseudoLabels:
        unit = features.unit().matrix
        eps = None if self.eps.isnan() or self.recipe.eps_rule == "each-epoch" else float(self.eps)
        source = companion.unit().matrix if companion is not None else None
        labels = cluster(unit, features.camera, self.recipe, eps=eps, source=source, seed=self.seed)
        self.eps.fill_(labels.eps)
        if labels.num_clusters and self.recipe.loss != "all-pairs":
            self.classifier.remake(torch.from_numpy(centroids(unit, labels.labels)))
        return labels

    def loss(self, batch: Batch) -> Loss:
        recipe, y = self.recipe, batch.label
        f, b = self.embedder(batch.views[0])
        if recipe.loss == "all-pairs":
            loss = weigh(
                triplet_f=(1.0, all_pairs_triplet(f, y, recipe.margin)), triplet_z=(1.0, all_pairs_triplet(b, y, recipe.margin))
            )
        else:
            identity = smoothed_cross_entropy(self.classifier(b), y, recipe.smoothing)
            loss = weigh(identity=(1.0, identity), triplet=(1.0, softmax_triplet(f, y)))
        return loss.tapping(f=f)

    def after_step(self, batch: Batch, loss: Loss) -> None:
        if self.teacher is not None and self.recipe.teacher is not None:
            follow(self.teacher, self.embedder, self.recipe.teacher)

    @classmethod
    def toy(cls, source: Records, target: ImageTable) -> ClusterAndFinetune:
        return cls(build_embedder("tiny", seed=0), Recipe(eps=0.6, k1=8, k2=2))
