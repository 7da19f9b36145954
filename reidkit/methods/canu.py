"""CANU: a camera adversary, conditional on the identity, on top of any method that taps its features.

"CANU-ReID: A Conditional Adversarial Network for Unsupervised person Re-IDentification" (2020); clustering reference,
section 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reidkit.errors import TrainingError
from reidkit.features import Features
from reidkit.labels import PseudoLabels, centroids
from reidkit.method import Batch, Loss, Method, weigh
from reidkit.models import CameraDiscriminator, reverse_gradient
from reidkit.records import ImageTable, Records


@dataclass(frozen=True)
class Recipe:
    """What the adversary is and how it is trained.

    Args:
        mu: weight of the adversarial gradient (0.05 on SSG; 0 is the base method, bit for bit). [paper: V-A, Table III]
        condition: ``"centroid"`` (CANU) or ``"none"`` (+Adv, eq. 4-5). [paper: eq. 8-9]
        join: how the discriminator joins its inputs (`CameraDiscriminator`); ``"zero"`` matches capacity in +Adv.
            [ours: the only reading of IV whose layer sizes chain over four layers]
        normalise_centroid: whether phi_p has norm 1 (the classifier's row) instead of being the mean. [ours: not printed]
        play: ``"reversal"`` (one backward pass) or ``"alternating"`` (judge, then model). [ours: IV cites both kinds]
        optimiser: ``"shared"`` (one Adam, on MMT) or ``"own"`` for the discriminators (on SSG). [ours: not printed]
        base: the recipe of the method below, for the record. [ours: filled in]
    """

    mu: float = 0.1
    condition: str = "centroid"
    join: str = "concatenate"
    normalise_centroid: bool = False
    play: str = "reversal"
    optimiser: str = "shared"
    base: Any = None


class CANU(Method):
    """min over phi, max over D:  L_base - mu * L_C-CAM  (eq. 9), one discriminator for each feature that the base taps."""

    paper = "CANU-ReID: A Conditional Adversarial Network for Unsupervised person Re-IDentification (2020)"
    lesson: ClassVar[str] = "13_canu"
    wraps = True
    centroids: Tensor

    def __init__(
        self, base: Method, taps: tuple[str, ...], dimension: int, cameras: int, mu: float = 0.1, *, seed: int = 0, **recipe: Any
    ) -> None:
        """`taps`: names in `Loss.taps` of the base (SSG: full, upper, lower; MMT: network1, network2), each (B, `dimension`)."""
        super().__init__()
        self.base, self.recipe, self.taps = base, Recipe(mu, **recipe, base=asdict(base.recipe)), taps
        for name in ("views", "draw", "draw_by", "parts", "flip", "companion_features"):
            setattr(self, name, getattr(base, name))
        join = "none" if self.recipe.condition == "none" and self.recipe.join != "zero" else self.recipe.join
        judges = [CameraDiscriminator(dimension, cameras, join=join, seed=seed + i) for i in range(len(taps))]
        self.judges = nn.ModuleList(judges)
        self.register_buffer("centroids", torch.zeros(1, dimension), persistent=False)

    def embed(self, images: Tensor) -> Tensor:
        return self.base.embed(images)

    def embed_test(self, images: Tensor) -> Tensor:
        return self.base.embed_test(images)

    def relabels(self, epoch: int) -> bool:
        return self.base.relabels(epoch)

    def clock(self, epoch: int) -> int:
        return self.base.clock(epoch)

    def finished(self, epoch: int) -> str:
        return self.base.finished(epoch)

    def prepare_epoch(self, features: Features, epoch: int, companion: Features | None = None) -> PseudoLabels:
        labels = self.base.prepare_epoch(features, epoch, companion)
        if labels.num_clusters:
            means = features.unit().matrix.reshape(len(features), self.parts, -1)
            whole = means[:, 0] if labels.labels.ndim > 1 else means.mean(axis=1)
            first = labels.labels.reshape(len(labels), -1)[:, 0]
            rows = centroids(whole, first, normalise=self.recipe.normalise_centroid, unit_rows=False)
            self.centroids = torch.from_numpy(rows).to(self.centroids)
        return labels

    def camera_loss(self, features: dict[str, Tensor], batch: Batch) -> dict[str, tuple[float, Tensor]]:
        """Cross-entropy of each discriminator on the camera, given the centroid of the cluster (eq. 8)."""
        given = self.centroids[batch.label.reshape(len(batch.label), -1)[:, 0]]
        pairs = zip(self.taps, self.judges, strict=True)
        return {
            f"camera_{tap}": (1.0, F.cross_entropy(judge(features[tap], given).float(), batch.camera)) for tap, judge in pairs
        }

    def loss(self, batch: Batch) -> Loss:
        base = self.base.loss(batch)
        reversed_taps = {name: reverse_gradient(base.taps[name], self.recipe.mu) for name in self.taps}
        cameras = weigh(**self.camera_loss(reversed_taps, batch))
        return Loss(base.total + cameras.total, base.terms | cameras.terms, base.keep)

    def steps(self, batch: Batch) -> Iterator[tuple[str, Loss]]:
        if self.recipe.play == "reversal":
            yield "model" if self.recipe.optimiser == "shared" else "model+judges", self.loss(batch)
            return
        taps = {name: tap.detach() for name, tap in self.base.loss(batch).taps.items()}
        yield "judges", weigh(**self.camera_loss(taps, batch))
        base = self.base.loss(batch)
        cameras = {name: (-self.recipe.mu, value) for name, (_, value) in self.camera_loss(base.taps, batch).items()}
        adversary = weigh(**cameras)
        yield "model", Loss(base.total + adversary.total, base.terms | adversary.terms, base.keep)

    def players(self) -> dict[str, list[nn.Parameter]]:
        model, judges = self.base.players()["model"], list(self.judges.parameters())
        apart = self.recipe.optimiser == "own" or self.recipe.play == "alternating"
        return {"model": model, "judges": judges} if apart else {"model": model + judges}

    def after_step(self, batch: Batch, loss: Loss) -> None:
        self.base.after_step(batch, loss)

    @classmethod
    def toy(cls, source: Records, target: ImageTable, base: Method | None = None) -> CANU:
        if base is None:
            raise TrainingError(
                "CANU without a base.", rule="CANU stands on a method.", action="Hand one in, as in CANU(base, ...)."
            )
        return cls(base, ("f",), 256, target.num_cameras)
