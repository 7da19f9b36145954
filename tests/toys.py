"""Tiny data sets in memory: coloured figures seen through tinted cameras. Fast enough to train on in a test."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reidkit.records import Records, make_records


def toy_records(
    *,
    people: int = 12,
    cameras: int = 3,
    shots: int = 2,
    test_people: int = 6,
    size: tuple[int, int] = (32, 16),
    tint: float = 0.15,
    seed: int = 0,
) -> Records:
    """`shots` images of every person in every camera; the last `test_people` are query (first shot) and gallery."""
    rng = np.random.default_rng(seed)
    height, width = size
    colours = rng.uniform(0.1, 0.9, (people + test_people, 2, 3))
    tints = 1 + rng.uniform(-tint, tint, (cameras, 3))
    rows, pictures = [], []
    for person in range(people + test_people):
        for camera in range(cameras):
            for shot in range(shots):
                picture = np.full((height, width, 3), 0.5)
                left, right = width // 4, 3 * width // 4
                picture[: height // 2, left:right], picture[height // 2 :, left:right] = colours[person]
                picture = picture * tints[camera] + rng.normal(0, 0.04, picture.shape)
                pictures.append((np.clip(picture, 0, 1) * 255).astype(np.uint8))
                test = "query" if shot == 0 else "gallery"
                split = "train" if person < people else test
                rows.append((f"{person:03d}_{camera}_{shot}.png", person + 1, camera, split))
    frame = pd.DataFrame(rows, columns=["path", "identity", "camera", "split"])
    return make_records(frame, name=f"toy-{seed}", pixels=np.stack(pictures))


def one_query() -> dict[str, np.ndarray]:
    """A query and four gallery images at one distance: right but of its camera, wrong, right, a distractor."""
    return {
        "distance": np.zeros((1, 4)),
        "query_ids": np.array([1]),
        "gallery_ids": np.array([1, 2, 1, 0]),
        "query_cameras": np.array([0]),
        "gallery_cameras": np.array([0, 1, 1, 2]),
    }
