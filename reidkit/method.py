"""The contract between a method and the one loop that trains all of them.

A method is a module that says four things: what an image is embedded to, how pseudo-labels are made at the start of
an epoch, what the loss of a batch is, and what moves after a step. The loop (`reidkit.training.loop`) does the rest and
never asks which method it runs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from reidkit.errors import TrainingError, nearest_name
from reidkit.features import Features
from reidkit.labels import PseudoLabels
from reidkit.records import ImageTable, Records

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Batch:
    """Images that meet in one step.

    Attributes:
        views: one float32 tensor (B, 3, H, W) for each augmentation named in `Method.views`.
        index: int64 (B,), row of each image in the training table.
        label: int64 (B,) or (B, P) pseudo-labels, never -1.
        camera: int64 (B,), camera index 0..C-1.
        companion: a batch of the second domain, when the run has one; its label is -1 where none is known.
        others: one batch more for each further label view in `Method.draw_by`.
    """

    views: tuple[Tensor, ...]
    index: Tensor
    label: Tensor
    camera: Tensor
    companion: Batch | None = None
    others: tuple[Batch, ...] = ()

    def to(self, device: torch.device) -> Batch:
        """The same batch on `device`."""
        companion = self.companion.to(device) if self.companion is not None else None
        others = tuple(other.to(device) for other in self.others)
        moved = {name: getattr(self, name).to(device) for name in ("index", "label", "camera")}
        return replace(self, views=tuple(view.to(device) for view in self.views), companion=companion, others=others, **moved)


@dataclass(frozen=True)
class Loss:
    """A total, its named weighted terms, and tensors that `after_step` needs.

    Attributes:
        total: scalar with gradient.
        terms: name -> (weight, value); total is the sum of weight times value.
        keep: detached tensors made on the way, one row an image, so that `after_step` need not run the network again.
        taps: features with gradient, by name, so that a method that wraps this one can add a loss on them.
    """

    total: Tensor
    terms: dict[str, tuple[float, Tensor]]
    keep: dict[str, Tensor] = field(default_factory=dict)
    taps: dict[str, Tensor] = field(default_factory=dict)

    def keeping(self, **tensors: Tensor) -> Loss:
        """The same loss with detached tensors for `Method.after_step`."""
        return replace(self, keep=self.keep | {name: tensor.detach() for name, tensor in tensors.items()})

    def tapping(self, **tensors: Tensor) -> Loss:
        """The same loss with features that a wrapping method may add a loss on."""
        return replace(self, taps=self.taps | tensors)

    def tapped(self, *names: str) -> dict[str, Tensor]:
        """The features of these names."""
        for name in names:
            if name not in self.taps:
                rule = f"A method can be tapped at {tuple(self.taps)}."
                raise TrainingError(f"There is no tap {name!r}.", rule=rule, action=nearest_name(name, self.taps))
        return {name: self.taps[name] for name in names}


def frozen_eps() -> Tensor:
    """A buffer for the radius of the first clustering; NaN until there was one."""
    return torch.tensor(float("nan"), dtype=torch.float64)


def weigh(**terms: tuple[float, Tensor]) -> Loss:
    """Sum named terms, each a pair (weight, scalar): names, weights and values come from one expression."""
    if not terms:
        raise TrainingError("A loss without terms.", rule="A loss has at least one term.", action="Pass name=(weight, value).")
    total = torch.stack([weight * value for weight, value in terms.values()]).sum()
    return Loss(total, {name: (weight, value.detach()) for name, (weight, value) in terms.items()})


class Method(nn.Module, ABC):
    """What one method adds to the shared loop.

    Being a module, its teachers, memories and heads are parameters and buffers: checkpoint, resume and device come for
    free. Teachers have ``requires_grad=False``.

    Attributes, of the class or of one instance:
        paper: title and year of the source.
        views: augmentations a batch carries, by name (see `reidkit.images.views`).
        draw: which images meet in a batch, by name (see `reidkit.images.samplers`).
        draw_by: label views whose clusters meet in a batch; a step has one batch for each (LF2 draws by three).
        parts: how many features of equal length stand side by side in what `embed` returns.
        flip: whether the mirrored image's feature is added when features are extracted.
        trains_on: ``"target"`` (blind; labels come from `prepare_epoch`) or ``"source"`` (labels were handed in).
        wraps: whether it stands on another method, which `toy` then takes as `base`.
        clusters: whether `prepare_epoch` needs the features of the training images (else it gets features without columns).
        companion_features: whether it needs those of the second domain as well.
    """

    paper: ClassVar[str] = ""
    lesson: ClassVar[str] = ""
    views: tuple[str, ...] = ("strong",)
    draw: str = "identity"
    draw_by: tuple[int, ...] = (0,)
    parts: int = 1
    flip: bool = False
    trains_on: ClassVar[str] = "target"
    wraps: ClassVar[bool] = False
    clusters: ClassVar[bool] = True
    companion_features: bool = False

    recipe: Any

    @abstractmethod
    def embed(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, D): what is clustered and exported (not normalised)."""

    def embed_test(self, images: Tensor) -> Tensor:
        """What is evaluated; the same as what is clustered unless a method says otherwise."""
        return self.embed(images)

    @abstractmethod
    def prepare_epoch(self, features: Features, epoch: int, companion: Features | None = None) -> PseudoLabels:
        """The clustering half: labels for this epoch; heads and memories are made anew here."""

    @abstractmethod
    def loss(self, batch: Batch) -> Loss:
        """The training half: named, weighted terms. Pure but for batch-norm statistics; may be called twice."""

    def relabels(self, epoch: int) -> bool:
        """Whether this epoch clusters anew and needs features; a method whose labels stand for some epochs says so here."""
        return self.clusters

    def clock(self, epoch: int) -> int:
        """The epoch at which the schedule's rate is read: a method that begins its schedule anew says so here."""
        return epoch

    def finished(self, epoch: int) -> str:
        """Why the run may stop before this epoch; an empty string while there is something to learn."""
        return ""

    def after_step(self, batch: Batch, loss: Loss) -> None:
        """What follows the optimiser: teachers and memories move here, and only here.

        Where several processes train together, `batch` and ``loss.keep`` are those of all of them, and have no images.
        """

    def steps(self, batch: Batch) -> Iterator[tuple[str, Loss]]:
        """(player, loss) pairs, each followed by that player's optimiser; adversaries yield several.

        Players joined by a plus sign (``"model+judge"``) step on the same loss, each with its own optimiser.
        """
        yield "model", self.loss(batch)

    def players(self) -> dict[str, list[nn.Parameter]]:
        """Player -> the parameters its optimiser moves."""
        return {"model": [p for p in self.parameters() if p.requires_grad]}

    def tuned(self) -> dict[str, dict[str, Any]]:
        """Player -> fields of the schedule that its optimiser has otherwise."""
        return {}

    @classmethod
    @abstractmethod
    def toy(cls, source: Records, target: ImageTable) -> Method:
        """A tiny instance for the contract tests."""


