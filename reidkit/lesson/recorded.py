"""Machine seconds of lessons, as recorded runs measured them; title cards promise nothing else.

``python -m reidkit.lesson.recorded RUN_FOLDER...`` takes the seconds of every notebook that passed in those runs into
``recorded.json`` beside this file, which is kept in the repository.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from reidkit.storage import write_json

FILE = Path(__file__).with_name("recorded.json")
Seconds = dict[str, dict[str, float]]  # slug -> profile -> seconds


def recorded_seconds(slug: str, file: Path = FILE) -> dict[str, float]:
    """Profile -> seconds of one lesson; empty when no run was recorded."""
    return _read(file).get(slug, {})


def take_in(runs: Iterable[Path], file: Path = FILE) -> Seconds:
    """Add the seconds of the notebooks that passed, from every ``record.json`` below the folders; what is known stays."""
    known = _read(file)
    for path in sorted(found for run in runs for found in Path(run).rglob("record.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["verdict"] == "passed":
            known.setdefault(Path(record["notebook"]).stem, {})[record["profile"]] = round(float(record["seconds"]), 1)
    write_json(file, known)
    return known


def _read(file: Path) -> Seconds:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


if __name__ == "__main__":
    take_in(map(Path, sys.argv[1:]))
