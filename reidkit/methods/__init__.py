"""One file a method: which networks, how labels are made, which loss terms, what is evaluated.

`all_methods()` finds the classes; there is no registry to edit.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil

from reidkit.method import Method


def all_methods() -> dict[str, type[Method]]:
    """Class name -> class, of every concrete method in this folder."""
    found: dict[str, type[Method]] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for name, item in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(item, Method) and not inspect.isabstract(item) and item.__module__ == module.name:
                found[name] = item
    return found
