"""Measure what the synthetic pairs do to a network, and hold it against what they were made for.

python data_scripts/calibrate.py                                  # all pairs, three seeds, size demo
python data_scripts/calibrate.py --pairs standard --seeds 0 1 2
python data_scripts/calibrate.py --profile smoke --seeds 0 --out runs/calibration

Writes calibration.json (the record) and calibration.md (made from it by calibration_page.py) after every run. Each run is kept in
the cache of stages: started again, the script does what is missing, and goes on with a training that was cut off.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
from calibration_page import COLUMNS, DOCS, LONGER, Record, verdicts, write

import reidkit
from reidkit import stages
from reidkit.bench.pairs import judged, kept_numbers
from reidkit.capsule import Capsule
from reidkit.diagnose import diagnose
from reidkit.diagnose.records_summary import records_summary
from reidkit.errors import ReidkitError, RunnerError, shown
from reidkit.method import Method
from reidkit.methods.canu import CANU
from reidkit.methods.cluster_finetune import ClusterAndFinetune, Recipe
from reidkit.training import Schedule, fit, judge_on
from reidkit.trials import PAIRS, RHO, code_of

LABELLED_BY = (
    "features.py",
    "method.py",
    "labels",
    "jaccard",
    "neighbours",
    "evaluate",
    "diagnose",
    "methods/cluster_finetune.py",
    "methods/canu.py",
)
RUNS = {
    "facts": "the target world",
    "source": "trained on the source: at home, and carried to the target (direct transfer)",
    "supervised": f"trained with the target's own labels, {LONGER} times as long as the source's",
    "plain": "cluster and fine-tune on raw features",
    "normalised": "cluster and fine-tune on features normalised by camera",
    "adversarial": "as plain, against a camera discriminator (+Adv)",
    "conditional": "as plain, against one that knows the cluster's centroid (CANU)",
}
CONDITIONS = {"adversarial": "none", "conditional": "centroid"}


def measure(profile: str, pair: str, run: str, seed: int) -> dict[str, float]:
    """The numbers of one run, from the cache when it was done before."""
    made_from = {
        "profile": asdict(stages.profile(profile)),
        "pair": PAIRS[pair],
        "run": RUNS[run],
        "seed": seed,
        "rho": RHO[profile],
    }
    made_from["labels"] = code_of(LABELLED_BY)
    return kept_numbers("calibration", made_from, partial(_numbers, profile, pair, run, seed))


def _numbers(profile: str, pair: str, run: str, seed: int, folder: Path) -> dict[str, float]:
    source, target = PAIRS[pair]
    if run == "facts":
        return facts(profile, target, seed)
    if run == "source":
        network = pretrained(profile, source, seed)
        places = (("home_map", source), ("direct_map", target))
        return {name: judged(profile, world, network, seed)["mean_ap"] for name, world in places}
    if run == "supervised":
        network = pretrained(profile, target, seed, schedule=lengthened(stages.profile(profile).source))
        return {"supervised_map": judged(profile, target, network, seed)["mean_ap"]}
    return {f"{run}_{name}": value for name, value in adapted(profile, pair, run, seed, folder).items()}


def pretrained(
    profile: str, preset: str, seed: int, recipe: Recipe | None = None, schedule: Schedule | None = None
) -> ClusterAndFinetune:
    """Cluster-and-fine-tune around the network that world `seed` of a preset trained from `seed`."""
    embedder = stages.pretrained(profile, preset, seed, world_seed=seed, schedule=schedule, progress=False)
    return ClusterAndFinetune(embedder, recipe, seed=seed)


def lengthened(schedule: Schedule) -> Schedule:
    """`LONGER` times as many epochs: what labels can give, where the profile's own schedule stops before it has converged."""
    milestones = tuple(LONGER * milestone for milestone in schedule.milestones)
    return replace(schedule, epochs=LONGER * schedule.epochs, judge_every=LONGER * schedule.judge_every, milestones=milestones)


