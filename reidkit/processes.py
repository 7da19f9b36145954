"""Several processes that do one thing together: which of them this is, and what they tell each other.

``torchrun --nproc-per-node=4 script.py`` starts them. For a process that is alone, every call here gives back what it was
given; torch is not even loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, nn

Group = TypeVar("Group", bound="Processes")


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this is.

    Attributes:
        rank: 0..count - 1.
        count: processes that share the work; 1 for none but this.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def current(cls) -> Processes:
        """The process group that torch has been given; this process alone when there is none."""
        import torch.distributed as dist

        if not dist.is_available() or not dist.is_initialized():
            return cls()
        return cls(dist.get_rank(), dist.get_world_size())

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and reports."""
        return self.rank == 0

    def rows(self, count: int) -> tuple[int, int]:
        """(start, stop) of the consecutive rows, of `count`, that are this process's part."""
        return self.rank * count // self.count, (self.rank + 1) * count // self.count

    def joined(self, part: np.ndarray) -> np.ndarray:
        """The rows of all processes, one after another."""
        return part if self.count == 1 else np.concatenate(self._all(part))

    def agree(self, array: np.ndarray) -> bool:
        """Whether all of them hold the same numbers."""
        return self.count == 1 or all(np.array_equal(array, other) for other in self._all(array))

    def mean(self, array: np.ndarray) -> np.ndarray:
        """Element by element, the mean over the processes."""
        return array if self.count == 1 else np.mean(self._all(array), axis=0)

    def wait(self) -> None:
        """Until all of them are here."""
        if self.count > 1:
            self._all(np.zeros(0))

    def whole(self, part: Tensor) -> Tensor:
        """Rows (b, ...) of every process, as many from each, one after another: (b * count, ...), without gradient."""
        if self.count == 1:
            return part
        import torch
        import torch.distributed as dist

        sent = part.detach().float() if part.dtype in (torch.bfloat16, torch.float16) else part.detach()
        pieces = [torch.empty_like(sent, memory_format=torch.contiguous_format) for _ in range(self.count)]
        dist.all_gather(pieces, sent.contiguous())
        return torch.cat(pieces).to(part.dtype)

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Give each parameter the mean of its gradients; one that no process has a gradient for keeps none."""
        if self.count == 1:
            return
        import torch
        import torch.distributed as dist

        met = torch.tensor([float(p.grad is not None) for p in parameters], device=parameters[0].device)
        flat = torch.cat([met, *((torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters)])
        dist.all_reduce(flat)
        met, *sums = flat.split([len(met), *(p.numel() for p in parameters)])
        for parameter, found, total in zip(parameters, met.tolist(), sums, strict=True):
            parameter.grad = total.view_as(parameter) / self.count if found else None

    def align(self, module: nn.Module) -> None:
        """Give `module` the first process's parameters and buffers."""
        if self.count == 1:
            return
        import torch.distributed as dist

        for tensor in (*module.parameters(), *module.buffers()):
            held = tensor.data.contiguous()
            dist.broadcast(held, src=0)
            tensor.data.copy_(held)

    def _all(self, array: np.ndarray) -> list[np.ndarray]:
        """The arrays of all processes, in the order of their ranks."""
        import torch.distributed as dist

        pieces: list[object] = [None] * self.count
        dist.all_gather_object(pieces, np.ascontiguousarray(array))
        return [np.asarray(piece) for piece in pieces]
