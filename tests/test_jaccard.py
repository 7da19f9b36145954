"""The Jaccard distance: reference values, an independent brute force, and the sparse graph against the dense version."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import DBSCAN

from reidkit.errors import LabelsError
from reidkit.jaccard import (
    JaccardGraph,
    dense_jaccard,
    dense_rerank,
    dense_steps,
    jaccard_graph,
    mix_source,
    rerank,
    source_proximity,
)
from reidkit.labels import dbscan, eps_from_closest_pairs

LINE = (0, 1, 3, 10, 11, 13)
ISOLATED = (0, 1, 2.1, 3.3, 20)
EXPANDING = (0, 14, 15, 20, 22, 23, 36, 37)
ANGLES = (0, 5, 12, 90, 98, 104, 180)


def column(values):
    return np.array(values, np.float32)[:, None]


def circle(degrees):
    angle = np.deg2rad(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def unit_rows(rng, rows, columns, people=None, *, duplicates=0, cameras=1):
    """Features in clumps by person and camera, with exact copies of some rows."""
    centre = rng.normal(size=(people or max(rows // 8, 1), columns))[rng.integers(0, people or max(rows // 8, 1), rows)]
    shift = rng.normal(size=(cameras, columns))[rng.integers(0, cameras, rows)] if cameras > 1 else 0.0
    x = centre + shift + 0.6 * rng.normal(size=(rows, columns)) + 0.4
    for _ in range(duplicates):
        x[rng.integers(rows)] = x[rng.integers(rows)]
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def brute_force(features, k1, k2, variant):
    """The equations with sets and dictionaries, one pair at a time, in float64."""
    x = features.astype(np.float64)
    n = len(x)
    unit = np.allclose((x**2).sum(1), 1, atol=1e-4)
    squared = [[2 - 2 * round(float(a @ b) * 2**40) / 2**40 if unit else float(((a - b) ** 2).sum()) for b in x] for a in x]
    order = [sorted(range(n), key=lambda j, i=i: (j != i, squared[i][j], j)) for i in range(n)]
    if variant == "index":
        order = [row[:k1] for row in order]

    def near(i, k):
        return {j for j in order[i][: k + 1] if i in order[j][: k + 1]}

    def mean(rows):
        return {j: sum(r.get(j, 0.0) for r in rows) / len(rows) for j in set().union(*rows)}

    rows = []
    for i in range(n):
        first, grown = near(i, k1), set(near(i, k1))
        for j in first:
            half = near(j, int(np.around(k1 / 2)))
            if len(half & first) > 2 / 3 * len(half):
                grown |= half
        scale = max(squared[i]) or 1.0 if variant == "full" else 1.0
        weight = {j: np.exp(-squared[i][j] / scale) for j in grown}
        rows.append({j: w / sum(weight.values()) for j, w in weight.items()})
    if k2 > 1:
        rows = [mean([rows[j] for j in order[i][:k2]]) for i in range(n)]
    shared = np.array([[sum(min(w, b[j]) for j, w in a.items() if j in b) for b in rows] for a in rows])
    return np.maximum(1 - shared / (2 - shared), 0)


def test_chk_8_1():
    d = jaccard_graph(column(LINE), k1=2, k2=1, variant="full").toarray()
    wanted = {(0, 1): 0.011339, (0, 2): 0.049939, (1, 2): 0.039037, (3, 4): 0.024141, (3, 5): 0.052947, (4, 5): 0.029508}
    assert all(d[pair] == pytest.approx(value, abs=1e-6) for pair, value in wanted.items())
    assert (d[:3, 3:] == 1).all()
    row = dense_steps(column(LINE), k1=2, k2=1, variant="full").weights[0]
    np.testing.assert_allclose(row, [0.339877, 0.337872, 0.322251, 0, 0, 0], atol=1e-6)


def test_chk_8_2():
    d = jaccard_graph(column(LINE), k1=2, k2=2, variant="full").toarray()
    assert d[0, 1] == d[3, 4] == 0
    np.testing.assert_allclose(d[[0, 1, 3, 4], [2, 2, 5, 5]], [0.025285, 0.025285, 0.026828, 0.026828], atol=1e-6)


def test_chk_8_3():
    alone = jaccard_graph(column(ISOLATED), k1=2, k2=1, variant="full").toarray()
    np.testing.assert_allclose(alone[0], [0, 0.499508, 0.800245, 1, 1], atol=1e-6)
    assert (alone[4, :4] == 1).all()
    pulled = jaccard_graph(column(ISOLATED), k1=2, k2=2, variant="full").toarray()
    np.testing.assert_allclose(pulled[4], [0.909221, 0.909221, 0.737588, 0.666667, 0], atol=1e-6)


def test_chk_8_4():
    steps = dense_steps(column(EXPANDING), k1=6, k2=1, variant="full")
    assert steps.reciprocal[7].tolist() == [3, 4, 5, 6, 7]
    assert steps.expanded[7].tolist() == [2, 3, 4, 5, 6, 7]
    row = jaccard_graph(column(EXPANDING), k1=6, k2=1, variant="full").toarray()[7]
    np.testing.assert_allclose(row, [0.927981, 0.506185, 0.498223, 0.345656, 0.290973, 0.268211, 0.207158, 0], atol=1e-6)


def test_chk_8_5_two_thirds_is_strict():
    """Every half-size set that was added shares more than two thirds with R; every one left out does not."""
    rng = np.random.default_rng(3)
    seen = set()
    for seed in range(20):
        x = unit_rows(np.random.default_rng(seed), 40, 4, people=int(rng.integers(2, 6)))
        steps = dense_steps(x, k1=6, k2=1, variant="full")
        halves = [{j for j in steps.rank[i, :4] if i in steps.rank[j, :4]} for i in range(40)]
        for i in range(40):
            first = set(steps.reciprocal[i])
            for j in first:
                common, size = len(halves[j] & first), len(halves[j])
                seen.add((common, size))
                if common / size > 2 / 3 + 1e-9:
                    assert halves[j] <= set(steps.expanded[i])
            added = [halves[j] for j in first if 3 * len(halves[j] & first) > 2 * len(halves[j])]
            assert set(steps.expanded[i]) == first.union(*added)
    assert {(2, 3), (3, 4)} <= seen


@pytest.mark.parametrize(("k1", "entries"), [(20, 11), (15, 9), (25, 13), (30, 16)])
def test_chk_8_6_halves_round_to_even(k1, entries):
    """A chain of images whose half-size sets are as wide as the rule says."""
    assert round(k1 / 2) + 1 == entries
    x = unit_rows(np.random.default_rng(k1), 90, 3, people=3)
    np.testing.assert_allclose(jaccard_graph(x, k1=k1, variant="full").toarray(), brute_force(x, k1, 6, "full"), atol=1e-6)


@pytest.mark.parametrize("variant", ["full", "index"])
def test_chk_8_7_properties(variant):
    rng = np.random.default_rng(7)
    x = unit_rows(rng, 80, 12)
    graph = jaccard_graph(x, k1=12, k2=4, variant=variant)
    d = graph.toarray()
    assert (d == d.T).all()
    assert (np.diag(d) == 0).all()
    assert d.min() >= 0
    assert d.max() <= 1
    shuffled = rng.permutation(80)
    assert (jaccard_graph(x[shuffled], k1=12, k2=4, variant=variant).toarray() == d[np.ix_(shuffled, shuffled)]).all()
    steps = dense_steps(x, k1=12, k2=4, variant=variant)
    np.testing.assert_allclose(steps.weights.sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(steps.encoding.sum(1), 1, atol=1e-12)


def test_chk_8_7_scale_does_not_matter():
    x = unit_rows(np.random.default_rng(8), 60, 6)
    small = jaccard_graph(x * np.float32(8), k1=8, k2=3, variant="full").toarray()
    np.testing.assert_allclose(small, jaccard_graph(x, k1=8, k2=3, variant="full").toarray(), atol=1e-5)


def test_chk_8_8_self_counts():
    """Asking for one neighbour less gives other numbers: the image itself is one of the k1 + 1."""
    d = jaccard_graph(column(LINE), k1=1, k2=1, variant="full").toarray()
    assert abs(d[0, 1] - 0.011339) > 1e-3


def test_chk_8_9_lambda_ends():
    rng = np.random.default_rng(9)
    x = unit_rows(rng, 60, 10)
    query, gallery = x[:12], x[12:]
    original = 2 - 2 * query.astype(float) @ gallery.T.astype(float)
    ranked = rerank(query, gallery, k1=6, k2=3, lambda_value=1.0)
    assert (ranked.argsort(axis=1, kind="stable") == original.argsort(axis=1, kind="stable")).all()
    jaccard = dense_jaccard(x, k1=6, k2=3, variant="full")[:12, 12:]
    np.testing.assert_allclose(rerank(query, gallery, k1=6, k2=3, lambda_value=0.0), jaccard, atol=1e-6)


def test_chk_shared_1():
    full = jaccard_graph(circle(ANGLES), k1=2, k2=1, variant="full").toarray()
    pairs = ([0, 0, 1, 3, 3, 4], [1, 2, 2, 4, 5, 5])
    np.testing.assert_allclose(full[pairs], [0.0032, 0.0077, 0.0045, 0.0114, 0.0182, 0.0069], atol=1e-4)
    assert (full[:3, 3:] == 1).all()
    assert (full[6, :6] == 1).all()
    index = jaccard_graph(circle(ANGLES), k1=3, k2=1).toarray()
    np.testing.assert_allclose(index[pairs], [0.0126, 0.0302, 0.0178, 0.0235, 0.0405, 0.0174], atol=1e-4)
    assert jaccard_graph(circle(ANGLES), k1=2, k2=1).toarray()[0, 2] == 1


def test_chk_shared_2():
    full = jaccard_graph(circle(ANGLES), k1=2, k2=2, variant="full").toarray()
    np.testing.assert_allclose(full[[0, 0, 3, 3], [1, 2, 4, 6]], [0, 0.0039, 0.0092, 0.6667], atol=1e-4)
    index = jaccard_graph(circle(ANGLES), k1=3, k2=2).toarray()
    np.testing.assert_allclose(index[[0, 3, 3], [2, 4, 6]], [0.0152, 0.0204, 0.6667], atol=1e-4)


def test_chk_shared_3_round_half_to_even():
    """k1 = 15 and 25 are the settings that tell the roundings apart; the brute force uses NumPy's."""
    assert [int(np.around(k / 2)) for k in (15, 20, 25, 30)] == [8, 10, 12, 15]
    x = unit_rows(np.random.default_rng(4), 60, 3, people=2)
    for k1 in (15, 25):
        np.testing.assert_allclose(jaccard_graph(x, k1=k1).toarray(), brute_force(x, k1, 6, "index"), atol=1e-6)


