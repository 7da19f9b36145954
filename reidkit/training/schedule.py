"""How long, how fast and on what a method trains: one frozen table of settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from reidkit.errors import TrainingError

OPTIMISERS = ("adam", "sgd")


@dataclass(frozen=True)
class Schedule:
    """Settings of one run of the loop. Defaults are MMT's target stage (yxgeee/MMT, examples/mmt_train_*.py).

    Args:
        epochs: rounds of "label, then train".
        steps: batches an epoch; None counts passes of the sampler instead.
        passes: how many of them (UDAP and SSG train 70 between two clusterings); idle when `steps` is given.
        identities: P, pseudo-identities in a batch.
        instances: K, images of each.
        size: (height, width) in pixels of what the network sees.
        optimiser: ``"adam"`` or ``"sgd"`` (momentum 0.9).
        learning_rate, weight_decay: of the optimiser.
        warmup_epochs, warmup_factor: linear warm-up from factor to 1 (BoT: 10 epochs from 0.01).
        milestones, decay: learning rate times `decay` at each of these epochs (BoT: 40 and 70, 0.1).
        renew_optimiser: a new optimiser each epoch (MMT), or one for the whole run (SpCL, ICE).
        judge_every: epochs between two evaluations; the last epoch is always judged.
        keep_every: epochs between two stored feature maps and graphs.
        extraction_batch: images at once when features are extracted.
        idle_epochs: stop after so many epochs in a row without a usable cluster.
        workers: processes that load images; 0 loads in this one.
    """

    epochs: int = 40
    steps: int | None = 400
    passes: int = 1
    identities: int = 16
    instances: int = 4
    size: tuple[int, int] = (256, 128)
    optimiser: str = "adam"
    learning_rate: float = 3.5e-4
    weight_decay: float = 5e-4
    warmup_epochs: int = 0
    warmup_factor: float = 0.01
    milestones: tuple[int, ...] = ()
    decay: float = 0.1
    renew_optimiser: bool = False
    judge_every: int = 1
    keep_every: int = 1
    extraction_batch: int = 128
    idle_epochs: int = 2
    workers: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "identities", "instances", "judge_every", "keep_every", "extraction_batch", "idle_epochs"):
            if getattr(self, name) < 1:
                raise TrainingError(f"{name}={getattr(self, name)}.", rule=f"{name} is at least 1.", action="Raise it.")
        if self.optimiser not in OPTIMISERS:
            raise TrainingError(
                f"optimiser={self.optimiser!r}.", rule=f"The optimiser is one of {OPTIMISERS}.", action="Choose one of them."
            )

    def rate(self, epoch: int) -> float:
        """Learning rate of a 0-based epoch: base * warm-up(epoch) * decay^(milestones passed)."""
        warm = 1.0
        if epoch < self.warmup_epochs:
            share = epoch / self.warmup_epochs
            warm = self.warmup_factor * (1 - share) + share
        return self.learning_rate * warm * self.decay ** sum(milestone <= epoch for milestone in self.milestones)

    def build_optimiser(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """A fresh optimiser over `parameters`."""
        if self.optimiser == "sgd":
            return torch.optim.SGD(parameters, lr=self.learning_rate, momentum=0.9, weight_decay=self.weight_decay)
        return torch.optim.Adam(parameters, lr=self.learning_rate, weight_decay=self.weight_decay)
