"""One image's way through the encoding, as a table: what the step-through of lesson 05 shows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reidkit.errors import LabelsError
from reidkit.jaccard.dense import DenseSteps, reciprocal_set

STEPS = ("neighbours", "reciprocal", "expansion", "weights", "overlap")
COLUMNS = {
    "image": "row of another image, or of the image itself",
    "rank": "its place in the image's list, 0 is the image itself; missing when it is not in the list",
    "distance": "squared distance to the image",
    "rank_back": "the image's place in its list; missing when it is not in that list",
    "listed": "whether it is among the image's neighbours, itself included",
    "mutual": "whether it is in the k1-reciprocal set R",
    "expanded": "whether it is in the expanded set R*",
    "share": "share of its half-size set that lies in R; missing outside R",
    "brought_by": "members of R whose half-size sets brought it into R*",
    "weight": "V of the image before query expansion",
    "encoding": "V of the image after it",
    "partner": "V of the partner after it",
    "smaller": "the smaller of the last two",
    "larger": "the larger of them",
}


def trace(steps: DenseSteps, image: int, partner: int, k1: int) -> pd.DataFrame:
    """Every image that plays a part between `image` and `partner`, in the order of the image's list (see `COLUMNS`).

    One minus the sum of `smaller` over the sum of `larger` is the Jaccard distance of the two.

    Args:
        steps: what `dense_steps` kept; `k1` as it was there.
        image, partner: rows, 0 to N - 1.

    Raises:
        LabelsError: for a row that is not there.
    """
    images = len(steps.distance)
    for name, row in (("image", image), ("partner", partner)):
        if not 0 <= row < images:
            raise LabelsError(f"{name} = {row}.", rule=f"Rows are 0 to {images - 1}.", action="Choose one of them.")
    own, other = steps.encoding[image], steps.encoding[partner]
    place, back = _places(steps.rank, image)
    near = np.maximum(steps.distance[image], 0.0)
    frame = pd.DataFrame({"image": np.arange(images), "rank": place, "distance": near, "rank_back": back})
    frame["listed"] = (place <= k1).fillna(False).to_numpy(bool)
    frame["mutual"] = np.isin(frame["image"], steps.reciprocal[image])
    frame["expanded"] = np.isin(frame["image"], steps.expanded[image])
    halves = {int(j): reciprocal_set(steps.rank, int(j), round(k1 / 2) + 1) for j in steps.reciprocal[image]}
    shares = {j: float(np.isin(half, steps.reciprocal[image]).mean()) for j, half in halves.items() if len(half)}
    frame["share"] = frame["image"].map(shares).astype(np.float64)
    givers = [j for j, half in halves.items() if 3 * np.isin(half, steps.reciprocal[image]).sum() > 2 * len(half)]
    new = frame["expanded"] & ~frame["mutual"]
    frame["brought_by"] = [tuple(j for j in givers if fresh and row in halves[j]) for row, fresh in enumerate(new)]
    frame["weight"], frame["encoding"], frame["partner"] = steps.weights[image], own, other
    frame["smaller"], frame["larger"] = np.minimum(own, other), np.maximum(own, other)
    kept = frame["listed"] | frame["expanded"] | (frame["larger"] > 0)
    return frame[kept].sort_values(["rank", "distance", "image"], kind="stable").reset_index(drop=True)


def rows_of(table: pd.DataFrame, step: str) -> pd.DataFrame:
    """The rows of a trace that one of `STEPS` is about."""
    kept = {
        "neighbours": table["listed"],
        "reciprocal": table["listed"],
        "expansion": table["expanded"],
        "weights": table["encoding"] + table["weight"] > 0,
        "overlap": table["larger"] > 0,
    }[step]
    return table[kept].reset_index(drop=True)


def _places(rank: np.ndarray, image: int) -> tuple[pd.Series, pd.Series]:
    """Where each image stands in the list of `image`, and where `image` stands in each list."""
    place = pd.Series(np.full(len(rank), -1), dtype="Int64")
    place[rank[image]] = np.arange(rank.shape[1])
    found = rank == image
    back = pd.Series(np.where(found.any(axis=1), found.argmax(axis=1), -1), dtype="Int64")
    return place.mask(place < 0), back.mask(back < 0)
