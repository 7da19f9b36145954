"""The record of the claims as a page of tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from reidkit.bench.claims.data import CLAIMS, NOT_ASKED, WITHIN, Claim
from reidkit.bench.claims.measures import CURVES, value
from reidkit.bench.claims.runs import RUNS
from reidkit.bench.claims.verdict import FAILS, HOLDS, UNDECIDED, Verdict, verdicts
from reidkit.trials import PAIRS

HEAD = """# The claims, measured

Made by `reidkit bench claims` from `records/claims.json`; not edited by hand.

{setting}

An effect is the contrast in the column *rule*, seed by seed: the compared runs share world and starting networks. Its mean over
n seeds has the interval mean ± t(0.95, n − 1) · sd / √n. A claim **holds** when the whole interval lies above the margin,
**does not hold** when the whole of it lies at or below; a claim that something changes *little* holds when the interval lies
inside ± margin, and does not when it lies wholly outside. Otherwise, and with one seed, it **cannot be decided**. There is no
correction for the number of claims. These are small synthetic worlds and a small network trained for minutes: a verdict is about
them, and about a paper only as far as its claim was said of all data.
"""
SIGNS = {1.0: "+", -1.0: "−"}


def page(record: dict[str, Any]) -> str:
    """The page of a record."""
    made = verdicts(record["runs"])
    lines = [HEAD.format(setting=_setting(record)), "## Verdicts", "", *_totals(made)]
    lines += ["| claim | in words | source | rule | world | effect ± sd (n) | interval | verdict |", "|---" * 8 + "|"]
    known = {claim.id: claim for claim in CLAIMS}
    lines += [_line(known[one.claim], one) for one in made]
    undecided = [claim for claim in CLAIMS if claim.change and any(v.claim == claim.id and v.word != HOLDS for v in made)]
    if undecided:
        lines += ["", "## What would have to change", ""]
        for change in dict.fromkeys(claim.change for claim in undecided):
            lines.append(f"- {', '.join(claim.id for claim in undecided if claim.change == change)}: {change}.")
    lines += ["", "## Runs", "", *_runs(record), "", "## Measures", ""]
    lines += [f"- `{name}`: {what}." for name, what in CURVES.items()]
    lines += ["", "A curve has one entry a clustering; *first* and *last* are its ends, *peak* the 0-based first entry"]
    lines += ["within 0.1 points of its largest.", "", "## Not asked here", ""]
    lines += [f"- {name}: {why}." for name, why in NOT_ASKED.items()]
    return "\n".join(lines) + "\n"


def rule_text(claim: Claim) -> str:
    """The rule of a claim in symbols."""
    terms = [f"{SIGNS.get(k, f'{k:+g} ×')} {name.replace(': ', ' ')}" for name, k in claim.contrast.items()]
    left = " ".join(terms).removeprefix("+ ")
    return f"\\|{left}\\| < {claim.margin:g}" if claim.rule == WITHIN else f"{left} > {claim.margin:g}"


def _setting(record: dict[str, Any]) -> str:
    setting = record["setting"]
    text = f"Profile `{record['profile']}`: worlds of size {setting['world']}, backbone `{setting['backbone']}`, rho"
    scale = setting["scale"]
    text += f" {setting['rho']:g}, {scale['rounds']} clusterings (Learn by Guessing {scale['steps']} steps of"
    text += f" {scale['frozen_epochs']} + {scale['epochs']} epochs); all methods use the optimiser and rate of"
    return text + f" the profile. reidkit {record['version']}. A seed is that of worlds and training at once."


def _totals(made: list[Verdict]) -> list[str]:
    count = {word: sum(one.word == word for one in made) for word in (HOLDS, FAILS, UNDECIDED)}
    return [", ".join(f"{number} × {word}" for word, number in count.items()) + ".", ""]


def _line(claim: Claim, found: Verdict) -> str:
    effect = "–" if found.mean is None else f"{found.mean:+.3f}"
    if found.spread is not None:
        effect += f" ± {found.spread:.3f} ({len(found.effects)})"
    between = "–" if found.interval is None else f"{found.interval[0]:+.3f} … {found.interval[1]:+.3f}"
    cells = (claim.id, claim.sentence, claim.source, rule_text(claim), found.world, effect, between, f"**{found.word}**")
    return "| " + " | ".join(cells) + " |"


def _runs(record: dict[str, Any]) -> list[str]:
    """Means of some measures, a line a world and run."""
    shown = ("map.last", "rank1.last", "portion.last", "excess.last", "lost.last", "identity.last")
    lines = ["| world | run | row | " + " | ".join(shown) + " |", "|---" * (3 + len(shown)) + "|"]
    for world in [name for name in PAIRS if name in record["runs"]]:
        for name, run in RUNS.items():
            numbers = [seed[name] for seed in record["runs"][world].values() if name in seed]
            if numbers and "map" in numbers[0]:
                cells = [_mean([value(one, measure) for one in numbers]) for measure in shown]
                lines.append(f"| {world} | {name} | {run.row or 'direct transfer'} | " + " | ".join(cells) + " |")
    return lines


def _mean(values: list[float]) -> str:
    known = [one for one in values if np.isfinite(one)]
    return f"{np.mean(known):.3f}" if known else "–"
