"""Reading labels without truth: curves over radii, the panel, the calibration of gauges, and the audit by eye."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.stats import spearmanr
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score, homogeneity_score, silhouette_score

from reidkit.diagnose import diagnose
from reidkit.diagnose.audit import STRATA, audit_result, audit_sample, wilson
from reidkit.diagnose.calibrate import Case, calibrate_gauges
from reidkit.diagnose.counts import as_singletons
from reidkit.diagnose.panel import panel, reliability
from reidkit.diagnose.radii import GAUGES, dbscan_on, eps_curve, label_curve
from reidkit.errors import DiagnosisError

EPS = (0.2, 0.35, 0.5, 0.65, 0.8)


def blobs(people: int = 12, shots: int = 6, *, noise: float = 0.25, camera_gap: float = 0.0, seed: int = 0) -> tuple:
    """(sparse graph, dense distances, cameras, identities): people as directions, distance = 1 - similarity, cut at 0."""
    generator = np.random.default_rng(seed)
    identity, camera = np.repeat(np.arange(people), shots), np.tile(np.arange(shots) % 2, people)
    shift = generator.normal(size=(2, 16)) * camera_gap
    features = generator.normal(size=(people, 16))[identity] + noise * generator.normal(size=(len(identity), 16)) + shift[camera]
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    distance = np.clip(1 - np.clip(features @ features.T, 0, 1), 0, 1)
    distance = (distance + distance.T) / 2
    np.fill_diagonal(distance, 0)
    row, column = np.nonzero(distance < 1)
    return sparse.csr_array((distance[row, column], (row, column)), shape=distance.shape), distance, camera, identity


def test_dbscan_on_a_sparse_graph_equals_dbscan_on_the_dense_one() -> None:
    graph, dense, *_ = blobs()
    cluster = dbscan_on(graph, min_samples=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for eps in EPS:
            wanted = DBSCAN(eps=eps, min_samples=4, metric="precomputed").fit(dense).labels_
            np.testing.assert_array_equal(cluster(eps), wanted)
    with pytest.raises(DiagnosisError, match="0 < eps < 1"):
        cluster(1.0)


def test_curve_over_radii_equals_its_parts_one_by_one() -> None:
    graph, dense, camera, identity = blobs(noise=0.5)
    curve = eps_curve(graph, camera, EPS[::-1], identities=identity)
    assert curve["eps"].tolist() == list(EPS)
    labels = [DBSCAN(eps=eps, min_samples=4, metric="precomputed").fit(dense).labels_ for eps in EPS]
    steps = [adjusted_rand_score(as_singletons(a), as_singletons(b)) for a, b in itertools.pairwise(labels)]
    around = [steps[:1], *([a, b] for a, b in itertools.pairwise(steps)), steps[-1:]]
    np.testing.assert_allclose(curve["stability"], [np.mean(near) for near in around])
    for row, label in zip(curve.itertuples(), labels):
        found = diagnose(label, camera, identities=identity, permutations=0)
        assert (row.clusters, row.outliers) == (found.score("clusters"), found.score("outliers"))
        assert row.f1 == pytest.approx(found.score("f1", outliers="singletons")) and row.lost == found.score("lost")
        if len(set(label)) > 1:
            assert row.silhouette == pytest.approx(silhouette_score(dense, label, metric="precomputed"), abs=1e-9)
    assert "f1" not in eps_curve(graph, camera, EPS) and np.isnan(eps_curve(graph, camera, [0.4])["stability"][0])


@pytest.mark.parametrize("seed", range(3))
def test_label_curve_equals_counting_by_hand(seed: int) -> None:
    """F from every pair, lost identities from every cluster, homogeneity from scikit-learn; unknown people and outliers too."""
    generator = np.random.default_rng(seed)
    identity, camera = generator.integers(-1, 6, 60), generator.integers(0, 3, 60)
    labels = {eps: np.unique(generator.integers(-1, 9, 60), return_inverse=True)[1] - 1 for eps in EPS} | {0.95: np.full(60, -1)}
    curve = label_curve(labels.__getitem__, camera, list(labels), identities=identity)
    assert list(curve.columns) == ["eps", "camera_homogeneity", "f1", "lost"] and list(curve["eps"]) == list(labels)
    known = np.flatnonzero(identity >= 0)
    for row in curve.itertuples():
        label = labels[row.eps]
        pairs = list(itertools.combinations(known, 2))
        same = [(label[i] == label[j] >= 0, identity[i] == identity[j]) for i, j in pairs]
        both, either = sum(a and b for a, b in same), sum(a for a, _ in same) + sum(b for _, b in same)
        assert row.f1 == pytest.approx(2 * both / either)
        owners = set()
        for cluster in set(label) - {-1}:
            people = identity[(label == cluster) & (identity >= 0)].tolist()
            owners |= {who for who in people if 2 * people.count(who) > len(people)}
        assert row.lost == len(set(identity[known]) - owners)
        kept = label >= 0
        if kept.any():
            assert row.camera_homogeneity == pytest.approx(homogeneity_score(camera[kept], label[kept]))
        else:
            assert np.isnan(row.camera_homogeneity)
    assert list(label_curve(labels.__getitem__, camera, [0.2]).columns) == ["eps", "camera_homogeneity"]


def test_another_clustering_can_be_handed_in() -> None:
    graph, _, camera, _ = blobs()
    calls: list[float] = []

    def cluster(eps: float) -> np.ndarray:
        calls.append(eps)
        return np.zeros(len(camera), int)

    assert eps_curve(graph, camera, EPS, cluster=cluster)["clusters"].tolist() == [1.0] * 5 and calls == list(EPS)


def test_calibration_is_the_rank_correlation_with_the_true_f() -> None:
    cases = {name: blobs(noise=noise, seed=seed) for name, noise, seed in (("easy", 0.3, 1), ("hard", 0.6, 2))}
    found = calibrate_gauges({name: Case(g, c, i) for name, (g, _, c, i) in cases.items()}, EPS)
    assert found["case"].tolist() == ["easy"] * 6 + ["hard"] * 6 + ["all"] * 6
    assert found["gauge"].tolist() == [*GAUGES] * 3
    for name, (graph, _, camera, identity) in cases.items():
        curve = eps_curve(graph, camera, EPS, identities=identity)
        row = found[(found["case"] == name) & (found["gauge"] == "silhouette")].iloc[0]
        assert row["correlation"] == pytest.approx(
            float(spearmanr(curve["silhouette"], curve["f1"], nan_policy="omit").statistic)
        )
        picked = curve.loc[curve["silhouette"].idxmax()]
        assert (row["picked_eps"], row["picked_f1"]) == (picked["eps"], picked["f1"])
        assert row["regret"] == pytest.approx(curve["f1"].max() - picked["f1"])
    mean = found[found["gauge"] == "silhouette"].set_index("case")["correlation"]
    assert mean["all"] == pytest.approx((mean["easy"] + mean["hard"]) / 2)
    assert mean["easy"] > 0.5


def test_panel_puts_alarms_first_and_leaves_out_what_was_not_given() -> None:
    graph, _, camera, identity = blobs()
    plain = panel(diagnose(identity, camera))
    assert plain["role"].tolist() == sorted(plain["role"], key=["alarm", "ranks", "supports"].index)
    assert set(plain.loc[plain["role"] != "alarm", "gauge"]) == {"clusters", "single-camera clusters"}
    assert plain["reading"].str.len().gt(5).all()
    curve = eps_curve(graph, camera, EPS)
    whole = panel(
        diagnose(identity, camera, graph=graph), curve=curve, eps=0.5, previous=identity, parts={"upper": identity // 2}
    )
    values = whole.set_index("gauge")["value"]
    assert values["agreement with the epoch before"] == 1.0 and 0 < values["agreement of parts: upper"] < 1
    assert values["stability over eps"] == curve["stability"][2]
    assert values["best eps by silhouette"] in EPS
    with pytest.raises(DiagnosisError, match="3 labels for 72 images"):
        panel(diagnose(identity, camera), previous=[0, 0, 1])


def test_a_partition_into_cameras_rings_though_it_is_stable() -> None:
    """Two lumps, one a camera: the silhouette is high and every step of eps agrees; only the alarms see it."""
    graph, _, camera, _ = blobs(noise=0.2, camera_gap=8.0)
    rung = panel(diagnose(camera, camera, graph=graph)).set_index("gauge")["reading"]
    assert rung["clusters give the camera away"].startswith("RINGS")
    assert rung["fewer clusters than twice the cameras"].startswith("RINGS")


def test_reliability_equals_spcl_by_hand() -> None:
    label, looser = np.array([0, 0, 0, 1, 1, -1]), np.array([0, 0, 0, 0, 0, 1])
    tighter = np.array([0, 0, -1, 1, 1, -1])
    found = reliability(label, looser, tighter).set_index("cluster")
    assert found.loc[0, "independence"] == pytest.approx(3 / 5) and found.loc[1, "independence"] == pytest.approx(2 / 5)
    assert found.loc[0, "compactness"] == pytest.approx((2 / 3 + 2 / 3 + 1 / 3) / 3) and found.loc[1, "compactness"] == 1.0


def labelled(seed: int = 0, n: int = 400, wrong: float = 0.2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 30, n)
    label = np.where(generator.random(n) < wrong, generator.integers(-1, 30, n), truth)
    return label, generator.integers(0, 3, n), truth


def test_audit_draws_distinct_clustered_pairs_of_each_stratum() -> None:
    label, camera, _ = labelled()
    sample = audit_sample(diagnose(label, camera), 60, seed=1)
    pd.testing.assert_frame_equal(sample, audit_sample(diagnose(label, camera), 60, seed=1))
    assert len(sample) == 60 and not sample.duplicated(["image_a", "image_b"]).any()
    a, b = sample["image_a"].to_numpy(), sample["image_b"].to_numpy()
    assert (label[a] == label[b]).all() and (label[a] >= 0).all() and (a != b).all()
    assert ((camera[a] == camera[b]) == (sample["stratum"] == "same-camera")).all()
    assert sample["stratum"].value_counts().min() >= 20
    pairs = [(i, j) for i, j in itertools.combinations(range(len(label)), 2) if label[i] == label[j] >= 0]
    same = np.mean([camera[i] == camera[j] for i, j in pairs])
    assert sample.loc[sample["stratum"] == "same-camera", "weight"].iloc[0] == pytest.approx(same)


def test_audit_draws_every_pair_of_a_stratum_equally_often() -> None:
    label, camera = np.array([0, 0, 0, 0, 1, 1, 1]), np.array([0, 0, 0, 1, 0, 1, 1])
    found = diagnose(label, camera)
    counts: dict[tuple[int, int], int] = {}
    for seed in range(300):
        for row in audit_sample(found, 3, seed=seed).itertuples():
            if row.stratum == "cross-camera":
                key = (min(row.image_a, row.image_b), max(row.image_a, row.image_b))
                counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 5 and max(counts.values()) < 1.6 * min(counts.values())


def test_audit_covers_the_true_precision_about_as_often_as_it_says() -> None:
    label, camera, truth = labelled(wrong=0.25)
    found = diagnose(label, camera, identities=truth)
    covered, estimates = 0, []
    for seed in range(60):
        sample = audit_sample(found, 60, seed=seed)
        same = truth[sample["image_a"]] == truth[sample["image_b"]]
        result = audit_result(sample, same).set_index("stratum")
        estimates.append(result.loc["all", "precision"])
        covered += result.loc["all", "low"] <= found.score("precision") <= result.loc["all", "high"]
        for kind in STRATA:
            assert result.loc[kind, "low"] <= result.loc[kind, "precision"] <= result.loc[kind, "high"]
    assert covered >= 53
    assert np.mean(estimates) == pytest.approx(found.score("precision"), abs=0.03)


def test_audit_of_few_pairs_and_of_doubtful_answers() -> None:
    sample = audit_sample(diagnose([0, 0, 1, 1], [0, 0, 0, 1]), 100)
    assert len(sample) == 2
    result = audit_result(sample, [True, None]).set_index("stratum")
    assert result["judged"].to_dict()["all"] == 1 and result.loc["all", "precision"] == 1.0
    assert (result.loc["all", ["low", "high"]].between(0, 1)).all()
    nothing = audit_result(audit_sample(diagnose([-1, -1], [0, 0]), 10), [])
    assert nothing["judged"].sum() == 0 and (nothing["low"] == 0).all() and (nothing["high"] == 1).all()
    with pytest.raises(DiagnosisError, match="1 answers for 2 pairs"):
        audit_result(sample, [True])


def test_wilson_interval_equals_published_values() -> None:
    """Newcombe 1998, Table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for right, judged, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson(right, judged) == pytest.approx((low, high), abs=5e-5)
