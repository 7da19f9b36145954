"""What people have on disk, from any code base: labels, cameras, identities, file names and features of the same images.

* ``.csv``, ``.tsv``, ``.parquet``: a table, one row an image; columns are found by their usual names (`NAMES`).
* ``.npz``: arrays by the same names; ``.npy``: one array, labels (N,) or features (N, D).
* ``.mat``: arrays by the same names; the dump of layumi's code (``gallery_f``, ``gallery_label``, ``gallery_cam``) is known.
* ``.pth``, ``.pt``: a tensor, or a dictionary of tensors by the same names, loaded as weights only: nothing in it can run.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from reidkit.errors import DiagnosisError, nearest_name, shown

NAMES: dict[str, tuple[str, ...]] = {
    "labels": ("labels", "label", "pseudo_label", "pseudo_labels", "cluster", "clusters", "cluster_id"),
    "cameras": ("cameras", "camera", "camid", "camids", "cam", "cam_id", "camera_id", "gallery_cam"),
    "identities": ("identities", "identity", "pid", "pids", "person", "person_id", "id", "truth", "gallery_label"),
    "paths": ("paths", "path", "file", "filename", "file_name", "image", "img_path"),
    "features": ("features", "feature", "feats", "feat", "embeddings", "embedding", "gallery_f", "x"),
}
TABLES, KINDS = (".csv", ".tsv", ".parquet"), (".csv", ".tsv", ".parquet", ".npy", ".npz", ".mat", ".pth", ".pt")


@dataclass(frozen=True, eq=False)
class Dump:
    """What was found, row by row the same images; what was not found is None.

    Attributes:
        labels: (N,) pseudo-labels.
        cameras, identities, paths: (N,).
        features: (N, D).
        found: name in the file -> what it was taken for.
    """

    labels: np.ndarray | None = None
    cameras: np.ndarray | None = None
    identities: np.ndarray | None = None
    paths: np.ndarray | None = None
    features: np.ndarray | None = None
    found: dict[str, str] = field(default_factory=dict)


def read_dump(path: str | os.PathLike[str], *, columns: Mapping[str, str] | None = None) -> Dump:
    """Read one file.

    Args:
        columns: what is wanted -> its name in the file, where that is none of the usual ones: ``{"labels": "y_hat"}``.

    Raises:
        DiagnosisError: for another kind of file, a name that is not there, or columns of different lengths.
    """
    path = Path(path)
    if path.suffix.lower() not in KINDS:
        what = f"{path} is of kind {path.suffix!r}."
        raise DiagnosisError(what, rule=f"Dumps are {', '.join(KINDS)}.", action="Save the table as CSV or the arrays as .npz.")
    if not path.is_file():
        raise DiagnosisError(f"{path} is not there.", rule="A dump is a file.", action="Check the path.")
    try:
        arrays = _read(path)
    except Exception as error:  # the readers of six formats raise many kinds
        rule = f"A {path.suffix} file holds what its suffix says, and no Python objects, which could run on loading."
        reason = f"{type(error).__name__}: {str(error).split('. ')[0].splitlines()[0] if str(error) else 'no reason given'}"
        raise DiagnosisError(f"{path} cannot be read ({reason}).", rule=rule, action="Write it again, e.g. as .npz.") from error
    return _sorted_out(arrays, path, columns or {})


def merge_dumps(*dumps: Dump) -> Dump:
    """Several files about the same images as one; the first that has a column wins."""
    values: dict[str, np.ndarray] = {}
    for dump in dumps:
        for name in NAMES:
            value = getattr(dump, name)
            if value is not None:
                values.setdefault(name, value)
    lengths = {name: len(value) for name, value in values.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{count} {name}" for name, count in lengths.items())
        raise DiagnosisError(
            f"Files do not fit: {found}.", rule="All files describe the same images, row by row.", action="Align them."
        )
    return Dump(**values, found={k: v for dump in reversed(dumps) for k, v in dump.found.items()})


def _read(path: Path) -> dict[str, np.ndarray]:
    kind = path.suffix.lower()
    if kind in TABLES:
        table = pd.read_parquet(path) if kind == ".parquet" else pd.read_csv(path, sep="\t" if kind == ".tsv" else ",")
        return {str(name): table[name].to_numpy() for name in table}
    if kind == ".npy":
        array = np.load(path, allow_pickle=False)
        return {"features" if array.ndim == 2 else "labels": array}
    if kind == ".npz":
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    if kind == ".mat":
        loadmat = importlib.import_module("scipy.io").loadmat
        return {k: _flat(np.asarray(v)) for k, v in loadmat(path).items() if not k.startswith("__")}
    torch = importlib.import_module("torch")  # only this kind of file needs it; the room itself works without
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(loaded, dict):
        loaded = {"features" if getattr(loaded, "ndim", 1) == 2 else "labels": loaded}
    return {str(k): np.asarray(v.float() if getattr(v, "dtype", None) == torch.bfloat16 else v) for k, v in loaded.items()}


def _flat(array: np.ndarray) -> np.ndarray:
    """MATLAB knows no vectors: (1, N) and (N, 1) become (N,), text is stripped of its padding."""
    flat = array.ravel() if array.ndim == 2 and 1 in array.shape else array
    return np.char.rstrip(flat) if flat.dtype.kind == "U" else flat


def _sorted_out(arrays: dict[str, np.ndarray], path: Path, columns: Mapping[str, str]) -> Dump:
    unknown = set(columns) - set(NAMES)
    if unknown:
        action = nearest_name(sorted(unknown)[0], NAMES)
        raise DiagnosisError(f"Nothing is called {shown(unknown)}.", rule=f"Wanted are {shown(NAMES, 9)}.", action=action)
    lower = {name.strip().lower(): name for name in arrays}
    values, found = {}, {}
    for wanted, usual in NAMES.items():
        asked = columns.get(wanted)
        if asked is not None and asked not in arrays:
            what = f"{path} has no {asked!r} (wanted as {wanted}); found {shown(arrays, 20)}."
            raise DiagnosisError(what, rule="A column that is named must be there.", action=nearest_name(asked, arrays))
        name = asked or next((lower[u] for u in usual if u in lower), None)
        if name is not None:
            values[wanted], found[name] = arrays[name], wanted
    if not values:
        what = f"{path} has nothing that is known; found {shown(arrays, 20)}."
        rule = "Usual names: " + "; ".join(f"{wanted}: {', '.join(usual[:4])}" for wanted, usual in NAMES.items()) + "."
        raise DiagnosisError(what, rule=rule, action="Rename a column, or say which is which.")
    return merge_dumps(Dump(**values, found=found))
