"""CANU: a camera adversary, conditional on the identity, on top of any method that taps its features.

"CANU-ReID: A Conditional Adversarial Network for Unsupervised person Re-IDentification" (2020); clustering reference,
section 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reidkit.errors import TrainingError
from reidkit.features import Features
from reidkit.labels import PseudoLabels, view_centroids
from reidkit.method import AddOn, Batch, Loss, Method, weigh
from reidkit.models import CameraDiscriminator, Join, reverse_gradient
from reidkit.options import Options
from reidkit.records import ImageTable, Records


@dataclass(frozen=True)
class Recipe(Options):
    """What the adversary is and how it is trained.

    Args:
        mu: weight of the adversarial gradient (0.05 on SSG; 0 is the base method, bit for bit). [paper: V-A, Table III]
        condition: ``"centroid"`` (CANU), ``"none"`` (+Adv, eq. 4-5) or ``"feature"``, the image's own feature of the first
            tap, which IV can be read to say of SSG. [paper: eq. 8-9]
        centroid: ``"shared"`` by all discriminators (mean over the networks; whole body) or each network's or view's ``"own"``.
            [ours: not printed]
        tap: what is judged, ``"f"`` or ``"b"`` behind the neck's batch norm. [ours: not printed]
        join: how the discriminator joins its inputs (`CameraDiscriminator`); ``"zero"`` matches capacity in +Adv.
            [ours: the only reading of IV whose layer sizes chain over four layers]
        normalise_centroid: whether phi_p has norm 1 (the classifier's row) instead of being the mean. [ours: not printed]
        play: ``"reversal"`` (one backward pass) or ``"alternating"`` (judge, then model). [ours: IV cites both kinds]
        optimiser: of the discriminators: the model's (``"shared"``, on MMT), or their own ``"adam"`` (on SSG) or ``"sgd"``.
            [ours: not printed]
        judge_rate, renew: learning rate of that optimiser; discriminators anew at every clustering. [ours: not printed]
        draw: of batches (`reidkit.images.samplers`); "" is the base's. [ours: the authors' "no sampler" may mean "shuffle"]
        base: the recipe of the method below, for the record. [ours: filled in]
    """

    mu: float = 0.1
    condition: Literal["centroid", "none", "feature"] = "centroid"
    centroid: Literal["shared", "own"] = "shared"
    tap: Literal["f", "b"] = "f"
    join: Join = "concatenate"
    normalise_centroid: bool = False
    play: Literal["reversal", "alternating"] = "reversal"
    optimiser: Literal["shared", "adam", "sgd"] = "shared"
    judge_rate: float = 3.5e-4
    renew: bool = False
    draw: str = ""
    base: Any = None


class CANU(AddOn):
    """min over phi, max over D:  L_base - mu * L_C-CAM  (eq. 9), one discriminator for each feature that the base taps."""

    paper = "CANU-ReID: A Conditional Adversarial Network for Unsupervised person Re-IDentification (2020)"
    lesson: ClassVar[str] = "13_canu"
    centroids: Tensor

    def __init__(
        self, base: Method, taps: tuple[str, ...], dimension: int, cameras: int, mu: float = 0.1, *, seed: int = 0, **recipe: Any
    ) -> None:
        """`taps`: names in `Loss.taps` of the base (SSG: full, upper, lower; MMT: network1, network2), each (B, `dimension`)."""
        super().__init__(base)
        self.recipe, self.seed = Recipe.of(mu=mu, **recipe, base=asdict(base.recipe)), seed
        self.taps, self.sizes = tuple(f"{tap}_b" if self.recipe.tap == "b" else tap for tap in taps), (dimension, cameras)
        self.draw = self.recipe.draw or self.draw
        self.judges = self.new_judges(0)
        self.register_buffer("centroids", torch.zeros(1, dimension), persistent=False)
        self.first = np.zeros(1, np.int64)  # first row of each view's centroids

    def new_judges(self, epoch: int) -> nn.ModuleList:
        """One discriminator a tap; those of every epoch have weights of their own."""
        join = "none" if self.recipe.condition == "none" and self.recipe.join != "zero" else self.recipe.join
        first = self.seed + epoch * len(self.taps)
        return nn.ModuleList(CameraDiscriminator(*self.sizes, join=join, seed=first + i) for i in range(len(self.taps)))

    def prepare_epoch(self, features: Features, epoch: int, companion: Features | None = None) -> PseudoLabels:
        labels = self.base.prepare_epoch(features, epoch, companion)
        if labels.num_clusters:
            self.condition_on(features.unit().matrix.reshape(len(features), self.parts, -1), labels.labels)
            self.judges = self.new_judges(epoch).to(self.centroids.device) if self.recipe.renew else self.judges
        return labels

    def condition_on(self, features: np.ndarray, labels: np.ndarray) -> None:
        """phi_p, the mean feature of each cluster, from (N, parts, D) and int (N,) or (N, views)."""
        if self.recipe.centroid == "shared":
            features = features[:, :1] if labels.ndim > 1 else features.mean(axis=1, keepdims=True)
            labels = labels.reshape(len(labels), -1)[:, :1]
        rows, self.first = view_centroids(features, labels, normalise=self.recipe.normalise_centroid)
        self.centroids = torch.from_numpy(rows).to(self.centroids)

    def given(self, features: dict[str, Tensor], batch: Batch) -> tuple[Tensor, ...]:
        """(B, D) for each discriminator: what it is told besides the feature."""
        if self.recipe.condition == "feature":
            return (features[self.taps[0]].detach(),) * len(self.taps)
        label = batch.label.reshape(len(batch.label), -1)[:, : 1 if self.recipe.centroid == "shared" else None]
        rows = label + torch.as_tensor(self.first, device=label.device)
        return self.centroids[rows.expand(-1, len(self.taps))].unbind(1)

    def camera_loss(self, features: dict[str, Tensor], batch: Batch) -> dict[str, tuple[float, Tensor]]:
        """Cross-entropy of each discriminator on the camera, given the centroid of the cluster (eq. 8)."""
        told = zip(self.taps, self.judges, self.given(features, batch), strict=True)
        logits = {tap: judge(features[tap], given).float() for tap, judge, given in told}
        return {f"camera_{tap}": (1.0, F.cross_entropy(found, batch.camera)) for tap, found in logits.items()}

    def loss(self, batch: Batch) -> Loss:
        base = self.base.loss(batch)
        reversed_taps = {name: reverse_gradient(tap, self.recipe.mu) for name, tap in base.tapped(*self.taps).items()}
        cameras = weigh(**self.camera_loss(reversed_taps, batch))
        return Loss(base.total + cameras.total, base.terms | cameras.terms, base.keep)

    def steps(self, batch: Batch) -> Iterator[tuple[str, Loss]]:
        if self.recipe.play == "reversal":
            yield "model" if self.recipe.optimiser == "shared" else "model+judges", self.loss(batch)
            return
        taps = {name: tap.detach() for name, tap in self.base.loss(batch).tapped(*self.taps).items()}
        yield "judges", weigh(**self.camera_loss(taps, batch))
        base = self.base.loss(batch)
        cameras = self.camera_loss(base.tapped(*self.taps), batch)
        adversary = weigh(**{name: (-self.recipe.mu, value) for name, (_, value) in cameras.items()})
        yield "model", Loss(base.total + adversary.total, base.terms | adversary.terms, base.keep)

    def players(self) -> dict[str, list[nn.Parameter]]:
        model, judges = self.base.players()["model"], list(self.judges.parameters())
        apart = self.recipe.optimiser != "shared" or self.recipe.play == "alternating"
        return {"model": model, "judges": judges} if apart else {"model": model + judges}

    def tuned(self) -> dict[str, dict[str, Any]]:
        own = {"optimiser": self.recipe.optimiser, "learning_rate": self.recipe.judge_rate}
        return {} if self.recipe.optimiser == "shared" else {"judges": own}

    @classmethod
    def toy(cls, source: Records, target: ImageTable, base: Method | None = None) -> CANU:
        if base is None:
            raise TrainingError(
                "CANU without a base.", rule="CANU stands on a method.", action="Hand one in, as in CANU(base, ...)."
            )
        return cls(base, ("f",), 256, target.num_cameras)
