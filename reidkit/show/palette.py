"""Colours that every eye tells apart (Okabe and Ito), each with a second channel: a shape, a line or a sign."""

from __future__ import annotations

from dataclasses import dataclass

BLACK, GREY = "#000000", "#767676"
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILLION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
COLOURS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, BLACK, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Mark:
    """How one kind of picture is marked: border colour, border line, a sign in its corner, and what that means."""

    colour: str
    line: str
    sign: str
    meaning: str


MARKS = {
    "query": Mark(BLACK, "-", "?", "query"),
    "match": Mark(GREEN, "-", "✓", "match"),
    "mismatch": Mark(VERMILLION, "--", "✗", "mismatch"),
    "junk": Mark(GREY, ":", "J", "junk, not counted"),
    "same camera": Mark(SKY, "-.", "C", "removed: the query's camera"),
    "main": Mark(GREEN, "-", "✓", "the cluster's main identity"),
    "other": Mark(VERMILLION, "--", "✗", "another identity"),
    "unknown": Mark(GREY, ":", "", "identity unknown"),
    "kept": Mark(GREEN, "-", "✓", "in a cluster of its own"),
    "taken": Mark(VERMILLION, "--", "✗", "in another's cluster"),
    "outlier": Mark(GREY, ":", "O", "in no cluster"),
    "centre": Mark(BLACK, "-", "?", "the image itself"),
    "listed": Mark(SKY, "-", "", "in the image's list"),
    "mutual": Mark(GREEN, "-", "=", "lists the image in return"),
    "one-way": Mark(VERMILLION, "--", ">", "does not list it"),
    "joined": Mark(BLUE, "-.", "+", "brought by a member"),
    "lent": Mark(PURPLE, ":", "~", "from a neighbour's row"),
    "partner": Mark(BLACK, "--", "P", "partner"),
    "shared": Mark(GREEN, "-", "=", "in both rows"),
    "unshared": Mark(ORANGE, ":", "", "in one row only"),
    "plain": Mark("none", "-", "", ""),
}


def style(place: int) -> tuple[str, str, str]:
    """Colour, marker and line of the n-th series; colours repeat after eight, with another line."""
    return COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)], LINES[place // len(COLOURS) % len(LINES)]
