"""People: what they look like and what they wear. The same attributes that a lesson can ask for."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

Colour = tuple[float, float, float]

COLOURS: dict[str, Colour] = {
    "white": (0.90, 0.90, 0.88),
    "grey": (0.52, 0.53, 0.55),
    "black": (0.09, 0.09, 0.10),
    "red": (0.78, 0.13, 0.13),
    "orange": (0.93, 0.50, 0.12),
    "yellow": (0.93, 0.82, 0.20),
    "green": (0.17, 0.52, 0.23),
    "mint": (0.60, 0.85, 0.70),
    "teal": (0.05, 0.45, 0.48),
    "sky": (0.45, 0.70, 0.92),
    "blue": (0.13, 0.27, 0.72),
    "navy": (0.08, 0.11, 0.28),
    "purple": (0.42, 0.18, 0.55),
    "pink": (0.93, 0.55, 0.68),
    "maroon": (0.38, 0.07, 0.12),
    "beige": (0.80, 0.70, 0.54),
    "camel": (0.62, 0.42, 0.22),
    "brown": (0.33, 0.20, 0.12),
    "olive": (0.36, 0.36, 0.16),
    "denim": (0.26, 0.38, 0.58),
}
SKINS: tuple[Colour, ...] = (
    (0.95, 0.78, 0.67),
    (0.87, 0.67, 0.53),
    (0.76, 0.55, 0.41),
    (0.58, 0.39, 0.27),
    (0.42, 0.27, 0.18),
    (0.29, 0.18, 0.13),
)
HAIRS: tuple[Colour, ...] = (
    (0.06, 0.05, 0.05),
    (0.20, 0.12, 0.07),
    (0.36, 0.22, 0.11),
    (0.72, 0.56, 0.28),
    (0.55, 0.22, 0.08),
    (0.62, 0.61, 0.60),
)

# Wardrobes: how often each choice is made. A domain gap of 0 uses the mean of the seasons.
Wardrobe = dict[str, dict[str, float]]
WARDROBES: dict[str, Wardrobe] = {
    "summer": {
        "upper": {"top": 2, "tee": 6, "shirt": 2, "dress": 1.2, "jacket": 0.4},
        "lower": {"trousers": 3, "shorts": 4, "skirt": 2, "long skirt": 0.7},
        "pattern": {"plain": 4, "stripes": 2, "bars": 1, "checks": 1.3, "logo": 2.2, "block": 1.3},
        "hat": {"none": 7, "cap": 2, "sunhat": 1},
        "bag": {"none": 5, "backpack": 2, "shoulder bag": 1.5, "handbag": 1.5},
        "upper colour": {
            "white": 3,
            "grey": 1,
            "black": 1,
            "red": 1.5,
            "orange": 1.5,
            "yellow": 1.6,
            "green": 1,
            "mint": 1.5,
            "teal": 1.2,
            "sky": 2,
            "blue": 1.2,
            "navy": 0.6,
            "purple": 1,
            "pink": 1.6,
            "beige": 1,
            "olive": 0.5,
        },
        "lower colour": {
            "white": 1.5,
            "grey": 1,
            "black": 1,
            "red": 0.7,
            "yellow": 0.7,
            "green": 0.7,
            "sky": 1,
            "blue": 0.8,
            "navy": 1,
            "pink": 0.7,
            "beige": 2,
            "camel": 0.8,
            "olive": 0.8,
            "denim": 2.5,
        },
    },
    "winter": {
        "upper": {"jacket": 5, "coat": 4, "shirt": 1.2, "tee": 0.2},
        "lower": {"trousers": 8, "skirt": 0.8, "long skirt": 1},
        "pattern": {"plain": 5, "stripes": 1, "bars": 0.5, "checks": 1.2, "logo": 1, "block": 2, "open": 2.5},
        "hat": {"none": 5, "beanie": 4, "cap": 0.6},
        "bag": {"none": 5, "backpack": 2.5, "shoulder bag": 1.5, "handbag": 1},
        "upper colour": {
            "white": 0.7,
            "grey": 1.6,
            "black": 2.4,
            "red": 1.1,
            "orange": 0.5,
            "yellow": 0.6,
            "green": 0.9,
            "teal": 0.9,
            "blue": 0.9,
            "navy": 1.8,
            "purple": 0.8,
            "maroon": 1.3,
            "beige": 1,
            "camel": 1.4,
            "brown": 1.3,
            "olive": 1.3,
        },
        "lower colour": {
            "grey": 2,
            "black": 3,
            "red": 0.3,
            "green": 0.4,
            "navy": 1.6,
            "maroon": 0.6,
            "beige": 0.8,
            "camel": 0.8,
            "brown": 1.2,
            "olive": 0.8,
            "denim": 2,
        },
    },
}
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
        names, upto = _mixed(kind, season, gap)
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


@lru_cache(maxsize=256)
def _mixed(kind: str, season: str, gap: float) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Choices of `kind` and their cumulated shares: the season's own by `gap`, the mean of all seasons for the rest."""
    total: dict[str, float] = {}
    for name, wardrobe in WARDROBES.items():
        share = (1.0 - gap) / len(WARDROBES) + (gap if name == season else 0.0)
        for item, weight in wardrobe[kind].items():
            total[item] = total.get(item, 0.0) + share * weight / sum(wardrobe[kind].values())
    names = tuple(sorted(item for item, weight in total.items() if weight > 0))
    upto = np.cumsum([total[name] for name in names])
    return names, (*(upto[:-1] / upto[-1]).tolist(), 1.0)


def _near(rng: np.random.Generator, mean: float, sigma: float, low: float, high: float) -> float:
    """A normal draw, kept in low..high."""
    return float(np.clip(rng.normal(mean, sigma), low, high))


def _shift(colour: Colour, lightness: float, hue: float) -> Colour:
    """`colour` moved a little in lightness and hue; steps of about one standard deviation."""
    h, level, s = colorsys.rgb_to_hls(*colour)
    level = min(max(level * (1.0 + 0.07 * lightness), 0.03), 0.95)
    return colorsys.hls_to_rgb((h + 0.012 * hue) % 1.0, level, s)
