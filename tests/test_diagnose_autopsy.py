"""Lost identities on planted worlds: the cause named is the cause planted, and the change brings them back."""

import numpy as np
import pytest
from scipy import sparse

from reidkit.diagnose import Diagnosis, diagnose
from reidkit.diagnose.autopsy import autopsy
from reidkit.diagnose.radii import dbscan_on
from reidkit.diagnose.rescue import _clusters
from reidkit.errors import DiagnosisError
from reidkit.jaccard import jaccard_graph

EPS, MIN_SAMPLES, DIMENSION = 0.6, 4, 64


class World:
    """Directions with noise: 20 ordinary people, and `each` people of every cause."""

    def __init__(self, seed: int, each: int = 4) -> None:
        self.generator = np.random.default_rng(seed)
        self.rows: list[np.ndarray] = []
        self.identity: list[int] = []
        self.cause: dict[int, str] = {}
        unlink, stretch = [], []
        for _ in range(20):
            self.add([self.centre()] * 12, 0.5)
        for _ in range(each):
            self.add([self.centre()] * 3, 0.4, "too few images")
            centre = self.centre()
            self.add([centre] * 14, 0.5)
            self.add([centre + 0.45 * self.centre()] * 6, 0.4, "twin")
            centre = self.centre()
            for _ in range(4):
                self.add([centre] * 5, 0.5, "merged")
            self.add([self.centre() for _ in range(3)] * 3, 0.3, "cameras apart")
            self.add([self.centre() for _ in range(8)], 0.0, "scattered")
            stretch.append(self.add([self.centre()] * 9, 0.4, "eps too strict"))
            unlink.append(self.add([self.centre()] * 8, 0.4, "broken reciprocity"))
        self.features, self.identities = np.array(self.rows, np.float32), np.array(self.identity)
        starts = np.flatnonzero(np.r_[True, np.diff(self.identities) > 0])
        self.cameras = (np.arange(len(self.identities)) - starts[self.identities]) % 3
        self.graph = self._graph(np.array(unlink), np.array(stretch))

    def centre(self) -> np.ndarray:
        vector = self.generator.normal(size=DIMENSION)
        return vector / np.linalg.norm(vector)

    def add(self, centres: list[np.ndarray], noise: float, cause: str = "") -> int:
        number = self.identity[-1] + 1 if self.identity else 0
        for centre in centres:
            row = centre + noise * self.generator.normal(size=DIMENSION) / np.sqrt(DIMENSION)
            self.rows.append(row / np.linalg.norm(row))
            self.identity.append(number)
        if cause:
            self.cause[number] = cause
        return number

    def _graph(self, unlink: np.ndarray, stretch: np.ndarray) -> sparse.csr_array:
        found = jaccard_graph(self.features, k1=10, k2=4, variant="full").matrix.tocoo()
        row, column = found.coords
        own = (self.identities[row] == self.identities[column]) & (row != column)
        gone = own & np.isin(self.identities[row], unlink) & ~np.isin(np.abs(row - column), (1, 7))
        data = np.where(own & np.isin(self.identities[row], stretch), 0.65 + 0.3 * found.data, found.data)
        return sparse.csr_array((data[~gone], (row[~gone], column[~gone])), shape=found.shape)

    def diagnosis(self, label: np.ndarray) -> Diagnosis:
        truth = {"identities": self.identities, "features": self.features, "graph": self.graph}
        return diagnose(label, self.cameras, permutations=0, **truth)

    def lost(self, label: np.ndarray) -> set[int]:
        table = self.diagnosis(label).identities
        return set(table.loc[table["lost"], "identity"])


@pytest.fixture(scope="module", params=[0, 1, 2])
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


def test_the_cause_named_is_the_cause_planted(world: World) -> None:
    label = dbscan_on(world.graph, MIN_SAMPLES)(EPS)
    found = autopsy(world.diagnosis(label), eps=EPS, min_samples=MIN_SAMPLES)
    assert set(found["identity"]) == world.lost(label)
    planted = found["identity"].map(world.cause)
    assert planted.notna().all() and len(found) >= 25
    right = (found["cause"] == planted).groupby(planted).mean()
    assert right.mean() >= 0.9 and right.min() >= 0.75, right
    seen = found.groupby("cause").size()
    assert set(seen.index) == {
        "too few images",
        "twin",
        "merged",
        "cameras apart",
        "scattered",
        "eps too strict",
        "broken reciprocity",
    }
    assert found["evidence"].str.len().gt(10).all()


def test_the_change_brings_it_back(world: World) -> None:
    cluster = dbscan_on(world.graph, MIN_SAMPLES)
    found = autopsy(world.diagnosis(cluster(EPS)), eps=EPS, min_samples=MIN_SAMPLES)
    assert {"eps", "edge", "none"} == set(found["change"])
    for row in found[found["eps"].notna()].itertuples():
        assert row.identity not in world.lost(cluster(row.eps))
    for row in found[found["edge_a"].notna()].head(4).itertuples():
        a, b = int(row.edge_a), int(row.edge_b)
        assert world.identities[a] == world.identities[b] == row.identity
        whole = sparse.lil_array(world.graph)
        whole[a, b] = whole[b, a] = EPS / 2
        assert row.identity not in world.lost(dbscan_on(whole.tocsr(), MIN_SAMPLES)(EPS))


