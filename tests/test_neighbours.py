"""`nearest` against a float64 sort: every back end, ties, duplicates, odd sizes."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.errors import LabelsError
from reidkit.neighbours import BACKENDS, Processes, backends, candidates, checked_rows, nearest, neighbour_lists
from reidkit.neighbours.candidates import Candidates, prove
from reidkit.neighbours.kernels import order_and_turn
from reidkit.neighbours.tiles import candidates_from_tiles, ordered_bits
from reidkit.threads import in_threads

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


def on_a_device(queries, database, m, m_far):
    """The path of a GPU, run on the CPU."""
    return backends.torch_gpu(queries, database, m, m_far, device="cpu")


FINDERS = {
    "bf16": partial(candidates_from_tiles, engine="bf16"),
    "float32": partial(candidates_from_tiles, engine="float32"),
    "device": on_a_device,
    "faiss": backends.faiss_cpu,
}


@pytest.mark.parametrize("finder", FINDERS)
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 40, 700]), st.sampled_from([3, 16, 1100]), st.sampled_from([0, 90]))
def test_lists_of_a_set_in_itself(finder, seed, images, columns, copies):
    """Itself first, then the nearest; and the farthest row. Whatever found the candidates, the proof makes it exact."""
    rng = np.random.default_rng(seed)
    rows = unit_rows(rng, images, columns)
    rows[rng.integers(0, images, copies)] = rows[0]
    k = min(12, images)
    found = FINDERS[finder](rows, None, min(k + 20, images - 1), min(10, images - 1))
    lists, wanted = prove(rows, None, k, *found), neighbour_lists(rows, k, backend="numpy")
    assert lists.index[:, 0].tolist() == list(range(images))
    assert lists.index.tolist() == wanted.index.tolist()
    np.testing.assert_allclose(lists.similarity, wanted.similarity, atol=2**-39)
    least = np.round(rows.astype(float) @ rows.T.astype(float) * 2**40)
    np.fill_diagonal(least, np.inf)
    assert lists.farthest.tolist() == least.argmin(axis=1).tolist()
    np.testing.assert_allclose(lists.least, least.min(axis=1) / 2**40, atol=2**-39)


def test_the_proof_fails_when_a_candidate_was_missed():
    """Shortlists from which the best candidate was struck: those rows are searched in full, and come out right."""
    rng = np.random.default_rng(0)
    rows = unit_rows(rng, 300, 24)
    near, _ = candidates_from_tiles(rows, None, 20)
    short = Candidates(near.values[:, :9], near.places[:, :9], near.margin, near.relative)
    assert prove(rows, None, 10, short).redone == 300
    wanted = neighbour_lists(rows, 10, backend="numpy")
    assert prove(rows, None, 10, short).index.tolist() == wanted.index.tolist()


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("own", [True, False])
def test_many_rows_without_a_proof_are_searched_in_float32(monkeypatch, sign, own):
    """The second search equals the definition, in pieces, with copies that float32 cannot tell apart either."""
    rng = np.random.default_rng(6)
    rows = unit_rows(rng, 500, 24)
    rows[100:180] = rows[7]
    monkeypatch.setattr(candidates, "ROWS_AT_ONCE", 130)
    asked = np.arange(0, 500, 2)
    database = None if own else rows[::-1].copy()
    wanted = candidates.exact_rows(rows, database, asked, 9, sign)
    similarity, index = candidates.in_float32(rows, database, asked, 9, sign)
    assert index.tolist() == wanted[1].tolist()
    assert similarity.tolist() == wanted[0].tolist()
    monkeypatch.setattr(candidates, "MANY_ROWS", 10)
    near, _ = candidates_from_tiles(rows, None, 20)
    short = Candidates(near.values[:, :9], near.places[:, :9], near.margin, near.relative)
    assert prove(rows, None, 10, short).index.tolist() == neighbour_lists(rows, 10, backend="numpy").index.tolist()


def test_bfloat16_bits_are_ordered_as_their_numbers():
    numbers = torch.tensor([-3.0, -1.5, -1e-3, -0.0, 0.0, 1e-3, 1.0, 70.0]).bfloat16()
    keys = ordered_bits(numbers.view(torch.int16).numpy())
    assert (np.diff(keys.astype(int)) > 0).all()
    assert (ordered_bits(keys) == numbers.view(torch.int16).numpy()).all()
    tile = numbers.view(torch.int16).numpy()[None].copy()
    turned = order_and_turn(tile)
    assert (tile[0] == keys).all() and (np.diff(turned[0].astype(int)) < 0).all()


def test_threads_change_nothing(monkeypatch):
    rows = unit_rows(np.random.default_rng(2), 900, 20)
    results = []
    for cores in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", cores)
        results.append(neighbour_lists(rows, 15, farthest=True))
    assert results[0].index.tolist() == results[1].index.tolist()
    assert results[0].similarity.tolist() == results[1].similarity.tolist()
    assert results[0].farthest.tolist() == results[1].farthest.tolist()


@pytest.mark.parametrize("engine", ["bf16", "float32"])
def test_shares_of_the_tiles_merge_into_the_whole(monkeypatch, engine):
    """Three processes in one: each keeps lists of its tiles; merged and proven part by part they are the single answer."""
    rows = unit_rows(np.random.default_rng(4), 1300, 1030)
    rows[700:740] = rows[3]
    shares = [candidates_from_tiles(rows, None, 30, 10, engine=engine, share=(rank, 3)) for rank in range(3)]
    parts = []
    for rank in range(3):
        process = Processes(rank, 3)
        for side in (0, 1):
            lists = [share[side] for share in shares]
            turns = iter([[x.floats(slice(0, 65536)) for x in lists], [x.values for x in lists], [x.places for x in lists]])
            monkeypatch.setattr(Processes, "_all", lambda self, array, turns=turns: next(turns))
            merged = process.merged(shares[rank][side])
            near, far = (merged, None) if side == 0 else (near, merged)
        parts.append(prove(rows, None, 12, near, far, process.rows(1300)))
    whole = prove(rows, None, 12, *candidates_from_tiles(rows, None, 30, 10, engine=engine))
    assert np.concatenate([part.index for part in parts]).tolist() == whole.index.tolist()
    assert np.concatenate([part.similarity for part in parts]).tolist() == whole.similarity.tolist()
    assert np.concatenate([part.farthest for part in parts]).tolist() == whole.farthest.tolist()


def test_a_memory_map_larger_than_memory_would_do(tmp_path):
    """Features on disk, read-only: the same neighbours, and nothing is copied as a whole."""
    rows = unit_rows(np.random.default_rng(5), 700, 40)
    np.save(tmp_path / "features.npy", rows)
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    assert np.shares_memory(checked_rows(mapped), mapped)
    assert neighbour_lists(mapped, 9).index.tolist() == neighbour_lists(rows, 9).index.tolist()
    assert nearest(mapped[:5], mapped, 9)[1].tolist() == nearest(rows[:5], rows, 9)[1].tolist()


def test_an_error_in_a_thread_is_raised(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda task: 1 // task, iter([1, 2, 0, 3]))
    assert in_threads(lambda task: task * task, range(100)) == [task * task for task in range(100)]


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