@st.composite
def feature_sets(draw):
    """Random, clumped by camera, duplicated, tied (few directions) and tiny (N < k1)."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = draw(st.sampled_from([1, 2, 5, 17, 60]))
    kind = draw(st.sampled_from(["random", "camera", "duplicated", "tied", "many copies"]))
    if kind == "tied":
        x = rng.integers(0, 2, (rows, 4)).astype(np.float32)
        x[x.sum(1) == 0] = 1
        return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    x = unit_rows(
        rng, rows, draw(st.sampled_from([2, 8, 40])), duplicates=8 * (kind == "duplicated"), cameras=3 if kind == "camera" else 1
    )
    if kind == "many copies":
        x[: rows // 2 + 1] = x[0]
    return x


SETTINGS = st.tuples(st.sampled_from([1, 2, 6, 9, 30]), st.sampled_from([1, 2, 6]), st.sampled_from(["index", "full"]))


@settings(max_examples=60, deadline=None)
@given(feature_sets(), SETTINGS)
def test_dense_equals_brute_force(x, setting):
    k1, k2, variant = setting
    np.testing.assert_allclose(dense_jaccard(x, k1=k1, k2=k2, variant=variant), brute_force(x, *setting), atol=1e-9)


@settings(max_examples=150, deadline=None)
@given(feature_sets(), SETTINGS, st.sampled_from([0.2, 0.5, 0.6, 0.9, 0.999]), st.sampled_from([1, 2, 4]))
def test_sparse_equals_dense(x, setting, eps, min_samples):
    k1, k2, variant = setting
    graph = jaccard_graph(x, k1=k1, k2=k2, variant=variant)
    dense = dense_jaccard(x, k1=k1, k2=k2, variant=variant).astype(np.float32)
    assert graph.toarray().dtype == np.float32
    np.testing.assert_allclose(graph.toarray(), dense, atol=1e-5)
    assert ((graph.toarray() < 1) == (dense < 1)).all()
    for radius in (eps, float(np.quantile(dense, 0.3, method="nearest"))):
        if radius > 0:
            wanted = DBSCAN(eps=radius, min_samples=min_samples, metric="precomputed").fit(dense).labels_
            assert dbscan(graph, radius, min_samples).tolist() == wanted.tolist()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 7, 25]), st.sampled_from([2, 6, 20]), st.sampled_from([1, 3, 6]))
def test_rerank_equals_dense(seed, queries, k1, k2):
    rng = np.random.default_rng(seed)
    x = unit_rows(rng, queries + 40, 8, duplicates=5)
    ours = rerank(x[:queries], x[queries:], k1=k1, k2=k2)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, dense_rerank(x[:queries], x[queries:], k1=k1, k2=k2), atol=1e-5)


@pytest.mark.parametrize("variant", ["index", "full"])
def test_local_order_changes_nothing(monkeypatch, variant):
    x = unit_rows(np.random.default_rng(11), 300, 12, duplicates=20)
    plain = jaccard_graph(x, k1=9, variant=variant, max_distance=0.8)
    monkeypatch.setattr("reidkit.jaccard.build.MANY", 10)
    local = jaccard_graph(x, k1=9, variant=variant, max_distance=0.8)
    for part in ("indptr", "indices", "data"):
        assert getattr(local.matrix, part).tolist() == getattr(plain.matrix, part).tolist()


def test_max_distance_leaves_out_only_what_it_says():
    x = unit_rows(np.random.default_rng(5), 100, 8)
    whole, cut = jaccard_graph(x, k1=10), jaccard_graph(x, k1=10, max_distance=0.6)
    d = whole.toarray()
    assert (cut.toarray() == np.where(d <= np.float32(0.6), d, 1)).all()
    assert cut.matrix.nnz < whole.matrix.nnz
    assert dbscan(cut, 0.6).tolist() == dbscan(whole, 0.6).tolist()
    with pytest.raises(LabelsError, match=r"up to 0\.6"):
        dbscan(cut, 0.7)
    with pytest.raises(LabelsError, match="max_distance"):
        mix_source(cut, np.zeros(100))


def test_the_graph_is_symmetric_and_reads_like_its_array():
    x = unit_rows(np.random.default_rng(6), 70, 8, duplicates=10)
    graph = jaccard_graph(x, k1=9)
    d = graph.toarray()
    assert isinstance(graph, JaccardGraph)
    assert len(graph) == 70
    assert (graph.variant, graph.k1, graph.k2) == ("index", 9, 6)
    assert graph.matrix.has_sorted_indices
    assert abs(graph.matrix - graph.matrix.T).sum() == 0
    assert all(graph.distance(i, j) == d[i, j] for i in range(0, 70, 3) for j in range(70))
    assert JaccardGraph.estimate_memory(20000) == 2 * JaccardGraph.estimate_memory(10000)


def test_chk_2_3_source_mix():
    x = np.array([[1, 0], [1, 0], [-1, 0]], np.float32)
    graph = jaccard_graph(x, k1=2, k2=1)
    pair = JaccardGraph(graph.matrix[:2, :2].copy(), 2, 1, "index")
    pair.matrix.data[:] = [0, 0.4, 0.4, 0]
    kept = mix_source(pair, np.array([1, 0.5]), 0.1, zero_diagonal=False).toarray()
    np.testing.assert_allclose(kept, [[0.20, 0.51], [0.51, 0.10]], atol=1e-7)
    zeroed = mix_source(pair, np.array([1, 0.5]), 0.1).toarray()
    np.testing.assert_allclose(zeroed, [[0, 0.51], [0.51, 0]], atol=1e-7)
    far = mix_source(graph, np.ones(3), 0.1)
    assert far.distance(0, 2) == pytest.approx(1.1)


def test_chk_2_4_source_term_of_unit_features():
    """1 - exp(-d^2): 0.393469 at d^2 = 0.5 and 0.864665 at d^2 = 2; divided by the largest."""
    source = np.array([[1.0, 0.0]], np.float32)
    target = circle([np.degrees(np.arccos(0.75)), 90.0])
    v = source_proximity(target, source)
    assert v[1] == 1
    assert v[0] == pytest.approx(0.393469 / 0.864665, abs=1e-6)
    assert 1 - np.exp(np.float16(-20)) == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 0.5, 1.0]), st.sampled_from([0.3, 0.7, 0.92, 1.0, 1.2]), st.booleans())
def test_mixed_graphs_cluster_as_their_arrays(seed, weight, eps, zero_diagonal):
    """Pairs that are not stored can be closer than eps once a source term is mixed in."""
    rng = np.random.default_rng(seed)
    graph = jaccard_graph(unit_rows(rng, 50, 6), k1=6, k2=2)
    mixed = mix_source(graph, rng.random(50), weight, zero_diagonal=zero_diagonal)
    dense = mixed.toarray()
    for min_samples in (1, 4, 12):
        wanted = DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed").fit(dense).labels_
        assert dbscan(mixed, eps, min_samples).tolist() == wanted.tolist()
    for rho in (1.6e-3, 0.3, 1.0):
        pairs = np.sort(dense[np.triu_indices(50, 1)].astype(float))
        pairs = pairs[pairs != 0]
        wanted_eps = pairs[: max(1, round(rho * len(pairs)))].mean()
        assert eps_from_closest_pairs(mixed, rho) == pytest.approx(wanted_eps, rel=1e-9)


@pytest.mark.parametrize(
    ("features", "options", "words"),
    [
        (np.array([[1, 0], [np.nan, 0]], np.float32), {}, "row 1"),
        (np.zeros((0, 4), np.float32), {}, "matrix"),
        (np.ones((4, 2), np.float32), {"variant": "ful"}, "Did you mean 'full'"),
        (np.ones((4, 2), np.float32), {"k1": 0}, "at least 1"),
        (np.ones((4, 2), np.float32), {"max_distance": 0.0}, "max_distance"),
    ],
)
def test_refusals(features, options, words):
    with pytest.raises(LabelsError, match=words):
        jaccard_graph(features, **options)
