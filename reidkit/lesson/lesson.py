"""The one object that a notebook talks to."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import SupportsFloat

from IPython.display import display
from matplotlib.figure import Figure

from reidkit.errors import LessonError
from reidkit.lesson import checks
from reidkit.lesson.card import PROFILES, card_html, card_text
from reidkit.lesson.catalogue import Entry, find_entry
from reidkit.lesson.display import highlighted, inline, panel, show_html, without_docstring
from reidkit.lesson.exercises import exercises_of, find_exercise
from reidkit.lesson.predictions import Answer, Question, control, question_html, reveal_html
from reidkit.lesson.progress import Progress, default_path
from reidkit.lesson.record import metric, show_metric
from reidkit.lesson.recorded import recorded_seconds
from reidkit.show.picture import Picture
from reidkit.show.widget import View, headless


@dataclass
class Lesson:
    """A lesson in progress: its card, questions, exercises and recorded figures.

    Attributes:
        entry: what the catalogue says about it.
        profile: ``"smoke"``, ``"demo"`` or ``"full"``.
        seed: of everything random in the notebook.
        out: folder for what the notebook makes (capsules).
        progress: the student's file; in memory when nobody is there to answer.
        figures: what `record` was given, by name.
    """

    entry: Entry
    profile: str
    seed: int
    out: Path
    progress: Progress
    figures: dict[str, dict[str, object]] = field(default_factory=dict)
    questions: dict[str, Question] = field(default_factory=dict)

    @classmethod
    def open(cls, name: str | int, *, profile: str = "demo", seed: int = 0, out: str | Path = "") -> Lesson:
        """Begin the lesson with this number or slug.

        Args:
            out: folder for capsules; empty means ``runs/<slug>/<profile>-<seed>`` below the working folder.

        Raises:
            LessonError: when there is no such lesson or profile.
        """
        if profile not in PROFILES:
            raise LessonError(f"Profile {profile!r}.", rule=f"A profile is one of {PROFILES}.", action="Correct the parameter.")
        entry = find_entry(name)
        folder = Path(out) if str(out) else Path("runs") / entry.slug / f"{profile}-{seed}"
        return cls(entry, profile, seed, folder, Progress(None if headless() else default_path()))

    def setup(self) -> None:
        """Seeds, threads and a three-line report of the environment; calling it again changes nothing."""
        from reidkit.lesson.environment import environment_lines, prepare

        prepare(self.seed, self.entry.number)
        slow = self.entry.slow.get(self.profile, "nothing.")
        lines = [*environment_lines(self.profile, self.seed), f"What takes long in profile {self.profile}: {slow}"]
        show_html("".join(f"<div style='font-size:.9em'>{inline(line)}</div>" for line in lines), "\n".join(lines))

    def card(self) -> None:
        """Show the title card."""
        seconds = recorded_seconds(self.entry.slug)
        show_html(card_html(self.entry, seconds), card_text(self.entry, seconds))

    def predict(
        self,
        key: str,
        question: str,
        *,
        choices: list[str] | tuple[str, ...] = (),
        between: tuple[float | int, float | int] | None = None,
        unit: str = "",
    ) -> None:
        """Ask before the run; the answer is kept in the student's own file. Without a reader nothing is asked."""
        asked = self.questions[key] = Question(key, question, tuple(choices), between, unit)
        if headless():
            show_html(question_html(asked), f"Predict. {question} (no prediction: nobody is there to answer)")
            return
        stored = self._answer(asked)
        display(control(asked, stored, lambda answer: self.progress.put(self.entry.number, f"predict:{key}", answer=answer)))

    def reveal(self, key: str, outcome: str | SupportsFloat, *, tell: str = "") -> None:
        """Set what was predicted beside what came out, and say why."""
        if key not in self.questions:
            raise LessonError(
                f"Nothing was asked under {key!r}.", rule="predict comes before reveal.", action="Run that cell first."
            )
        asked = self.questions[key]
        came: Answer = outcome if isinstance(outcome, str) else float(outcome)
        answer = self._answer(asked)
        show_html(*reveal_html(asked, answer, came, tell, asked=not headless()))
        if answer is not None:
            self.progress.put(self.entry.number, f"predict:{key}", outcome=came, profile=self.profile, seed=self.seed)

    def exercise(self, key: str) -> None:
        """Show an exercise's title, difficulty and minutes, with three folded hints."""
        show_html(*checks.header_html(find_exercise(key)))

    def attempt(self, key: str, answer: checks.Function) -> checks.Function:
        """Judge `answer`: it comes back when it is right, else the library's function does, and what differs is shown."""
        exercise = find_exercise(key)
        verdict = checks.judge(exercise, answer)
        show_html(*checks.verdict_html(exercise, verdict))
        if verdict.state != "empty":
            self.progress.put(self.entry.number, f"exercise:{key}", state=verdict.state)
        return answer if verdict.passed else exercise.solution

    def solution(self, key: str) -> None:
        """Show one solution, folded."""
        show_html(*checks.solution_html(find_exercise(key)))

    def exercises(self) -> tuple[checks.Exercise, ...]:
        """The exercises of this lesson."""
        return exercises_of(self.entry.number)

    def source(self, function: Callable[..., object]) -> None:
        """Show the very code that computes something, its docstring left out."""
        target = inspect.unwrap(function)
        code = without_docstring(textwrap.dedent(inspect.getsource(target)))
        name = f"{target.__module__}.{target.__qualname__}"
        show_html(panel(name, highlighted(code)), f"{name}\n{code}")

    def show(self, view: View) -> None:
        """A widget with a sentence that says what it shows now; its static twin where no one can turn it."""
        display(view.show())
        if headless():
            show_html(f"<p style='max-width:60em'>{inline(view.describe())}</p>", view.describe())

    def figure(self, figure: Figure, alt: str) -> None:
        """Show a matplotlib figure with a text description."""
        display(Picture(figure, alt))

    def record(self, name: str, value: object, unit: str, direction: str | None = None) -> None:
        """Record a figure that this run is judged by; ``direction`` is ``"higher"`` or ``"lower"`` when one is better."""
        self.figures[name] = metric(name, value, unit, direction)
        show_metric(self.figures[name])

    def _answer(self, question: Question) -> Answer | None:
        """The stored answer, unless the question has changed since."""
        stored = self.progress.get(self.entry.number, f"predict:{question.key}").get("answer")
        return stored if isinstance(stored, str | float | int) and question.accepts(stored) else None
