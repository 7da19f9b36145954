"""People: what they look like and what they wear. The same attributes that a lesson can ask for."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import numpy as np

from reidkit.world.wardrobe import COLOURS, HAIRS, SKINS, Colour, choices

TWIN_ATTRIBUTES = ("upper_colour", "lower_colour", "pattern", "bag", "hat", "hair")


@dataclass(frozen=True)
class Person:
    """Everything that stays with a person through the day; lengths in body heights, colours sRGB in 0..1."""

    upper: str
    lower: str
    pattern: str
    hat: str
    bag: str
    hair: str
    scarf: bool
    bag_side: int
    upper_colour: str
    second_colour: str
    lower_colour: str
    shoe_colour: str
    hat_colour: str
    bag_colour: str
    skin: int
    hair_colour: int
    shade: tuple[float, ...]
    pattern_scale: float
    build: float
    shoulders: float
    hips: float
    legs: float
    stride: float
    swing: float
    lean: float
    bounce: float

    @property
    def sleeves(self) -> str:
        """``none``, ``short`` or ``long``."""
        return {"top": "none", "dress": "none", "tee": "short"}.get(self.upper, "long")

    def colours(self) -> dict[str, Colour]:
        """Colour of every material, each a little off its name so that two red coats need not be the same red."""
        named = {
            "upper": COLOURS[self.upper_colour],
            "second": COLOURS[self.second_colour],
            "lower": COLOURS[self.upper_colour if self.upper == "dress" else self.lower_colour],
            "shoes": COLOURS[self.shoe_colour],
            "hat": COLOURS[self.hat_colour],
            "bag": COLOURS[self.bag_colour],
            "scarf": COLOURS[self.hat_colour],
            "skin": SKINS[self.skin],
            "hair": HAIRS[self.hair_colour],
        }
        steps = iter(self.shade)
        return {name: _shift(colour, next(steps), next(steps)) for name, colour in named.items()}

    def attributes(self) -> dict[str, str | int | float | bool]:
        """The columns that the table of a world holds for this person."""
        kept = "upper lower pattern hat bag hair scarf upper_colour second_colour lower_colour shoe_colour hat_colour bag_colour"
        columns = {name: getattr(self, name) for name in kept.split()}
        return columns | {"sleeves": self.sleeves, "skin": self.skin, "hair_colour": self.hair_colour, "build": self.build}


def draw_person(rng: np.random.Generator, season: str, gap: float = 1.0) -> Person:
    """A person dressed for `season`; with `gap` 0 dressed as likely for any season."""

    def pick(kind: str) -> str:
        names, upto = choices(kind, season, gap)
        return names[int(np.searchsorted(upto, rng.random()))]

    upper, lower, pattern = pick("upper"), pick("lower"), pick("pattern")
    if upper == "dress":
        lower = "skirt"
    if pattern == "open" and upper not in ("jacket", "coat"):
        pattern = "plain"
    upper_colour, second = pick("upper colour"), pick("upper colour")
    while second == upper_colour:
        second = pick("upper colour")
    cold = 0.5 + (0.5 if season == "winter" else -0.5) * gap
    return Person(
        upper=upper,
        lower=lower,
        pattern=pattern,
        hat=pick("hat"),
        bag=pick("bag"),
        hair=str(rng.choice(["short", "long", "bun", "bald"], p=[0.45, 0.33, 0.14, 0.08])),
        scarf=bool(rng.random() < 0.35 * cold),
        bag_side=int(rng.choice([-1, 1])),
        upper_colour=upper_colour,
        second_colour=second,
        lower_colour=pick("lower colour"),
        shoe_colour=str(rng.choice(["black", "white", "brown", "grey", "red", "navy"], p=[0.35, 0.25, 0.15, 0.1, 0.08, 0.07])),
        hat_colour=pick("upper colour"),
        bag_colour=str(rng.choice(["black", "brown", "navy", "red", "beige", "olive", "yellow", "pink"])),
        skin=int(rng.integers(len(SKINS))),
        hair_colour=int(rng.choice(len(HAIRS), p=[0.28, 0.26, 0.18, 0.13, 0.06, 0.09])),
        shade=tuple(rng.normal(0.0, 1.0, 18).clip(-2, 2).tolist()),
        pattern_scale=float(rng.uniform(0.8, 1.5)),
        build=_near(rng, 1.0, 0.11, 0.78, 1.32),
        shoulders=_near(rng, 1.0, 0.07, 0.85, 1.15),
        hips=_near(rng, 1.0, 0.08, 0.85, 1.2),
        legs=_near(rng, 1.0, 0.03, 0.93, 1.07),
        stride=float(rng.uniform(0.34, 0.58)),
        swing=float(rng.uniform(0.25, 0.65)),
        lean=float(rng.normal(0.05, 0.03)),
        bounce=float(rng.uniform(0.004, 0.012)),
    )


def draw_twin(person: Person, rng: np.random.Generator, season: str, gap: float = 1.0) -> tuple[Person, str]:
    """Somebody who differs from `person` in one attribute (and in the way of walking), and the name of that attribute."""
    name = str(rng.choice(TWIN_ATTRIBUTES))
    other = draw_person(rng, season, gap)
    for _ in range(200):
        if getattr(other, name) != getattr(person, name) and not (name == "pattern" and other.pattern == "open"):
            break
        other = draw_person(rng, season, gap)
    changed = {name: getattr(other, name)}
    if name == "upper_colour" and changed[name] == person.second_colour:
        changed["second_colour"] = person.upper_colour
    return replace(person, **changed, stride=other.stride, swing=other.swing, bounce=other.bounce), name


def _near(rng: np.random.Generator, mean: float, sigma: float, low: float, high: float) -> float:
    """A normal draw, kept in low..high."""
    return float(np.clip(rng.normal(mean, sigma), low, high))


def _shift(colour: Colour, lightness: float, hue: float) -> Colour:
    """`colour` moved a little in lightness and hue; steps of about one standard deviation."""
    h, level, s = colorsys.rgb_to_hls(*colour)
    level = min(max(level * (1.0 + 0.07 * lightness), 0.03), 0.95)
    return colorsys.hls_to_rgb((h + 0.012 * hue) % 1.0, level, s)
