"""Do the runs that are missing, keep the record, and write the page made from it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from reidkit import __version__, stages
from reidkit.bench.claims.data import Claim, claims_named
from reidkit.bench.claims.page import page
from reidkit.bench.claims.runs import CODE, RUNS, identity, measured, schedule_of
from reidkit.bench.claims.verdict import verdicts
from reidkit.errors import BenchError, nearest_name
from reidkit.models import build_embedder
from reidkit.storage import write_atomically, write_json
from reidkit.trials import PAIRS, RHO, SCALES, code_of

FORMAT = 1
LOADING = 1.6  # images, augmentation, clustering and judging, on top of the network's own time
Job = tuple[str, int, str]  # pair, seed, run


def run_claims(
    out: Path,
    *,
    profile: str = "demo",
    seeds: Sequence[int] = (0, 1, 2),
    worlds: Sequence[str] = tuple(PAIRS),
    claims: Sequence[str] = (),
    say: Callable[[str], object] = print,
    progress: bool = True,
) -> dict[str, Any]:
    """Run what the claims need, worlds by seeds, and write ``records/claims.json`` and ``claims.md`` into `out` after each run.

    Runs are kept in the cache of stages: started again, it does what is missing, and goes on with a training that was cut
    off. The estimate of time is said first.

    Returns:
        The record.

    Raises:
        BenchError: for unknown worlds or claims, or no seed of 0 or more.
    """
    asked = claims_named(tuple(claims))
    for world in worlds:
        if world not in PAIRS:
            raise BenchError(f"No pair {world!r}.", rule=f"Pairs: {tuple(PAIRS)}.", action=nearest_name(world, PAIRS))
    if not seeds or min(seeds) < 0:
        raise BenchError(f"Seeds {list(seeds)}.", rule="One seed or more, each 0 or more.", action="Leave out the negative ones.")
    path = out / "records" / "claims.json"
    record = begin(path, profile)
    todo = jobs(asked, worlds, seeds)
    say(estimate(profile, todo))
    for pair, seed, run in tqdm(todo, "runs", disable=not progress):
        started = time.process_time()
        numbers = measured(profile, pair, run, seed)
        record["runs"].setdefault(pair, {}).setdefault(str(seed), {})[run] = numbers
        write(record, out)
        last = f", mAP {numbers['map'][-1]:.3f}" if numbers.get("map") and numbers["map"][-1] is not None else ""
        say(f"{pair}, seed {seed}, {run}{last} ({time.process_time() - started:.0f} CPU s)")
    return record


def jobs(claims: Sequence[Claim], worlds: Sequence[str], seeds: Sequence[int]) -> list[Job]:
    """The runs that claims need, seed by seed, so that every claim has its first seed early."""
    needed = {(world, run) for claim in claims for world in claim.worlds for run in claim.runs}
    return [(pair, seed, run) for seed in seeds for pair in worlds for run in RUNS if (pair, run) in needed]


def is_done(profile: str, job: Job) -> bool:
    """Whether the numbers of a run lie in the cache."""
    pair, seed, run = job
    return (stages.stage_folder("claims", identity(profile, pair, run, seed)) / ".done").exists()


def estimate(profile: str, todo: Sequence[Job]) -> str:
    """CPU time of the runs that are missing, from a few steps of the profile's network measured now."""
    missing = [job for job in todo if not is_done(profile, job)]
    if not missing:
        return f"{len(todo)} runs, all of them in the cache."
    wanted, unit = stages.profile(profile), step_seconds(profile)
    trained = {run for _, _, run in missing if RUNS[run].cost}
    steps = {run: (wanted.target.steps or 0) * schedule_of(profile, run).epochs * RUNS[run].cost for run in trained}
    starts = 3 * len({(pair, seed) for pair, seed, _ in missing}) * wanted.source.epochs * (wanted.source.steps or 0)
    minutes = LOADING * unit * (sum(steps.get(run, 0.0) for _, _, run in missing) + starts) / 60
    text = f"{len(todo)} runs, {len(missing)} of them to do: about {minutes:.0f} CPU minutes ({unit:.3f} s a step)"
    return text + ", worlds and starting networks that are missing included as if none were there."


def step_seconds(profile: str) -> float:
    """CPU seconds of a forward and backward pass of the profile's network over one batch, the least of three."""
    wanted = stages.profile(profile)
    network = build_embedder(wanted.backbone, seed=0)
    images = torch.zeros(wanted.target.identities * wanted.target.instances, 3, *wanted.size)
    found = []
    for _ in range(3):
        started = time.process_time()
        network(images)[1].square().mean().backward()
        found.append(time.process_time() - started)
    return min(found)


def begin(path: Path, profile: str) -> dict[str, Any]:
    """The record at `path` when it is of the same profile and code, so that other worlds and seeds stay; else a new one."""
    wanted = stages.profile(profile)
    setting = {"world": wanted.world, "backbone": wanted.backbone, "rho": RHO[profile], "scale": asdict(SCALES[profile])}
    fresh: dict[str, Any] = {
        "format": FORMAT,
        "profile": profile,
        "setting": setting,
        "code": {"stages": stages.code_fingerprint(), "claims": code_of(CODE)},
        "version": __version__,
        "runs": {},
    }
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return kept if all(kept.get(name) == fresh[name] for name in fresh if name != "runs") else fresh


def write(record: dict[str, Any], out: Path) -> None:
    """Store the record, its verdicts, and the page."""
    found = [asdict(verdict) for verdict in verdicts(record["runs"])]
    write_json(out / "records" / "claims.json", record | {"verdicts": found})
    write_atomically(out / "claims.md", lambda partial: partial.write_text(page(record), encoding="utf-8"))
