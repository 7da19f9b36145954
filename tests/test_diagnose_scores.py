"""Every score against brute force over pairs, or against scikit-learn."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics

from reidkit.diagnose import diagnose, mutual_information
from reidkit.diagnose.chance import adjusted_information, expected_information
from reidkit.diagnose.counts import as_singletons

N = 24
LABELS = arrays(np.int64, N, elements=st.integers(-1, 5))
TRUTH = arrays(np.int64, N, elements=st.integers(0, 4))
CAMERAS = arrays(np.int64, N, elements=st.integers(0, 2))
quick = settings(max_examples=25, deadline=None)


def random_case(seed: int, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 6, n)
    label = np.where(generator.random(n) < 0.6, truth, generator.integers(-1, 7, n))
    return label, truth, generator.integers(0, 3, n)


def convention(label: np.ndarray, truth: np.ndarray, camera: np.ndarray, outliers: str) -> tuple[np.ndarray, ...]:
    if outliers == "dropped":
        return label[label >= 0], truth[label >= 0], camera[label >= 0]
    return as_singletons(label), truth, camera


def wanted(camera: np.ndarray, i: int, j: int, kind: str) -> bool:
    return {"all": True, "same-camera": camera[i] == camera[j], "cross-camera": camera[i] != camera[j]}[kind]


def close(found: float, expected: float) -> bool:
    return (math.isnan(found) and math.isnan(expected)) or found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("outliers", ["dropped", "singletons"])
@pytest.mark.parametrize("kind", ["all", "same-camera", "cross-camera"])
@pytest.mark.parametrize("seed", range(3))
def test_pairwise_scores_equal_a_loop_over_pairs(seed: int, kind: str, outliers: str) -> None:
    case = random_case(seed)
    found = diagnose(case[0], case[2], identities=case[1])
    label, truth, camera = convention(*case, outliers)
    pairs = [(i, j) for i, j in itertools.combinations(range(len(label)), 2) if wanted(camera, i, j, kind)]
    clustered = [label[i] == label[j] for i, j in pairs]
    true = [truth[i] == truth[j] for i, j in pairs]
    both = sum(a and b for a, b in zip(clustered, true))
    precision, recall = both / sum(clustered), both / sum(true)
    assert close(found.score("precision", outliers=outliers, pairs=kind), precision)
    assert close(found.score("recall", outliers=outliers, pairs=kind), recall)
    assert close(found.score("f1", outliers=outliers, pairs=kind), 2 * precision * recall / (precision + recall))
    confusion = metrics.confusion_matrix(true, clustered, labels=[False, True])
    (tn, fp), (fn, tp) = confusion.tolist()
    ari = 2 * (tp * tn - fn * fp) / ((tp + fn) * (fn + tn) + (tp + fp) * (fp + tn))
    assert close(found.score("ari", outliers=outliers, pairs=kind), ari)


@pytest.mark.parametrize("outliers", ["dropped", "singletons"])
@pytest.mark.parametrize("kind", ["all", "same-camera", "cross-camera"])
def test_bcubed_equals_a_loop_over_images(kind: str, outliers: str) -> None:
    case = random_case(7)
    found = diagnose(case[0], case[2], identities=case[1])
    label, truth, camera = convention(*case, outliers)
    precision, recall = [], []
    for i in range(len(label)):
        others = [j for j in range(len(label)) if (i == j and kind != "cross-camera") or (i != j and wanted(camera, i, j, kind))]
        mates = [j for j in others if label[j] == label[i]]
        kin = [j for j in others if truth[j] == truth[i]]
        both = sum(label[j] == label[i] and truth[j] == truth[i] for j in others)
        precision += [both / len(mates)] if mates else []
        recall += [both / len(kin)] if kin else []
    p, r = float(np.mean(precision)), float(np.mean(recall))
    assert close(found.score("bcubed_precision", outliers=outliers, pairs=kind), p)
    assert close(found.score("bcubed_recall", outliers=outliers, pairs=kind), r)
    assert close(found.score("bcubed_f1", outliers=outliers, pairs=kind), 2 * p * r / (p + r))


@pytest.mark.parametrize("outliers", ["dropped", "singletons"])
@pytest.mark.parametrize("seed", range(3))
def test_partition_scores_equal_scikit_learn(seed: int, outliers: str) -> None:
    case = random_case(seed)
    found = diagnose(case[0], case[2], identities=case[1])
    label, truth, _ = convention(*case, outliers)
    oracle = {
        "ari": metrics.adjusted_rand_score(truth, label),
        "ami": metrics.adjusted_mutual_info_score(truth, label),
        "nmi": metrics.normalized_mutual_info_score(truth, label),
        "v_measure": metrics.v_measure_score(truth, label),
        "homogeneity": metrics.homogeneity_score(truth, label),
        "completeness": metrics.completeness_score(truth, label),
        "purity": sum(np.unique(truth[label == k], return_counts=True)[1].max() for k in set(label)) / len(label),
        "inverse_purity": sum(np.unique(label[truth == y], return_counts=True)[1].max() for y in set(truth)) / len(label),
    }
    for name, value in oracle.items():
        assert close(found.score(name, outliers=outliers), float(value)), name


@pytest.mark.parametrize("outliers", ["dropped", "singletons"])
@pytest.mark.parametrize("seed", range(3))
def test_partition_scores_across_cameras_are_those_of_one_image_a_cluster_identity_and_camera(seed: int, outliers: str) -> None:
    case = random_case(seed)
    found = diagnose(case[0], case[2], identities=case[1])
    once = sorted(set(zip(*(side.tolist() for side in convention(*case, outliers)))))
    label, truth = np.array([k for k, _, _ in once]), np.array([y for _, y, _ in once])
    oracle = {
        "ami": metrics.adjusted_mutual_info_score(truth, label),
        "nmi": metrics.normalized_mutual_info_score(truth, label),
        "homogeneity": metrics.homogeneity_score(truth, label),
        "completeness": metrics.completeness_score(truth, label),
        "purity": sum(np.unique(truth[label == k], return_counts=True)[1].max() for k in set(label)) / len(label),
        "inverse_purity": sum(np.unique(label[truth == y], return_counts=True)[1].max() for y in set(truth)) / len(label),
    }
    for name, value in oracle.items():
        assert close(found.score(name, outliers=outliers, pairs="cross-camera"), float(value)), name


@pytest.mark.parametrize("outliers", ["dropped", "singletons"])
@pytest.mark.parametrize("seed", range(3))
def test_partition_scores_within_cameras_are_means_over_cameras(seed: int, outliers: str) -> None:
    """I, H and the expectation of I of each camera by scikit-learn, weighted by images; purity by a loop."""
    from scipy.stats import entropy
    from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

    case = random_case(seed)
    found = diagnose(case[0], case[2], identities=case[1])
    label, truth, camera = convention(*case, outliers)
    means, pure = np.zeros(4), 0
    for c in set(camera):
        k, y = label[camera == c], truth[camera == c]
        table = contingency_matrix(y, k, sparse=True).astype(np.float64)
        told = (
            metrics.mutual_info_score(y, k),
            entropy(np.bincount(k)),
            entropy(np.bincount(y)),
            expected_mutual_information(table, len(k)),
        )
        means += len(k) / len(label) * np.array(told)
        pure += sum(np.unique(y[k == cluster], return_counts=True)[1].max() for cluster in set(k))
    shared, of_cluster, of_truth, expected = means
    oracle = {
        "homogeneity": shared / of_truth,
        "completeness": shared / of_cluster,
        "v_measure": 2 * shared / (of_truth + of_cluster),
        "nmi": 2 * shared / (of_truth + of_cluster),
        "ami": (shared - expected) / ((of_truth + of_cluster) / 2 - expected),
        "purity": pure / len(label),
    }
    for name, value in oracle.items():
        assert close(found.score(name, outliers=outliers, pairs="same-camera"), float(value)), name


def test_every_score_with_truth_comes_twice_and_for_each_kind_of_pairs() -> None:
    label, truth, camera = random_case(3)
    table = diagnose(label, camera, identities=truth).scores
    table = table[table["outliers"] != ""]
    assert set(table["score"]) == {
        *("precision", "recall", "f1", "ari", "bcubed_precision", "bcubed_recall", "bcubed_f1", "purity", "inverse_purity"),
        *("purity_f1", "homogeneity", "completeness", "v_measure", "nmi", "ami"),
    }
    ways = sorted(itertools.product(["dropped", "singletons"], ["all", "same-camera", "cross-camera"]))
    for _, part in table.groupby("score"):
        assert sorted(zip(part["outliers"], part["pairs"])) == ways


@pytest.mark.parametrize("seed", range(3))
def test_bcubed_and_rand_index_of_each_two_cameras_equal_a_loop(seed: int) -> None:
    case = random_case(seed)
    table = diagnose(case[0], case[2], identities=case[1]).camera_pairs.set_index(["camera_a", "camera_b"])
    label, truth, camera = convention(*case, "singletons")
    for (a, b), row in table.iterrows():
        shares: dict[str, list[float]] = {"bcubed_precision": [], "bcubed_recall": []}
        for j in range(len(label)):
            for here, there in {(a, b), (b, a)}:
                if camera[j] != here:
                    continue
                others = np.flatnonzero(camera == there)
                mates, kin = others[label[others] == label[j]], others[truth[others] == truth[j]]
                shares["bcubed_precision"] += [float((truth[mates] == truth[j]).mean())] if len(mates) else []
                shares["bcubed_recall"] += [float((label[kin] == label[j]).mean())] if len(kin) else []
        for name, values in shares.items():
            assert close(row[name], float(np.mean(values)) if values else float("nan")), (a, b, name)
        ends = [(i, j) for i in np.flatnonzero(camera == a) for j in np.flatnonzero(camera == b) if a != b or i < j]
        same = [[label[i] == label[j], truth[i] == truth[j]] for i, j in ends]
        (tn, fp), (fn, tp) = metrics.confusion_matrix(*zip(*[(t, c) for c, t in same]), labels=[False, True]).tolist()
        below = (tp + fn) * (fn + tn) + (tp + fp) * (fp + tn)
        assert close(row["ari"], 2 * (tp * tn - fn * fp) / below if below else 1.0), (a, b)


@quick
@given(LABELS, CAMERAS)
def test_expected_and_adjusted_information_equal_scikit_learn(label: np.ndarray, camera: np.ndarray) -> None:
    from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

    groups = label + 1
    oracle = expected_mutual_information(contingency_matrix(groups, camera, sparse=True).astype(np.float64), len(label))
    assert expected_information(groups, camera) == pytest.approx(float(oracle), abs=1e-12)
    assert adjusted_information(groups, camera) == pytest.approx(metrics.adjusted_mutual_info_score(groups, camera), abs=1e-9)


@quick
@given(LABELS, TRUTH, CAMERAS, st.randoms(use_true_random=False))
def test_renumbering_and_shuffling_change_no_score(label: np.ndarray, truth: np.ndarray, camera: np.ndarray, chance) -> None:
    first = diagnose(label, camera, identities=truth, permutations=0).scores
    rename = [chance.sample(range(100), 6) for _ in range(3)]
    order = np.array(chance.sample(range(N), N))
    other = np.array([-1 if k == -1 else rename[0][k] for k in label])
    moved = other[order], np.array(rename[1])[camera][order], np.array(rename[2])[truth][order]
    second = diagnose(moved[0], moved[1], identities=moved[2], permutations=0).scores
    assert first[["score", "outliers", "pairs"]].equals(second[["score", "outliers", "pairs"]])
    np.testing.assert_allclose(first["value"], second["value"], atol=1e-9)


@quick
@given(LABELS, TRUTH, CAMERAS)
def test_camera_pairs_add_up_to_the_pair_scores(label: np.ndarray, truth: np.ndarray, camera: np.ndarray) -> None:
    found = diagnose(label, camera, identities=truth, permutations=0)
    table, n = found.camera_pairs, np.arange(N)
    names = sorted(set(camera.tolist()))
    assert list(zip(table["camera_a"], table["camera_b"])) == list(itertools.combinations_with_replacement(names, 2))
    for row in table.itertuples():
        pairs = [
            (i, j) for i, j in itertools.combinations(n, 2) if sorted((camera[i], camera[j])) == [row.camera_a, row.camera_b]
        ]
        assert row.clustered_pairs == sum(label[i] == label[j] >= 0 for i, j in pairs)
        assert row.true_pairs == sum(truth[i] == truth[j] for i, j in pairs)
        assert row.correct_pairs == sum(truth[i] == truth[j] and label[i] == label[j] >= 0 for i, j in pairs)
        both = set(label[camera == row.camera_a]) & set(label[camera == row.camera_b])
        assert row.shared_clusters == len(both - {-1})


def test_images_of_unknown_identity_do_not_enter_scores_with_truth() -> None:
    label, truth, camera = random_case(3)
    known = np.arange(len(label)) % 4 != 0
    partial = diagnose(label, camera, identities=np.where(known, truth, -1))
    rest = diagnose(label[known], camera[known], identities=truth[known])
    for name in ("f1", "ami", "bcubed_f1", "purity"):
        for outliers in ("dropped", "singletons"):
            assert partial.score(name, outliers=outliers) == pytest.approx(rest.score(name, outliers=outliers), abs=1e-12)
    assert partial.score("judged_images") == known.sum() and partial.score("images") == len(label)


def test_every_score_explains_itself_and_shares_stay_in_range() -> None:
    label, truth, camera = random_case(5)
    scores = diagnose(label, camera, identities=truth).scores
    assert (scores["unit"] != "").all() and (scores["meaning"] != "").all()
    assert not scores.duplicated(["score", "outliers", "pairs"]).any()
    shares = scores[scores["unit"].eq("share")]["value"]
    assert shares.between(-1, 1).all()


@quick
@given(LABELS, CAMERAS)
def test_information_equals_scikit_learn_and_its_bounds(label: np.ndarray, camera: np.ndarray) -> None:
    found = mutual_information(label, camera, permutations=2)
    kept = label >= 0
    expected = metrics.mutual_info_score(label[kept], camera[kept]) if kept.any() else 0.0
    assert float(found) == pytest.approx(max(0.0, expected), abs=1e-12)
    assert found.bits == pytest.approx(float(found) / math.log(2))
