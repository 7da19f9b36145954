"""What is read from a run: curves over its clusterings, and one number of a curve by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reidkit.bench.pairs import finite
from reidkit.capsule import Capsule
from reidkit.diagnose import diagnose
from reidkit.diagnose.convergence import peak_step
from reidkit.errors import BenchError
from reidkit.method import Method
from reidkit.records import Records
from reidkit.training import rank

CURVES = {
    "map": "mAP on the test images after each clustering's training, 0..1",
    "rank1": "rank-1, likewise",
    "clusters": "clusters",
    "portion": "share of the training images that are kept, 0..1",
    "excess": "I(label; camera) minus its mean under shuffled labels, nats, images in clusters",
    "single_camera": "share of the clusters that one camera alone sees",
    "lost": "identities that are the majority of no cluster",
    "identity": "adjusted mutual information of labels and identities, images in clusters",
}


def curves(run: Capsule, cameras: np.ndarray, truth: np.ndarray) -> dict[str, list[float | None]]:
    """`CURVES` of a run, one entry a clustering; labels of the first view where there are several."""
    begun = [epoch for epoch, entry in enumerate(run.history) if entry.get("step", "begins") == "begins"]
    found: dict[str, list[float]] = {name: [] for name in CURVES}
    scores = run.scores
    for start, stop in zip(begun, [*begun[1:], run.epochs], strict=True):
        judged = scores[(scores["epoch"] >= start) & (scores["epoch"] < stop)] if len(scores) else scores
        last = judged.iloc[-1] if len(judged) else {"mean_ap": float("nan"), "rank1": float("nan")}
        made = diagnose(run.labels[start], cameras, identities=truth)
        score = made.score
        row = {"map": last["mean_ap"], "rank1": last["rank1"], "clusters": score("clusters"), "portion": score("coverage")}
        row["excess"] = score("camera_information") - score("camera_information_chance")
        row |= {"single_camera": score("single_camera_clusters"), "lost": score("lost"), "identity": score("ami")}
        for name, value in row.items():
            found[name].append(float(value))
    return {name: finite(values) for name, values in found.items()}


def value(numbers: dict[str, Any], measure: str) -> float:
    """One number of a run: ``"map.last"``, ``"map.first"``, ``"map.peak"`` (index of the first step within 0.1 points of
    the best), or a plain name; NaN where it is not there.
    """
    name, dot, at = measure.partition(".")
    if name not in numbers:
        return float("nan")
    found = np.array(numbers[name], dtype=np.float64)  # None becomes NaN
    if not dot:
        return float(found)
    if at == "peak":
        return float(peak_step(found)) if np.isfinite(found).any() else float("nan")
    if at not in ("first", "last"):
        raise BenchError(f"Measure {measure!r}.", rule="A curve is read at first, last or peak.", action="Use one of them.")
    return float(found[0 if at == "first" else -1])


class Part(nn.Module):
    """One of the features that stand side by side in what a method's function returns."""

    def __init__(self, method: Method, function: str, part: int) -> None:
        super().__init__()
        self.method, self.function, self.part = method, function, part

    def embed(self, images: Tensor) -> Tensor:
        features: Tensor = getattr(self.method, self.function)(images)
        return features.unflatten(1, (self.method.parts, -1))[:, self.part]


@torch.no_grad()
def part_scores(method: Method, world: Records, size: tuple[int, int]) -> dict[str, float]:
    """mAP of LF2's features one at a time: the teacher's g, u, l (``alone_``) and what the fusion makes of them (``fused_``)."""
    found = {}
    for prefix, function in (("alone", "embed_test"), ("fused", "embed")):
        for part, name in enumerate(("whole", "upper", "lower")):
            scores = rank(Part(method, function, part).embed, world, size=size, flip=method.flip)
            found[f"{prefix}_{name}"] = float(scores.mean_ap)
    return found
