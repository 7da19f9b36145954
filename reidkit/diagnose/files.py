"""From files to a diagnosis: what ``reidkit diagnose TABLE --features F --out report.html`` does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy import sparse

from reidkit.diagnose.diagnosis import Diagnosis, diagnose
from reidkit.diagnose.dumps import NAMES, merge_dumps, read_dump
from reidkit.errors import DiagnosisError

PathLike = str | os.PathLike[str]


def diagnose_files(
    table: PathLike, *, features: PathLike | None = None, graph: PathLike | None = None, columns: Mapping[str, str] | None = None
) -> Diagnosis:
    """Diagnose the labels in a file.

    Args:
        table: a dump with labels and cameras; identities, file names and features when it has them (see `dumps`).
        features: another dump with features (N, D), row by row the same images.
        graph: a sparse (N, N) distance matrix as SciPy's ``save_npz`` or a run capsule stores it.
        columns: what is wanted -> its name in `table`.

    Raises:
        DiagnosisError: when labels or cameras are missing, naming what was found and what is needed.
    """
    dump = read_dump(table, columns=columns)
    if features is not None:
        extra = read_dump(features)
        if extra.features is None:
            what = f"{features} has no features; found {sorted(extra.found)}."
            raise DiagnosisError(what, rule="Features are a matrix (N, D).", action=f"Call it one of {NAMES['features']}.")
        dump = merge_dumps(dump, extra)
    for name, value in (("labels", dump.labels), ("cameras", dump.cameras)):
        if value is None:
            what = (
                f"{table} has no {name}; found " + (", ".join(f"{k} (as {v})" for k, v in dump.found.items()) or "nothing") + "."
            )
            action = f"Name it one of {', '.join(NAMES[name])}, or say which it is. Without cameras: pass zeros."
            raise DiagnosisError(what, rule="A diagnosis needs pseudo-labels and cameras.", action=action)
    stored = None if graph is None else read_graph(graph)
    paths = None if dump.paths is None else dump.paths.tolist()
    return diagnose(dump.labels, dump.cameras, identities=dump.identities, features=dump.features, graph=stored, paths=paths)


def read_graph(path: PathLike) -> sparse.csr_array:
    """A sparse matrix from ``data``, ``indices``, ``indptr`` and ``shape`` in an .npz file."""
    try:
        with np.load(Path(path), allow_pickle=False) as stored:
            if stored["format"].item() not in (b"csr", "csr") if "format" in stored else False:
                raise ValueError(f"its format is {stored['format'].item()!r}, not csr")
            parts = tuple(stored[name] for name in ("data", "indices", "indptr"))
            return sparse.csr_array(parts, shape=tuple(stored["shape"]))
    except (OSError, ValueError, KeyError, EOFError) as error:
        rule = "A graph is an .npz with data, indices, indptr and shape."
        raise DiagnosisError(f"{path} is no graph: {error}", rule=rule, action="Store it with scipy.sparse.save_npz.") from error
