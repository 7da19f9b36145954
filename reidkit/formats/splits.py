"""Train, query and gallery for sets that come without: seeded, and by identity."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reidkit.errors import FormatError
from reidkit.records import DISTRACTOR


def split_identities(frame: pd.DataFrame, *, train: float = 0.6, queries: int = 2, seed: int = 0) -> pd.Series:
    """Splits for a table of `identity` and `camera`: some identities train, the others are searched across cameras.

    A share `train` of the identities is drawn for training. Of every other identity, `queries` cameras are drawn at random
    and the images from them are queries; the rest is its gallery. An identity seen by fewer than two cameras cannot be
    searched across cameras and stays in the gallery as a wrong answer. Distractors and junk are gallery.

    Args:
        frame: with the columns identity (integers or names) and camera.
        train: share of identities for training, 0 to 1 (rounded to whole identities).
        queries: cameras of an identity whose images become queries; at least one camera is left for the gallery.
        seed: of the draw; equal tables and seeds give equal splits.

    Returns:
        Series of ``train``, ``query`` and ``gallery``, row by row.
    """
    if not 0 <= train <= 1 or queries < 1:
        raise FormatError(
            f"train={train}, queries={queries}.", rule="train is 0 to 1; queries is at least 1.", action="Correct the settings."
        )
    generator = np.random.default_rng(seed)
    identity = frame["identity"].to_numpy()
    someone = ~pd.Series(identity).isin([DISTRACTOR, -1]).to_numpy()
    names = np.unique(identity[someone])
    learnt = set(names[generator.permutation(len(names))[: round(train * len(names))]].tolist())
    split = pd.Series("gallery", index=frame.index, dtype=object)
    groups = pd.Series(np.arange(len(frame)))[someone].groupby(identity[someone], sort=True)
    for name, rows in groups:
        if name in learnt:
            split.iloc[rows] = "train"
            continue
        cameras = frame["camera"].iloc[rows].to_numpy()
        seen = np.unique(cameras)
        chosen = generator.permutation(seen)[: min(queries, len(seen) - 1)]
        split.iloc[rows.to_numpy()[np.isin(cameras, chosen)]] = "query"
    return split.astype(str)
