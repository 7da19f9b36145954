"""What each lesson promises, from ``catalogue.toml``: the source of its title card and of every table of lessons."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from reidkit.errors import LessonError, nearest_name


@dataclass(frozen=True)
class Entry:
    """One lesson.

    Attributes:
        slug: ``NN_name``, the name of the notebook without its suffix; links and records use it for good.
        promise: one sentence.
        objectives: at most four, each begins with a verb ("compute ...").
        prerequisites: what the reader should know, or slugs of earlier lessons.
        reading_minutes: minutes to read and answer, exercises left out.
        papers: (title, year) of the sources.
        slow: profile -> what takes long there, in words.
    """

    slug: str
    title: str
    promise: str
    objectives: tuple[str, ...]
    prerequisites: tuple[str, ...]
    reading_minutes: int
    papers: tuple[tuple[str, int], ...]
    slow: dict[str, str]

    @property
    def number(self) -> str:
        """The two digits that the slug begins with."""
        return self.slug[:2]


@cache
def entries() -> tuple[Entry, ...]:
    """All lessons in the order of their numbers."""
    text = (files("reidkit.lesson") / "catalogue.toml").read_text(encoding="utf-8")
    found = []
    for slug, row in tomllib.loads(text).items():
        papers = tuple((str(paper["title"]), int(paper["year"])) for paper in row.get("papers", []))
        found.append(
            Entry(
                slug=slug,
                title=row["title"],
                promise=row["promise"],
                objectives=tuple(row["objectives"]),
                prerequisites=tuple(row.get("prerequisites", [])),
                reading_minutes=row["reading_minutes"],
                papers=papers,
                slow=dict(row.get("slow", {})),
            )
        )
    return tuple(sorted(found, key=lambda entry: entry.slug))


def find_entry(name: str | int) -> Entry:
    """The lesson with this number (``1``, ``"01"``) or slug.

    Raises:
        LessonError: naming the nearest lesson.
    """
    text = f"{name:02d}" if isinstance(name, int) else name
    for entry in entries():
        if text in (entry.slug, entry.number):
            return entry
    raise LessonError(
        f"There is no lesson {name!r}.",
        rule="A lesson has an entry in reidkit/lesson/catalogue.toml.",
        action=nearest_name(text, [entry.slug for entry in entries()]),
    )