def test_the_radius_is_the_nearest_of_those_tried(world: World) -> None:
    radii = np.array([0.3, 0.45, 0.6, 0.75, 0.9])
    cluster = dbscan_on(world.graph, MIN_SAMPLES)
    found = autopsy(world.diagnosis(cluster(EPS)), eps=EPS, min_samples=MIN_SAMPLES, radii=radii)
    lost = {radius: world.lost(cluster(radius)) for radius in radii}
    for row in found.itertuples():
        kept = [radius for radius in radii if row.identity not in lost[radius]]
        nearest = min(kept, key=lambda r: (abs(r - EPS), r)) if kept else None
        assert (nearest is None and np.isnan(row.eps)) or row.eps == nearest


def test_local_clustering_equals_scikit_learn(world: World) -> None:
    from reidkit.diagnose.rescue import Rescue

    linked = Rescue.of(world.diagnosis(np.zeros(len(world.cameras), int)).space.graph, EPS, MIN_SAMPLES, world.identities).linked
    wanted = dbscan_on(world.graph, MIN_SAMPLES)(EPS)
    found = _clusters(linked, MIN_SAMPLES)
    np.testing.assert_array_equal(found >= 0, wanted >= 0)
    pairs = {(a, b) for a, b in zip(found, wanted) if a >= 0}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) == wanted.max() + 1


def test_no_truth_or_no_graph_is_refused() -> None:
    with pytest.raises(DiagnosisError, match="Pass identities and graph"):
        autopsy(diagnose([0, 0], [0, 1], identities=[1, 1]), eps=0.5)


def test_nothing_lost_gives_an_empty_table() -> None:
    graph = sparse.csr_array(np.full((8, 8), 0.2) * (1 - np.eye(8)))
    found = autopsy(diagnose([0] * 8, [0, 1] * 4, identities=[1] * 8, graph=graph), eps=0.5)
    assert len(found) == 0 and "cause" in found


def cause_of_first(sizes: list[int], noise: list[float], cameras: np.ndarray, pairs: dict[tuple[int, int], float]) -> str:
    """The cause named for identity 0; identities are directions with noise, the graph holds these pairs (a, b): distance."""
    generator = np.random.default_rng(0)
    identities = np.repeat(np.arange(len(sizes)), sizes)
    features = generator.normal(size=(len(sizes), 32))[identities]
    features += np.array(noise)[identities][:, None] * generator.normal(size=features.shape)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    (a, b), data = np.array(list(pairs)).T, np.array(list(pairs.values()))
    whole = sparse.coo_array((np.r_[data, data], (np.r_[a, b], np.r_[b, a])), shape=(len(identities),) * 2)
    graph = sparse.csr_array(whole)
    truth = {"identities": identities, "features": features.astype(np.float32), "graph": graph}
    found = autopsy(diagnose(dbscan_on(graph, MIN_SAMPLES)(EPS), cameras, permutations=0, **truth), eps=EPS)
    return str(found.set_index("identity")["cause"][0])


def among(rows: range, distance: float) -> dict[tuple[int, int], float]:
    return {(a, b): distance for a in rows for b in rows if a < b}


def test_failing_links_of_its_own_stand_before_the_cluster_that_took_it() -> None:
    taken = {(a, 6 + a): 0.5 for a in range(6)} | among(range(6, 16), 0.3)
    settings = [6, 10], [0.2, 0.2], np.arange(16) % 3
    assert cause_of_first(*settings, taken | among(range(6), 0.8)) == "eps too strict"
    assert cause_of_first(*settings, taken) == "broken reciprocity"
    assert cause_of_first(*settings, taken | among(range(6), 0.4)) == "twin"


def test_cameras_are_apart_also_when_a_few_pairs_meet_in_a_foreign_cluster() -> None:
    cameras = np.r_[np.repeat([0, 1, 2], 4), np.arange(20) % 3]
    within = {(a, b): 0.3 for a in range(12) for b in range(a + 1, 12) if cameras[a] == cameras[b]}
    few = {(a, a + 4): 0.5 for a in range(7)}  # 7 of 48 pairs across cameras
    taken = {(a, 12 + a): 0.5 for a in range(12)} | among(range(12, 32), 0.3)
    assert cause_of_first([12, 20], [0.3, 0.3], cameras, within | few | taken) == "cameras apart"
    many = {(a, b): 0.4 for a in range(12) for b in range(a + 1, 12) if (a + b) % 2}
    assert cause_of_first([12, 20], [0.3, 0.3], cameras, within | many | taken) == "twin"


def test_strangers_whose_pairs_are_in_the_graph_far_off_are_scattered() -> None:
    sizes, cameras, far = [8] + [6] * 10, np.arange(68) % 3, among(range(8), 0.9)
    for start in range(8, 68, 6):
        far |= among(range(start, start + 6), 0.3)
    assert cause_of_first(sizes, [20.0] + [0.2] * 10, cameras, far) == "scattered"
    assert cause_of_first(sizes, [0.2] * 11, cameras, far) == "eps too strict"
