"""The student's own file: what was predicted and which exercises were solved. It never leaves the machine."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from reidkit.storage import lock, write_json

log = logging.getLogger(__name__)
VERSION = 1
Content = dict[str, dict[str, dict[str, object]]]  # lesson -> key -> what is known


def default_path() -> Path:
    """``REIDKIT_PROGRESS`` when set, else ``reidkit/progress.json`` in the user's data folder."""
    asked = os.environ.get("REIDKIT_PROGRESS", "")
    if asked:
        return Path(asked).expanduser()
    base = os.environ.get("XDG_DATA_HOME") or os.environ.get("LOCALAPPDATA") or str(Path.home() / ".local" / "share")
    return Path(base) / "reidkit" / "progress.json"


@dataclass
class Progress:
    """Answers by lesson and key, in one JSON file that is replaced whole at each change.

    Args:
        path: the file; None keeps everything in memory, as headless runs do (they must not touch a student's file).
    """

    path: Path | None = None
    memory: Content = field(default_factory=dict)

    def get(self, lesson: str, key: str) -> dict[str, object]:
        """What is known under `key` of `lesson`; empty when nothing is."""
        return dict(self._read().get(lesson, {}).get(key, {}))

    def put(self, lesson: str, key: str, **values: object) -> None:
        """Add `values` to what is known under `key`, with the time of the change."""

        def change(content: Content) -> None:
            entry = content.setdefault(lesson, {}).setdefault(key, {})
            entry.update(values, when=datetime.now(UTC).isoformat(timespec="seconds"))

        self._change(change)

    def forget(self, lesson: str) -> None:
        """Drop everything kept for `lesson`, to start it afresh."""

        def change(content: Content) -> None:
            content.pop(lesson, None)

        self._change(change)

    def _change(self, change: Callable[[Content], None]) -> None:
        if self.path is None:
            change(self.memory)
            return
        with lock(self.path.with_name(self.path.name + ".lock")):  # two notebooks may be open at once
            content = self._read()
            change(content)
            write_json(self.path, {"version": VERSION, "lessons": content})

    def _read(self) -> Content:
        if self.path is None:
            return self.memory
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            lessons = content["lessons"]
            if content["version"] != VERSION or not isinstance(lessons, dict):
                raise ValueError("another version")
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError) as error:
            aside = self.path.with_suffix(".damaged.json")
            log.warning("%s cannot be read (%s); it is kept as %s and a new file begins.", self.path, error, aside.name)
            self.path.replace(aside)
            return {}
        return lessons
