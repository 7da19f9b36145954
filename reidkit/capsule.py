"""A run on disk: what happened, epoch by epoch, in safe formats and without a picture of anybody.

```
meta.json            method, recipe, schedule, seed, versions, why it stopped
records.parquet      one row a training image: path, camera, identity when known
labels.npz           labels int32 (E, N), and parts (E, N, P) for methods that label several views
history.json         one entry an epoch: how the labels were made
losses.parquet       one row a step and term: epoch, step, player, term, weight, value
scores.json          every judged epoch, the last one, and the best one as *oracle*
features/epoch_*.npz PCA-64 in float16
graph/epoch_*.npz    the sparse Jaccard graph
maps/epoch_*.npz     maps that somebody kept (`reidkit.diagnose.keep_maps`)
```

Everything that a widget shows can be replayed from here, without torch and without a GPU.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from reidkit.errors import CapsuleError
from reidkit.storage import write_atomically, write_json, write_npz

FORMAT, VERSION = "reidkit-capsule", 1
PCA_DIMENSIONS = 64
LARGEST = 6e4  # what float16 holds, with room for rounding
LOSS_COLUMNS = ("epoch", "step", "player", "term", "weight", "value")


class Capsule:
    """A finished or growing run, read from its folder."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @classmethod
    def open(cls, folder: str | Path) -> Capsule:
        """Open a run; raises `CapsuleError` when the folder is none, or of a newer version."""
        capsule = cls(folder)
        meta = capsule._json("meta.json")
        if meta is None or meta.get("format") != FORMAT:
            raise CapsuleError(
                f"{folder} is not a run capsule.",
                rule=f"A capsule holds meta.json of format {FORMAT!r}.",
                action="Check the path.",
            )
        if meta["version"] > VERSION:
            raise CapsuleError(
                f"{folder} is a capsule of version {meta['version']}.",
                rule=f"This reidkit reads versions up to {VERSION}.",
                action="Install a newer reidkit.",
            )
        return capsule

    @property
    def meta(self) -> dict[str, Any]:
        """What was run, with which settings and versions."""
        return self._json("meta.json") or {}

    @property
    def history(self) -> list[dict[str, Any]]:
        """One entry an epoch: cluster count, outliers, eps, notes."""
        return self._json("history.json") or []

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The training images, row by row the columns of `labels`."""
        return pd.read_parquet(self.folder / "records.parquet")

    @property
    def labels(self) -> np.ndarray:
        """int32 (E, N), -1 outliers; the first view's labels when a method has several."""
        return self._labels()["labels"]

    @property
    def part_labels(self) -> np.ndarray:
        """int32 (E, N, P), the labels of every view."""
        stored = self._labels()
        return stored["parts"] if "parts" in stored else stored["labels"][..., None]

    @property
    def epochs(self) -> int:
        """E, the number of epochs stored."""
        return len(self.history)

    @property
    def losses(self) -> pd.DataFrame:
        """One row a step and term."""
        path = self.folder / "losses.parquet"
        return pd.read_parquet(path) if path.exists() else pd.DataFrame(columns=list(LOSS_COLUMNS))

    @property
    def scores(self) -> pd.DataFrame:
        """One row a judged epoch: epoch, mean_ap, rank1, ... in [0, 1]."""
        return pd.DataFrame((self._json("scores.json") or {}).get("epochs", []))

    @property
    def has_features(self) -> bool:
        """Whether the features of every epoch are stored."""
        return all((self.folder / f"features/epoch_{epoch:03d}.npz").is_file() for epoch in range(self.epochs))

    def features(self, epoch: int) -> np.ndarray:
        """float16 (N, 64 or fewer), principal components of the features that were clustered."""
        return self._npz(f"features/epoch_{epoch:03d}.npz")["pca"]

    def graph(self, epoch: int) -> sparse.csr_array:
        """The Jaccard graph that was clustered: stored entries are distances below 1."""
        stored = self._npz(f"graph/epoch_{epoch:03d}.npz")
        return sparse.csr_array((stored["data"], stored["indices"], stored["indptr"]), shape=tuple(stored["shape"]))

    def _labels(self) -> dict[str, np.ndarray]:
        return self._npz("labels.npz")

    def _npz(self, name: str) -> dict[str, np.ndarray]:
        path = self.folder / name
        if not path.exists():
            raise CapsuleError(
                f"{path} is not there.", rule="A capsule stores this file for the epochs it kept.", action="Pick another epoch."
            )
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}

    def _json(self, name: str) -> Any:
        path = self.folder / name
        try:
            return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        except ValueError as error:
            raise CapsuleError(
                f"{path} is damaged: {error}", rule="It is a JSON file.", action="Run again into a new folder."
            ) from error


