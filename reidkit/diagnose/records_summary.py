"""What a set of images is like before anybody clusters it: how often people were seen, where, and what that tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool

from reidkit.diagnose.columns import natural
from reidkit.diagnose.information import Information, entropy, information
from reidkit.diagnose.text import counted
from reidkit.errors import DiagnosisError, nearest_name
from reidkit.records import DISTRACTOR, JUNK, ImageTable, Records

BITS = float(np.log(2.0))
MOST_VALUES = 12  # a column of decimal numbers with more values than these is cut into ranges
UNITS = {
    "images": "images",
    "identities": "identities",
    "cameras": "cameras",
    "distractors": "images",
    "junk": "images",
    "images_per_identity_min": "images",
    "images_per_identity_median": "images",
    "images_per_identity_max": "images",
    "camera_information": "nats",
    "camera_information_bits": "bits",
    "camera_information_chance": "nats",
    "camera_entropy": "nats",
}


@dataclass(frozen=True, eq=False)
class RecordsSummary:
    """Statistics of a set. People are the identities above 0; distractors and junk are counted apart.

    Attributes:
        statistics: one row a number: `statistic`, `value`, `unit` (see `UNITS`). `camera_information` is I(identity; camera)
            of the people's images, `_chance` its level when identities are shuffled, `camera_entropy` its ceiling H(camera).
        per_camera: one row a camera: `camera`, `images`, `identities`, `distractors`, `junk`.
        cameras_per_identity: one row a number of cameras: `cameras`, `identities` seen by exactly so many.
    """

    statistics: pd.DataFrame
    per_camera: pd.DataFrame
    cameras_per_identity: pd.DataFrame

    def value(self, statistic: str) -> float:
        """One number by its name; raises `DiagnosisError` for a name that is not in `UNITS`."""
        if statistic not in UNITS:
            what = f"No statistic is called {statistic!r}."
            raise DiagnosisError(what, rule=f"Statistics: {tuple(UNITS)}.", action=nearest_name(statistic, UNITS))
        return float(self.statistics.set_index("statistic").at[statistic, "value"])

    def describe(self) -> str:
        """The set in one sentence."""
        v, alone = self.value, self.cameras_per_identity.query("cameras == 1")["identities"].sum()
        images, people = counted(v("images"), "image"), counted(v("identities"), "identity")
        counts = f"{images} of {people} from {counted(v('cameras'), 'camera')}"
        if not v("identities"):
            return f"{counts}."
        per = "/".join(f"{v(f'images_per_identity_{name}'):g}" for name in ("min", "median", "max"))
        told = f"I(identity; camera) {v('camera_information'):.2f} nats ({v('camera_information_bits'):.2f} bits)"
        return f"{counts}; {per} images an identity (min/median/max), {alone} seen by one camera only; {told}."


def records_summary(records: Records, *, permutations: int = 20, seed: int = 0) -> RecordsSummary:
    """Summarise a set, or a split of it (``records.train``: what I(identity; camera) is usually given for).

    Args:
        records: any records.
        permutations, seed: behind the chance level; 0 permutations leave it undefined (NaN).
    """
    identity, camera = records.identity, records.camera
    people = identity > DISTRACTOR
    frame = pd.DataFrame({"identity": identity[people], "camera": camera[people]})
    images = frame.groupby("identity").size()
    views = frame.groupby("identity")["camera"].nunique()
    nothing = Information(float("nan"), float("nan"), float("nan"))
    told = information(identity[people], camera[people], permutations=permutations, seed=seed) if len(frame) else nothing
    low, middle, high = (float(x) for x in images.quantile([0, 0.5, 1])) if len(images) else [float("nan")] * 3
    values = [len(records), len(images), len(np.unique(camera)), (identity == DISTRACTOR).sum(), (identity == JUNK).sum()]
    values += [low, middle, high, float(told), told.bits, told.chance, entropy(camera[people]) if len(frame) else float("nan")]
    statistics = pd.DataFrame({"statistic": list(UNITS), "value": np.array(values, np.float64), "unit": list(UNITS.values())})
    spread = views.value_counts().sort_index().rename_axis("cameras").reset_index(name="identities")
    return RecordsSummary(statistics, _per_camera(records), spread)


def image_groups(table: ImageTable, by: str) -> pd.Series:
    """The group of each image, an ordered categorical of text: its value in the column `by`.

    Cameras have their original names. Columns of decimal numbers with more than `MOST_VALUES` values (a yaw, a light) are cut
    into six ranges with about as many images each; missing values are ``unknown`` and stand last.

    Raises:
        DiagnosisError: when there is no such column.
    """
    if by not in table.frame:
        raise DiagnosisError(
            f"{table.name}: no column {by!r}.", rule="Images are grouped by a column.", action=nearest_name(by, table.frame)
        )
    column = table.frame[by]
    if by == "camera":
        column = column.map(dict(enumerate(table.camera_names)))
    elif pd.api.types.is_float_dtype(column) and column.nunique() > MOST_VALUES:
        ranges = pd.qcut(column, 6, duplicates="drop")
        names = {cut: f"{cut.left:.3g} to {cut.right:.3g}" for cut in ranges.cat.categories}
        named = ranges.astype(object).map(names).where(column.notna(), "unknown")
        order = list(dict.fromkeys(names.values())) + ["unknown"] * bool(column.isna().any())
        return pd.Series(pd.Categorical(named, order, ordered=True))
    text = column.astype(object).map(str).where(column.notna(), "unknown")
    order = sorted(text.unique(), key=lambda name: (name == "unknown", natural(name)))
    return pd.Series(pd.Categorical(text, order, ordered=True))


def group_table(table: ImageTable, groups: pd.Series, keep: Bool[np.ndarray, " n"] | None = None) -> pd.DataFrame:
    """One row a group with images: `group`, `images`, `cameras`, and `identities` (people only) where they are known.

    Args:
        groups: of `image_groups`, row by row the images of `table`.
        keep: which images count; None counts all.
    """
    frame = pd.DataFrame({"group": groups, "camera": table.camera})
    if isinstance(table, Records):
        frame["identity"] = table.identity
    frame = frame if keep is None else frame[keep]
    grouped = frame.groupby("group", observed=True)
    found = pd.DataFrame({"images": grouped.size(), "cameras": grouped["camera"].nunique()})
    if "identity" in frame:
        people = frame[frame["identity"] > DISTRACTOR].groupby("group", observed=True)["identity"].nunique()
        found["identities"] = people.reindex(found.index, fill_value=0).astype(np.int64)
    return found.rename(index=str).rename_axis("group").reset_index()


def _per_camera(records: Records) -> pd.DataFrame:
    frame = pd.DataFrame({"camera": records.camera, "identity": records.identity})
    rows = []
    for camera, name in enumerate(records.camera_names):
        who = frame.loc[frame["camera"] == camera, "identity"]
        counts = {"images": len(who), "identities": who[who > DISTRACTOR].nunique()}
        apart = {"distractors": int((who == DISTRACTOR).sum()), "junk": int((who == JUNK).sum())}
        rows.append({"camera": name, **counts, **apart})
    return pd.DataFrame(rows, columns=["camera", "images", "identities", "distractors", "junk"])
