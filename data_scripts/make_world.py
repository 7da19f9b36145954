"""Render a synthetic camera network into a folder in the Market-1501 layout.

python data_scripts/make_world.py winter --seed 0 --size M --out data/winter
python data_scripts/make_world.py winter --set camera_gap=0.8 --set twin_rate=0.3 --out data/winter-apart
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path

from reidkit.errors import ReidkitError, nearest_name
from reidkit.world import DIALS, PRESETS, SIZES, WorldSettings, make_world
from reidkit.world.settings import resolve


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", choices=sorted(PRESETS))
    parser.add_argument("--out", type=Path, required=True, help="new folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", choices=sorted(SIZES), help="about 150, 1,200, 12,000 or 32,000 training images")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=f"a setting, such as {', '.join(DIALS)}")
    given = parser.parse_args(arguments)
    try:
        settings = replace(resolve(given.preset, given.size), **dict(_setting(text) for text in given.set))
        records = make_world(settings, given.seed, out=given.out, progress=True)
    except ReidkitError as error:
        print(error, file=sys.stderr)
        return 2
    print(records.summary().to_string())
    return 0


def _setting(text: str) -> tuple[str, float | int | str]:
    """``camera_gap=0.8`` as a name and a value of the type that the setting has."""
    name, _, value = text.partition("=")
    kinds = {field.name: type(getattr(WorldSettings(), field.name)) for field in fields(WorldSettings)}
    if name not in kinds:
        raise ReidkitError(f"--set {text}: no such setting.", rule="NAME=VALUE.", action=nearest_name(name, kinds))
    try:
        return name, kinds[name](value)
    except ValueError:
        raise ReidkitError(
            f"--set {text}: {value!r} is not {kinds[name].__name__}.", rule="NAME=VALUE.", action="Correct it."
        ) from None


if __name__ == "__main__":
    sys.exit(main())
