"""One query's ranking, image by image: what counts, what the protocol takes out, and why."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from reidkit.errors import DiagnosisError, nearest_name
from reidkit.evaluate import JUNK, PROTOCOLS

MARKS = ("match", "mismatch", "junk", "same camera")
COLUMNS = {
    "place": "place in the whole ranking, from 1, nothing taken out",
    "rank": "rank among the images that count, from 1; 0 for those taken out",
    "image": "row of the image in the gallery",
    "identity": "its identity",
    "camera": "its camera",
    "distance": "its distance to the query",
    "mark": "one of: " + ", ".join(MARKS),
}


def rank_query(
    distance: Float[np.ndarray, " g"],
    identity: int,
    camera: int,
    gallery_ids: Int[np.ndarray, " g"],
    gallery_cameras: Int[np.ndarray, " g"],
    *,
    protocol: str = "market",
) -> pd.DataFrame:
    """The ranking of one query, nearest first, ties by gallery index; see `COLUMNS`.

    Under ``"market"`` images with the query's identity and camera are taken out, under ``"literal-camera"`` all of its
    camera, under ``"no-camera"`` none; junk (identity -1) always is.
    """
    if protocol not in PROTOCOLS:
        raise DiagnosisError(
            f"Protocol {protocol!r} is unknown.", rule=f"Protocols: {PROTOCOLS}.", action=nearest_name(protocol, PROTOCOLS)
        )
    order = np.argsort(distance, kind="stable")
    who, where = gallery_ids[order], gallery_cameras[order]
    near = where == camera
    removed = {"market": near & (who == identity), "literal-camera": near, "no-camera": np.zeros_like(near)}[protocol]
    frame = pd.DataFrame({"place": np.arange(1, len(order) + 1), "image": order, "identity": who, "camera": where})
    frame["distance"] = distance[order].astype(np.float64)
    frame["mark"] = np.select([who == JUNK, removed, who == identity], ["junk", "same camera", "match"], "mismatch")
    counts = frame["mark"].isin(["match", "mismatch"])
    frame["rank"] = np.where(counts, counts.cumsum(), 0)
    return frame[list(COLUMNS)]


def average_precision(ranking: pd.DataFrame) -> float:
    """Average precision of a ranking, 0 to 1; NaN when nothing in it is a match."""
    ranks = ranking.loc[ranking["mark"] == "match", "rank"].to_numpy()
    return float((np.arange(1, len(ranks) + 1) / ranks).mean()) if len(ranks) else float("nan")
