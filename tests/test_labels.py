"""Pseudo-labels against scikit-learn, hand-made cases and float64 loops."""

import logging
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.cluster import DBSCAN, KMeans

from reidkit.errors import LabelsError
from reidkit.jaccard import JaccardGraph, jaccard_graph, mix_source
from reidkit.labels import (
    ClusterSettings,
    PseudoLabels,
    all_eps,
    centroids,
    cluster,
    dbscan,
    eps_from_closest_pairs,
    kmeans,
    normalise_by_camera,
    relabelled,
    select,
)
from reidkit.labels.lloyd import lloyd
from reidkit.labels.means import careful_start


def as_graph(dense):
    """A graph that stores every pair below 1."""
    dense = np.asarray(dense, np.float32)
    rows, columns = np.nonzero((dense < 1) | np.eye(len(dense), dtype=bool))
    indptr = np.searchsorted(rows, np.arange(len(dense) + 1))
    return JaccardGraph(sparse.csr_array((dense[rows, columns], columns, indptr), shape=dense.shape))


def equal_pairs(images, distance):
    return np.where(np.eye(images, dtype=bool), 0, distance).astype(np.float32)


@st.composite
def graphs(draw):
    """Symmetric distances in 0..1 with many ties, zeros and ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images, levels = draw(st.sampled_from([1, 2, 4, 30])), draw(st.sampled_from([3, 10, 1000]))
    upper = np.triu(rng.integers(0, levels + 1, (images, images)) / levels, 1)
    return np.maximum(upper, upper.T).astype(np.float32) ** draw(st.sampled_from([0.5, 1, 3]))


@settings(max_examples=200, deadline=None)
@given(graphs(), st.sampled_from([0.1, 0.2, 1 / 3, 0.5, 0.7, 0.9999, 1.0, 2.0]), st.sampled_from([1, 2, 4, 9]))
def test_dbscan_is_scikit_learns(dense, eps, min_samples):
    wanted = DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed").fit(dense).labels_
    labels = dbscan(as_graph(dense), eps, min_samples)
    assert labels.dtype == np.int64
    assert labels.tolist() == wanted.tolist()
    assert dbscan(dense, eps, min_samples).tolist() == wanted.tolist()


@settings(max_examples=200, deadline=None)
@given(graphs(), st.sampled_from([1, 2, 3, 4, 9]))
def test_all_eps_is_dbscan_at_every_eps(dense, min_samples):
    """At every distance that occurs, just below it, and between: labels, cluster counts and outlier counts."""
    graph = as_graph(dense)
    every = all_eps(graph, min_samples)
    values = np.unique(dense[(dense > 0) & (dense < 1)])[:12]
    below = np.nextafter(values, np.float32(0), dtype=np.float32)
    radii = [float(eps) for eps in (*values, *below, 0.05, 0.5, 0.97) if eps > 0]
    for eps in radii:
        labels = every.labels(eps)
        assert labels.tolist() == dbscan(graph, eps, min_samples).tolist()
        assert every.clusters(eps) == labels.max() + 1
        assert every.outliers(eps) == (labels == -1).sum()
    curve = every.curve(sorted(radii))
    assert curve.clusters.tolist() == [dbscan(graph, eps, min_samples).max() + 1 for eps in sorted(radii)]


def test_all_eps_of_a_real_graph():
    """With and without a bound on the stored pairs, and on a graph with a source term; beyond the limit it refuses."""
    rng = np.random.default_rng(0)
    x = unit(rng.normal(size=(12, 10))[rng.integers(0, 12, 150)] + 0.5 * rng.normal(size=(150, 10))).astype(np.float32)
    whole = jaccard_graph(x, k1=10)
    mixed = mix_source(whole, rng.random(150), 0.2)
    for graph, eps in ((whole, 0.9), (jaccard_graph(x, k1=10, max_distance=0.6), 0.6), (mixed, 0.7)):
        every = all_eps(graph)
        for radius in np.linspace(0.05, eps, 23):
            assert every.labels(float(radius)).tolist() == dbscan(graph, float(radius)).tolist()
        with pytest.raises(LabelsError, match="decides radii"):
            every.labels(1.0)


def test_chk_0_4():
    assert dbscan(as_graph(equal_pairs(3, 0.3)), 0.3, 4).tolist() == [-1, -1, -1]
    assert dbscan(as_graph(equal_pairs(4, 0.3)), 0.3, 4).tolist() == [0, 0, 0, 0]


def test_chk_0_5():
    """Two core points, two border points, one outlier."""
    place = np.array([0, 0.1, 0.2, 0.3, 0.9])
    assert dbscan(as_graph(abs(place[:, None] - place)), 0.2 + 1e-7, 4).tolist() == [0, 0, 0, 0, -1]


def test_chk_shared_5():
    assert dbscan(as_graph(equal_pairs(4, 0.05)), 0.1).tolist() == [0] * 4
    assert dbscan(as_graph(equal_pairs(3, 0.05)), 0.1).tolist() == [-1] * 3
    assert dbscan(as_graph(equal_pairs(4, 0.1)), 0.1).tolist() == [0] * 4


def test_chk_shared_6():
    assert PseudoLabels(np.array([0, 0, 1, 1])).num_clusters == 2
    labels = PseudoLabels(np.array([0, 0, 1, 1, -1]))
    assert (labels.num_clusters, labels.outliers) == (2, 1)


def pairs_with(values, images):
    """A symmetric matrix whose strict upper triangle holds `values`."""
    dense = np.zeros((images, images))
    dense[np.triu_indices(images, 1)] = values
    return dense + dense.T


def test_chk_2_1_eps_from_the_closest_pairs():
    assert eps_from_closest_pairs(pairs_with(np.arange(1.0, 4951.0), 100)) == 4.5
    few = pairs_with(np.random.default_rng(0).permutation(300) + 1.0, 25)
    assert eps_from_closest_pairs(few) == 1.0
    assert eps_from_closest_pairs(pairs_with(np.arange(1.0, 326.0), 26)) == 1.0


@pytest.mark.parametrize(("images", "pairs", "taken"), [(12936, 83_663_580, 133_862), (16522, 136_479_981, 218_368)])
def test_chk_2_2_pair_counts(images, pairs, taken):
    """With exactly that many pairs at 0.25 and all others at 1, eps is 0.25; with one pair fewer it is not."""
    assert images * (images - 1) // 2 == pairs
    rows, columns = (side[:taken] for side in np.triu_indices(700, 1))
    for stored in (taken, taken - 1):
        near = sparse.coo_array((np.full(stored, 0.25, np.float32), (rows[:stored], columns[:stored])), shape=(images, images))
        both = near + near.T
        own = sparse.coo_array((np.zeros(images, np.float32), (np.arange(images), np.arange(images))), shape=both.shape)
        data = np.concatenate([both.tocoo().data, own.data])
        places = tuple(np.concatenate([a, b]) for a, b in zip(both.tocoo().coords, own.coords))
        eps = eps_from_closest_pairs(JaccardGraph(sparse.csr_array((data, places), shape=both.shape)))
        assert (eps == 0.25) == (stored == taken)


def test_chk_shared_4():
    values = np.arange(1, 4951) / 4950
    assert eps_from_closest_pairs(pairs_with(values, 100), rho=2e-3) == pytest.approx(0.00111111, abs=1e-8)


def test_eps_skips_exact_zeros_and_counts_absent_pairs():
    """L counts the pairs that the graph does not store; duplicates (distance 0) do not count."""
    dense = np.ones((40, 40), np.float32)
    dense[np.arange(39), np.arange(1, 40)] = dense[np.arange(1, 40), np.arange(39)] = np.linspace(0, 0.9, 39)
    np.fill_diagonal(dense, 0)
    pairs = np.sort(dense[np.triu_indices(40, 1)].astype(float))
    pairs = pairs[pairs != 0]
    for rho in (1.6e-3, 0.02, 0.3, 1.0):
        wanted = pairs[: max(1, round(rho * len(pairs)))].mean()
        assert eps_from_closest_pairs(as_graph(dense), rho) == pytest.approx(wanted, rel=1e-9)
    with pytest.raises(LabelsError, match="distance 0"):
        eps_from_closest_pairs(as_graph(np.zeros((3, 3))))


def test_chk_2_5_eps_is_frozen():
    """The second round keeps the first round's eps unless it is told otherwise, though its own rule gives another."""
    rng = np.random.default_rng(0)
    first, second = (clumps(rng, 90, 6, people=8) for _ in range(2))
    cameras, how = np.zeros(90, int), ClusterSettings(k1=8, rho=0.05, min_samples=2)
    eps = cluster(first, cameras, how).history["eps"]
    kept, own = cluster(second, cameras, how, eps=eps), cluster(second, cameras, how)
    assert kept.history["eps"] == eps != own.history["eps"]
    assert kept.labels.tolist() == dbscan(jaccard_graph(second, k1=8, variant="full"), eps, 2).tolist()


