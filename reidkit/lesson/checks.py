"""Exercises and the judge of answers: it says what differs, on one wrong case shown small."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from html import escape
from numbers import Real

import numpy as np

from reidkit.errors import LessonError
from reidkit.lesson.display import fold, highlighted, inline, panel
from reidkit.show.palette import BLUE, GREEN, ORANGE

DIFFICULTY = {1: "warm-up", 2: "core", 3: "stretch"}
Function = Callable[..., object]


@dataclass(frozen=True)
class Case:
    """Arguments by name, small enough to be read; handed over by position, so a student may name them freely."""

    says: str
    arguments: dict[str, object]


@dataclass(frozen=True)
class Slip:
    """A wrong answer that people really give, and what to tell them when a result looks like it."""

    answer: Function
    tell: str


@dataclass(frozen=True)
class Exercise:
    """One task of a lesson.

    Args:
        key: ``"01-core"``: lesson and place.
        difficulty: 1 warm-up, 2 core, 3 stretch.
        hints: three, each says more than the one before.
        solution: the reference answer; the lesson goes on with it when the student's own is not there yet.
        cases: made on demand, the smallest first, so that the first wrong one is the easiest to read.
        slips: common errors.
        tolerance: largest accepted difference of numbers.
    """

    key: str
    title: str
    difficulty: int
    minutes: int
    hints: tuple[str, str, str]
    solution: Function
    cases: Callable[[], Sequence[Case]]
    slips: tuple[Slip, ...] = ()
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        if self.difficulty not in DIFFICULTY or not all(self.hints):
            raise LessonError(f"Exercise {self.key!r}.", rule="Difficulty is 1, 2 or 3; hints are three.", action="Correct it.")

    @property
    def lesson(self) -> str:
        """The lesson's number."""
        return self.key.split("-", 1)[0]


@dataclass(frozen=True)
class Verdict:
    """What the judge found: ``"right"``, ``"empty"`` (nothing written yet) or ``"wrong"`` with one case."""

    state: str
    reason: str = ""
    case: Case | None = None
    expected: object = None
    got: object = None
    clues: tuple[str, ...] = field(default=())

    @property
    def passed(self) -> bool:
        return self.state == "right"


def judge(exercise: Exercise, answer: Function) -> Verdict:
    """Try `answer` on the cases in order; stop at the first that differs."""
    for position, case in enumerate(exercise.cases()):
        expected = exercise.solution(*deepcopy(list(case.arguments.values())))
        given = deepcopy(list(case.arguments.values()))
        try:
            got = answer(*given)
        except NotImplementedError:
            return Verdict("empty") if position == 0 else Verdict("wrong", "It stops with NotImplementedError.", case, expected)
        except Exception as error:  # whatever a student's code raises is an answer to be shown, not a crash of the lesson
            return Verdict("wrong", f"It stops with {type(error).__name__}: {error}", case, expected)
        if (got is None or got is ...) and position == 0:
            return Verdict("empty")
        reason = difference(expected, got, exercise.tolerance)
        if not reason and any(difference(a, b, 0.0) for a, b in zip(case.arguments.values(), given)):
            reason = "The result is right, but the function changed its arguments; work on a copy."
        if reason:
            return Verdict("wrong", reason, case, expected, got, _clues(exercise, case, got))
    return Verdict("right")


def difference(expected: object, got: object, tolerance: float) -> str:
    """What differs, in words; empty when the two agree. NaN agrees with NaN, lists with arrays of the same numbers."""
    if isinstance(expected, tuple):
        if not isinstance(got, tuple | list) or len(got) != len(expected):
            return f"Expected {len(expected)} values, got {_small(got)}."
        found = [difference(e, g, tolerance) for e, g in zip(expected, got)]
        return next((f"Value {i + 1} of {len(found)}: {text}" for i, text in enumerate(found) if text), "")
    if isinstance(expected, np.ndarray):
        return _array_difference(expected, got, tolerance)
    if isinstance(expected, Real):
        number = _number(got)
        if number is None:
            return f"Expected a number, got {_small(got)}."
        wanted = float(expected)
        same = math.isclose(wanted, number, rel_tol=tolerance, abs_tol=tolerance) or (math.isnan(wanted) and math.isnan(number))
        return "" if same else f"Expected {_small(wanted)}, got {_small(number)}."
    return "" if expected == got else f"Expected {_small(expected)}, got {_small(got)}."


