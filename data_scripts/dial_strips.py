"""Draw docs/pictures/dials.png: for each dial the same people, ways and cameras, from 0 to the dial's maximum."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from reidkit.storage import write_atomically
from reidkit.world import DIALS, WorldSettings
from reidkit.world.cameras import make_cameras
from reidkit.world.network import draw_cast, plan
from reidkit.world.stage import shot_of, take_picture

STEPS, ABREAST = 4, 4  # values a dial, pictures a value
LABEL, MARGIN, GAP, LINE = 118, 6, 12, 16
INK, PAPER = (40, 40, 40), (255, 255, 255)
CALM = dict.fromkeys(DIALS, 0.0) | {"domain_gap": 1.0}
SHOWN = {
    "domain_gap": "four people\n(winter)",
    "camera_gap": "one person,\nfour cameras",
    "twin_rate": "persons 1 and 2,\n3 and 4",
    "occlusion": "four people",
    "box_error": "four people",
    "resolution_loss": "one person,\nfour cameras",
    "day_drift": "one person at\n8, 12, 16, 20 h",
    "dependence": "who (row) is seen\nby which camera\n(column)",
}


def pictures(settings: WorldSettings, seed: int, pick: Callable[[pd.DataFrame], list[int]], hours: list[float]) -> np.ndarray:
    """uint8 (H, n W, 3): the rows of the plan that `pick` chooses, side by side; `hours` replaces their times when given."""
    cast, cameras = draw_cast(settings, seed), make_cameras(settings, seed)
    frame = plan(settings, seed, cast, cameras)
    found = []
    for number, row in enumerate(pick(frame)):
        shot = shot_of(frame, row, settings, seed)
        shot = replace(shot, hour=hours[number]) if hours else shot
        data, _, _ = take_picture(shot, cast, cameras[shot.camera - 1], settings)
        found.append(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    return np.concatenate(found, axis=1)


def grid(settings: WorldSettings, seed: int, size: tuple[int, int]) -> np.ndarray:
    """uint8 (H, W, 3): a row a person, a column a camera, darker where more pictures are."""
    frame = plan(settings, seed, draw_cast(settings, seed), make_cameras(settings, seed))
    counts = pd.crosstab(frame["identity"], frame["camera"]).reindex(columns=range(1, settings.cameras + 1), fill_value=0)
    ordered = counts.assign(home=counts.to_numpy().argmax(1)).sort_values("home", kind="stable").drop(columns="home")
    level = np.clip(245 - 215 * ordered.to_numpy() / 4, 30, 245).astype(np.uint8)
    return np.asarray(Image.fromarray(level).resize(size[::-1], Image.Resampling.NEAREST).convert("RGB"))


def strip(dial: str, base: WorldSettings, seed: int) -> list[tuple[float, np.ndarray]]:
    """(value, picture) from 0 to the dial's maximum."""
    most = 2.0 if dial == "camera_gap" else 1.0

    def first_of_each(column: str) -> Callable[[pd.DataFrame], list[int]]:
        def pick(frame: pd.DataFrame) -> list[int]:
            chosen = frame if column == "identity" else frame[frame["identity"] == 1]
            return [int(i) for i in chosen.drop_duplicates(column).sort_values(column).index[:ABREAST]]

        return pick

    found = []
    for step in range(STEPS):
        value = most * step / (STEPS - 1)
        turned = replace(base, **{dial: value})  # type: ignore[arg-type]
        if dial == "dependence":
            many = replace(turned, train_identities=16, visits=4.0)
            found.append((value, grid(many, seed, (base.height, ABREAST * base.width))))
        elif dial == "day_drift":
            hours = np.linspace(8, 20, ABREAST).tolist()
            found.append((value, pictures(turned, seed, lambda frame: [0] * ABREAST, hours)))
        else:
            over_cameras = dial in ("camera_gap", "resolution_loss")
            found.append((value, pictures(turned, seed, first_of_each("camera" if over_cameras else "identity"), [])))
    return found


def dial_strips(seed: int = 0, height: int = 112) -> Image.Image:
    """All dials, one below the other, named and with their values."""
    sizes = {"height": height, "width": height // 2, "train_identities": ABREAST, "test_identities": 0}
    base = WorldSettings(**sizes, visits=6.0, visits_spread=0, frames=1, distractors=0.0, junk=0.0, **CALM)  # type: ignore[arg-type]
    cell = ABREAST * base.width
    sheet = Image.new("RGB", (LABEL + STEPS * (cell + GAP), len(DIALS) * (height + LINE + MARGIN) + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, dial in enumerate(DIALS):
        top = MARGIN + number * (height + LINE + MARGIN)
        draw.text((MARGIN, top + LINE), dial, fill=INK, stroke_width=0.4)
        draw.multiline_text((MARGIN, top + LINE + 18), SHOWN[dial], fill=INK)
        own = replace(base, season="winter") if dial == "domain_gap" else base
        for place, (value, picture) in enumerate(strip(dial, own, seed)):
            left = LABEL + place * (cell + GAP)
            draw.text((left, top), f"{value:.2f}", fill=INK)
            sheet.paste(Image.fromarray(picture), (left, top + LINE))
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "pictures" / "dials.png")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sheet = dial_strips(given.seed).quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=4, dither=Image.Dither.NONE)
    write_atomically(given.out, lambda partial: sheet.save(partial, "PNG", optimize=True))
    print(f"{given.out}: {sheet.width}x{sheet.height}, {given.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
