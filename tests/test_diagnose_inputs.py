"""What a diagnosis takes, what it refuses and how, edges, alarms, and that it never imports torch."""

import math
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.metrics import silhouette_samples

from reidkit.diagnose import diagnose
from reidkit.diagnose.space import silhouettes
from reidkit.errors import DiagnosisError


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pseudo_labels": [0, 1, -2]}, ["pseudo_labels", "row 2", "-1 for an outlier"]),
        ({"pseudo_labels": [0, 0.5, 1]}, ["pseudo_labels", "row 1", "0.5"]),
        ({"pseudo_labels": [0, math.nan, 1]}, ["pseudo_labels", "row 1"]),
        ({"pseudo_labels": ["a", "b", "c"]}, ["pseudo_labels", "Number the labels"]),
        ({"pseudo_labels": np.zeros((3, 2), int)}, ["(3, 2)", "one column at a time"]),
        ({"pseudo_labels": []}, ["pseudo_labels is empty", "at least one image"]),
        ({"cameras": [0, 1]}, ["cameras", "2 entries", "3"]),
        ({"cameras": [0, None, 1]}, ["cameras", "row 1", "Every image has a camera"]),
        ({"cameras": [[0, 1], [0, 1], [1, 1]]}, ["cameras", "(3, 2)", "one value an image"]),
        ({"identities": [1, 2]}, ["identities", "2 entries"]),
        ({"identities": [(1, 2), 3, 3]}, ["identities", "different lengths", "one value an image"]),
        ({"paths": ["a"]}, ["paths", "1 entries"]),
        ({"features": np.zeros((2, 4))}, ["features", "(2, 4)"]),
        ({"features": np.array([[0.0], [math.inf], [1.0]])}, ["features", "[1]", "finite"]),
        ({"graph": sparse.csr_array((2, 2))}, ["graph", "(2, 2)"]),
        ({"graph": np.zeros((3, 3))}, ["graph", "sparse"]),
        ({"graph": sparse.csr_array(np.array([[0, 2.0, 0], [2.0, 0, 0], [0, 0, 0]]))}, ["graph", "2.0", "[0, 1]"]),
    ],
)
def test_refusals_name_the_column_the_rule_and_the_next_action(given: dict, words: list[str]) -> None:
    with pytest.raises(DiagnosisError) as caught:
        diagnose(**({"pseudo_labels": [0, 0, 1], "cameras": [0, 1, 0]} | given))
    text = str(caught.value)
    assert all(word in text for word in words), text
    assert "Rule:" in text and "Do:" in text


def test_inputs_of_any_kind_give_one_answer() -> None:
    label, camera, identity = [0, 0, 1, 1, -1], [1, 2, 1, 2, 1], [5, 5, 7, 7, 7]
    wanted = diagnose(label, camera, identities=identity).scores
    others = [
        diagnose(np.array(label, np.int32), np.array(camera, np.uint8), identities=np.array(identity)),
        diagnose(np.array(label, float), pd.Series(camera, index=list("abcde")), identities=pd.Series(identity)),
        diagnose(SimpleNamespace(labels=np.array(label)), [str(c) for c in camera], identities=[f"p{i}" for i in identity]),
    ]
    for other in others:
        pd.testing.assert_frame_equal(wanted, other.scores)


def test_names_of_any_kind_stay_themselves() -> None:
    """Numbers that int64 cannot hold, tuples, surrogates: each is one name, and none is another's."""
    odd = [(1, 2), 2**70, "\udcff", (1, 2)]
    found = diagnose([0, 0, 1, 1], [2**63, 1, 1, 2**63], identities=pd.Series(odd))
    assert set(found.identities["identity"]) == {"(1, 2)", str(2**70), "\\udcff"}
    assert set(found.camera_pairs["camera_a"]) == {1, 2.0**63}
    assert set(diagnose([0, 0], [1e300, 1.0]).camera_pairs["camera_b"]) == {1e300, 1.0}


def test_inputs_are_left_untouched() -> None:
    label, camera, identity = np.array([3, 3, -1]), np.array([4, 5, 4]), np.array([1.0, np.nan, 2.0])
    copies = label.copy(), camera.copy(), identity.copy()
    diagnose(label, camera, identities=identity)
    for now, before in zip((label, camera, identity), copies):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize(
    ("label", "camera", "identity"),
    [
        ([-1, -1, -1, -1], [0, 0, 1, 1], [0, 0, 1, 1]),  # all outliers
        ([0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]),  # one giant cluster
        ([0, 1, 2, 3], [0, 0, 1, 1], [0, 0, 1, 1]),  # every image alone
        ([0, 0, 1, 1], [2, 2, 2, 2], [0, 0, 1, 1]),  # one camera
        ([0], [0], [0]),  # one image
        ([0, 0, 1, 1], [0, 1, 0, 1], [-1, -1, -1, -1]),  # truth unknown everywhere
    ],
)
def test_edges_give_tables_without_a_division_by_zero(label: list[int], camera: list[int], identity: list[int]) -> None:
    with np.errstate(all="raise"):
        found = diagnose(
            label, camera, identities=identity, features=np.eye(len(label)), graph=sparse.csr_array((len(label),) * 2)
        )
    assert np.isfinite(found.score("coverage"))
    values = found.scores["value"].dropna()
    assert np.isfinite(values).all()
    assert found.describe().endswith(".")


