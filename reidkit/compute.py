"""The only file that knows devices, precision, threads, processes and seeds."""

from __future__ import annotations

import atexit
import hashlib
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from reidkit.errors import ReidkitError
from reidkit.processes import Processes as Processes
from reidkit.threads import threads as threads

PRECISIONS = ("float32", "bf16")
PATIENCE = timedelta(hours=6)  # the others wait while the first process evaluates


@dataclass(frozen=True)
class Compute:
    """Where and how a network runs.

    Args:
        device: ``"auto"`` (a GPU when there is one), ``"cpu"``, ``"cuda"`` or ``"cuda:1"``. Under torchrun the first two names
            of a GPU give each process its own.
        precision: ``"float32"`` or ``"bf16"`` (autocast; parameters, losses and optimiser stay float32).
    """

    device: str = "auto"
    precision: str = "float32"

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ReidkitError(
                f"precision {self.precision!r} is unknown.", rule=f"Precision is one of {PRECISIONS}.", action="Choose one."
            )

    @property
    def torch_device(self) -> torch.device:
        """The device that ``device`` stands for on this machine."""
        if self.device in ("auto", "cuda") and torch.cuda.is_available():
            started = dist.is_available() and dist.is_torchelastic_launched()
            return (
                torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
                if started
                else torch.device("cuda")
            )
        if self.device == "auto":
            return torch.device("cpu")
        if self.device.startswith("cuda") and not torch.cuda.is_available():
            raise ReidkitError(
                f"Device {self.device!r} was asked for, but torch sees no GPU here.",
                rule="A named device must exist.",
                action="Use device='auto', or run `reidkit doctor` to see which accelerators work.",
            )
        return torch.device(self.device)

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """Mixed precision for the forward pass, as `precision` says."""
        with torch.autocast(self.torch_device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16"):
            yield

    def place(self, module: nn.Module) -> nn.Module:
        """`module` on the device."""
        return module.to(self.torch_device)

    def join(self) -> Processes:
        """The processes that torchrun started, as one group; this process alone when it was started by hand.

        They speak through NCCL where each has a GPU of its own, else through gloo.
        """
        if dist.is_available() and dist.is_torchelastic_launched() and not dist.is_initialized():
            here, gpus = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
            own = self.torch_device.type == "cuda" and here <= gpus
            dist.init_process_group("cpu:gloo,cuda:nccl" if own else "gloo", timeout=PATIENCE)
            atexit.register(dist.destroy_process_group)
        return Processes.current()


@contextmanager
def memory_for(what: str, *, less: str) -> Iterator[None]:
    """A lack of memory in here, of the device or of the machine, is a refusal that says for what.

    Args:
        what: is being made.
        less: which settings need less memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        reason = str(error).strip().partition("\n")[0]
        rule = "What is computed at once fits into memory."
        raise ReidkitError(f"No memory for {what}: {reason}", rule=rule, action=less) from error


def device_of(module: nn.Module) -> torch.device:
    """The device of a module's first parameter or buffer; the CPU when it has none."""
    tensor: Tensor | None = next(module.parameters(), next(module.buffers(), None))
    return tensor.device if tensor is not None else torch.device("cpu")


def seed_everything(*parts: int | str) -> int:
    """Seed Python, NumPy and torch from the given parts; returns the number used.

    An epoch begins with ``seed_everything(seed, "epoch", 7)``: what it draws depends on nothing that came before it,
    which is what makes a resumed run equal to an uninterrupted one.
    """
    seed = derive_seed(*parts)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    return seed


def derive_seed(*parts: int | str) -> int:
    """A 32-bit seed from numbers and words; equal parts give equal seeds in every process and on every machine."""
    plain = [part if isinstance(part, str) else int(part) for part in parts]
    return int.from_bytes(hashlib.blake2b(repr(plain).encode(), digest_size=4).digest(), "big")


def describe_device() -> str:
    """The accelerator that torch sees here: ``"cpu"`` or ``"cuda: NVIDIA H200"``."""
    return f"cuda: {torch.cuda.get_device_name()}" if torch.cuda.is_available() else "cpu"
