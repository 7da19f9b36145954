"""One file a method: which networks, how labels are made, which loss terms, what is evaluated.

`all_methods` finds the classes and `options` their settings; there is no registry to edit.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from typing import Any

import pandas as pd

from reidkit.errors import ReidkitError, nearest_name
from reidkit.method import Method
from reidkit.options import Options


def all_methods() -> dict[str, type[Method]]:
    """Class name -> class, of every concrete method in this folder."""
    found: dict[str, type[Method]] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for name, item in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(item, Method) and not inspect.isabstract(item) and item.__module__ == module.name:
                found[name] = item
    return found


def recipe(method: str, **options: Any) -> Any:
    """The recipe of a method with some options changed.

    Raises:
        ReidkitError: there is no method or option of that name, or the option does not take that value; the near ones are named.
    """
    return _recipe_class(method).of(**options)


def list_methods() -> pd.DataFrame:
    """One row a method: paper, lesson, the names of its options, file."""
    rows = [
        {"method": name, "paper": cls.paper, "lesson": cls.lesson, "options": _names(name), "module": cls.__module__}
        for name, cls in all_methods().items()
    ]
    return pd.DataFrame(rows).set_index("method").sort_index()


def list_options(method: str) -> pd.DataFrame:
    """One row an option of a method: name, default, and the values it takes, where these are named ("" otherwise).

    The docstring of the Recipe has meaning and source.
    """
    known = _recipe_class(method).choices()
    rows = [
        {"option": field.name, "default": field.default, "choices": ", ".join(map(repr, known.get(field.name, ())))}
        for field in dataclasses.fields(_recipe_class(method))
    ]
    return pd.DataFrame(rows).set_index("option")


def _names(method: str) -> str:
    return ", ".join(field.name for field in dataclasses.fields(_recipe_class(method)))


def _recipe_class(method: str) -> type[Options]:
    methods = all_methods()
    if method not in methods:
        raise ReidkitError(f"No method is called {method!r}.", rule="Methods are classes.", action=nearest_name(method, methods))
    found: type[Options] = vars(inspect.getmodule(methods[method]))["Recipe"]
    return found
