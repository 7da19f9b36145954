"""Draw docs/pictures/contact_sheet.png: the same people under every camera of the standard pair of worlds."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from reidkit.records import Records
from reidkit.storage import write_atomically
from reidkit.world import PRESETS, make_world

HEADER, MARGIN, GAP, LETTER = 44, 8, 18, 14
INK, PAPER = (40, 40, 40), (255, 255, 255)


def people_by_cameras(preset: str, people: int, seed: int, height: int) -> np.ndarray:
    """uint8 (people * H, C * W, 3): a row a person, a column a camera."""
    settings = replace(PRESETS[preset], train_identities=people + 4, test_identities=0, visits=7.0, frames=1)
    settings = replace(settings, box_error=0.1, twin_rate=0.0, height=height, width=height // 2)
    world: Records = make_world(settings, seed)
    assert world.pixels is not None
    rows = []
    for identity in sorted(world.frame["identity"].unique()):
        own = world.frame[world.frame["identity"] == identity].drop_duplicates("camera").sort_values("camera")
        if len(own) == settings.cameras:
            rows.append(np.concatenate([world.pixels[i] for i in own.index], axis=1))
    return np.concatenate(rows[:people], axis=0)


def contact_sheet(people: int = 5, seed: int = 3, height: int = 192) -> Image.Image:
    """Both worlds side by side, pictures `height` high, with the cameras named above."""
    blocks = {preset: people_by_cameras(preset, people, seed, height) for preset in ("summer", "winter")}
    tall, width = next(iter(blocks.values())).shape[:2]
    sheet = Image.new("RGB", (2 * MARGIN + 2 * width + GAP, MARGIN + HEADER + tall), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=LETTER)
    for number, (preset, block) in enumerate(blocks.items()):
        left = MARGIN + number * (width + GAP)
        sheet.paste(Image.fromarray(block), (left, HEADER))
        draw.text((left, 3), preset, fill=INK, font=font, stroke_width=0.4)
        cameras = PRESETS[preset].cameras
        for camera in range(cameras):
            draw.text((left + camera * width // cameras, 22), f"camera {camera + 1}", fill=INK, font=font)
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "pictures" / "contact_sheet.png")
    parser.add_argument("--people", type=int, default=5)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--height", type=int, default=192, help="of a picture in pixels; worlds have 128 unless asked otherwise")
    given = parser.parse_args()
    sheet = contact_sheet(given.people, given.seed, given.height)
    sheet = sheet.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=4, dither=Image.Dither.NONE)
    write_atomically(given.out, lambda partial: sheet.save(partial, "PNG", optimize=True))
    print(f"{given.out}: {sheet.width}x{sheet.height}, {given.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
