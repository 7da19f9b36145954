"""Predict, run, reveal: a question before the run, and an honest comparison after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from reidkit.errors import LessonError, shown
from reidkit.lesson.display import inline, panel
from reidkit.show.palette import BLUE, GREEN, ORANGE

if TYPE_CHECKING:
    from ipywidgets import VBox

Answer = str | float | int
CLOSE = 0.1  # a number counts as close within this share of the range that was offered


@dataclass(frozen=True)
class Question:
    """A question with a closed set of answers or a range of numbers.

    Args:
        choices: the answers to choose from, in the order shown; at least two, all different.
        between: (lowest, highest) number, instead of choices.
        unit: unit of the number.
    """

    key: str
    text: str
    choices: tuple[str, ...] = ()
    between: tuple[float | int, float | int] | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        ranged = self.between is not None and self.between[0] < self.between[1] and not self.choices
        listed = self.between is None and len(set(self.choices)) == len(self.choices) >= 2
        if not (ranged or listed):
            raise LessonError(
                f"Question {self.key!r} offers {self.choices or self.between!r}.",
                rule="A question offers two or more different choices, or a range (low, high).",
                action="Pass choices=[...] or between=(low, high).",
            )

    def accepts(self, answer: object) -> bool:
        """Whether `answer` is one that the question offers."""
        if self.between is None:
            return answer in self.choices
        return isinstance(answer, int | float) and self.between[0] <= answer <= self.between[1]

    def say(self, answer: Answer) -> str:
        """The answer with its unit; numbers with three significant digits."""
        return answer if isinstance(answer, str) else f"{answer:.3g} {self.unit}".strip()


def control(question: Question, stored: Answer | None, keep: Callable[[Answer], None]) -> VBox:
    """The question as ipywidgets, reachable by Tab and the arrow keys; `keep` is called with each answer.

    A failing `keep` is told in the widget: an exception in a browser callback would otherwise go to a console that
    nobody opens.
    """
    import ipywidgets as widgets

    label = widgets.HTML(f"<strong>Predict.</strong> {inline(question.text)}")
    status = widgets.HTML(_kept(question, stored))

    def store(answer: Answer) -> None:
        try:
            keep(answer)
        except Exception as error:
            status.value = f"<span role='alert'>Not kept: {escape(str(error))}</span>"
            raise
        status.value = _kept(question, answer)

    if question.between is None:
        layout = widgets.Layout(width="auto")
        field = widgets.RadioButtons(options=question.choices, value=stored, layout=layout)
        field.observe(lambda change: store(change["new"]), names="value")
        return widgets.VBox([label, field, status])
    low, high = question.between
    number = widgets.BoundedFloatText(value=low if stored is None else stored, min=low, max=high, description=question.unit)
    button = widgets.Button(description="Keep my prediction")
    button.on_click(lambda _: store(number.value))
    return widgets.VBox([label, widgets.HBox([number, button]), status])


def question_html(question: Question) -> str:
    """The question where nobody can answer it."""
    return panel("Predict.", inline(question.text) + f" <em>{escape(_offer(question))}</em>")


def reveal_html(question: Question, answer: Answer | None, outcome: Answer, tell: str, *, asked: bool = True) -> tuple[str, str]:
    """(HTML, plain text) that sets what was predicted beside what came out.

    Args:
        asked: whether somebody was there to answer; if so, a missing prediction can still be made.

    Raises:
        LessonError: when the outcome is none of the choices (a number may leave the range that was offered).
    """
    if isinstance(outcome, str) != (question.between is None) or (isinstance(outcome, str) and not question.accepts(outcome)):
        raise LessonError(
            f"{question.key!r} came out as {outcome!r}.",
            rule=f"The outcome is one of {shown(question.choices)}." if question.choices else "The outcome is a number.",
            action="Map the result to one of the choices in the cell that reveals it.",
        )
    title, remark, colour = _compare(question, answer, outcome, asked)
    body = f"{inline(remark)} {inline(tell)}"
    return panel(title, body, colour), f"{title} {remark} {tell}".strip()


def _compare(question: Question, answer: Answer | None, outcome: Answer, asked: bool) -> tuple[str, str, str]:
    came = f"It came out as: {question.say(outcome)}."
    if answer is None:
        again = " (Answer the question above and run this cell again to compare.)" if asked else ""
        return "No prediction.", came + again, BLUE
    said = f"You predicted: {question.say(answer)}. {came}"
    if isinstance(answer, str) or isinstance(outcome, str) or question.between is None:
        right = answer == outcome
        return ("As predicted.", said, GREEN) if right else ("Not as predicted.", said, ORANGE)
    off = abs(answer - outcome)
    close = off <= CLOSE * (question.between[1] - question.between[0])
    return "Close." if close else "Not as predicted.", f"{said} You were off by {question.say(off)}.", GREEN if close else ORANGE


def _offer(question: Question) -> str:
    if question.between is None:
        return "(" + " / ".join(question.choices) + ")"
    return f"(a number from {question.say(question.between[0])} to {question.say(question.between[1])})"


def _kept(question: Question, answer: Answer | None) -> str:
    return "<em>Not answered yet.</em>" if answer is None else f"<em>Kept: {escape(question.say(answer))}.</em>"
