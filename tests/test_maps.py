"""Maps from known neighbours: the lists against brute force, the solvers, the measures against scikit-learn and a plain count."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from reidkit.capsule import CapsuleWriter
from reidkit.diagnose import diagnose, keep_maps, kept_maps
from reidkit.diagnose.maps import neighbours_kept, sampled_trustworthiness, tsne_map, umap_map, wanted
from reidkit.diagnose.near import Near
from reidkit.diagnose.projection import project, project_by
from reidkit.errors import DiagnosisError
from reidkit.jaccard import jaccard_graph
from reidkit.neighbours import neighbour_lists
from reidkit.show import EmbeddingMap


def groups(n: int = 120, d: int = 12, many: int = 6) -> np.ndarray:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(n, d)) + 4 * generator.normal(size=(many, d))[np.arange(n) % many]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def brute(features: np.ndarray, k: int) -> np.ndarray:
    distance = cdist(features.astype(np.float64), features.astype(np.float64))
    np.fill_diagonal(distance, -1)
    return np.argsort(distance, axis=1, kind="stable")[:, :k]


def test_lists_from_features_and_from_a_search_are_those_of_brute_force() -> None:
    features = groups()
    found = neighbour_lists(features, 9)
    for near in (Near.of_features(features, 9), Near.of_similarity(found.similarity, found.index)):
        np.testing.assert_array_equal(near.index, brute(features, 9))
        rows = np.arange(len(features))[:, None]
        np.testing.assert_allclose(near.distance, np.linalg.norm(features[rows] - features[near.index], axis=2), atol=1e-3)


def test_a_twin_that_stands_first_does_not_take_the_own_place() -> None:
    near = Near.of_similarity(np.array([[1, 1, 0.5], [1, 1, 0.5], [1, 0.5, 0.5]]), np.array([[1, 0, 2], [1, 0, 2], [2, 0, 1]]))
    assert near.index[:, 0].tolist() == [0, 1, 2] and near.index[0].tolist() == [0, 1, 2]


def test_lists_from_a_graph_hold_its_nearest_and_fill_up_with_pairs_at_distance_one() -> None:
    graph = jaccard_graph(groups(), k1=6, k2=2).matrix
    near, dense = Near.of_graph(graph, 20), np.ones((120, 120))
    rows = np.repeat(np.arange(120), np.diff(graph.indptr))
    dense[rows, graph.indices] = graph.data
    np.fill_diagonal(dense, 0)
    np.testing.assert_allclose(near.distance, np.sort(dense, axis=1)[:, :20], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(dense, near.index, axis=1), near.distance, atol=1e-6)
    assert all(len(set(row)) == 20 for row in near.index.tolist()) and (near.distance == 1).any()
    np.testing.assert_array_equal(Near.of_graph(graph, 20).index, near.index)
    alone = Near.of_graph(sparse.csr_array((5, 5), dtype=np.float32), 9)
    assert alone.index.shape == (5, 5) and (alone.distance[:, 1:] == 1).all()


def test_lists_that_are_none_are_refused() -> None:
    for index, distance in ((np.array([[1, 0], [0, 1]]), np.zeros((2, 2))), (np.array([[0, 1]]), np.array([[0, np.nan]]))):
        with pytest.raises(DiagnosisError, match="own first neighbour"):
            Near(index, distance)


@pytest.mark.parametrize("name", ["t-SNE", "UMAP"])
def test_maps_keep_neighbours_apart_and_repeat(name: str) -> None:
    features = groups(240)
    near = Near.of_features(features, wanted(name, 240))

    def make(seed: int) -> np.ndarray:
        return {"t-SNE": tsne_map, "UMAP": umap_map}[name](near, project(features)[0], seed=seed)

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    points = make(0)
    assert torch.get_num_threads() == 3, "what is trained afterwards has the threads that it would have had"
    torch.set_num_threads(before)
    assert points.shape == (240, 2) and points.dtype == np.float32 and np.array_equal(points, make(0))
    truth = Near.of_features(features, 11)
    scrambled = points[np.random.default_rng(0).permutation(240)]
    assert neighbours_kept(points, truth) > 0.35 > 3 * neighbours_kept(scrambled, truth)


def test_neighbours_kept_is_a_plain_count() -> None:
    features, points = groups(60), np.random.default_rng(1).normal(size=(60, 2))
    pairs = zip(brute(features, 6)[:, 1:], brute(points, 6)[:, 1:])
    expected = np.mean([len(np.intersect1d(a, b)) / 5 for a, b in pairs])
    assert neighbours_kept(points, Near.of_features(features, 11), 5) == pytest.approx(expected)
    assert neighbours_kept(features[:, :2], Near.of_features(features[:, :2], 11)) == pytest.approx(1.0)


def test_trustworthiness_is_scikit_learns_and_names_its_sample() -> None:
    features, points = groups(80), np.random.default_rng(1).normal(size=(80, 2))
    assert sampled_trustworthiness(features, points) == (pytest.approx(trustworthiness(features, points, n_neighbors=10)), 80)
    assert sampled_trustworthiness(features, points, most=50)[1] == 50


@pytest.mark.parametrize("count", [3, 4, 7])
@pytest.mark.parametrize("name", ["t-SNE", "UMAP"])
def test_a_handful_of_images_has_a_map(name: str, count: int) -> None:
    made = project_by(name, groups(count, 5, 2))
    assert made.points.shape == (count, 2) and np.isfinite(made.points).all()


@pytest.mark.parametrize(("offset", "kind"), [(0, np.float32), (20, np.float32), (0, np.float16), (20, np.float64)])
def test_a_large_pca_equals_the_exact_one(offset: float, kind: type) -> None:
    generator = np.random.default_rng(0)
    features = (generator.normal(size=(900, 600)) * np.arange(1, 601) ** -0.7 + offset).astype(kind)
    points, share = project(features)
    assert points.dtype == np.float32 and np.array_equal(points, project(features)[0])
    exact = PCA(2, svd_solver="full").fit(features.astype(np.float64))
    expected = exact.transform(features)
    assert share == pytest.approx(exact.explained_variance_ratio_.sum(), rel=1e-4)
    np.testing.assert_allclose(points, expected, atol=0.01 * np.abs(expected).max())  # signs too: by the largest loading


def test_the_widget_starts_from_the_graph_that_was_clustered() -> None:
    features = groups()
    graph = jaccard_graph(features, k1=6, k2=2)
    labels = np.arange(120) % 6
    options = {"cameras": np.arange(120) % 3, "features": features}
    with_graph = EmbeddingMap(diagnose(labels, graph=graph, **options), projection="t-SNE")
    without = EmbeddingMap(diagnose(labels, **options), projection="t-SNE")
    assert not np.array_equal(with_graph.made().points, without.made().points)
    expected = project_by("t-SNE", with_graph.diagnosis.space.features, graph=with_graph.diagnosis.space.graph)
    np.testing.assert_array_equal(with_graph.made().points, expected.points)
    assert "of the nearest images are nearest on the map" in with_graph.describe()


def test_a_map_kept_in_a_capsule_opens_as_it_was_made_until_its_features_are_replaced(tmp_path, monkeypatch) -> None:
    features = groups()
    frame = pd.DataFrame({"path": [f"{i}.png" for i in range(120)], "camera": np.arange(120) % 3})
    run = CapsuleWriter.create(tmp_path / "run", frame, {"method": "toy"})
    for epoch in range(2):
        run.add_labels(np.arange(120) % 6, {"eps": 0.5})
        run.add_features(epoch, features + 0.1 * epoch)
        run.add_graph(epoch, jaccard_graph(features, k1=6, k2=2).matrix)
    assert kept_maps(run, 0) == {}
    fresh = EmbeddingMap.from_capsule(run, 0).set(projection="t-SNE").made()
    (path,) = keep_maps(run, 0, ["t-SNE"])
    assert path.is_relative_to(run.folder / "maps") and kept_maps(run, 1) == {}
    monkeypatch.setattr("reidkit.show.embedding_map.project_by", lambda *a, **b: pytest.fail("made again"))
    view = EmbeddingMap.from_capsule(run, 0).set(projection="t-SNE")
    np.testing.assert_array_equal(view.made().points, fresh.points)
    assert (view.made().axes, view.made().note, view.made().rows.tolist()) == (fresh.axes, fresh.note, list(range(120)))
    assert view.diagnosis.labelling.label.tolist() == run.labels[0].tolist() and "t-SNE of 120 images" in view.describe()
    run.add_features(0, features[::-1])
    assert kept_maps(run, 0) == {}
    with pytest.raises(DiagnosisError, match="MDS"):
        keep_maps(run, 0, ["MDS"])
