"""Is the autopsy right? On rendered worlds, people whom clustering keeps are given a known cause to be lost.

python data_scripts/measure_autopsy.py                                            # size demo, three seeds of two worlds
python data_scripts/measure_autopsy.py --profile smoke --worlds standard --seeds 1 --out runs/autopsy

A person whom clustering loses or confuses anyhow has a cause of their own, so only people whom a control keeps nearly whole and
nearly alone in a cluster are planted in: the same world and network with nothing planted. The network was trained on world 0 of
the same preset, whose people are others. Writes records/autopsy.json below --out.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

import reidkit
from reidkit import stages
from reidkit.bench.pairs import rendered
from reidkit.diagnose import Diagnosis, autopsy, diagnose
from reidkit.diagnose.causes import CAUSES
from reidkit.diagnose.radii import dbscan_on
from reidkit.errors import ReidkitError, RunnerError, shown
from reidkit.features import extract
from reidkit.labels import ClusterSettings, cluster
from reidkit.models import Embedder
from reidkit.records import Records
from reidkit.storage import write_json
from reidkit.trials import code_of

WORLDS = {"standard": "winter", "hard": "hard-winter"}
TRAINED_ON = 0
MIN_SAMPLES, EPS, CLEAN = 4, 0.5, 0.75
HOW = ClusterSettings(k1=12, k2=4, min_samples=MIN_SAMPLES, eps=EPS, camera="normalised")
IN_GRAPH = ("eps too strict", "broken reciprocity")
PARTS = {"twin": 2, "merged": 3}
MEASURED_BY = ("features.py", "labels", "jaccard", "neighbours", "diagnose")
Record = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Scene:
    """A world with everything that the autopsy reads: images (N, H, W, 3), cameras (N,), people (N,), features and graph."""

    pixels: np.ndarray
    camera: np.ndarray
    person: np.ndarray
    matrix: np.ndarray
    graph: sparse.csr_array

    @staticmethod
    def of(profile: str, network: Embedder, world: Records) -> Scene:
        """Unit features, and the Jaccard graph of them after camera normalisation."""
        assert world.pixels is not None
        found = extract(network.embed, world.blind(), size=stages.profile(profile).size, progress=False).unit().matrix
        graph = cluster(found, world.camera, HOW).graph
        assert graph is not None
        return Scene(world.pixels, world.camera, world.truth(), found, sparse.csr_array(graph.matrix))

    def labels(self, eps: float = EPS) -> np.ndarray:
        return dbscan_on(self.graph, MIN_SAMPLES)(eps)

    def diagnosis(self, label: np.ndarray) -> Diagnosis:
        truth = {"identities": self.person, "features": self.matrix, "graph": self.graph}
        return diagnose(label, self.camera, permutations=0, **truth)

    def lost(self, eps: float = EPS) -> set[int]:
        table = self.diagnosis(self.labels(eps)).identities
        return set(table.loc[table["lost"], "identity"])

    def clean(self) -> np.ndarray:
        """Names of people of whom `CLEAN` or more is in one cluster, of which they are `CLEAN` or more."""
        found = self.diagnosis(self.labels())
        purity = found.clusters.set_index("cluster")["purity"]
        table = found.identities
        whole = (table["largest_share"] >= CLEAN) & (table["largest_cluster"].map(purity) >= CLEAN)
        return table.loc[whole & (table["status"] == "kept"), "identity"].to_numpy()

    def with_edge(self, a: int, b: int) -> Scene:
        """The same with one pair well within eps."""
        graph = self.graph.tolil()
        graph[a, b] = graph[b, a] = EPS / 2
        return replace(self, graph=sparse.csr_array(graph.tocsr()))


def plant(profile: str, network: Embedder, preset: str, seed: int, each: int) -> tuple[Scene, dict[int, str]]:
    """A scene, and the cause given to each planted name: `each` people a cause, fewer when the control keeps too few."""
    world = rendered(profile, preset, seed, visits_spread=0)
    order = np.random.default_rng(seed).permutation(Scene.of(profile, network, world).clean()).tolist()
    given = {cause: order[place :: len(CAUSES)][:each] for place, cause in enumerate(CAUSES)}
    world, cause = planted_in_pictures(world, rendered(profile, preset, seed + 1000), given)
    scene = Scene.of(profile, network, world)
    still = set(scene.clean().tolist())
    chosen = {name: [who for who in given[name] if who in still] for name in IN_GRAPH}
    cause |= {who: name for name, group in chosen.items() for who in group}
    return planted_in_graph(scene, chosen), cause


def planted_in_pictures(world: Records, strangers: Records, given: dict[str, list[int]]) -> tuple[Records, dict[int, str]]:
    """Five causes that pictures and names can have, and the cause of each name.

    Too few images: all but three are taken away. Twin, merged: the passages of one person go to two, or to three, names.
    Cameras apart: channels exchanged, the light turned round, camera by camera. Scattered: each image shows another stranger.
    """
    assert world.pixels is not None and strangers.pixels is not None
    pixels, person, keep = world.pixels.copy(), world.truth().copy(), np.ones(len(world), bool)
    spare, cause = np.unique(strangers.truth(), return_index=True)[1].tolist(), {}
    for name in CAUSES:
        for who in [] if name in IN_GRAPH else given[name]:
            rows = np.flatnonzero(person == who)
            cause[who] = name
            if name == "too few images":
                keep[rows[MIN_SAMPLES - 1 :]] = False
            elif name in PARTS:
                for part in range(1, PARTS[name]):
                    fresh = int(person.max()) + 1
                    person[rows[part :: PARTS[name]]], cause[fresh] = fresh, name
            elif name == "cameras apart":
                for row in rows:
                    turn = np.roll(pixels[row], world.camera[row] % 3, axis=2)
                    pixels[row] = 255 - turn if world.camera[row] >= 3 else turn
            else:
                pixels[rows] = strangers.pixels[[spare.pop() for _ in rows]]
    frame = world.frame.assign(identity=person)
    return replace(world, frame=frame, pixels=pixels).take(np.flatnonzero(keep)), cause


def planted_in_graph(scene: Scene, given: dict[str, list[int]]) -> Scene:
    """Two causes that lie in the graph: distances stretched beyond eps, and entries taken away (seven of eight pairs)."""
    found = sparse.coo_array(scene.graph)
    row, column = found.coords
    own = (scene.person[row] == scene.person[column]) & (row != column)
    stretched, cut = (own & np.isin(scene.person[row], given[name]) for name in IN_GRAPH)
    data = np.where(stretched, EPS + 0.1 + (0.9 - EPS) * found.data, found.data)
    kept = ~(cut & ((row + column) % 8 != 0))
    return replace(scene, graph=sparse.csr_array((data[kept], (row[kept], column[kept])), shape=found.shape))


def judged(scene: Scene, cause: dict[int, str]) -> pd.DataFrame:
    """One row a planted name that is lost: what was planted, what the autopsy named, and whether its change brought it back."""
    found = autopsy(scene.diagnosis(scene.labels()), eps=EPS, min_samples=MIN_SAMPLES)
    found = found.assign(planted=found["identity"].map(cause)).dropna(subset="planted")
    back = [None if row.change == "none" else came_back(scene, row) for row in found.itertuples()]
    return found.assign(came_back=pd.Series(back, found.index, dtype=object))[
        ["identity", "planted", "cause", "evidence", "change", "came_back"]
    ]


def came_back(scene: Scene, row: Any) -> bool:
    """Whether the change that the autopsy names, applied to labels or graph and clustered anew, ends the loss."""
    changed = scene if row.change == "eps" else scene.with_edge(int(row.edge_a), int(row.edge_b))
    return row.identity not in changed.lost(float(row.eps) if row.change == "eps" else EPS)


# --- the record --------------------------------------------------------------------------------------------------------


def begin(path: Path, profile: str, each: int) -> Record:
    """The record at `path` when it is of the same settings and code, so that other worlds and seeds stay; else a new one."""
    setting = {"clustering": asdict(HOW), "each": each, "clean": CLEAN}
    code = {"stages": stages.code_fingerprint(), "autopsy": code_of(MEASURED_BY)}
    fresh: Record = {"profile": profile, "setting": setting, "code": code, "version": reidkit.__version__, "worlds": {}}
    if not path.is_file():
        return fresh
    kept = json.loads(path.read_text(encoding="utf-8"))
    return kept if all(kept.get(name) == fresh[name] for name in fresh if name != "worlds") else fresh


def summary(record: Record) -> dict[str, Any]:
    """How often the cause was right and the change good, over all planted people who are lost; `causes` the same by cause."""
    rows = [row for seeds in record["worlds"].values() for scene in seeds.values() for row in scene["lost"]]
    named = [row["came_back"] for row in rows if row["came_back"] is not None]
    by_cause = {cause: [row["cause"] == cause for row in rows if row["planted"] == cause] for cause in CAUSES}
    return {
        "lost": len(rows),
        "right": sum(row["cause"] == row["planted"] for row in rows),
        "changes_named": len(named),
        "changes_good": sum(named),
        "causes": {cause: {"lost": len(right), "right": sum(right)} for cause, right in by_cause.items()},
    }


def measure(profile: str, world: str, seed: int, each: int) -> Record:
    """One scene: how many names were planted, and a row for each of them that is lost."""
    preset = WORLDS[world]
    network = stages.pretrained(profile, preset, TRAINED_ON, world_seed=TRAINED_ON, progress=False)
    scene, cause = plant(profile, network, preset, seed, each)
    return {"planted": len(cause), "lost": judged(scene, cause).to_dict("records")}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", nargs="+", default=list(WORLDS), choices=list(WORLDS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[2, 3, 4], help="1 or more")
    parser.add_argument("--each", type=int, default=4, help="people of each cause")
    parser.add_argument("--profile", default="demo", choices=list(stages.PROFILES))
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs")
    given = parser.parse_args(arguments)
    path = given.out / "records" / "autopsy.json"
    try:
        if any(seed <= TRAINED_ON for seed in given.seeds):
            rule = f"A seed is {TRAINED_ON + 1} or more: the network was trained on the people of seed {TRAINED_ON}."
            raise RunnerError(f"--seeds {shown(given.seeds)}.", rule=rule, action="Choose others.")
        record = begin(path, given.profile, given.each)
        for seed in given.seeds:
            for world in given.worlds:
                started = time.process_time()
                found = measure(given.profile, world, seed, given.each)
                record["worlds"].setdefault(world, {})[str(seed)] = found
                write_json(path, record | {"summary": summary(record)})
                right = sum(row["cause"] == row["planted"] for row in found["lost"])
                told = f"{right} of {len(found['lost'])} causes right, {found['planted']} names planted"
                print(f"{world}, seed {seed}: {told} ({time.process_time() - started:.0f} CPU s)", flush=True)
    except ReidkitError as error:
        print(error, file=sys.stderr)
        return 2
    whole = summary(record)
    told = f"{whole['right']} of {whole['lost']} causes right, {whole['changes_good']} of {whole['changes_named']} changes good"
    print(f"{path}: {told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
