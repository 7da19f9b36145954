"""What people wear in which season, and in which colours."""

from __future__ import annotations

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


@lru_cache(maxsize=256)
def choices(kind: str, season: str, gap: float) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Choices of `kind` and their cumulated shares: the season's own by `gap`, the mean of all seasons for the rest."""
    total: dict[str, float] = {}
    for name, wardrobe in WARDROBES.items():
        share = (1.0 - gap) / len(WARDROBES) + (gap if name == season else 0.0)
        for item, weight in wardrobe[kind].items():
            total[item] = total.get(item, 0.0) + share * weight / sum(wardrobe[kind].values())
    names = tuple(sorted(item for item, weight in total.items() if weight > 0))
    upto = np.cumsum([total[name] for name in names])
    return names, (*(upto[:-1] / upto[-1]).tolist(), 1.0)
