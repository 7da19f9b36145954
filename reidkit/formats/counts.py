"""The published numbers of images and identities of each set, to tell a complete copy from another one.

Sources: the papers and list files, as collected in thesis family 8.2 of the method references. Identities are people:
distractors (0) and junk (-1) are not counted.
"""

from __future__ import annotations

import logging

import pandas as pd

from reidkit.errors import FormatError
from reidkit.records import SPLITS, Records

log = logging.getLogger(__name__)

# name -> split -> (images, identities); None where no figure is published.
PUBLISHED: dict[str, dict[str, tuple[int | None, int | None]]] = {
    "Market-1501": {"train": (12936, 751), "query": (3368, 750), "gallery": (19732, 750)},
    "DukeMTMC-reID": {"train": (16522, 702), "query": (2228, 702), "gallery": (17661, 1110)},
    "MSMT17-V1": {"train": (32621, 1041), "query": (11659, 3060), "gallery": (82161, 3060)},
    "MSMT17-V2": {"train": (32621, 1041), "query": (11659, 3060), "gallery": (82161, 3060)},
    "CUHK03-NP labeled": {"train": (7368, 767), "query": (1400, 700), "gallery": (5328, 700)},
    "CUHK03-NP detected": {"train": (7365, 767), "query": (1400, 700), "gallery": (5332, 700)},
    "MARS": {"train": (509914, 625), "query": (None, 626), "gallery": (None, None)},
    "PersonX": {"train": (9840, 410), "query": (5136, 856), "gallery": (30816, 856)},
    "UnrealPerson": {"train": (120000, 3000), "query": (0, 0), "gallery": (0, 0)},
    "VIPeR": {"train": (632, 316), "query": (316, 316), "gallery": (316, 316)},
    "GRID": {"train": (250, 125), "query": (125, 125), "gallery": (900, 125)},
    "PRID-2011": {"train": (200, 100), "query": (100, 100), "gallery": (649, 649)},
    "PRID-2011 b-to-a": {"train": (200, 100), "query": (100, 100), "gallery": (285, 285)},
    "PRID-2011 untrained": {"train": (0, 0), "query": (200, 200), "gallery": (749, 749)},
    "PRID-2011 untrained b-to-a": {"train": (0, 0), "query": (200, 200), "gallery": (385, 385)},
    "CUHK01": {"train": (1940, 485), "query": (972, 486), "gallery": (972, 486)},
    "CUHK01 hundred": {"train": (3484, 871), "query": (200, 100), "gallery": (200, 100)},
}


def compare_counts(records: Records) -> pd.DataFrame:
    """Published and found numbers, split by split; empty when the set has no published ones.

    Returns:
        Data frame indexed by split with `images`, `published_images`, `identities`, `published_identities` and `agrees`.
    """
    published = PUBLISHED.get(records.name)
    if published is None:
        return pd.DataFrame(columns=["images", "published_images", "identities", "published_identities", "agrees"])
    found = records.summary()[["images", "identities"]]
    table = found.assign(
        published_images=[published[split][0] for split in SPLITS], published_identities=[published[split][1] for split in SPLITS]
    )
    for column in ("published_images", "published_identities"):
        table[column] = table[column].astype("Int64")
    images = table["published_images"].isna() | (table["published_images"] == table["images"]).fillna(False)
    people = table["published_identities"].isna() | (table["published_identities"] == table["identities"]).fillna(False)
    return table.assign(agrees=(images & people).astype(bool))


def warn_of_counts(records: Records) -> None:
    """Log the splits whose numbers are not the published ones."""
    table = compare_counts(records)
    for split, row in table[~table["agrees"].astype(bool)].iterrows():
        log.warning(
            "%s %s: %d images of %d identities, published %s of %s: not the complete published set.",
            records.name,
            split,
            row["images"],
            row["identities"],
            row["published_images"],
            row["published_identities"],
        )


def require_counts(records: Records) -> Records:
    """`records`, when every published number is met.

    Raises:
        FormatError: with the table of differences.
    """
    table = compare_counts(records)
    if table.empty or not table["agrees"].all():
        raise FormatError(
            f"{records.name}: the numbers are not the published ones:\n{table}",
            rule="A complete copy has the published numbers of images and identities.",
            action="Complete the copy, or go on with what is there and say so in what you report.",
        )
    return records
