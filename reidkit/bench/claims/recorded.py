"""The recorded verdicts as a table, for lessons: script and lessons read one record."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from reidkit.bench.claims.data import CLAIMS, claims_named
from reidkit.bench.claims.verdict import verdicts

RECORD = Path("docs") / "records" / "claims.json"
COLUMNS = ("sentence", "source", "effect", "spread", "seeds", "low", "high", "verdict")


def record_path() -> Path | None:
    """The record in the project that the working directory or this package lies in; None when there is none."""
    places = (Path.cwd().resolve(), Path(__file__).resolve())
    found = (folder / RECORD for place in places for folder in (place, *place.parents))
    return next((path for path in found if path.is_file()), None)


def recorded_claims(*ids: str, path: Path | None = None) -> pd.DataFrame:
    """Verdicts of `reidkit bench claims` as they were recorded, index (claim, world).

    Args:
        ids: numbers of claims (``"C-25"``); none means all.
        path: the record; None looks for ``docs/records/claims.json``.

    Returns:
        sentence, source; effect (mean over seeds of the claim's contrast, in its measure's unit), spread (standard deviation,
        n - 1), seeds; low and high, the ends of the 90 % interval; verdict. Empty where nothing is recorded.

    Raises:
        BenchError: no claim has that number.
    """
    wanted = {claim.id: claim for claim in (claims_named(ids) if ids else CLAIMS)}
    path = path or record_path()
    runs = json.loads(path.read_text(encoding="utf-8"))["runs"] if path is not None else {}
    rows = []
    for one in verdicts(runs, tuple(wanted.values())):
        claim, (low, high) = wanted[one.claim], one.interval or (None, None)
        values = (claim.sentence, claim.source, one.mean, one.spread, len(one.effects), low, high, one.word)
        rows.append((one.claim, one.world, *values))
    return pd.DataFrame(rows, columns=["claim", "world", *COLUMNS]).set_index(["claim", "world"])
