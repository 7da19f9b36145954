"""Write docs/defaults.md: every default of every method, where it comes from, and whether paper or code decided it.

python data_scripts/defaults_table.py            # writes the page
python data_scripts/defaults_table.py --check    # exit status 1 when the page is not what the docstrings say

The one place of truth is the code: defaults of each Recipe, and the line of its docstring that ends in ``[paper: ...]``,
``[code: ...]`` or ``[ours: ...]``, in the class that sets the default or one derived from it; for published runs
`reidkit.published.sources`.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reidkit.errors import ReidkitError
from reidkit.methods import all_methods, recipe
from reidkit.published import PUBLISHED
from reidkit.published.sources import SETTINGS
from reidkit.storage import write_atomically

PAGE = Path(__file__).parents[1] / "docs" / "defaults.md"
ENTRY = re.compile(r"(\w+(?:, \w+)*): (.+)")
SOURCE = re.compile(r"^(?P<text>.*?)\s*\[(?P<decided>paper|code|ours): (?P<source>[^\]]+)\]$")
HEAD = """# Every default and its source

Made by `python data_scripts/defaults_table.py` from the docstrings and `reidkit.published.sources`; not edited by hand.

*Decided by* says who fixed a value: the **paper**, the published **code** (where the paper is silent, or says something else),
or **ours**, where neither does. Every default is an option of the same name.
"""


@dataclass(frozen=True)
class Default:
    """One default: of what, its name and value, what it means, who decided it and where that is written."""

    of: str
    name: str
    value: str
    meaning: str
    decided: str
    source: str


def entries(cls: type) -> dict[str, str]:
    """Name -> text of each line under ``Args:`` of a class's own docstring; names before one colon share its text."""
    lines = inspect.cleandoc(cls.__dict__.get("__doc__") or "").partition("Args:\n")[2].splitlines()
    joined: list[str] = []
    for line in lines:
        if line and not line.startswith(" "):
            break
        if line.startswith("     "):
            joined[-1] += " " + line.strip()
        elif line.strip():
            joined.append(line.strip())
    found = [match for entry in joined if (match := ENTRY.fullmatch(entry))]
    return {name: match[2] for match in found for name in match[1].split(", ")}


def owner(cls: type, name: str) -> type:
    """The class that sets the default of a field."""
    return next(base for base in cls.__mro__ if name in inspect.get_annotations(base))


def defaults_of(method: str, made: object) -> list[Default]:
    """The defaults of a Recipe.

    Raises:
        ReidkitError: naming each field without a line, or whose line does not say who decided it and where.
    """
    found, silent = [], []
    for field in dataclasses.fields(made):  # type: ignore[arg-type]
        classes = type(made).__mro__
        cls = owner(type(made), field.name)
        known = (SOURCE.match(entries(base).get(field.name, "")) for base in classes[: classes.index(cls) + 1])
        said = next(filter(None, known), None)
        if said is None:
            silent.append(f"{cls.__module__}.{cls.__qualname__}.{field.name}")
            continue
        value = repr(getattr(made, field.name))
        found.append(Default(method, field.name, value, said["text"], said["decided"], said["source"]))
    if silent:
        rule = "The docstring of the class that sets a default ends its line in [paper: ...], [code: ...] or [ours: ...]."
        raise ReidkitError(f"No source of {', '.join(silent)}.", rule=rule, action="Complete the docstring.")
    return found


def recipe_defaults() -> Iterator[list[Default]]:
    """The defaults of each method's Recipe, method by method."""
    for method in sorted(all_methods()):
        yield defaults_of(method, recipe(method))


def published_defaults() -> Iterator[list[Default]]:
    """Network, image size and schedule of each published run.

    Raises:
        ReidkitError: for a setting without a source.
    """
    for name, run in PUBLISHED.items():
        rows = []
        for setting in SETTINGS:
            value = run.backbone if setting == "backbone" else getattr(run.schedule, setting)
            decided, _, source = run.said.get(setting, "").partition(": ")
            if decided not in ("paper", "code", "ours") or not source:
                rule = "A published setting says who decided it and where, in reidkit.published.sources."
                raise ReidkitError(f"No source of {setting} of {name}.", rule=rule, action="Add it.")
            rows.append(Default(name, setting, repr(value), "", decided, source))
        yield rows


def page() -> str:
    """The page."""
    lines = [HEAD, "## Options of the methods"]
    for rows in recipe_defaults():
        lines += ["", f"### {rows[0].of}", "", all_methods()[rows[0].of].paper + ".", ""]
        lines += ["| option | default | decided by | source | meaning |", "|---|---|---|---|---|"]
        lines += [_row(one.name, one.value, one.decided, one.source, one.meaning) for one in rows]
    about = "Network, image size (height, width in pixels) and schedule as `reidkit.published` has them."
    lines += ["", "## Published runs", "", about]
    for rows in published_defaults():
        lines += ["", f"### {rows[0].of}, as published", ""]
        if differs := PUBLISHED[rows[0].of].differs:
            lines += [f"Differs from the printed runs: {differs}.", ""]
        lines += ["| setting | value | decided by | source |", "|---|---|---|---|"]
        lines += [_row(one.name, one.value, one.decided, one.source) for one in rows]
    return "\n".join(lines) + "\n"


def _row(name: str, value: str, *rest: str) -> str:
    cells = [f"`{name}`", f"`{value}`", *rest]
    return "| " + " | ".join(cell.replace("``", "`").replace("|", "\\|") for cell in cells) + " |"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args(arguments)
    try:
        text = page()
    except ReidkitError as error:
        print(error, file=sys.stderr)
        return 2
    if given.check:
        return 0 if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text else 1
    write_atomically(PAGE, lambda partial: partial.write_text(text, encoding="utf-8"))
    print(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
