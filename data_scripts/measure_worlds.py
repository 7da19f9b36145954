"""Write into the cards of rendered worlds what people and cameras are like there: `[measured.PRESET]`, one value a seed.

python data_scripts/measure_worlds.py
"""

from __future__ import annotations

import argparse
import re
import tomllib
from pathlib import Path

from reidkit.diagnose.records_summary import records_summary
from reidkit.records import make_records
from reidkit.storage import write_atomically
from reidkit.world import PRESETS
from reidkit.world.cameras import make_cameras
from reidkit.world.network import draw_cast, plan

SEEDS = (0, 1, 2)
CARDS = Path(__file__).parent / "cards"


def measured(preset: str, seed: int) -> dict[str, float]:
    """I(identity; camera), its level by chance and its ceiling in nats, and cameras a person: of the training side, or of all
    people where there is none. The plan of a world decides them; no picture is needed."""
    settings = PRESETS[preset]
    frame = plan(settings, seed, draw_cast(settings, seed), make_cameras(settings, seed))
    records = make_records(frame, name=preset, check_paths=False)
    summary = records_summary(records.train if settings.train_identities else records)
    cameras = summary.cameras_per_identity["cameras"].repeat(summary.cameras_per_identity["identities"])
    return {
        "camera_information": round(summary.value("camera_information"), 2),
        "camera_information_chance": round(summary.value("camera_information_chance"), 2),
        "camera_entropy": round(summary.value("camera_entropy"), 2),
        "cameras_a_person_mean": round(float(cameras.mean()), 2),
        "cameras_a_person_most": int(cameras.max()),
    }


def table(preset: str) -> str:
    """TOML of one preset, a list over `SEEDS` for each statistic."""
    found = [measured(preset, seed) for seed in SEEDS]
    rows = [f"{name} = {[one[name] for one in found]}" for name in found[0]]
    return "\n".join([f"[measured.{preset}]", f"seeds = {list(SEEDS)}", *rows])


def with_figures(card: str) -> str:
    """The text of a card with its `[measured]` tables made anew."""
    _, facts, text = card.split("+++\n", 2)
    presets = tomllib.loads(facts)["presets"]
    kept = re.sub(r"\n\[measured\..*", "\n", facts, flags=re.DOTALL).rstrip()
    return "+++\n" + "\n\n".join([kept, *map(table, presets)]) + "\n+++\n" + text


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cards", type=Path, default=CARDS, help="folder of the cards")
    for path in sorted(parser.parse_args(arguments).cards.glob("world_*.md")):
        text = with_figures(path.read_text(encoding="utf-8"))
        write_atomically(path, lambda partial, text=text: partial.write_text(text, encoding="utf-8"))


if __name__ == "__main__":
    main()
