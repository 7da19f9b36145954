"""Self-paced reliability, camera-aware distance, camera-entropy weights and part agreement, each against a plain loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.errors import LabelsError
from reidkit.jaccard import camera_jaccard_graph, jaccard_graph
from reidkit.labels import camera_entropy_weights, dbscan, part_agreement, relabelled, self_paced
from reidkit.labels.reliability import independence_threshold, overlap, reliable, singled_out


def clumps(rng, rows, columns, people, cameras=1):
    camera = rng.integers(0, cameras, rows)
    x = rng.normal(size=(people, columns))[rng.integers(0, people, rows)] + 0.5 * rng.normal(size=(rows, columns))
    x += 0.8 * rng.normal(size=(cameras, columns))[camera]
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), camera


def test_chk_spcl_1():
    """Image 2 leaves its cluster; with two clusters the threshold is the larger value, so both pass."""
    normal, tight, loose = (np.array(x) for x in ((0, 0, 0, 1, 1, 2), (0, 0, 2, 1, 1, 3), (0, 0, 0, 0, 0, 1)))
    compact, independent = overlap(normal, tight), overlap(normal, loose)
    np.testing.assert_allclose(1 - compact, [1 / 3, 1 / 3, 2 / 3, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(1 - independent, [0.4, 0.4, 0.4, 0.6, 0.6, 0], atol=1e-12)
    clusters = np.where(normal == 2, -1, normal)
    threshold = independence_threshold(clusters, independent)
    assert threshold == pytest.approx(0.6)
    assert reliable(clusters, independent, compact, threshold).tolist() == [True, True, False, True, True, False]


@pytest.mark.parametrize(("clusters", "place"), [(5, 4), (10, 9), (11, 9 + 1), (20, 18), (100, 90)])
def test_chk_spcl_2(clusters, place):
    labels, apart = np.repeat(np.arange(clusters), 2), np.repeat(np.arange(clusters) / clusters, 2)
    assert independence_threshold(labels, 1 - apart) == pytest.approx(apart[2 * place])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_overlap_equals_sets(seed):
    rng = np.random.default_rng(seed)
    a, b = relabelled(rng.integers(-1, 4, 30)), relabelled(rng.integers(-1, 6, 30))
    singles = [singled_out(a), singled_out(b)]
    sets = [[set(np.flatnonzero(labels == labels[i])) for i in range(30)] for labels in singles]
    wanted = [len(x & y) / len(x | y) for x, y in zip(*sets)]
    np.testing.assert_allclose(overlap(a, b), wanted, rtol=1e-12)


def test_self_paced_labels_are_a_refinement():
    x, _ = clumps(np.random.default_rng(0), 300, 12, people=20)
    graph = jaccard_graph(x, k1=15, max_distance=0.8)
    first = self_paced(graph, 0.5, gap=0.1)
    plain, kept = dbscan(graph, 0.5), first.labels.kept
    assert 0 < kept.sum() < (plain >= 0).sum()
    assert (plain[kept] >= 0).all()
    assert len(set(zip(plain[kept], first.labels.labels[kept]))) == first.labels.num_clusters
    again = self_paced(graph, 0.5, gap=0.1, threshold=0.0)
    assert again.threshold == 0
    assert again.labels.kept.sum() <= kept.sum()
    with pytest.raises(LabelsError, match="gap"):
        self_paced(graph, 0.5, gap=0.5)


def camera_brute_force(x, camera, k1_intra, k1_inter, k2_intra, k2_inter):
    """Two rankings for each image, sets and dictionaries, one pair at a time."""
    wide, n = x.astype(np.float64), len(x)
    squared = 2 - 2 * np.round(wide @ wide.T * 2**40) / 2**40
    orders = {
        own: [
            sorted((j for j in range(n) if (camera[j] == camera[i]) == own), key=lambda j, i=i: (j != i, squared[i, j], j))
            for i in range(n)
        ]
        for own in (True, False)
    }
    rows = []
    for i in range(n):
        members = {
            j for own, k in ((True, k1_intra), (False, k1_inter)) for j in orders[own][i][: k + 1] if i in orders[own][j][: k + 1]
        }
        weight = {j: np.exp(-squared[i, j]) for j in members}
        rows.append({j: w / sum(weight.values()) for j, w in weight.items()})
    means = []
    for i in range(n):
        taken = [rows[j] for j in orders[True][i][:k2_intra] + orders[False][i][:k2_inter]]
        means.append({j: sum(r.get(j, 0) for r in taken) / len(taken) for j in set().union(*taken)})
    shared = np.array([[sum(min(w, b[j]) for j, w in a.items() if j in b) for b in means] for a in means])
    return 1 - shared / (2 - shared)


@pytest.mark.parametrize("cameras", [2, 4])
def test_camera_aware_distance_equals_brute_force(cameras):
    x, camera = clumps(np.random.default_rng(cameras), 70, 8, people=6, cameras=cameras)
    camera[:3] = cameras
    graph = camera_jaccard_graph(x, camera, k1_intra=3, k1_inter=8, k2_intra=2, k2_inter=3)
    np.testing.assert_allclose(graph.toarray(), camera_brute_force(x, camera, 3, 8, 2, 3), atol=1e-6)
    assert graph.variant == "camera-aware"


def test_camera_aware_distance_of_one_camera_is_the_plain_one():
    x, camera = clumps(np.random.default_rng(0), 80, 8, people=8)
    assert (camera_jaccard_graph(x, camera).toarray() == jaccard_graph(x).toarray()).all()


def test_camera_aware_refusals():
    x, camera = clumps(np.random.default_rng(0), 20, 8, people=3, cameras=2)
    with pytest.raises(LabelsError, match="One camera a row"):
        camera_jaccard_graph(x, camera[:5])
    with pytest.raises(LabelsError, match="no neighbours"):
        camera_jaccard_graph(x, camera, k1_intra=0)
    with pytest.raises(LabelsError, match="length 1"):
        camera_jaccard_graph(2 * x, camera)


def test_camera_entropy_weights():
    """A cluster of one camera (H = 0) against one of two in equal shares (H = 1 bit)."""
    labels, cameras = np.array([0, 0, 1, 1, -1]), np.array([3, 3, 3, 7, 9])
    e = np.e
    np.testing.assert_allclose(camera_entropy_weights(labels, cameras), [2 / (1 + e), 2 * e / (1 + e)], rtol=1e-12)
    assert camera_entropy_weights(labels, np.zeros(5, int)).tolist() == [1, 1]
    assert camera_entropy_weights(np.full(3, -1), np.arange(3)).shape == (0,)
    with pytest.raises(LabelsError, match="One of each"):
        camera_entropy_weights(labels, cameras[:3])


def test_part_agreement_equals_sets():
    rng = np.random.default_rng(0)
    whole, _ = clumps(rng, 60, 8, people=6)
    noisy, _ = clumps(rng, 60, 8, people=6)
    agreement = part_agreement(whole, [whole, noisy], k=7)
    assert (agreement[:, 0] == 1).all()
    nearest = [
        [
            set(np.argsort(-row, kind="stable")[:7])
            for row in np.where(np.eye(60, dtype=bool), -9, x.astype(float) @ x.T.astype(float))
        ]
        for x in (whole, noisy)
    ]
    np.testing.assert_allclose(agreement[:, 1], [len(a & b) / len(a | b) for a, b in zip(*nearest)], rtol=1e-12)
    with pytest.raises(LabelsError, match="One row an image"):
        part_agreement(whole, [noisy[:9]])
