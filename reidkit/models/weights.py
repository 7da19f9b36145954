"""Weights on disk: tensors only, read with a report of what fitted, written atomically."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from reidkit.errors import ModelError, shown
from reidkit.models.embedder import Classifier
from reidkit.storage import write_atomically

CONTAINERS = ("state_dict", "model_state_dict", "model", "net")  # where published checkpoints keep their tensors
WRAPPER = "module."  # put before every name by data-parallel training


@dataclass(frozen=True)
class LoadReport:
    """What `load_weights` did, by the names of the module.

    Attributes:
        loaded: tensors that were taken over.
        skipped: tensors of the file that were not, with the reason.
        missing: tensors of the module that the file lacks or that did not fit; they keep their values.
    """

    loaded: tuple[str, ...]
    skipped: dict[str, str]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        text = f"loaded {len(self.loaded)}, skipped {len(self.skipped)}, missing {len(self.missing)}"
        if self.skipped:
            text += "; skipped " + shown(f"{name} ({reason})" for name, reason in self.skipped.items())
        return text + ("; missing " + shown(self.missing) if self.missing else "")


def load_weights(module: nn.Module, path: str | os.PathLike[str]) -> LoadReport:
    """Load what fits from a safetensors file or a torch checkpoint (``.pth``, ``.pt``, ``.tar``), tensors only.

    Names may carry the prefix ``module.`` of data-parallel training. A `Classifier` inside the module keeps its own rows:
    a head belongs to the identities it was trained on. (To resume a run, head included, use ``load_state_dict``.)

    Returns:
        What was loaded, skipped and missing. Nothing is loaded in silence, nor left out.

    Raises:
        ModelError: if the file is missing, damaged, holds more than tensors and plain values, or fits nowhere.
    """
    return take_over(module, read_tensors(Path(path)), os.fspath(path))


def take_over(module: nn.Module, found: Mapping[str, Tensor], origin: str) -> LoadReport:
    """Load what fits of named tensors; `load_weights` tells how. `origin` names them in errors."""
    own, heads = module.state_dict(), set(_head_names(module))
    fitting: dict[str, Tensor] = {}
    skipped: dict[str, str] = {}
    for stored, tensor in found.items():
        name = _own_name(stored, own)
        reason = _misfit(name, tensor, own, heads)
        if reason:
            skipped[stored] = reason
        else:
            fitting[name] = tensor
    if not fitting:
        raise ModelError(
            f"{origin}: none of its {len(found)} tensors fits {type(module).__name__}; it has {shown(found, 3)}, "
            f"expected are {shown(own, 3)}.",
            rule="Weights fit by name and shape.",
            action="Check that the file belongs to this network, or load it into the part that it belongs to.",
        )
    module.load_state_dict(fitting, strict=False)
    missing = [name for name in own if name not in fitting and not name.endswith("num_batches_tracked")]
    return LoadReport(tuple(fitting), skipped, tuple(missing))


def save_weights(module: nn.Module, path: str | os.PathLike[str]) -> Path:
    """Write the parameters and buffers as safetensors, under a temporary name first; returns the path."""
    # Cloned, because safetensors refuses tensors that share memory (tied weights, views of one buffer).
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in module.state_dict().items()}
    return write_atomically(Path(path), lambda partial: partial.write_bytes(save(tensors, metadata={"format": "pt"})))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The named tensors of a weights file, on the CPU; the content decides the format, not the suffix.

    Raises:
        ModelError: if the file is missing, damaged, or holds more than tensors and plain values.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file.", rule="Weights are read from a file.", action="Check the path.")
    try:
        with path.open("rb") as file:
            is_safetensors = file.read(9)[8:] == b"{"
        content = load_file(path) if is_safetensors else torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path}: not a file of tensors only{_refused_name(error)}.",
            rule="A checkpoint is read weights-only: objects in it could run any program, so they are refused.",
            action="If you trust its maker, take its state dict out elsewhere and store that with `torch.save` or safetensors.",
        ) from error
    except Exception as error:  # a damaged file makes the readers stumble in any way
        raise ModelError(
            f"{path}: damaged or no weights file, {path.stat().st_size} bytes ({_first_line(error)}).",
            rule="A weights file is whole: safetensors, or what `torch.save` wrote.",
            action="Copy or download it again and compare its size.",
        ) from error
    return _tensors_of(content, path)


def _tensors_of(content: object, path: Path) -> dict[str, Tensor]:
    """The state dict inside a checkpoint, which may wrap it in an entry of its own."""
    for entry in CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(entry), Mapping):
            content = content[entry]
            break
    tensors = (
        {str(name): value for name, value in content.items() if isinstance(value, Tensor)} if isinstance(content, Mapping) else {}
    )
    if not tensors:
        raise ModelError(
            f"{path}: a {type(content).__name__} without named tensors.",
            rule="A weights file holds a state dict, alone or under 'state_dict'.",
            action="Save `module.state_dict()`.",
        )
    return tensors


def _own_name(stored: str, own: Mapping[str, Tensor]) -> str:
    """The module's name for a stored one: the prefix of data-parallel training goes, unless the module has it too."""
    name = stored
    while name not in own and name.startswith(WRAPPER):
        name = name.removeprefix(WRAPPER)
    return name


def _misfit(name: str, tensor: Tensor, own: Mapping[str, Tensor], heads: set[str]) -> str:
    """Why a tensor cannot be taken over; empty when it can."""
    if name not in own:
        return "unknown name"
    if name in heads:
        return "a head belongs to its own identities"
    if tensor.shape != own[name].shape:
        return f"shape {tuple(tensor.shape)}, expected {tuple(own[name].shape)}"
    return ""


def _head_names(module: nn.Module) -> Iterator[str]:
    """State-dict names of every `Classifier` inside a module."""
    for prefix, part in module.named_modules():
        if isinstance(part, Classifier):
            yield from (f"{prefix}.{name}".lstrip(".") for name in part.state_dict())


def _refused_name(error: pickle.UnpicklingError) -> str:
    """What the file asked to call, in brackets. (The rest of torch's message advises to load the file unsafely.)"""
    name = re.search(r"GLOBAL (\S+)", str(error))
    return f" (it asks for {name[1]})" if name else ""


def _first_line(error: Exception) -> str:
    return ": ".join([type(error).__name__, *str(error).splitlines()[:1]])[:200]