class CapsuleWriter(Capsule):
    """The one that writes; every file is replaced as a whole, under a temporary name first."""

    @classmethod
    def create(cls, folder: str | Path, frame: pd.DataFrame, meta: dict[str, Any]) -> CapsuleWriter:
        """Start a run (or go on with one) in `folder`."""
        writer = cls(folder)
        kept = [c for c in frame if c in ("path", "camera", "identity", "split", "frame", "tracklet")]
        write_atomically(writer.folder / "records.parquet", lambda p: frame[kept].reset_index(drop=True).to_parquet(p))
        writer.note(format=FORMAT, version=VERSION, **meta)
        return writer

    def note(self, **facts: Any) -> None:
        """Add facts to meta.json."""
        write_json(self.folder / "meta.json", self.meta | facts)

    def forget_after(self, epochs: int) -> None:
        """Keep the first `epochs` epochs only: what a killed run had begun is done again."""
        if self.epochs > epochs:
            write_npz(self.folder / "labels.npz", {key: value[:epochs] for key, value in self._labels().items()})
            write_json(self.folder / "history.json", self.history[:epochs])
        if len(losses := self.losses):
            self._write_losses(losses[losses["epoch"] < epochs])
        if len(scores := self.scores):
            self._write_scores(scores[scores["epoch"] < epochs].to_dict("records"))

    def add_labels(self, labels: np.ndarray, history: dict[str, Any]) -> None:
        """Append one epoch's labels, int (N,) or (N, P), and how they were made."""
        parts = labels.reshape(len(labels), -1).astype(np.int32)[None]
        before = self._labels() if self.history else {}
        stored = {"labels": np.concatenate([*([before["labels"]] if before else []), parts[..., 0]])}
        if parts.shape[2] > 1:
            stored["parts"] = np.concatenate([*([before["parts"]] if before else []), parts])
        write_npz(self.folder / "labels.npz", stored)
        write_json(self.folder / "history.json", [*self.history, history])

    def add_features(self, epoch: int, matrix: np.ndarray) -> None:
        """Store the principal components of float (N, D) features; larger ones than float16 holds are scaled down together."""
        from sklearn.decomposition import PCA

        size = min(PCA_DIMENSIONS, *matrix.shape)
        pca = PCA(size, svd_solver="covariance_eigh" if matrix.shape[1] <= 4096 else "randomized", random_state=0)
        components = pca.fit_transform(matrix)
        small = components / max(1.0, float(np.abs(components).max()) / LARGEST)
        write_npz(self.folder / f"features/epoch_{epoch:03d}.npz", {"pca": small.astype(np.float16)})

    def add_graph(self, epoch: int, matrix: sparse.csr_array) -> None:
        """Store a sparse distance matrix."""
        arrays = {"data": matrix.data.astype(np.float32), "indices": matrix.indices.astype(np.int32), "indptr": matrix.indptr}
        write_npz(self.folder / f"graph/epoch_{epoch:03d}.npz", arrays | {"shape": np.array(matrix.shape)})

    def add_losses(self, rows: list[tuple[int, int, str, str, float, float]]) -> None:
        """Append (epoch, step, player, term, weight, value) rows."""
        new = pd.DataFrame(rows, columns=list(LOSS_COLUMNS))
        self._write_losses(pd.concat([self.losses, new], ignore_index=True) if len(self.losses) else new)

    def add_scores(self, epoch: int, scores: dict[str, float]) -> None:
        """Append a judged epoch."""
        self._write_scores([*self.scores.to_dict("records"), {"epoch": epoch, **scores}])

    def _write_losses(self, losses: pd.DataFrame) -> None:
        write_atomically(self.folder / "losses.parquet", lambda partial: losses.reset_index(drop=True).to_parquet(partial))

    def _write_scores(self, rows: list[dict[str, Any]]) -> None:
        content: dict[str, Any] = {"epochs": rows}
        if rows:
            best = max(rows, key=lambda row: row["mean_ap"])
            content |= {"last": rows[-1], "oracle": best | {"note": "chosen by the test labels: not a result, an upper bound"}}
        write_json(self.folder / "scores.json", content)


class Unwritten(CapsuleWriter):
    """The capsule of a process that is not the first of several: the first one writes it, and this one writes nothing."""

    @classmethod
    def create(cls, folder: str | Path, frame: pd.DataFrame, meta: dict[str, Any]) -> Unwritten:
        return cls(folder)

    def note(self, **facts: Any) -> None: ...

    def forget_after(self, epochs: int) -> None: ...

    def add_labels(self, labels: np.ndarray, history: dict[str, Any]) -> None: ...

    def add_features(self, epoch: int, matrix: np.ndarray) -> None: ...

    def add_graph(self, epoch: int, matrix: sparse.csr_array) -> None: ...

    def add_losses(self, rows: list[tuple[int, int, str, str, float, float]]) -> None: ...

    def add_scores(self, epoch: int, scores: dict[str, float]) -> None: ...
