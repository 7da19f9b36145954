"""LF2: a student's parts gate its teacher's map, and what comes out is clustered.

"Learning Feature Fusion for Unsupervised Domain Adaptive Person Re-identification" (2022); clustering reference,
section 7. In the released code no loss depends on the fused features, so that the attention keeps its random weights
(7.6); that is the default here, and ``fusion_loss`` is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from reidkit.features import Features
from reidkit.labels import ClusterSettings, PseudoLabels, centroids, cluster
from reidkit.losses import smoothed_cross_entropy, softmax_triplet
from reidkit.method import Batch, Loss, Method, follow, ramped, teacher_of, weigh
from reidkit.models import Classifier, FusionModule, PartExperts, build_backbone
from reidkit.records import ImageTable, Records


@dataclass(frozen=True)
class Recipe(ClusterSettings):
    """Defaults: DJEddyking/LF2 target_train.py and reid/trainers.py.

    Args:
        clustering: mini-batches in the published code. [code: DJEddyking/LF2 target_train.py]
        clusters: M of every view (best 700 on D->M, 900 on M->D). [code: DJEddyking/LF2 target_train.py]
        part_clusters: M of the upper and of the lower view where they have numbers of their own. [code: DJEddyking/LF2
            target_train.py, one number for all]
        sigmoid: of the fusion module: ``"inside"`` the product (figure 3 and code) or ``"outside"`` (the slides' formula).
            [code: DJEddyking/LF2 reid/models/resnet.py]
        alpha, lambda_value, gamma: weights of L_ReID, its triplet, the part triplets. [code: DJEddyking/LF2 reid/trainers.py]
        fusion: what is clustered: ``"fused"`` features, ``"teacher-parts"`` (the row without the fusion module), or
            ``"global"`` only (the baseline: L_ReID alone). [paper: the method as described]
        fusion_loss: ``"none"``, or ``"triplet"``: gamma * L_tri(phi_j, y_j), gradients into the attention only.
            [code: DJEddyking/LF2 reid/trainers.py]
        momentum: of the teacher, ramped as in MMT. [code: DJEddyking/LF2 target_train.py]
        smoothing: of the identity loss. [code: DJEddyking/LF2 reid/trainers.py]
    """

    clustering: Literal["dbscan", "kmeans"] = "kmeans"
    clusters: int = 700
    part_clusters: tuple[int, ...] = ()
    sigmoid: Literal["inside", "outside"] = "inside"
    alpha: float = 1.0
    lambda_value: float = 1.0
    gamma: float = 0.5
    fusion: Literal["fused", "teacher-parts", "global"] = "fused"
    fusion_loss: Literal["none", "triplet"] = "none"
    momentum: float = 0.999
    smoothing: float = 0.1


class LF2(Method):
    """L = a (L_cls(g, y_0) + lambda L_tri(g, y_0)) + gamma (L_tri(u, y_1) + L_tri(l, y_2)), each view on its own batch."""

    paper = "Learning Feature Fusion for Unsupervised Domain Adaptive Person Re-identification (2022)"
    lesson: ClassVar[str] = "14_lf2"
    parts, flip = 3, True
    step: Tensor

    def __init__(self, student: PartExperts, fusion: FusionModule, recipe: Recipe | None = None, *, seed: int = 0) -> None:
        super().__init__()
        self.recipe, self.seed = recipe or Recipe(), seed
        self.student, self.teacher = student, teacher_of(student)
        self.fusion = fusion.requires_grad_(self.recipe.fusion_loss == "triplet")
        self.fusion.sigmoid = self.recipe.sigmoid
        for norm in self.fusion.norms:
            norm.requires_grad_(False)
        self.draw_by = (0,) if self.recipe.fusion == "global" else (0, 1, 2)
        self.classifier = Classifier(student.dimension, 1, seed=seed)
        self.teacher_classifier = teacher_of(self.classifier)
        self.register_buffer("step", torch.tensor(0))

    def embed(self, images: Tensor) -> Tensor:
        teacher = self.teacher(images)
        if self.recipe.fusion != "fused":
            return torch.cat(teacher[1:], dim=1)
        return torch.cat(self.fusion(teacher.map, self.student.backbone(images)), dim=1)

    def embed_test(self, images: Tensor) -> Tensor:
        return F.normalize(torch.cat(self.teacher(images)[1:], dim=1))

    def prepare_epoch(self, features: Features, epoch: int, companion: Features | None = None) -> PseudoLabels:
        unit = features.unit()
        many = (self.recipe.clusters, *(self.recipe.part_clusters or (self.recipe.clusters,) * 2))
        how = [replace(self.recipe, clusters=many[view]) for view in self.draw_by]
        made = [cluster(unit.part(v).matrix, features.camera, how[v], seed=self.seed) for v in self.draw_by]
        if made[0].num_clusters:
            rows = torch.from_numpy(centroids(unit.part(0).matrix, made[0].labels))
            self.classifier.remake(rows)
            self.teacher_classifier.remake(rows)
            self.teacher_classifier.requires_grad_(False)
        labels = np.stack([one.labels for one in made], axis=1)
        return PseudoLabels(labels, made[0].history, graph=made[0].graph)

    def loss(self, batch: Batch) -> Loss:
        recipe, y = self.recipe, batch.label[:, 0]
        first = self.student(batch.views[0])
        terms = {
            "identity": (recipe.alpha, smoothed_cross_entropy(self.classifier(first.whole), y, recipe.smoothing)),
            "triplet": (recipe.alpha * recipe.lambda_value, softmax_triplet(first.whole, y)),
        }
        for part, other in enumerate(batch.others, start=1):
            output = self.student(other.views[0])
            name, labels = ("upper", "lower")[part - 1], other.label[:, part]
            terms[name] = (recipe.gamma, softmax_triplet(output[part + 1], labels))
            if recipe.fusion_loss == "triplet":
                with torch.no_grad():
                    teacher = self.teacher(other.views[0]).map
                fused = self.fusion(teacher, output.map.detach())[part]
                terms[f"fused_{name}"] = (recipe.gamma, softmax_triplet(fused, labels))
        with torch.no_grad():  # batch-norm statistics of teacher and fusion follow, as in the published forward pass
            self.fusion(self.teacher(batch.views[0]).map, first.map)
        return weigh(**terms).tapping(whole=first.whole)

    def after_step(self, batch: Batch, loss: Loss) -> None:
        momentum = ramped(self.recipe.momentum, int(self.step))
        follow(self.teacher, self.student, momentum)
        follow(self.teacher_classifier, self.classifier, momentum)
        self.step += 1

    @classmethod
    def toy(cls, source: Records, target: ImageTable) -> LF2:
        torch.manual_seed(0)
        return cls(PartExperts(build_backbone("tiny", seed=0)), FusionModule(256), Recipe(clusters=8))
