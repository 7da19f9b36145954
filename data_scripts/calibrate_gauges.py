"""Which gauges of pseudo-labels earn trust: each one against the true F, on synthetic worlds whose identities are known.

python data_scripts/calibrate_gauges.py                                  # size demo, three seeds
python data_scripts/calibrate_gauges.py --profile smoke --seeds 0 --out runs/gauges

Writes records/gauges.json (the record) and gauges.md (tables made from it) below --out, after every world. What was measured is
kept in the cache of stages: started again, the script does what is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import reidkit
from reidkit import stages
from reidkit.bench.pairs import finite, kept_numbers, rendered
from reidkit.diagnose import Case, calibrate_gauges
from reidkit.diagnose.calibrate import SMALLER_IS_BETTER
from reidkit.diagnose.radii import COLUMNS, GAUGES
from reidkit.errors import ReidkitError, RunnerError, shown
from reidkit.features import extract
from reidkit.labels import ClusterSettings, all_eps, cluster
from reidkit.methods.cluster_finetune import ClusterAndFinetune, Recipe
from reidkit.records import Records
from reidkit.storage import write_atomically, write_json
from reidkit.training import fit
from reidkit.trials import RHO, code_of

SOURCE, TARGET = "summer", "winter"
WORLDS: dict[str, dict[str, float]] = {
    "standard": {},
    "camera gap 0.1": {"camera_gap": 0.1},
    "camera gap 0.7": {"camera_gap": 0.7},
    "camera gap 1.2": {"camera_gap": 1.2},
    "twins 0.5": {"twin_rate": 0.5},
    "occlusion 0.5": {"occlusion": 0.5},
    "boxes 1.0": {"box_error": 1.0},
    "dependence 0.8": {"dependence": 0.8},
}
ADAPTED = "adapted"
FORMS = {"raw": "as-is", "normalised": "normalised"}
EPS = np.arange(0.1, 0.91, 0.05).round(2)
CORRELATED, AGREEING, REGRET = 0.5, 0.8, 0.05
NUMBERS = ("correlation", "picked_eps", "picked_f1", "best_f1", "regret")
READ_BY = ("calibrate", "radii", "space", "scores", "identities", "information", "pairwise", "counts", "inputs")
MEASURED_BY = (
    *("features.py", "method.py", "labels", "jaccard", "neighbours", "methods/cluster_finetune.py"),
    *(f"diagnose/{name}.py" for name in READ_BY),
)
Record = dict[str, Any]


def measure(profile: str, world: str, seed: int) -> list[dict[str, Any]]:
    """One row a form of the features (or epoch) and gauge, from the cache when it was measured before."""
    made_from = {"profile": asdict(stages.profile(profile)), "world": world, "dials": WORLDS.get(world), "seed": seed}
    made_from |= {"eps": EPS.tolist(), "rho": RHO[profile], "code": code_of(MEASURED_BY), "settings": asdict(ClusterSettings())}
    cases = adapted_cases if world == ADAPTED else partial(world_cases, world)
    return kept_numbers("gauges", made_from, lambda folder: {"rows": rows(cases(profile, seed, folder))})["rows"]


def rows(cases: Mapping[str, Case]) -> list[dict[str, Any]]:
    """What `calibrate_gauges` finds in each case; what is undefined becomes None."""
    found = calibrate_gauges(cases, EPS, min_samples=ClusterSettings().min_samples)
    found = found[found["case"] != "all"]
    return [
        {"case": row.case, "gauge": row.gauge} | dict(zip(NUMBERS, finite(getattr(row, name) for name in NUMBERS)))
        for row in found.itertuples()
    ]


def world_cases(world: str, profile: str, seed: int, folder: Path) -> dict[str, Case]:
    """Features of a network that never saw the world, as they are and normalised by camera."""
    records = rendered(profile, TARGET, seed, **WORLDS[world])
    network = stages.pretrained(profile, SOURCE, seed, progress=False)
    found = extract(network.embed, records.blind(), size=stages.profile(profile).size, progress=False).unit().matrix
    return {form: case(found, records, camera) for form, camera in FORMS.items()}


def adapted_cases(profile: str, seed: int, folder: Path) -> dict[str, Case]:
    """Every epoch of an adaptation to the standard world."""
    records, wanted = rendered(profile, TARGET, seed), stages.profile(profile)
    network = stages.pretrained(profile, SOURCE, seed, progress=False)
    method = ClusterAndFinetune(network, Recipe(rho=RHO[profile], camera="normalised"), seed=seed)
    run = fit(method, records.blind(), schedule=wanted.target, out=folder / "run", seed=seed, progress=False)
    return {f"epoch {epoch}": case(run.features(epoch), records, "normalised") for epoch in range(run.epochs)}


def case(features: object, records: Records, camera: str) -> Case:
    """The Jaccard graph of features (N, D), and its labels at every radius."""
    matrix = np.asarray(getattr(features, "matrix", features), np.float32)
    matrix = matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)
    graph = cluster(matrix, records.camera, ClusterSettings(camera=camera, eps=float(EPS[-1]))).graph
    assert graph is not None
    return Case(graph, records.camera, records.truth(), all_eps(graph, ClusterSettings().min_samples).labels)


# --- the record --------------------------------------------------------------------------------------------------------


def begin(path: Path, profile: str) -> Record:
    """The record at `path` when it is of the same size and code, so that other worlds and seeds stay; else a new one."""
    code = {"stages": stages.code_fingerprint(), "gauges": code_of(MEASURED_BY)}
    fresh: Record = {"profile": profile, "eps": EPS.tolist(), "code": code, "version": reidkit.__version__, "worlds": {}}
    if not path.is_file():
        return fresh
    kept = json.loads(path.read_text(encoding="utf-8"))
    return kept if all(kept.get(name) == fresh[name] for name in fresh if name != "worlds") else fresh


def table(record: Record) -> pd.DataFrame:
    """One row a world, seed, case and gauge, with the `NUMBERS`; undefined ones are NaN."""
    whole = [
        {"world": world, "seed": int(seed)} | row
        for world, seeds in record["worlds"].items()
        for seed, found in seeds.items()
        for row in found
    ]
    frame = pd.DataFrame(whole, columns=["world", "seed", "case", "gauge", *NUMBERS])
    return frame.astype(dict.fromkeys(NUMBERS, np.float64))


def summary(record: Record) -> pd.DataFrame:
    """One row a gauge: its correlation over all cases and whether it earned trust.

    `correlation` is the mean over cases, `spread` the standard deviation (n - 1) of the means of worlds, `lowest` and `highest`
    those of a case; `agreeing` is the share of cases whose correlation has the right sign and is at least `CORRELATED`, where an
    undefined one does not agree; `regret` the mean F given away. It is `trusted` when `agreeing` is at least `AGREEING` and
    `regret` at most `REGRET`.
    """
    frame = table(record)
    sign = np.where(frame["gauge"].isin(SMALLER_IS_BETTER), -1.0, 1.0)
    frame["agrees"] = frame["correlation"] * sign >= CORRELATED
    grouped = frame.groupby("gauge", sort=False)
    worlds = frame.groupby(["gauge", "world"], sort=False)["correlation"].mean()
    found = (
        grouped["correlation"].agg(["mean", "min", "max", "size"]).set_axis(["correlation", "lowest", "highest", "cases"], axis=1)
    )
    found = found.assign(spread=worlds.groupby("gauge").std(), agreeing=grouped["agrees"].mean(), regret=grouped["regret"].mean())
    found["trusted"] = (found["agreeing"] >= AGREEING) & (found["regret"] <= REGRET)
    return found.reindex(GAUGES).sort_values("agreeing", ascending=False, kind="stable").reset_index(names="gauge")


def page(record: Record) -> str:
    """The record as a page of tables."""
    frame, found = table(record), summary(record)
    seeds = sorted({int(seed) for seeds in record["worlds"].values() for seed in seeds})
    trusted = [_words(gauge) for gauge in found.loc[found["trusted"], "gauge"]]
    lines = [
        "# Gauges of pseudo-labels, measured",
        "",
        "Made by `python data_scripts/calibrate_gauges.py` from `records/gauges.json`; not edited by hand.",
        "",
        f"Profile `{record['profile']}`, seeds {seeds}, reidkit {record['version']}. In each case a gauge is read at "
        f"{len(record['eps'])} radii from {record['eps'][0]:g}",
        f"to {record['eps'][-1]:g}, and ranked against the true pairwise F (Spearman). Gauges are those of `diagnose.eps_curve`.",
        "",
        f"A gauge **earns trust** when in at least {AGREEING:.0%} of the cases its rank correlation is at least {CORRELATED:g}",
        f"(camera homogeneity, where less is better: at most {-CORRELATED:g}), and the radius that it would choose gives away",
        f"at most {REGRET:g} of F on average.",
        f"Here that holds for: {', '.join(trusted) or 'none'}.",
        "",
        "| gauge | correlation, mean ± sd over worlds | lowest, highest | cases that agree | F given away | trust |",
        "|---|---|---|---|---|---|",
    ]
    for row in found.itertuples():
        mean = f"{_number(row.correlation)} ± {_number(row.spread)}"
        ends, share = f"{_number(row.lowest)}, {_number(row.highest)}", f"{row.agreeing:.0%} of {row.cases:.0f}"
        trust = "earned" if row.trusted else "not earned"
        lines.append(f"| {_words(row.gauge)} | {mean} | {ends} | {share} | {_number(row.regret)} | {trust} |")
    lines += [
        "",
        "## World by world",
        "",
        "Correlation, mean ± standard deviation (n - 1) over seeds; in brackets how many defined.",
    ]
    lines += [*_by_world(frame), "", *(f"- **{_words(name)}**: {COLUMNS[name]}" for name in GAUGES)]
    lines += [
        "",
        "Synthetic worlds are small: before you rely on a gauge, run `diagnose.calibrate_gauges` on labelled data like yours.",
    ]
    return "\n".join(lines) + "\n"


def _by_world(frame: pd.DataFrame) -> list[str]:
    lines = ["", "| world | features | best F | " + " | ".join(map(_words, GAUGES)) + " |", "|---" * (len(GAUGES) + 3) + "|"]
    for (world, name), group in frame.groupby(["world", "case"], sort=False):
        best = group.groupby("seed")["best_f1"].first()
        cells = [_cell(group.loc[group["gauge"] == gauge, "correlation"]) for gauge in GAUGES]
        lines.append(f"| {world} | {name} | {_cell(best)} | " + " | ".join(cells) + " |")
    return lines


def _cell(values: pd.Series) -> str:
    known = values.dropna()
    spread = f" ± {known.std():.2f}" if len(known) > 1 else ""
    return f"{known.mean():.2f}{spread} ({len(known)})" if len(known) else "undefined"


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}"


def _words(gauge: str) -> str:
    return gauge.replace("_", " ")


def write(record: Record, out: Path) -> None:
    """Store the record and the page made from it."""
    write_json(out / "records" / "gauges.json", record)
    write_atomically(out / "gauges.md", lambda partial: partial.write_text(page(record), encoding="utf-8"))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", nargs="+", default=[*WORLDS, ADAPTED], choices=[*WORLDS, ADAPTED])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--profile", default="demo", choices=list(RHO))
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs")
    given = parser.parse_args(arguments)
    try:
        if any(seed < 0 for seed in given.seeds):
            raise RunnerError(
                f"--seeds {shown(given.seeds)}.", rule="A seed is 0 or more.", action="Leave out the negative ones."
            )
        record = begin(given.out / "records" / "gauges.json", given.profile)
        for seed in given.seeds:
            for world in given.worlds:
                started = time.process_time()
                record["worlds"].setdefault(world, {})[str(seed)] = measure(given.profile, world, seed)
                write(record, given.out)
                print(f"{world}, seed {seed}: {time.process_time() - started:.0f} CPU s", flush=True)
    except ReidkitError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{given.out / 'gauges.md'}: {int(summary(record)['trusted'].sum())} of {len(GAUGES)} gauges earned trust")
    return 0


if __name__ == "__main__":
    sys.exit(main())
