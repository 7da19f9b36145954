"""Checkpoints at epoch boundaries: written whole or not at all, checked when read, never unpickled.

A checkpoint is a folder ``epoch_007`` with `model.safetensors`, `optimisers.pt` (read weights-only) and `state.json`
(settings, versions, checksums). Since every epoch seeds itself from (seed, epoch), no generator state is needed for a
resumed run to equal an uninterrupted one.
"""

from __future__ import annotations

import io
import json
import logging
import os
import pickle
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from reidkit.errors import TrainingError
from reidkit.storage import filling, sha256, write_json

log = logging.getLogger(__name__)
CHECKPOINTS, KEPT = "checkpoints", 2


@dataclass(frozen=True)
class Checkpoint:
    """What was read back: the epoch that was finished, the optimisers' states and the events so far."""

    epoch: int
    optimisers: dict[str, Any]
    idle: int


def save_checkpoint(
    folder: Path,
    model: nn.Module,
    optimisers: dict[str, torch.optim.Optimizer],
    *,
    epoch: int,
    idle: int,
    settings: dict[str, Any],
) -> Path:
    """Write the state after `epoch` into a temporary folder, rename it, and drop all but the last two."""
    final, partial = folder / f"epoch_{epoch:03d}", folder / f".epoch_{epoch:03d}.{os.getpid()}.partial"
    states = io.BytesIO()
    torch.save({name: optimiser.state_dict() for name, optimiser in optimisers.items()}, states)
    weights = save({name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()})
    with filling(final, partial):
        for name, content in (("model.safetensors", weights), ("optimisers.pt", states.getvalue())):
            (partial / name).write_bytes(content)
        sums = {name: sha256(partial / name) for name in ("model.safetensors", "optimisers.pt")}
        write_json(partial / "state.json", {"epoch": epoch, "idle": idle, "settings": settings, "sha256": sums})
        shutil.rmtree(final, ignore_errors=True)
    for old in _stored(folder)[:-KEPT]:
        shutil.rmtree(old)
    return final


def load_checkpoint(
    folder: Path, model: nn.Module, *, settings: dict[str, Any], allow: tuple[str, ...] = ()
) -> Checkpoint | None:
    """Load the newest sound checkpoint into `model`; None when there is none.

    Args:
        settings: what the run is started with now; any difference to what was stored is refused.
        allow: names of settings that may differ.

    Raises:
        TrainingError: the run was started with other settings, data or versions.
    """
    for path in reversed(_stored(folder)):
        state = _sound_state(path)
        if state is None:
            log.warning("Checkpoint %s is damaged; trying the one before.", path)
            continue
        _refuse_differences(path, state["settings"], settings, allow)
        model.load_state_dict(load_file(path / "model.safetensors"))
        return Checkpoint(state["epoch"], _optimiser_states(path / "optimisers.pt"), state["idle"])
    return None


def load_model(run: str | Path, model: nn.Module) -> nn.Module:
    """The newest sound weights of the run in folder `run`, whatever its settings were."""
    folder = Path(run) / CHECKPOINTS
    for path in reversed(_stored(folder)):
        if _sound_state(path) is not None:
            model.load_state_dict(load_file(path / "model.safetensors"))
            return model
    raise TrainingError(
        f"{folder} holds no sound checkpoint.", rule="A finished run has one.", action="Train again into a new folder."
    )


def _stored(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("epoch_*") if path.is_dir())


def _sound_state(path: Path) -> dict[str, Any] | None:
    """The state of a checkpoint whose files have the checksums they were written with."""
    try:
        state: dict[str, Any] = json.loads((path / "state.json").read_text(encoding="utf-8"))
        sound = all(sha256(path / name) == expected for name, expected in state["sha256"].items())
        return state if sound else None
    except (OSError, ValueError, KeyError, SafetensorError):
        return None


def _optimiser_states(path: Path) -> dict[str, Any]:
    try:
        states: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        rule = "A checkpoint holds tensors and numbers; nothing in it may run."
        raise TrainingError(f"{path} holds something else.", rule=rule, action="Do not use this run folder.") from error
    return states


def _refuse_differences(path: Path, stored: dict[str, Any], wanted: dict[str, Any], allow: tuple[str, ...]) -> None:
    flat_old, flat_new = _flatten(stored), _flatten(json.loads(json.dumps(wanted)))
    changed = [key for key in sorted(flat_old | flat_new) if flat_old.get(key) != flat_new.get(key)]
    changed = [key for key in changed if key not in allow and key.split(".")[0] not in allow]
    if changed:
        lines = "; ".join(f"{key}: was {flat_old.get(key)!r}, now {flat_new.get(key)!r}" for key in changed)
        raise TrainingError(
            f"{path.parent} belongs to another run: {lines}.",
            rule="A run is resumed with the settings, data and versions it was started with.",
            action=f"Use a new folder, or allow={tuple(changed)!r} when the difference is meant.",
        )


def _flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
