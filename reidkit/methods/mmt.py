"""MMT: two networks, each taught by the other's moving average.

"Mutual Mean-Teaching: Pseudo Label Refinery for Unsupervised Domain Adaptation on Person Re-identification" (2020);
clustering reference, section 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reidkit.features import Features
from reidkit.labels import ClusterSettings, PseudoLabels, centroids, cluster
from reidkit.losses import smoothed_cross_entropy, soft_cross_entropy, softmax_triplet
from reidkit.method import Batch, Loss, Method, follow, frozen_eps, ramped, teacher_of, unit, weigh
from reidkit.models import Branch, Embedder, build_embedder, in_groups
from reidkit.records import ImageTable, Records


@dataclass(frozen=True)
class Recipe(ClusterSettings):
    """Defaults: yxgeee/MMT scripts/train_mmt_*.sh. ``clustering="dbscan"`` is MMT-DBSCAN, ``"kmeans"`` MMT-500.

    Args:
        soft_identity: w_id, share of the soft cross-entropy; 0 is without soft labels. [code: yxgeee/MMT scripts/*.sh]
        soft_triplet: w_tri, share of the soft softmax-triplet; 0 likewise. [code: yxgeee/MMT scripts/*.sh]
        momentum: alpha of the teachers; 0 makes each its student, without averaging. [code: yxgeee/MMT scripts/*.sh]
        ramp: whether alpha starts at 0 and grows as 1 - 1/(step + 1). [code: yxgeee/MMT mmt/trainers.py]
        taught_by: ``"other"`` network's teacher (mutual) or one's ``"own"`` (mean teacher; the only one with one network).
            [code: yxgeee/MMT mmt/trainers.py]
        norm_group: images that a batch-norm layer sees at once, 16 of 64 (four GPUs); None is the whole batch.
            [code: yxgeee/MMT README]
        evaluated: teacher at test: ``"first"``, ``"second"`` or ``"both"`` (mean of unit features).
            [ours: the code keeps the better one by test labels, which an unsupervised method cannot know]
        smoothing: of the hard identity loss. [code: yxgeee/MMT mmt/trainers.py]
        dropout: before the classifiers; the README says that 0.5 can help. [code: yxgeee/MMT README]
    """

    soft_identity: float = 0.5
    soft_triplet: float = 0.8
    momentum: float = 0.999
    ramp: bool = True
    taught_by: Literal["other", "own"] = "other"
    norm_group: int | None = 16
    evaluated: Literal["first", "second", "both"] = "first"
    smoothing: float = 0.1
    dropout: float = 0.0


def total(terms: Iterable[Tensor]) -> Tensor:
    """Sum over the networks."""
    return torch.stack(list(terms)).sum()


class MMT(Method):
    """Hard and soft, identity and triplet, for each of the networks."""

    paper = "Mutual Mean-Teaching (2020)"
    lesson: ClassVar[str] = "12_mmt"
    eps: Tensor
    step: Tensor

    def __init__(self, embedders: Sequence[Embedder], recipe: Recipe | None = None, *, seed: int = 0) -> None:
        """`embedders`: source-trained with different seeds (two), or one for the ablation of a single network."""
        super().__init__()
        recipe = recipe or Recipe()
        self.recipe, self.seed, count = recipe, seed, len(embedders)
        self.views, self.parts, self.dimension = ("strong",) * count, count, embedders[0].dimension
        self.students = nn.ModuleList(Branch(e, dropout=recipe.dropout, seed=seed + i) for i, e in enumerate(embedders))
        self.teachers = teacher_of(self.students)
        self.register_buffer("eps", frozen_eps())
        self.register_buffer("step", torch.tensor(0))

    def embed(self, images: Tensor) -> Tensor:
        return torch.cat([F.normalize(teacher(images)[1]) for teacher in self.teachers], dim=1)

    def embed_test(self, images: Tensor) -> Tensor:
        chosen = {"first": slice(1), "second": slice(-1, None), "both": slice(None)}[self.recipe.evaluated]
        return torch.stack([F.normalize(teacher(images)[1]) for teacher in list(self.teachers)[chosen]]).mean(0)

    def prepare_epoch(self, features: Features, epoch: int, companion: Features | None = None) -> PseudoLabels:
        mean = features.matrix.reshape(len(features), self.parts, -1).mean(axis=1)
        clustered = mean if self.recipe.clustering == "kmeans" else unit(mean)
        eps = None if self.eps.isnan() else float(self.eps)
        labels = cluster(clustered, features.camera, self.recipe, eps=eps, seed=self.seed)
        self.eps.fill_(labels.eps)
        if labels.num_clusters:
            rows = torch.from_numpy(centroids(clustered, labels.labels, unit_rows=False))
            for branch in (*self.students, *self.teachers):
                branch.classifier.remake(rows)
                branch.classifier.requires_grad_(any(branch is student for student in self.students))
        return labels

    def loss(self, batch: Batch) -> Loss:
        y, group = batch.label, self.recipe.norm_group
        students = [in_groups(student, view, group) for student, view in zip(self.students, batch.views)]
        with torch.no_grad():
            teachers = [in_groups(teacher, view, group) for teacher, view in zip(self.teachers, batch.views)]
        guides = teachers[::-1] if self.recipe.taught_by == "other" else teachers
        hard_id = total(smoothed_cross_entropy(logits, y, self.recipe.smoothing) for _, _, logits in students)
        soft_id = total(soft_cross_entropy(logits, guide[2]) for (_, _, logits), guide in zip(students, guides))
        hard_triplet = total(softmax_triplet(f, y) for f, _, _ in students)
        soft_triplet = total(softmax_triplet(f, y, teacher_features=guide[0]) for (f, _, _), guide in zip(students, guides))
        w_id, w_tri = self.recipe.soft_identity, self.recipe.soft_triplet
        loss = weigh(
            identity=(1 - w_id, hard_id),
            soft_identity=(w_id, soft_id),
            triplet=(1 - w_tri, hard_triplet),
            soft_triplet=(w_tri, soft_triplet),
        )
        for number, (f, b, _) in enumerate(students, 1):
            loss = loss.tapping(**{f"network{number}": f, f"network{number}_b": b})
        return loss

    def after_step(self, batch: Batch, loss: Loss) -> None:
        momentum = ramped(self.recipe.momentum, int(self.step)) if self.recipe.ramp else self.recipe.momentum
        follow(self.teachers, self.students, momentum)
        self.step += 1

    @classmethod
    def toy(cls, source: Records, target: ImageTable) -> MMT:
        recipe = Recipe(eps=0.8, k1=8, k2=2, norm_group=None)
        return cls([build_embedder("tiny", seed=seed) for seed in (0, 1)], recipe)
