"""The one exception family: every refusal names what is wrong, the rule it breaks and the next action."""

from collections.abc import Iterable, Sequence


class ReidkitError(Exception):
    """Anything reidkit refuses to do.

    Args:
        what: what was found, naming the file, row, column or step.
        rule: the rule it breaks, as a sentence that holds in general.
        action: what the reader can do next.
    """

    def __init__(self, what: str, *, rule: str = "", action: str = "") -> None:
        self.what, self.rule, self.action = what, rule, action
        super().__init__("\n".join([what] + [f"{k}: {v}" for k, v in (("Rule", rule), ("Do", action)) if v]))


class StorageError(ReidkitError):
    """The file system refuses to hold a result."""


class RecordsError(ReidkitError):
    """A table of images breaks one of its rules."""


class FormatError(ReidkitError):
    """A data set on disk cannot be read as the layout it should have."""


class ImageError(ReidkitError):
    """A file cannot be decoded as a picture."""


class ModelError(ReidkitError):
    """A network cannot be built, or weights do not fit it."""


class LabelsError(ReidkitError):
    """Pseudo-labels cannot be made from what was given."""


class EvaluationError(ReidkitError):
    """A ranking cannot be scored as asked."""


class TrainingError(ReidkitError):
    """A run cannot start, go on or be resumed."""


class CapsuleError(ReidkitError):
    """A run on disk is missing, damaged or of another kind."""


class DiagnosisError(ReidkitError):
    """Labels, cameras and the rest do not fit together."""


class LessonError(ReidkitError):
    """A notebook was used in a way that it cannot follow."""


class BenchError(ReidkitError):
    """A measurement cannot be made as asked."""


class RunnerError(ReidkitError):
    """A headless run was asked for something that it cannot do."""


def shown(items: Iterable[object], most: int = 5) -> str:
    """The first `most` items as text, with the number of those left out: ``'a', 'b' and 7 more``."""
    kept: Sequence[object] = [item.item() if hasattr(item, "item") else item for item in items]  # NumPy numbers, plainly
    text = ", ".join(repr(item) for item in kept[:most])
    return text + (f" and {len(kept) - most} more" if len(kept) > most else "")


def nearest_name(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name: the closest known ones first, else all of them."""
    from difflib import get_close_matches

    names = sorted(known)
    close = get_close_matches(name, names, n=3)
    return f"Did you mean {shown(close)}?" if close else f"Known: {shown(names, 20)}."