def test_a_large_set_with_a_fixed_eps_stores_what_the_radius_needs(monkeypatch):
    """The labels are those of the whole graph; with eps still to be found, or a source term, everything is stored."""
    monkeypatch.setattr("reidkit.labels.clustering.MANY", 50)
    x, cameras = _clumps(np.random.default_rng(0)), np.zeros(200, np.int64)
    how = ClusterSettings(k1=8, eps=0.5, min_samples=2)
    small = cluster(x, cameras, how)
    assert small.graph.max_distance == pytest.approx(0.6)
    assert small.labels.tolist() == dbscan(jaccard_graph(x, k1=8, variant="full"), 0.5, 2).tolist()
    assert cluster(x, cameras, replace(how, eps=None)).graph.max_distance == 1.0
    assert cluster(x, cameras, replace(how, source_weight=0.1), source=x[:30]).graph.max_distance == 1.0


def _clumps(rng):
    x = rng.normal(size=(20, 16)).repeat(10, axis=0) + 0.4 * rng.normal(size=(200, 16))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def test_chk_2_7_outliers_have_no_row():
    labels = PseudoLabels(np.array([0, -1, 1, 0, -1]))
    assert labels.kept.tolist() == [True, False, True, True, False]
    assert centroids(np.eye(5, dtype=np.float32), labels.labels).shape == (2, 5)
    views = PseudoLabels(np.array([[0, 0], [0, -1], [1, 1], [-1, 0]]))
    assert views.kept.tolist() == [True, False, True, False]
    assert (views.num_clusters, views.clusters_per_view, views.outliers) == (2, (2, 2), 2)


