"""Parameters of a notebook: read from its ``parameters`` cell by syntax alone, and checked before a kernel starts.

papermill takes any name and any type and only warns; a misspelt parameter then runs the defaults in silence.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from nbformat import NotebookNode

from reidkit.errors import RunnerError, nearest_name, shown

TAG = "parameters"
KINDS: dict[str, type] = {kind.__name__: kind for kind in (str, int, float, bool, list, dict, tuple)}


@dataclass(frozen=True)
class Parameter:
    """One line of the ``parameters`` cell.

    Attributes:
        kind: the type a value must have; None when nothing is said about it.
        default: the literal in the notebook.
        optional: whether None is a value (``int | None``).
        choices: the only values allowed (``Literal["a", "b"]``); empty when any will do.
    """

    name: str
    kind: type | None
    default: object
    optional: bool = False
    choices: tuple[object, ...] = ()

    @property
    def required(self) -> bool:
        """Whether a run must give a value: the notebook has None where None is no value."""
        return self.default is None and not self.optional

    @property
    def wanted(self) -> str:
        """What a value must be, in words."""
        if self.choices:
            return "one of " + shown(self.choices, 20)
        return (self.kind.__name__ if self.kind else "a literal") + (" or None" if self.optional else "")

    def parse(self, text: str) -> object:
        """The value that `text` stands for, as on a command line.

        Raises:
            ValueError: when it stands for none of the right type.
        """
        if self.optional and text in ("None", "null"):
            return None
        value = _from_text(self.kind, text)
        if self.choices and value not in self.choices:
            raise ValueError(text)
        return value


def read_parameters(notebook: NotebookNode, name: str) -> dict[str, Parameter]:
    """The parameters that a notebook declares, in order; empty when it has no such cell.

    Raises:
        RunnerError: for two such cells, or anything in one but assignments of literals.
    """
    cells = [c for c in notebook.cells if c.cell_type == "code" and TAG in c.metadata.get("tags", [])]
    if len(cells) > 1:
        raise RunnerError(
            f"{name}: {len(cells)} cells carry the tag {TAG!r}.", rule="A notebook has one parameters cell.", action="Merge them."
        )
    return _read_cell(cells[0].source, name) if cells else {}


def bind(declared: Mapping[str, Parameter], given: Mapping[str, str], name: str) -> dict[str, object]:
    """The values of a run: every declared parameter, with those in `given` parsed and checked.

    Raises:
        RunnerError: for an unknown, mistyped or missing parameter; all faults of a notebook are named at once.
    """
    faults, values = [], {key: parameter.default for key, parameter in declared.items()}
    for key, text in given.items():
        if key not in declared:
            known = nearest_name(key, declared) if declared else "It has no parameters."
            faults.append(f"parameter {key!r} is unknown. {known}")
            continue
        try:
            values[key] = declared[key].parse(text)
        except (ValueError, SyntaxError):
            faults.append(f"parameter {key}={text!r} should be {declared[key].wanted}.")
    missing = [key for key, parameter in declared.items() if parameter.required and key not in given]
    faults += [f"parameter {key!r} has no value (wanted: {declared[key].wanted})." for key in missing]
    if faults:
        raise RunnerError(
            f"{name}: " + "\n  ".join(faults),
            rule="Values are given for declared parameters, in the type of the parameters cell; None there means required.",
            action="Correct `-p name=value`, or look at the notebook's parameters cell.",
        )
    return values


def _read_cell(source: str, name: str) -> dict[str, Parameter]:
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise _refuse(name, error.lineno or 0, "cannot be read as Python") from error
    found: dict[str, Parameter] = {}
    for line in tree.body:
        if isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str):
            continue
        target = line.targets[0] if isinstance(line, ast.Assign) and len(line.targets) == 1 else getattr(line, "target", None)
        if not isinstance(line, ast.Assign | ast.AnnAssign) or not isinstance(target, ast.Name) or line.value is None:
            raise _refuse(name, line.lineno, "is not `name = literal`")
        try:
            default = ast.literal_eval(line.value)
        except ValueError as error:
            raise _refuse(name, line.lineno, f"gives {target.id!r} something that is no literal") from error
        found[target.id] = _declare(target.id, line.annotation if isinstance(line, ast.AnnAssign) else None, default)
    return found


def _declare(name: str, annotation: ast.expr | None, default: object) -> Parameter:
    """A parameter from its annotation, else from the type of its default."""
    optional = False
    choices: tuple[object, ...] = ()
    kind = type(default) if type(default) in KINDS.values() else None
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        sides = [annotation.left, annotation.right]
        named = [side for side in sides if not (isinstance(side, ast.Constant) and side.value is None)]
        optional = len(named) < len(sides)
        annotation = named[0] if len(named) == 1 else None
    if isinstance(annotation, ast.Subscript) and isinstance(annotation.value, ast.Name):
        if annotation.value.id == "Literal":
            value = ast.literal_eval(annotation.slice)
            choices = tuple(value) if isinstance(value, tuple) else (value,)
            kind = type(choices[0])
        annotation = annotation.value
    if isinstance(annotation, ast.Name):
        kind = KINDS.get(annotation.id, kind)
    return Parameter(name, kind, default, optional, choices)


def _from_text(kind: type | None, text: str) -> object:
    if kind is str:
        return text
    if kind is bool:
        return {"true": True, "false": False}[text.lower()] if text.lower() in ("true", "false") else _fail(text)
    if kind is int or kind is float:
        return kind(text)
    if kind is None:
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return text
    value = ast.literal_eval(text)
    return value if isinstance(value, kind) else _fail(text)


def _fail(text: str) -> object:
    raise ValueError(text)


def _refuse(name: str, line: int, fault: str) -> RunnerError:
    return RunnerError(
        f"{name}: line {line} of the parameters cell {fault}.",
        rule="The parameters cell holds literals only, so that it can be read without running it.",
        action="Move everything else to the next cell.",
    )
