"""The title card: what a lesson promises, what it needs, how long it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from reidkit.lesson.catalogue import Entry
from reidkit.show.palette import BLUE

PROFILES = ("smoke", "demo", "full")


def card_html(entry: Entry, seconds: Mapping[str, float]) -> str:
    """The card as HTML; every text of the catalogue is escaped."""
    rows = [
        ("You will", _list(entry.objectives)),
        ("You need", _list(entry.prerequisites)),
        ("Reading", f"about {entry.reading_minutes} minutes, exercises not counted"),
        ("Machine", escape(machine_time(seconds))),
        ("Sources", _list(f"{title} ({year})" for title, year in entry.papers)),
    ]
    cell = "padding:.15em .8em .15em 0;vertical-align:top;text-align:left"
    table = "".join(
        f'<tr><th scope="row" style="{cell};white-space:nowrap">{k}</th><td style="{cell}">{v}</td></tr>' for k, v in rows
    )
    frame = (
        f"border:1px solid #8884;border-top:5px solid {BLUE};border-radius:4px;padding:.9em 1.2em;max-width:60em;line-height:1.45"
    )
    head = f"<div style='font-size:1.5em;font-weight:600'>{entry.number} · {escape(entry.title)}</div>"
    promise = f"<div style='margin:.3em 0 .7em'>{escape(entry.promise)}</div>"
    return f'<section style="{frame}" aria-label="Title card">{head}{promise}<table style="margin:0">{table}</table></section>'


def card_text(entry: Entry, seconds: Mapping[str, float]) -> str:
    """The card as plain text."""
    lines = [f"{entry.number} · {entry.title}", entry.promise, "You will:", *(f"  - {o}" for o in entry.objectives)]
    lines += ["You need: " + "; ".join(entry.prerequisites), f"Reading: about {entry.reading_minutes} minutes"]
    lines += ["Machine: " + machine_time(seconds), "Sources: " + "; ".join(f"{t} ({y})" for t, y in entry.papers)]
    return "\n".join(lines)


def machine_time(seconds: Mapping[str, float]) -> str:
    """``smoke 31 s · demo 140 s · full not yet recorded``."""
    said = [
        f"{profile} {seconds[profile]:.0f} s" if profile in seconds else f"{profile} not yet recorded" for profile in PROFILES
    ]
    return " · ".join(said)


def _list(items: Iterable[str]) -> str:
    return "<ul style='margin:0;padding-left:1.1em'>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