def test_labels_are_checked():
    with pytest.raises(LabelsError, match="without gaps"):
        PseudoLabels(np.array([0, 2]))
    with pytest.raises(LabelsError, match="label -2 in row 1"):
        PseudoLabels(np.array([0, -2]))
    with pytest.raises(LabelsError, match="integers"):
        PseudoLabels(np.array([0.5]))
    with pytest.raises(LabelsError, match="One weight"):
        PseudoLabels(np.array([0, 0]), weights=np.ones(3))
    nothing = PseudoLabels(np.full(3, -1))
    assert (nothing.num_clusters, nothing.outliers) == (0, 3)


@pytest.mark.parametrize(("images", "clusters"), [(12936, 862), (16522, 1101)])
def test_chk_6_1_number_of_clusters(images, clusters, monkeypatch):
    """floor(N / 15): 862.4 and 1101.47 are cut."""
    asked = []
    monkeypatch.setattr("reidkit.labels.clustering.kmeans", lambda rows, k, seed: asked.append(k) or np.zeros(len(rows), int))
    how = ClusterSettings(clustering="kmeans", clusters=0)
    cluster(np.ones((images, 2), np.float32), np.zeros(images, int), how)
    assert asked == [clusters]


def test_chk_6_2_camera_normalisation():
    two = normalise_by_camera(np.array([[1.0], [3.0]]), np.array([0, 0]))
    assert two.tolist() == [[-1], [1]]
    np.testing.assert_allclose(normalise_by_camera(np.array([[1.0], [3.0]]), np.array([0, 0]), ddof=1), two / np.sqrt(2))
    assert (normalise_by_camera(np.array([[5.0]]), np.array([0]), ddof=1) == 0).all()
    rng = np.random.default_rng(0)
    x, cameras = rng.normal(size=(90, 5)), rng.integers(0, 3, 90)
    z = normalise_by_camera(x, cameras)
    assert z.dtype == np.float32
    for camera in range(3):
        np.testing.assert_allclose(z[cameras == camera].mean(0), 0, atol=1e-6)
        np.testing.assert_allclose(z[cameras == camera].std(0), 1, atol=1e-5)
    moved = x * np.array([0.2, 5, 1])[cameras, None] + np.array([7, -3, 0])[cameras, None]
    np.testing.assert_allclose(normalise_by_camera(moved, cameras), z, atol=1e-5)


