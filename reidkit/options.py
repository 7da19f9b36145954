"""Settings that are checked where they are given, not where they would first be read."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from reidkit.errors import ReidkitError, nearest_name

Made = TypeVar("Made", bound="Options")


def _allowed(kind: Any) -> tuple[Any, ...]:
    """The values that a type allows: those of ``Literal[...]``, also of each item of a tuple; empty where any will do."""
    if get_origin(kind) is tuple:
        return _allowed(get_args(kind)[0])
    return get_args(kind) if get_origin(kind) is Literal else ()


@dataclasses.dataclass(frozen=True)
class Options:
    """Base of recipes: a frozen dataclass whose fields of type ``Literal`` take the named values only.

    Raises:
        ReidkitError: a value is none of those; the near ones are named.
    """

    def __post_init__(self) -> None:
        for name, known in self.choices().items():
            given = getattr(self, name)
            for value in given if isinstance(given, tuple) else (given,):
                if value not in known:
                    rule = f"{name} is one of {known}."
                    raise ReidkitError(f"{name}={value!r}.", rule=rule, action=nearest_name(str(value), known))

    @classmethod
    def choices(cls) -> dict[str, tuple[Any, ...]]:
        """Field -> the values that it takes, for fields that do not take any."""
        return {name: known for name, kind in get_type_hints(cls).items() if (known := _allowed(kind))}

    @classmethod
    def of(cls: type[Made], **options: Any) -> Made:
        """The settings with some changed.

        Raises:
            ReidkitError: there is no field of that name, or it does not take that value; the near ones are named.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in options:
            if name not in known:
                rule = "An option is a field of the method's Recipe."
                raise ReidkitError(f"There is no option {name!r}.", rule=rule, action=nearest_name(name, known))
        return cls(**options)
