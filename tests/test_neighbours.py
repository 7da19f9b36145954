"""`nearest` against a float64 sort: every back end, ties, duplicates, odd sizes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.errors import LabelsError
from reidkit.neighbours import BACKENDS, checked_rows, nearest

CPU_BACKENDS = [name for name in BACKENDS if "gpu" not in name]


def unit_rows(rng, rows, columns, *, duplicates=0):
    x = rng.normal(size=(rows, columns)) + 0.5
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    for _ in range(duplicates):
        x[rng.integers(rows)] = x[rng.integers(rows)]
    return x.astype(np.float32)


def oracle(queries, database, k):
    """Indices by (inner product descending, index ascending), one row after another."""
    wide = database.astype(np.float64)
    result = []
    for row in queries.astype(np.float64):
        scores = np.round((wide * row).sum(axis=1) * 2**40)
        result.append(sorted(range(len(wide)), key=lambda j, s=scores: (-s[j], j))[:k])
    return np.array(result)


@pytest.mark.parametrize("backend", CPU_BACKENDS)
@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 40),
    st.sampled_from([1, 2, 33, 150]),
    st.sampled_from([1, 2, 5, 64]),
    st.integers(1, 40),
    st.sampled_from([0, 30]),
)
def test_equals_a_float64_sort(backend, seed, queries, images, columns, k, duplicates):
    rng = np.random.default_rng(seed)
    database = unit_rows(rng, images, columns, duplicates=duplicates)
    asked = unit_rows(rng, queries, columns)
    k = min(k, images)
    similarity, index = nearest(asked, database, k, backend=backend)
    assert similarity.dtype == np.float32
    assert index.tolist() == oracle(asked, database, k).tolist()
    np.testing.assert_allclose(similarity, np.take_along_axis(asked @ database.T, index, axis=1), atol=1e-6)


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_ties_go_to_the_lower_index(backend):
    database = np.eye(3, dtype=np.float32)[[2, 0, 1, 0, 1, 0]]
    similarity, index = nearest(np.eye(3, dtype=np.float32)[:1], database, 6, backend=backend)
    assert index.tolist() == [[1, 3, 5, 0, 2, 4]]
    assert similarity.tolist() == [[1, 1, 1, 0, 0, 0]]


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_more_duplicates_than_candidates(backend):
    """Two hundred copies of one image: no shortlist can hold them, the lowest indices are right all the same."""
    rng = np.random.default_rng(0)
    database = unit_rows(rng, 400, 16)
    database[::2] = database[0]
    _, index = nearest(database[:3], database, 50, backend=backend)
    assert index.tolist() == oracle(database[:3], database, 50).tolist()


def test_rows_need_not_have_length_one():
    rng = np.random.default_rng(1)
    database = (rng.normal(size=(90, 7)) * rng.uniform(0.1, 30, (90, 1))).astype(np.float32)
    _, index = nearest(database[:10], database, 9)
    assert index.tolist() == oracle(database[:10], database, 9).tolist()


@pytest.mark.parametrize(
    ("queries", "k", "backend", "words"),
    [
        (np.full((2, 3), np.nan, np.float32), 1, "auto", "row 0, 1"),
        (np.zeros((2, 4), np.float32), 1, "auto", "columns"),
        (np.zeros((2, 3), np.float32), 6, "auto", "5 rows"),
        (np.zeros((2, 3), np.float32), 0, "auto", "1 <= k"),
        (np.zeros(3, np.float32), 1, "auto", "matrix"),
        (np.zeros((2, 3), np.float32), 1, "fais", "Did you mean 'faiss"),
    ],
)
def test_refusals(queries, k, backend, words):
    with pytest.raises(LabelsError, match=words):
        nearest(queries, np.ones((5, 3), np.float32), k, backend=backend)


def test_a_damaged_row_is_named():
    rows = np.zeros((9000, 2), np.float32)
    rows[8123, 1] = np.inf
    with pytest.raises(LabelsError, match="row 8123"):
        checked_rows(rows)