def test_cameras_with_few_images_are_said_aloud(caplog):
    x = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    cameras = np.array([0, 0, 0, 1, 1, 1, 4])
    with caplog.at_level(logging.WARNING):
        zeros = normalise_by_camera(x, cameras)
    assert "camera 4" in caplog.text
    assert (zeros[6] == 0).all()
    borrowed = normalise_by_camera(x, cameras, few_images="all")
    np.testing.assert_allclose(borrowed[6], (x[6] - x.mean(0)) / x.std(0), rtol=1e-4)
    assert (borrowed[:6] == zeros[:6]).all()


def test_chk_6_5_selection():
    labels, cameras = np.repeat([0, 1, 2], [4, 5, 3]), np.array([1, 1, 2, 2] + [3] * 5 + [1, 2, 3])
    kept = select(labels, cameras, min_size=4, single_camera="drop")
    assert kept.tolist() == [0] * 4 + [-1] * 8
    assert select(labels, cameras, min_size=4).tolist() == [0] * 4 + [1] * 5 + [-1] * 3
    assert select(labels, cameras, single_camera="drop").tolist() == [0] * 4 + [-1] * 5 + [1] * 3
    assert select(np.full(3, -1), np.arange(3), min_size=4).tolist() == [-1] * 3
    with pytest.raises(LabelsError, match="single_camera"):
        select(labels, cameras, single_camera="remove")


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([None, 2, 4]), st.sampled_from(["keep", "drop"]))
def test_selection_equals_a_loop(seed, min_size, single_camera):
    rng = np.random.default_rng(seed)
    labels, cameras = relabelled(rng.integers(-1, 7, 30)), rng.integers(0, 3, 30)
    fit = [
        m
        for m in range(labels.max() + 1)
        if (labels == m).sum() >= (min_size or 0) and (single_camera == "keep" or len(set(cameras[labels == m])) > 1)
    ]
    wanted = [fit.index(m) if m in fit else -1 for m in labels]
    assert select(labels, cameras, min_size=min_size, single_camera=single_camera).tolist() == wanted


def test_relabelled_keeps_order_and_outliers():
    assert relabelled(np.array([7, -1, 3, 7])).tolist() == [1, -1, 0, 1]
    assert relabelled(np.array([4, 9])).tolist() == [0, 1]
    assert relabelled(np.array([-1])).tolist() == [-1]