def facts(profile: str, preset: str, seed: int) -> dict[str, float]:
    """What the training images of a world tell about cameras, before any network."""
    found = records_summary(stages.shared_world(profile, preset, seed).train)
    names = {"identity_information": "camera_information", "identity_information_chance": "camera_information_chance"}
    names |= {name: name for name in ("camera_entropy", "images", "identities")}
    return {name: found.value(statistic) for name, statistic in names.items()}


def adapted(profile: str, pair: str, run: str, seed: int, folder: Path) -> dict[str, float]:
    """Cluster and fine-tune, as lesson 06 does: the last epoch's mAP and what the labels were like."""
    wanted, (source, target) = stages.profile(profile), PAIRS[pair]
    world = stages.shared_world(profile, target, seed)
    recipe = Recipe(rho=RHO[profile], camera="normalised" if run == "normalised" else "as-is")
    method: Method = pretrained(profile, source, seed, recipe)
    if run in CONDITIONS:
        dimension = method.embedder.dimension
        method = CANU(method, ("f",), dimension, world.num_cameras, condition=CONDITIONS[run], seed=seed)
    judge, out, blind = judge_on(world, size=wanted.size), folder / "run", world.train.blind()
    capsule = fit(method, blind, schedule=wanted.target, out=out, seed=seed, judge=judge, progress=False)
    return read_run(capsule, world.train.camera, world.train.truth())


def read_run(run: Capsule, cameras: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """mAP of the last epoch, and the first and last labels against cameras and truth."""
    scores = run.scores
    numbers = {"map": float(scores["mean_ap"].iloc[-1]) if len(scores) else float("nan")}
    for when, labels in (("first", run.labels[0]), ("last", run.labels[-1])):
        found = diagnose(labels, cameras, identities=truth)
        numbers |= {f"information_{when}": found.score("camera_information"), f"clusters_{when}": found.score("clusters")}
        numbers |= {f"lost_{when}": found.score("lost"), f"unseen_{when}": float((found.identities["status"] == "unseen").sum())}
    return numbers


# --- the record --------------------------------------------------------------------------------------------------------


def begin(path: Path, profile: str) -> Record:
    """The record at `path` when it is of the same size and code, so that other pairs and seeds stay; else a new one."""
    code = {"stages": stages.code_fingerprint(), "labels": code_of(LABELLED_BY)}
    fresh: Record = {
        "profile": profile,
        "setting": {"world": stages.profile(profile).world, "backbone": stages.profile(profile).backbone, "rho": RHO[profile]},
        "code": code,
        "version": reidkit.__version__,
        "pairs": {},
    }
    if not path.is_file():
        return fresh
    kept = json.loads(path.read_text(encoding="utf-8"))
    same = all(kept.get(name) == fresh[name] for name in fresh if name != "pairs")
    return kept if same else fresh


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="+", default=list(PAIRS), choices=list(PAIRS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--profile", default="demo", choices=list(RHO))
    parser.add_argument("--out", type=Path, default=DOCS)
    given = parser.parse_args(arguments)
    try:
        if any(seed < 0 for seed in given.seeds):
            raise RunnerError(
                f"--seeds {shown(given.seeds)}.", rule="A seed is 0 or more.", action="Leave out the negative ones."
            )
        record = begin(given.out / "calibration.json", given.profile)
        for seed in given.seeds:
            for pair in given.pairs:
                for run in RUNS:
                    started = time.monotonic()
                    numbers = measure(given.profile, pair, run, seed)
                    record["pairs"].setdefault(pair, {}).setdefault(str(seed), {}).update(numbers)
                    write(record, given.out)
                    told = ", ".join(f"{name} {value:.3f}" for name, value in numbers.items() if name in COLUMNS)
                    print(f"{pair}, seed {seed}, {run}: {told} ({time.monotonic() - started:.0f} s)", flush=True)
    except ReidkitError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{given.out / 'calibration.md'}: {sum(bool(v.met) for v in verdicts(record))} of {len(verdicts(record))} wishes met")
    return 0


if __name__ == "__main__":
    sys.exit(main())
