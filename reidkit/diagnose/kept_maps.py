"""Maps of a run that are made once and kept in its capsule: they open at once, and everybody sees the same one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reidkit.capsule import Capsule
from reidkit.diagnose.projection import PROJECTIONS, Projection, project_by
from reidkit.diagnose.space import Space
from reidkit.storage import write_npz

CURVED = ("t-SNE", "UMAP")


def keep_maps(
    capsule: Capsule, epoch: int, names: Sequence[str] = CURVED, *, seed: int = 0, progress: bool = False
) -> list[Path]:
    """Make maps of a stored epoch, from its features and its graph, and keep them in ``maps/``; returns the files.

    Raises:
        CapsuleError: when features or graph of that epoch were not stored.
        DiagnosisError: for an unknown map.
    """
    space = Space.of(capsule.features(epoch), capsule.graph(epoch), len(capsule.frame))
    made = [project_by(name, space.features, graph=space.graph, seed=seed, progress=progress) for name in names]
    return [_keep(capsule, epoch, one) for one in made]


def kept_maps(capsule: Capsule, epoch: int) -> dict[str, Projection]:
    """name -> map of that epoch. Maps of other features, which a run that was resumed has since replaced, are left out."""
    found = {}
    for name in PROJECTIONS:
        path = _path(capsule, epoch, name)
        if not path.is_file():
            continue
        with np.load(path, allow_pickle=False) as stored:
            if stored["features"].item() != _fingerprint(capsule, epoch):
                continue
            axes = str(stored["axes"][0]), str(stored["axes"][1])
            found[name] = Projection(name, stored["points"], stored["rows"], axes, str(stored["note"].item()))
    return found


def _keep(capsule: Capsule, epoch: int, made: Projection) -> Path:
    arrays = {"points": made.points, "rows": made.rows, "axes": np.array(made.axes), "note": np.array(made.note)}
    path = _path(capsule, epoch, made.name)
    write_npz(path, arrays | {"features": np.array(_fingerprint(capsule, epoch))})
    return path


def _path(capsule: Capsule, epoch: int, name: str) -> Path:
    return capsule.folder / "maps" / f"epoch_{epoch:03d}_{name}.npz"


def _fingerprint(capsule: Capsule, epoch: int) -> str:
    """Of the stored features that a map was made from."""
    return hashlib.sha256(np.ascontiguousarray(capsule.features(epoch)).tobytes()).hexdigest()