def verdict_html(exercise: Exercise, verdict: Verdict) -> tuple[str, str]:
    """(HTML, plain text) of a verdict; what the student's code returned is escaped like everything else."""
    name = f"{exercise.key}, {exercise.title}"
    if verdict.state == "right":
        text = "Your function passes every case; the lesson goes on with it."
        return panel(f"✔ {name}:", inline(text), GREEN), f"{name}: right. {text}"
    if verdict.state == "empty":
        text = "Nothing written yet; the lesson goes on with the library's function."
        return panel(f"… {name}:", inline(text), BLUE), f"{name}: {text}"
    assert verdict.case is not None
    rows = [*verdict.case.arguments.items(), ("expected", verdict.expected)]
    rows += [("yours", verdict.got)] if verdict.got is not None else []
    table = "\n".join(f"{key:>16} = {_small(value)}" for key, value in rows)
    told = [verdict.reason, *verdict.clues, "The lesson goes on with the library's function."]
    body = f"{inline(verdict.case.says)}<pre style='margin:.4em 0'>{escape(table)}</pre>" + "<br>".join(inline(t) for t in told)
    return panel(f"✘ {name}:", body, ORANGE), "\n".join([f"{name}: not yet. {verdict.case.says}", table, *told])


def header_html(exercise: Exercise) -> tuple[str, str]:
    """(HTML, plain text): title, difficulty and minutes, with three folded hints."""
    text = f"Exercise {exercise.key}: {exercise.title} ({DIFFICULTY[exercise.difficulty]}, about {exercise.minutes} minutes)"
    hints = "".join(
        fold(f"Hint {i}", f"<div style='padding-left:1em'>{inline(h)}</div>") for i, h in enumerate(exercise.hints, 1)
    )
    return panel(text, hints), text


def solution_html(exercise: Exercise) -> tuple[str, str]:
    """(HTML, plain text): the reference solution, folded."""
    code = inspect.getsource(exercise.solution)
    return panel(
        f"Exercise {exercise.key}", fold("Show a solution", highlighted(code))
    ), f"One solution of {exercise.key}:\n{code}"


def _clues(exercise: Exercise, case: Case, got: object) -> tuple[str, ...]:
    """What is known about a wrong result: the common errors that give the very same one here."""
    told = []
    for slip in exercise.slips:
        try:
            looks = slip.answer(*deepcopy(list(case.arguments.values())))
        except Exception:
            continue  # a wrong answer may well fail on a case; then it explains nothing here
        if not difference(looks, got, exercise.tolerance):
            told.append(slip.tell)
    return tuple(told[:1])


def _array_difference(expected: np.ndarray, got: object, tolerance: float) -> str:
    try:
        array = np.asarray(got)
    except (ValueError, TypeError):
        return f"Expected an array of shape {expected.shape}, got {_small(got)}."
    if array.shape != expected.shape:
        return f"Expected shape {expected.shape}, got {array.shape}."
    if array.dtype.kind not in "biuf":
        return f"Expected numbers, got entries of type {array.dtype}."
    wrong = ~np.isclose(array.astype(float), expected.astype(float), rtol=tolerance, atol=tolerance, equal_nan=True)
    if not wrong.any():
        return ""
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"{int(wrong.sum())} of {wrong.size} entries differ, the first at {at}: expected {expected[at]}, got {array[at]}."


def _number(value: object) -> float | None:
    """`value` as a float when it is one number (also a NumPy or torch scalar), else None."""
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else None


def _small(value: object, most: int = 300) -> str:
    """A value as short text."""
    if isinstance(value, np.ndarray):
        text = np.array2string(value, precision=3, suppress_small=True, separator=", ", threshold=60)
        text = text.replace("\n", "\n" + " " * 19)
    else:
        text = f"{value:.6g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"