def test_centroids_are_means_of_unit_rows():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(50, 4)) * 3, relabelled(rng.integers(-1, 5, 50))
    for unit_rows in (True, False):
        rows = unit(x) if unit_rows else x
        wanted = np.stack([rows[labels == m].mean(0) for m in range(5)])
        np.testing.assert_allclose(centroids(x, labels, unit_rows=unit_rows), wanted, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(centroids(x, labels, normalise=True), axis=1), 1, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 12, 40]), st.sampled_from([2, 16]), st.sampled_from([0, 30]))
def test_kmeans_is_scikit_learns_from_the_same_start(seed, k, columns, copies):
    """Also from starts in which centres coincide, so that clusters run empty and are refilled."""
    rng = np.random.default_rng(seed)
    x = clumps(rng, 200, columns, people=15)
    first = x[rng.choice(200, k, replace=False)]
    first[: min(copies, k)] += 5
    labels = kmeans(x, k, seed=0, start=first)
    model = KMeans(k, init=first, n_init=1).fit(x.astype(np.float64))
    assert labels.dtype == np.int64
    assert labels.tolist() == model.labels_.tolist()


def test_lloyd_counts_what_scikit_learn_counts():
    x = clumps(np.random.default_rng(1), 400, 20, people=30)
    ours, theirs = lloyd(x, x[:25]), KMeans(25, init=x[:25], n_init=1).fit(x.astype(np.float64))
    assert ours.inertia == pytest.approx(theirs.inertia_, rel=1e-6)
    assert ours.iterations == theirs.n_iter_
    np.testing.assert_allclose(ours.centres, theirs.cluster_centers_, atol=1e-6)


@pytest.mark.parametrize("start", ["k-means++", "random"])
def test_kmeans_finds_its_own_start(start):
    x = clumps(np.random.default_rng(0), 300, 16, people=20)
    labels = kmeans(x, 12, seed=3, start=start)
    assert sorted(set(labels)) == list(range(12))
    assert labels.tolist() == kmeans(x, 12, seed=3, start=start).tolist()
    best = KMeans(12, n_init=5, random_state=0).fit(x).inertia_
    assert ((x - centroids(x, labels, unit_rows=False)[labels]) ** 2).sum() < 1.15 * best


def test_a_careful_start_takes_distinct_far_rows():
    """Ten clumps far apart: ten starts hit all of them; copies are never drawn while something else is left."""
    rng = np.random.default_rng(0)
    x = (20 * np.repeat(np.eye(10), 30, axis=0) + rng.normal(size=(300, 10))).astype(np.float32)
    chosen = careful_start(x, 10, rng)
    assert sorted(chosen // 30) == list(range(10))
    twins = np.repeat(np.eye(4, dtype=np.float32), 5, axis=0)
    assert sorted(careful_start(twins, 4, rng) // 5) == [0, 1, 2, 3]


def test_kmeans_in_batches():
    x = clumps(np.random.default_rng(0), 600, 16, people=6)
    labels = kmeans(x, 6, seed=0, batch=100)
    assert labels.tolist() == kmeans(x, 6, seed=0, batch=100).tolist()
    assert sorted(set(labels)) == list(range(labels.max() + 1))


def test_kmeans_refusals():
    x = np.eye(4, dtype=np.float32)
    with pytest.raises(LabelsError, match="k = 5 clusters of 4"):
        kmeans(x, 5, seed=0)
    with pytest.raises(LabelsError, match="start"):
        kmeans(x, 2, seed=0, start="best")
    with pytest.raises(LabelsError, match="2 centres of 4 columns"):
        kmeans(x, 2, seed=0, start=x)


def test_labels_are_light_to_import():
    code = "import sys, reidkit.labels; print([m for m in ('torch', 'numba', 'sklearn', 'faiss') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def clumps(rng, rows, columns, people):
    """float32 unit rows around `people` centres."""
    return unit(
        rng.normal(size=(people, columns))[rng.integers(0, people, rows)] + 0.5 * rng.normal(size=(rows, columns))
    ).astype(np.float32)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
