"""What a method remembers between steps: buffers whose size may change from epoch to epoch."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from reidkit.compute import derive_seed


class Remembered(nn.Module):
    """A tensor that is part of the state; loading a state dict takes the stored shape."""

    value: Tensor

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value)

    def keep(self, value: Tensor) -> None:
        """Replace what is remembered."""
        self.value = value.to(self.value.device)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        stored = state_dict.get(prefix + "value")
        if isinstance(stored, Tensor):
            self.value = torch.empty_like(stored, device=self.value.device)
        super()._load_from_state_dict(state_dict, prefix, *rest)


class Centres(Remembered):
    """One centre a class for the centre loss ("Bag of Tricks", section 3.5), N(0, 1) at first.

    Args:
        dimension: D.
        classes: M.
        seed: of the first centres.
    """

    def __init__(self, dimension: int, classes: int = 1, *, seed: int = 0) -> None:
        super().__init__(torch.empty(0, dimension))
        self.seed = seed
        self.remake(classes)

    def remake(self, classes: int) -> None:
        """Begin again for another number of classes."""
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "centres", classes))
        self.keep(torch.randn(classes, self.value.shape[1], generator=generator))

    @torch.no_grad()
    def step(self, features: Float[Tensor, "b d"], labels: Int[Tensor, b], rate: float) -> None:
        """The centres' own gradient step on (1/B) sum ||f - c_y||^2, whatever weight the loss has (BoT engine/trainer.py)."""
        moved = 2.0 * rate / len(labels) * (features.float() - self.value[labels])
        self.value.index_add_(0, labels, moved)
