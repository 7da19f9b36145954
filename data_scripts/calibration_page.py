"""Hold the record of calibration against what the pairs were made for, and write docs/calibration.md from it.

python data_scripts/calibration_page.py                           # the page anew, from docs/calibration.json; nothing is trained
python data_scripts/calibration_page.py --out runs/calibration
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from reidkit.storage import write_atomically, write_json
from reidkit.trials import PAIRS

DOCS = Path(__file__).parents[1] / "docs"
LONGER = 3  # times the epochs that the target's own labels get
COLUMNS = {  # measurement -> (heading, times, digits)
    "supervised_map": (f"own labels ({LONGER} x the epochs), mAP %", 100, 1),
    "home_map": ("at home, mAP %", 100, 1),
    "direct_map": ("direct transfer, mAP %", 100, 1),
    "plain_map": ("plain, mAP %", 100, 1),
    "normalised_map": ("camera-normalised, mAP %", 100, 1),
    "identity_information": ("I(identity; camera), nats", 1, 2),
    "identity_information_chance": ("its chance level", 1, 2),
    "camera_entropy": ("H(camera), nats", 1, 2),
    "plain_information_first": ("plain, first I(label; camera)", 1, 2),
    "plain_information_last": ("plain, last I(label; camera)", 1, 2),
    "normalised_information_first": ("normalised, first I(label; camera)", 1, 2),
    "adversarial_map": ("+Adv, mAP %", 100, 1),
    "adversarial_information_last": ("+Adv, last I(label; camera)", 1, 2),
    "conditional_map": ("CANU, mAP %", 100, 1),
    "conditional_information_last": ("CANU, last I(label; camera)", 1, 2),
    "plain_lost_first": ("plain, identities lost at first", 1, 1),
    "plain_unseen_first": ("of these unseen", 1, 1),
    "identities": ("identities", 1, 0),
}
Record = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """What a pair should do.

    Attributes:
        pair: its name.
        wanted: in words.
        measured: measurements of the pair, or ``pair.measurement`` of another one.
        text: format of what was found, one field a measurement.
        holds: whether that is it, from one number a measurement.
    """

    pair: str
    wanted: str
    measured: tuple[str, ...]
    text: str
    holds: Callable[..., bool]


@dataclass(frozen=True)
class Verdict:
    """A wish held against a record: what was found on the mean over seeds, whether that is it (None: not measured), in how many
    of the seeds it is, and whether these are at least half."""

    wish: Wish
    found: str
    met: bool | None
    seeds: str
    half: bool = True


WISHES = (
    Wish("standard", "with the target's own labels mAP >= 70 %", ("supervised_map",), "{:.1%}", lambda a: a >= 0.70),
    Wish("standard", "direct transfer between 15 and 45 % mAP", ("direct_map",), "{:.1%}", lambda a: 0.15 <= a <= 0.45),
    Wish(
        "standard",
        "plain cluster-and-fine-tune at least 8 points above direct transfer",
        ("plain_map", "direct_map"),
        "{:.1%} against {:.1%}",
        lambda a, b: a - b >= 0.08,
    ),
    Wish(
        "standard",
        "I(label; camera) at the first clustering above I(identity; camera)",
        ("plain_information_first", "identity_information"),
        "{:.2f} against {:.2f} nats",
        lambda a, b: a > b,
    ),
    Wish("standard", "some identities lost at the first clustering", ("plain_lost_first",), "{:.1f}", lambda a: a > 0),
    Wish(
        "hard",
        "plain cluster-and-fine-tune ends in camera clusters: I(label; camera) nearer H(camera) than I(identity; camera)",
        ("plain_information_last", "identity_information", "camera_entropy"),
        "{:.2f} nats between {:.2f} and {:.2f}",
        lambda a, low, high: 2 * a > low + high,
    ),
    Wish(
        "hard",
        "camera-normalised features rescue it: at least 8 points above plain, and above direct transfer",
        ("normalised_map", "plain_map", "direct_map"),
        "{:.1%} against {:.1%} and {:.1%}",
        lambda a, b, c: a - b >= 0.08 and a > c,
    ),
    Wish(
        "dependent",
        "identity and camera depend on each other: I(identity; camera) at least 0.3 nats above the standard pair's",
        ("identity_information", "standard.identity_information"),
        "{:.2f} against {:.2f} nats",
        lambda a, b: a - b >= 0.3,
    ),
)
EXPECTED = (
    Wish(
        "dependent",
        "the plain adversary (+Adv) takes from the labels what they tell about cameras: at the end at least 0.1 nats less",
        ("adversarial_information_last", "plain_information_last"),
        "{:.2f} against {:.2f} nats",
        lambda a, b: b - a >= 0.1,
    ),
    Wish(
        "dependent",
        "and it destroys identity with it: mAP below that of plain cluster-and-fine-tune",
        ("adversarial_map", "plain_map"),
        "{:.1%} against {:.1%}",
        lambda a, b: a < b,
    ),
    Wish(
        "dependent",
        "which the conditional adversary (CANU) avoids: mAP above +Adv",
        ("conditional_map", "adversarial_map"),
        "{:.1%} against {:.1%}",
        lambda a, b: a > b,
    ),
    Wish(
        "standard",
        "CANU above +Adv, and above plain cluster-and-fine-tune",
        ("conditional_map", "adversarial_map", "plain_map"),
        "{:.1%} against {:.1%} and {:.1%}",
        lambda a, b, c: a > b and a > c,
    ),
)
"""What the argument for conditional adversaries (CANU-ReID) leads one to expect. None of it was a condition on the worlds."""


MEAN_ONLY = "on the mean only"
SEEDS = f"Verdicts are on the means, and *{MEAN_ONLY}* where fewer than half of the seeds agree; the last column counts these."


def known_pairs(record: Record) -> list[str]:
    """Pairs of a record, the standard one first; the file itself has them in the order of their names."""
    return [pair for pair in PAIRS if pair in record["pairs"]]


def values(record: Record, pair: str, name: str) -> list[float]:
    """One measurement of a pair, seed by seed."""
    return [numbers[name] for _, numbers in sorted(record["pairs"].get(pair, {}).items()) if name in numbers]


def verdict(record: Record, wish: Wish) -> Verdict:
    """What the record says about a wish."""
    places = [tuple(name.split(".")) if "." in name else (wish.pair, name) for name in wish.measured]
    found = [values(record, *place) for place in places]
    if not all(found) or not np.isfinite([value for column in found for value in column]).all():
        return Verdict(wish, "not measured", None, "–")
    means = [fmean(column) for column in found]
    each = [wish.holds(*row) for row in zip(*found)]
    return Verdict(wish, wish.text.format(*means), wish.holds(*means), f"{sum(each)} of {len(each)}", 2 * sum(each) >= len(each))


def verdicts(record: Record, wishes: Iterable[Wish] = WISHES) -> list[Verdict]:
    """What each pair of the record was made for, and whether it does that."""
    return [verdict(record, wish) for pair in known_pairs(record) for wish in wishes if wish.pair == pair]


def page(record: Record) -> str:
    """The record as a page of tables."""
    setting, pairs = record["setting"], known_pairs(record)
    head = f"Profile `{record['profile']}`: worlds of size {setting['world']}, backbone `{setting['backbone']}`, rho"
    lines = [
        "# Calibration of the synthetic pairs",
        "",
        "Made by `python data_scripts/calibrate.py` from `calibration.json`; not edited by hand.",
        "",
        f"{head} {setting['rho']:g}, reidkit {record['version']}. A seed is that of the worlds and of training at once.",
        "Adaptation is `ClusterAndFinetune` with the schedule of the profile, judged after its last epoch. Values are means over",
        "seeds ± their standard deviation (n - 1); in brackets the number of seeds. A dash is a run that is not done yet.",
        "",
        "| | " + " | ".join(f"{pair} ({' → '.join(PAIRS[pair])})" for pair in pairs) + " |",
        "|---" * (len(pairs) + 1) + "|",
    ]
    for name, (heading, times, digits) in COLUMNS.items():
        cells = [_cell([times * value for value in values(record, pair, name)], digits) for pair in pairs]
        lines.append(f"| {heading} | " + " | ".join(cells) + " |")
    lines += ["", "*Lost* identities are the majority of no cluster (swallowed or unseen); *unseen* ones have outliers only."]
    lines += ["", "## What was wanted", "", SEEDS, ""]
    lines += _table(record, WISHES, {True: "met", False: "**not met**", None: "not measured"})
    lines += [
        "",
        "## What resists",
        "",
        "What the argument for adversaries leads one to expect; nothing was tuned until it came about.",
    ]
    lines += ["Both adversaries have the weight of their paper, the default of `CANU`.", ""]
    lines += _table(record, EXPECTED, {True: "holds", False: "**does not hold**", None: "not measured"})
    return "\n".join(lines) + "\n"


def _table(record: Record, wishes: Iterable[Wish], words: dict[bool | None, str]) -> list[str]:
    rows = [
        f"| {v.wish.pair} | {v.wish.wanted} | {v.found} | {words[v.met] if v.half or not v.met else MEAN_ONLY} | {v.seeds} |"
        for v in verdicts(record, wishes)
    ]
    return ["| pair | wanted | found | verdict | seeds |", "|---|---|---|---|---|", *rows]


def _cell(found: list[float], digits: int) -> str:
    if not found:
        return "–"
    if not np.isfinite(found).all():
        return "undefined"
    spread = f" ± {np.std(found, ddof=1):.{digits}f}" if len(found) > 1 else ""
    return f"{fmean(found):.{digits}f}{spread} ({len(found)})"


def write(record: Record, out: Path) -> None:
    """Store the record and the page made from it."""
    write_json(out / "calibration.json", record)
    write_atomically(out / "calibration.md", lambda partial: partial.write_text(page(record), encoding="utf-8"))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of calibration.json")
    given = parser.parse_args(arguments)
    write(json.loads((given.out / "calibration.json").read_text(encoding="utf-8")), given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
