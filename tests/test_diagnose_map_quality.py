"""How far a map may be believed: against scikit-learn, and on maps whose answer is known."""

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from reidkit.diagnose import map_quality
from reidkit.errors import DiagnosisError


@pytest.mark.parametrize("neighbours", [1, 5, 12])
def test_trustworthiness_and_continuity_are_scikit_learns(neighbours):
    draw = np.random.default_rng(neighbours)
    features, points = draw.normal(size=(60, 8)), draw.normal(size=(60, 2))
    points[:30] = features[:30, :2]
    found = map_quality(features, points, neighbours)
    assert found["trustworthiness"] == pytest.approx(trustworthiness(features, points, n_neighbors=neighbours))
    assert found["continuity"] == pytest.approx(trustworthiness(points, features, n_neighbors=neighbours))


def test_the_share_kept_by_counting():
    draw = np.random.default_rng(3)
    features, points = draw.normal(size=(40, 5)), draw.normal(size=(40, 2))
    shared = 0
    for i in range(40):
        near = set(np.argsort(((features - features[i]) ** 2).sum(1))[1:8])
        shared += len(near & set(np.argsort(((points - points[i]) ** 2).sum(1))[1:8]))
    assert map_quality(features, points, 7)["kept"] == pytest.approx(shared / 280)


def test_a_map_that_is_the_features_is_perfect_and_a_shuffled_one_is_not():
    points = np.random.default_rng(4).normal(size=(80, 2))
    assert map_quality(points * 3.0 + 1.0, points) == {"kept": 1.0, "trustworthiness": 1.0, "continuity": 1.0}
    shuffled = map_quality(points, np.random.default_rng(5).permutation(points))
    assert shuffled["kept"] < 0.3 and 0.4 < shuffled["trustworthiness"] < 0.6


def test_copies_are_neighbours_and_a_map_that_tears_them_loses_continuity():
    base = np.random.default_rng(6).normal(size=(30, 2))
    features, torn = np.r_[base, base + 1e-6], np.r_[base, base + np.array([100.0, 0.0])]
    found = map_quality(features, torn, 1)
    assert found["kept"] == 0.0 and found["continuity"] < 0.6


@pytest.mark.parametrize("neighbours", [0, 5, 9])
def test_what_does_not_fit_is_refused(neighbours):
    rows = np.random.default_rng(7).normal(size=(10, 2))
    with pytest.raises(DiagnosisError, match="neighbours"):
        map_quality(rows, rows, neighbours)
