"""The exercises of the lessons: one module a lesson, ``ex01`` for lesson 01, with a tuple called ``EXERCISES``."""

from importlib import import_module
from pkgutil import iter_modules

from reidkit.errors import LessonError, nearest_name
from reidkit.lesson.checks import Exercise


def lessons_with_exercises() -> list[str]:
    """The numbers of the lessons that have a module here."""
    return sorted(module.name[2:] for module in iter_modules(__path__) if module.name.startswith("ex"))


def exercises_of(lesson: str) -> tuple[Exercise, ...]:
    """The exercises of a lesson by its two digits, from warm-up to stretch; none when it has no module."""
    if lesson not in lessons_with_exercises():
        return ()
    found: tuple[Exercise, ...] = import_module(f"{__name__}.ex{lesson}").EXERCISES
    return found


def find_exercise(key: str) -> Exercise:
    """The exercise called `key`, for instance ``"01-core"``.

    Raises:
        LessonError: naming the nearest one.
    """
    known = {exercise.key: exercise for lesson in lessons_with_exercises() for exercise in exercises_of(lesson)}
    if key not in known:
        raise LessonError(
            f"There is no exercise {key!r}.", rule="Exercises are called <lesson>-<place>.", action=nearest_name(key, known)
        )
    return known[key]
