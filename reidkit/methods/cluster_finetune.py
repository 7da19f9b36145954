"""Cluster, then fine-tune on the clusters: the skeleton that every later method refines.

UDAP: "Unsupervised Domain Adaptive Re-Identification: Theory and Practice" (2018). The default losses are those of
MMT's single-network baseline (yxgeee/MMT, examples/base_train_*.py); UDAP's own are the option ``loss="all-pairs"``.
Clustering reference, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from reidkit.features import Features
from reidkit.jaccard import jaccard_graph, mix_source, source_proximity
from reidkit.labels import PseudoLabels, centroids, dbscan, eps_from_closest_pairs, kmeans, normalise_by_camera
from reidkit.losses import all_pairs_triplet, smoothed_cross_entropy, softmax_triplet
from reidkit.method import Batch, Loss, Method, follow, teacher_of, unit, weigh
from reidkit.models import Classifier, Embedder, build_embedder
from reidkit.records import ImageTable, Records


@dataclass(frozen=True)
class Recipe:
    """How labels are made and what is minimised.

    Args:
        clustering: ``"dbscan"`` on the Jaccard graph (UDAP, MMT-DBSCAN) or ``"kmeans"`` on the features (MMT).
        eps: radius of DBSCAN; None takes the mean of the `rho` closest pairs at the first epoch and keeps it.
        rho: share of pairs that sets eps (selftraining.py, 1.6e-3).
        min_samples: of DBSCAN, the point itself counted (4).
        k1, k2, variant: of the Jaccard graph (reid/rerank.py: 20, 6, ``"full"``).
        clusters: k of k-means (MMT 500, 700, 900).
        camera: ``"as-is"``, or ``"normalised"`` to standardise features camera by camera before clustering.
        source_weight: lambda of UDAP's source term (UDAP, SSG 0.1; MMT 0); needs a companion.
        loss: ``"identity+triplet"`` (MMT's baseline) or ``"all-pairs"`` (UDAP: all-pairs triplet on f and on z).
        smoothing: of the identity loss (MMT 0.1).
        margin: of the all-pairs triplet (0.5).
        teacher: momentum of an averaged copy that is clustered and evaluated (MMT 0.999); None is no teacher.
    """

    clustering: str = "dbscan"
    eps: float | None = None
    rho: float = 1.6e-3
    min_samples: int = 4
    k1: int = 20
    k2: int = 6
    variant: str = "full"
    clusters: int = 500
    camera: str = "as-is"
    source_weight: float = 0.0
    loss: str = "identity+triplet"
    smoothing: float = 0.1
    margin: float = 0.5
    teacher: float | None = None


class ClusterAndFinetune(Method):
    """One network, hard pseudo-labels, a classifier re-made from the cluster centroids each epoch."""

    paper = "Unsupervised Domain Adaptive Re-Identification: Theory and Practice (2018)"
    lesson: ClassVar[str] = "06_first_adaptation"

    def __init__(self, embedder: Embedder, recipe: Recipe | None = None, *, seed: int = 0) -> None:
        super().__init__()
        self.embedder, self.recipe, self.seed = embedder, recipe or Recipe(), seed
        self.views = ("udap",) if self.recipe.loss == "all-pairs" else ("strong",)
        self.draw = "plain" if self.recipe.loss == "all-pairs" else "identity"
        self.companion_features = self.recipe.source_weight > 0
        self.classifier = Classifier(embedder.dimension, 1, seed=seed)
        self.teacher = teacher_of(embedder) if self.recipe.teacher is not None else None
        self.register_buffer("eps", torch.tensor(float("nan") if self.recipe.eps is None else self.recipe.eps))

    def embed(self, images: Tensor) -> Tensor:
        before, after = (self.teacher or self.embedder)(images)
        return before if self.recipe.loss == "all-pairs" else after

    def prepare_epoch(self, features: Features | None, epoch: int, companion: Features | None = None) -> PseudoLabels:
        matrix = features.unit().matrix
        clustered = unit(normalise_by_camera(matrix, features.camera)) if self.recipe.camera == "normalised" else matrix
        labels = self.cluster(clustered, companion)
        if labels.num_clusters:
            self.classifier.remake(torch.from_numpy(unit(centroids(matrix, labels.labels))))
        return labels

    def cluster(self, matrix, companion: Features | None) -> PseudoLabels:
        """float32 (N, D) unit rows -> labels, by the recipe's clustering."""
        recipe = self.recipe
        if recipe.clustering == "kmeans":
            return PseudoLabels(kmeans(matrix, recipe.clusters, seed=self.seed), {"clustering": "kmeans", "k": recipe.clusters})
        graph = jaccard_graph(matrix, k1=recipe.k1, k2=recipe.k2, variant=recipe.variant)
        if recipe.source_weight:
            graph = mix_source(graph, source_proximity(matrix, companion.unit().matrix), recipe.source_weight)
        if self.eps.isnan():
            self.eps.fill_(eps_from_closest_pairs(graph, rho=recipe.rho))
        labels = dbscan(graph, float(self.eps), recipe.min_samples)
        return PseudoLabels(labels, {"clustering": "dbscan", "eps": float(self.eps), "min_samples": recipe.min_samples}, graph=graph)

    def loss(self, batch: Batch) -> Loss:
        y = batch.label
        f, b = self.embedder(batch.views[0])
        if self.recipe.loss == "all-pairs":
            triplets = {name: (1.0, all_pairs_triplet(x, y, self.recipe.margin)) for name, x in (("triplet_f", f), ("triplet_z", b))}
            return weigh(**triplets)
        identity = smoothed_cross_entropy(self.classifier(b), y, self.recipe.smoothing)
        return weigh(identity=(1.0, identity), triplet=(1.0, softmax_triplet(f, y)))

    def after_step(self, batch: Batch, loss: Loss) -> None:
        if self.teacher is not None:
            follow(self.teacher, self.embedder, self.recipe.teacher)

    @classmethod
    def toy(cls, source: Records, target: ImageTable) -> ClusterAndFinetune:
        return cls(build_embedder("tiny", seed=0), Recipe(eps=0.6, k1=8, k2=2))
