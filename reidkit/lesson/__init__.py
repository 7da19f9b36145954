"""What a notebook needs to teach: title card, predictions, exercises with checks, recorded figures."""

from reidkit.lesson.lesson import Lesson

__all__ = ["Lesson"]
