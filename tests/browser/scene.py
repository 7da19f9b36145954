"""What the notebooks of these tests look at: a few coloured figures with labels that are partly wrong. Nothing is trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from reidkit.diagnose import Diagnosis, diagnose
from reidkit.diagnose.deletion import SHARES, SIDES, PairDeletion, marked
from reidkit.diagnose.feature_maps import FeatureMaps
from reidkit.records import Records
from tests.toys import toy_records

PEOPLE, EPOCHS = 8, 3
COLUMNS = ["side", "order", "draw", "share", "similarity"]


def images() -> Records:
    return replace(toy_records(people=PEOPLE, cameras=3, shots=2, test_people=2).train, drawn=True)


def features() -> np.ndarray:
    """float32 (N, 6): people on a ring of the first two dimensions, little else."""
    table = images()
    angle = 2 * np.pi * table.class_labels() / PEOPLE
    noise = np.random.default_rng(0).normal(0, 0.05, (len(table), 6))
    noise[:, :2] += np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return noise.astype(np.float32)


def labels(epoch: int = EPOCHS - 1) -> np.ndarray:
    """(N,): the people, more of them right every epoch; the rest have no cluster."""
    own = images().class_labels()
    return np.where(np.random.default_rng(1).random(len(own)) < 0.5 + 0.2 * epoch, own, -1)


def diagnosis() -> Diagnosis:
    table = images()
    return diagnose(labels(), table.camera, identities=table.identity, features=features())


def distances() -> np.ndarray:
    """(N, N) between the features."""
    own = features()
    return np.linalg.norm(own[:, None] - own[None], axis=2)


def groups() -> dict[int, np.ndarray]:
    """Size of a batch-norm group -> features (3, N, 6), steadier the larger the group."""
    noise = np.random.default_rng(2).normal(0, 1, (3, len(images()), 6))
    return {size: features() + noise / size for size in range(4, 21, 4)}


def looks() -> FeatureMaps:
    """Maps, pooled features and gates of three pictures: five features of a network with two halves."""
    draw, pixels = np.random.default_rng(3), images().pixels[:3]
    activity, loss, pooled, gates = (draw.random(k, np.float32) for k in ((5, 3, 4, 2), (5, 3, 16, 8), (2, 3, 12), (2, 3, 12)))
    return FeatureMaps(("g", "u", "l", "g+u", "g+l"), pixels, activity, loss, pooled, gates)


def part_labels() -> np.ndarray:
    """(N, 3): of the whole body and of two halves."""
    return np.stack([labels(epoch) for epoch in range(EPOCHS)], axis=1)


def deletion() -> PairDeletion:
    """A heat map in the middle of two pictures, and a curve that falls when it goes first."""
    pictures = images().pixels[:2]
    rows, columns = np.indices(pictures.shape[1:3])
    maps = np.exp(-((rows - 10) ** 2 + (columns - 8) ** 2) / 30.0).astype(np.float32)[None].repeat(2, axis=0)
    chance = np.random.default_rng(0).random((2, *maps.shape[1:]), np.float32)
    falls = {"most": 0.9, "random": 0.4, "least": 0.1}
    found = [
        (side, order, 0, share, 0.9 - fall * share)
        for side, saliency in zip(SIDES, maps)
        for order, fall in falls.items()
        for share in (*SHARES, marked(saliency))
    ]
    return PairDeletion((0, 1), 0.9, 0.6, pictures, maps, chance, pd.DataFrame(found, columns=COLUMNS))