class AddOn(Method):
    """A method that stands on another: what it does not say otherwise is the other's (`base`)."""

    wraps = True

    def __init__(self, base: Method) -> None:
        super().__init__()
        self.base = base
        for name in ("views", "draw", "draw_by", "parts", "flip", "companion_features"):
            setattr(self, name, getattr(base, name))

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

    def after_step(self, batch: Batch, loss: Loss) -> None:
        self.base.after_step(batch, loss)


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Exponential moving average of the parameters: teacher <- momentum * teacher + (1 - momentum) * student.

    Buffers (batch-norm statistics) are left alone: a teacher in training mode accumulates its own, as in MMT and ABMT.
    """
    for ours, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
        ours.lerp_(theirs.to(ours.dtype), 1.0 - momentum)


def teacher_of(student: Network) -> Network:
    """A copy that no optimiser moves."""
    from copy import deepcopy

    teacher = deepcopy(student)
    for parameter in teacher.parameters():
        parameter.requires_grad_(False)
    return teacher


def ramped(momentum: float, step: int) -> float:
    """MMT's ramp of the averaging coefficient: min(1 - 1/(step + 1), momentum), step counted from 0."""
    return min(1.0 - 1.0 / (step + 1), momentum)


def unit(matrix: np.ndarray) -> np.ndarray:
    """Rows divided by their L2 norm (rows of zeros stay zero)."""
    norms = np.linalg.norm(matrix, axis=-1, keepdims=True)
    return (matrix / np.maximum(norms, 1e-12)).astype(np.float32)
