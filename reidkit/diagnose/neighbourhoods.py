"""What sets of neighbours are made of, read with the truth: people, cameras, hubs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int

from reidkit.errors import DiagnosisError

COLUMNS = {
    "size": "mean members of a set, the image itself left out",
    "precision": "share of all members that show the image's person, 0 to 1",
    "recall": "share of all pairs of one person that are in a set, 0 to 1",
    "same_camera": "share of all members from the image's camera, 0 to 1",
    "cross_camera_recall": "share of the pairs of one person from two cameras that are in a set, 0 to 1",
}


def set_scores(sets: Sequence[np.ndarray], identity: Int[np.ndarray, " n"], camera: Int[np.ndarray, " n"]) -> dict[str, float]:
    """Scores of one set of neighbours for each image (see `COLUMNS`); NaN where nothing can be counted.

    Args:
        sets: row numbers, one array an image; the image itself does not count.
        identity, camera: of all N images.

    Raises:
        DiagnosisError: when sets, identities and cameras differ in number.
    """
    if not len(sets) == len(identity) == len(camera):
        raise DiagnosisError(
            f"{len(sets)} sets, {len(identity)} identities, {len(camera)} cameras.",
            rule="One each an image.",
            action="Align them.",
        )
    row = np.repeat(np.arange(len(sets)), [len(members) for members in sets])
    member = np.concatenate([np.asarray(members, np.int64) for members in sets])
    row, member = row[row != member], member[row != member]
    person, place = identity[row] == identity[member], camera[row] == camera[member]
    all_pairs = _ordered_pairs(identity)
    own_camera = _ordered_pairs(np.unique(np.stack([identity, camera]), axis=1, return_inverse=True)[1].ravel())
    return {
        "size": len(row) / len(sets),
        "precision": _share(person.sum(), len(row)),
        "recall": _share(person.sum(), all_pairs),
        "same_camera": _share(place.sum(), len(row)),
        "cross_camera_recall": _share((person & ~place).sum(), all_pairs - own_camera),
    }


def score_steps(
    steps: dict[str, Sequence[np.ndarray]], identity: Int[np.ndarray, " n"], camera: Int[np.ndarray, " n"]
) -> pd.DataFrame:
    """`set_scores` of several kinds of sets, one row each."""
    return pd.DataFrame({name: set_scores(sets, identity, camera) for name, sets in steps.items()}).T[list(COLUMNS)]


def popularity(lists: Int[np.ndarray, "n k"], images: int) -> Int[np.ndarray, " images"]:
    """In how many lists each image occurs (its N_k; a *hub* occurs in many); the image itself does not count.

    Source: "Hubs in Space: Popular Nearest Neighbors in High-Dimensional Data" (2010), section 2.
    """
    others = lists[lists != np.arange(len(lists))[:, None]]
    return np.bincount(others, minlength=images)


def _ordered_pairs(group: np.ndarray) -> int:
    """Ordered pairs of different images with one group."""
    counts = np.unique(group, return_counts=True)[1]
    return int((counts * (counts - 1)).sum())


def _share(part: int | np.integer, whole: int | np.integer) -> float:
    return float(part / whole) if whole else float("nan")
