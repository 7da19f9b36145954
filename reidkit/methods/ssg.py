"""SSG: three label sets a round, for the whole body and its two halves.

"Self-similarity Grouping: A Simple Unsupervised Cross Domain Adaptation Approach for Person Re-identification" (2019);
clustering reference, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from reidkit.features import Features
from reidkit.labels import ClusterSettings, PseudoLabels, cluster
from reidkit.losses import all_pairs_triplet
from reidkit.method import Batch, Loss, Method, frozen_eps, weigh
from reidkit.models import StripeEmbedder, build_embedder
from reidkit.records import ImageTable, Records

View = Literal["full", "upper", "lower"]
VIEWS: tuple[View, ...] = get_args(View)


@dataclass(frozen=True)
class Recipe(ClusterSettings):
    """Clustering as UDAP's (k1 20, k2 6, rho 1.6e-3, min_samples 4), each view on its own.

    Args:
        source_weight: lambda; the code's 0.1 needs the source as a companion. [ours: off, so that a run needs none]
        margin: of the triplets. [code: OasisYang/SSG selftraining.py]
        positives: ``"label"`` takes each view's own labels; ``"positional"`` pairs by place in the batch, as the released
            code does, so that a pair can be positive and negative at once for the half-body views (CHK-3.4).
            [paper: the method as described]
        instances: K of the sampler, needed for ``"positional"``. [code: OasisYang/SSG selftraining.py]
        test: ``"whole"`` normalises the 3 D test vector at once, ``"per-view"`` each view first (CANU V-A).
            [code: OasisYang/SSG reid/evaluators.py]
        label_views: which views cluster and train; ``("full",)`` is the ablation without parts.
            [code: OasisYang/SSG selftraining.py]
    """

    margin: float = 0.5
    positives: Literal["label", "positional"] = "label"
    instances: int = 4
    test: Literal["whole", "per-view"] = "whole"
    label_views: tuple[View, ...] = VIEWS


class SSG(Method):
    """Triplets on f_F, f_U, f_L and on z, each with the labels of its view; an image trains if no view calls it an outlier."""

    paper = "Self-similarity Grouping: A Simple Unsupervised Cross Domain Adaptation Approach for Person Re-identification (2019)"
    lesson: ClassVar[str] = "11_ssg"
    views, draw, parts, flip = ("udap",), "plain", 3, True
    eps: Tensor

    def __init__(self, network: StripeEmbedder, recipe: Recipe | None = None) -> None:
        super().__init__()
        self.network, self.recipe = network, recipe or Recipe()
        self.companion_features = self.recipe.source_weight > 0
        self.used = [VIEWS.index(name) for name in self.recipe.label_views]
        self.register_buffer("eps", torch.stack([frozen_eps()] * 3))

    def embed(self, images: Tensor) -> Tensor:
        return self.network(images)[1].flatten(1)

    def embed_test(self, images: Tensor) -> Tensor:
        if self.recipe.test == "whole":
            return self.embed(images)
        both = self.network(images)[1] + self.network(images.flip(-1))[1]  # the sum with the mirror comes before the norms
        return torch.nn.functional.normalize(both, dim=2).flatten(1)

    def prepare_epoch(self, features: Features, epoch: int, companion: Features | None = None) -> PseudoLabels:
        made = [self.cluster_view(view, features.unit(), companion.unit() if companion else None) for view in self.used]
        labels = np.stack([one.labels for one in made], axis=1)
        history: dict[str, object] = {
            VIEWS[view]: one.history | {"clusters": one.num_clusters} for view, one in zip(self.used, made)
        }
        return PseudoLabels(labels, history | {"eps": made[0].eps}, graph=made[0].graph)

    def cluster_view(self, view: int, features: Features, companion: Features | None) -> PseudoLabels:
        """Distance, eps (frozen at the first round) and DBSCAN of one view."""
        source = companion.part(view).matrix if companion else None
        eps = None if self.eps[view].isnan() else float(self.eps[view])
        made = cluster(features.part(view).matrix, features.camera, self.recipe, eps=eps, source=source)
        self.eps[view] = made.eps
        return made

    def loss(self, batch: Batch) -> Loss:
        z, features = self.network(batch.views[0])
        labels = batch.label
        terms = {"z": (1.0, self.triplet(z, labels[:, 0]))}
        for column, view in enumerate(self.used):
            terms[VIEWS[view]] = (1.0, self.triplet(features[:, view], labels[:, column]))
        return weigh(**terms).tapping(**{VIEWS[view]: features[:, view] for view in self.used})

    def triplet(self, features: Tensor, labels: Tensor) -> Tensor:
        """All pairs of a label (or of a place in the batch) against the hardest negative."""
        recipe = self.recipe
        return all_pairs_triplet(features, labels, recipe.margin, positives=recipe.positives, instances=recipe.instances)

    @classmethod
    def toy(cls, source: Records, target: ImageTable) -> SSG:
        return cls(StripeEmbedder(build_embedder("tiny", neck="relu", seed=0)), Recipe(eps=0.8, k1=8, k2=2))