def test_no_cluster_leaves_scores_over_clusters_undefined_not_zero() -> None:
    found = diagnose([-1, -1, -1], [0, 0, 1], identities=[1, 1, 2])
    for name in ("precision", "f1", "purity", "ami"):
        assert math.isnan(found.score(name)), name
    assert found.score("recall", outliers="singletons") == 0.0
    assert found.score("unseen") == found.score("lost") == 2


def test_one_camera_leaves_cross_camera_scores_undefined() -> None:
    found = diagnose([0, 0, 1, 1], [0, 0, 0, 0], identities=[0, 0, 1, 1])
    assert math.isnan(found.score("f1", pairs="cross-camera")) and found.score("f1", pairs="same-camera") == 1.0


def rung(found: object) -> set[str]:
    return set(found.alarms.loc[found.alarms["rings"], "alarm"])


def test_alarms_ring_for_what_was_planted_and_for_nothing_else() -> None:
    camera = np.tile([0, 1], 40)
    fine = np.arange(80) // 8
    assert rung(diagnose(fine, camera)) == set()
    assert "no cluster" in rung(diagnose(np.full(80, -1), camera))
    assert {"one cluster", "one cluster over half the images"} <= rung(diagnose(np.zeros(80, int), camera))
    assert rung(diagnose(fine * (fine > 6), camera)) == {"one cluster over half the images"}
    by_camera = rung(diagnose(camera, camera))
    assert {
        "fewer clusters than twice the cameras",
        "clusters give the camera away",
        "camera without a cross-camera cluster",
    } <= by_camera
    alone = np.where(camera == 1, 100 + np.arange(80) // 20, fine)
    found = diagnose(np.r_[alone, alone], np.r_[camera, np.where(camera == 1, 1, 2)])
    assert rung(found) == {"camera without a cross-camera cluster"}
    assert "cameras: 1" in found.alarms.set_index("alarm").loc["camera without a cross-camera cluster", "found"]


def test_silhouette_equals_scikit_learn_with_outliers_as_a_group() -> None:
    generator = np.random.default_rng(0)
    dense = np.where(generator.random((40, 40)) < 0.3, generator.random((40, 40)), 1.0)
    dense = np.minimum(dense, dense.T)
    dense[2, 3] = dense[3, 2] = 0.0  # a stored distance of zero is not an absent pair
    np.fill_diagonal(dense, 0.0)
    row, column = np.nonzero(dense < 1.0)
    graph = sparse.csr_array((dense[row, column].astype(np.float32), (row, column)), shape=dense.shape)
    label = np.r_[generator.integers(-1, 5, 39), 9]
    found = diagnose(label, np.zeros(40), graph=SimpleNamespace(matrix=graph))
    wanted = silhouette_samples(dense, label, metric="precomputed")
    np.testing.assert_allclose(found.images["silhouette"], wanted, atol=1e-6)
    assert found.score("silhouette") == pytest.approx(float(wanted.mean()), abs=1e-6)
    means = [wanted[label == k].mean() for k in found.clusters["cluster"]]
    np.testing.assert_allclose(found.clusters["silhouette"], means, atol=1e-6)


def test_silhouette_of_one_group_is_undefined() -> None:
    assert np.isnan(silhouettes(sparse.csr_array((3, 3)), np.zeros(3, np.int64))).all()


def test_centre_distance_and_radius_equal_their_definition() -> None:
    generator = np.random.default_rng(1)
    features, label = generator.normal(size=(12, 5)), np.r_[np.repeat([4, 7], 5), -1, -1]
    found = diagnose(label, np.zeros(12), features=features)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    for cluster in (4, 7):
        centre = unit[label == cluster].mean(axis=0)
        distance = 1 - unit[label == cluster] @ (centre / np.linalg.norm(centre))
        np.testing.assert_allclose(found.images["centre_distance"][label == cluster], distance, atol=1e-5)
        assert found.clusters.set_index("cluster").loc[cluster, "radius"] == pytest.approx(distance.mean(), abs=1e-5)
    assert found.images["centre_distance"][label == -1].isna().all()


def test_diagnosis_never_imports_torch() -> None:
    code = "import sys; from reidkit.diagnose import diagnose; diagnose([0, 0, 1], [0, 1, 0]); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_hundred_thousand_images_take_seconds() -> None:
    n, generator = 100_000, np.random.default_rng(0)
    identity = generator.integers(0, n // 17, n)
    camera = (identity + generator.integers(0, 3, n)) % 15
    label = np.where(generator.random(n) < 0.15, -1, identity * 2 + (generator.random(n) < 0.2))
    start = time.process_time()
    found = diagnose(label, camera, identities=identity, permutations=5)
    assert time.process_time() - start < 15
    assert len(found.images) == n


@pytest.mark.slow
def test_a_million_images_take_a_minute() -> None:
    n, generator = 1_000_000, np.random.default_rng(0)
    identity = generator.integers(0, n // 17, n)
    label = np.where(generator.random(n) < 0.15, -1, identity * 2 + (generator.random(n) < 0.2))
    start = time.process_time()
    found = diagnose(label, (identity + generator.integers(0, 3, n)) % 15, identities=identity)
    assert time.process_time() - start < 60
    assert len(found.images) == n
