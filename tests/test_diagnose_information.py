"""Camera information: the published figures that can be recomputed, its chance level, and its edges."""

import math
import pickle

import numpy as np
import pytest

from reidkit.diagnose import diagnose, mutual_information
from reidkit.diagnose.chance import expected_information
from reidkit.diagnose.information import entropy

MARKET_IMAGES_PER_CAMERA = (2017, 1709, 2707, 920, 2338, 3245)


def test_market_1501_entropy_of_cameras() -> None:
    camera = np.repeat(np.arange(6), MARKET_IMAGES_PER_CAMERA)
    assert len(camera) == 12_936
    assert entropy(camera) == pytest.approx(1.728579, abs=5e-7)


def test_market_1501_printed_figures_agree_with_each_other() -> None:
    """I(P;C) = H(C) - H(C|P); 0.309296 nats = 0.446220 bits; normalised by the mean of the entropies = 0.075673."""
    mutual, camera, given_person, person = 0.309296, 1.728579, 1.419283, 6.445915
    assert camera - given_person == pytest.approx(mutual, abs=1e-6)
    assert mutual / math.log(2) == pytest.approx(0.446220, abs=1e-6)
    assert mutual / ((camera + person) / 2) == pytest.approx(0.075673, abs=1e-6)


def test_plug_in_bias_of_market_1501_sized_labels() -> None:
    """Shuffled labels on Market-1501's cameras: 500 / 700 / 900 clusters are near (M - 1)(C - 1) / 2n, a first-order figure."""
    camera = np.repeat(np.arange(6), MARKET_IMAGES_PER_CAMERA)
    for clusters, bias in ((500, 0.096), (700, 0.135), (900, 0.174)):
        assert (clusters - 1) * 5 / (2 * len(camera)) == pytest.approx(bias, abs=6e-4)
        label = np.arange(len(camera)) % clusters
        found = mutual_information(label, camera, permutations=5)
        assert bias < found.chance < 1.25 * bias
        assert found.chance == pytest.approx(expected_information(label, camera), rel=0.02)


def test_chance_level_is_seeded_and_near_the_exact_expectation() -> None:
    generator = np.random.default_rng(0)
    label, camera = generator.integers(-1, 30, 600), generator.integers(0, 5, 600)
    found = mutual_information(label, camera, permutations=200, seed=3)
    again = mutual_information(label, camera, permutations=200, seed=3)
    other = mutual_information(label, camera, permutations=200, seed=4)
    kept = label >= 0
    exact = expected_information(label[kept], camera[kept])
    assert (found.chance, found.chance_sd) == (again.chance, again.chance_sd)
    assert found.chance != other.chance
    assert abs(found.chance - exact) < 4 * found.chance_sd / math.sqrt(200)
    assert found.excess == pytest.approx(float(found) - found.chance)


def test_labels_that_are_the_cameras_carry_all_of_it() -> None:
    camera = np.array([0, 0, 1, 1, 2, 2])
    assert mutual_information(camera, camera) == pytest.approx(math.log(3))
    assert diagnose(camera, camera).score("camera_homogeneity") == pytest.approx(1.0)
    assert mutual_information([0, 1, 0, 1, 0, 1], camera) == pytest.approx(0.0, abs=1e-12)


def test_homogeneity_does_not_hide_leakage_behind_many_clusters() -> None:
    """Each camera cut into ever more clusters: NMI falls, homogeneity stays 1."""
    camera = np.repeat([0, 1], 40)
    for parts in (1, 5, 20):
        label = camera * parts + np.tile(np.arange(40) % parts, 2)
        assert diagnose(label, camera).score("camera_homogeneity") == pytest.approx(1.0)


def test_outliers_do_not_count_and_names_do_not_matter() -> None:
    label, camera = [0, 0, 1, 1, -1, -1], ["a", "a", "b", "b", "a", "b"]
    assert mutual_information(label, camera) == pytest.approx(math.log(2))
    assert mutual_information([-1, -1], [0, 1]) == 0.0


def test_floor_of_the_truth_is_reported_whole_and_kept() -> None:
    identity = np.array([0, 0, 1, 1, 2, 2])
    camera = np.array([0, 0, 1, 1, 0, 1])
    label = np.array([0, 0, 1, 1, -1, -1])
    found = diagnose(label, camera, identities=identity)
    assert found.score("camera_floor") == pytest.approx(float(mutual_information(identity, camera)))
    assert found.score("camera_floor_kept") == pytest.approx(math.log(2))
    bits = (found.score("camera_information") - found.score("camera_information_chance")) / math.log(2)
    assert found.score("excess_leakage") == pytest.approx(bits)


def test_information_survives_pickle_and_is_a_float() -> None:
    found = mutual_information([0, 0, 1], [0, 1, 1])
    copy = pickle.loads(pickle.dumps(found))
    assert isinstance(found, float) and (float(copy), copy.chance) == (float(found), found.chance)


def test_one_camera_leaves_homogeneity_undefined_with_a_reason() -> None:
    found = diagnose([0, 0, 1, 1], [7, 7, 7, 7])
    assert math.isnan(found.score("camera_homogeneity"))
    alarm = found.alarms.set_index("alarm").loc["clusters give the camera away"]
    assert not alarm["rings"] and "one camera" in alarm["found"]
