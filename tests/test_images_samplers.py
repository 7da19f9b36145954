"""Samplers against their published rules, image by image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.errors import LabelsError
from reidkit.images.samplers import SAMPLERS, sampler

GRID = ("identity", "plain", "exhaustive", "more-camera")


def a_set(people: int = 9, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels and cameras of people with 1 to 12 images, 1 to 4 cameras, and some outliers."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.full(n, i) for i, n in enumerate(rng.integers(1, 13, people))] + [np.full(7, -1)])
    order = rng.permutation(len(labels))
    cameras = rng.integers(0, 4, len(labels))
    cameras[labels == 0] = 2
    return labels[order].astype(np.int64), cameras[order].astype(np.int64)


def one_pass(
    name: str, labels: np.ndarray, cameras: np.ndarray, p: int, k: int, seed: int = 0, **options: str
) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return list(sampler(name, labels, cameras, identities=p, instances=k, generator=generator, **options))


@pytest.mark.parametrize("name", SAMPLERS)
def test_one_seed_one_pass(name: str) -> None:
    labels, cameras = a_set()
    first, again, other = (np.stack(one_pass(name, labels, cameras, 3, 2, seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)
    assert first.dtype == np.int64


@pytest.mark.parametrize("name", SAMPLERS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), p=st.integers(1, 5), k=st.integers(1, 6))
def test_batches_are_whole_and_never_hold_outliers(name: str, seed: int, p: int, k: int) -> None:
    labels, cameras = a_set(8, seed)
    if name == "shuffle" and (labels >= 0).sum() < p * k:
        return
    for batch in one_pass(name, labels, cameras, p, k, seed):
        assert batch.shape == (p * k,)
        assert (labels[batch] >= 0).all()
        if name in GRID:
            blocks = labels[batch].reshape(p, k)
            assert (blocks == blocks[:, :1]).all(), "K images of one identity stand together"
            assert len(set(blocks[:, 0].tolist())) == p, "P different identities"


def test_chk_0_3_one_pass_over_500_clusters_is_31_batches() -> None:
    labels = np.repeat(np.arange(500), 6)
    cameras = np.tile(np.arange(6), 500)
    assert len(one_pass("identity", labels, cameras, 16, 4)) == 31


def test_identity_takes_others_from_other_cameras() -> None:
    """An identity with images in several cameras: only the anchor's camera may not come back."""
    labels, cameras = np.zeros(12, np.int64), np.repeat(np.arange(3), 4)
    anchors = set()
    for seed in range(60):
        (batch,) = one_pass("identity", labels, cameras, 1, 4, seed)
        assert (cameras[batch[1:]] != cameras[batch[0]]).all()
        assert len(set(batch.tolist())) == 4, "8 candidates are at least K, so nothing repeats"
        anchors.add(int(batch[0]))
    assert len(anchors) == 12


def test_identity_repeats_when_other_cameras_have_fewer_than_k() -> None:
    """Three candidates would do for K - 1 = 3, but the released code asks for K: repeats must occur."""
    labels, cameras = np.zeros(6, np.int64), np.array([0, 0, 0, 1, 1, 1])
    batches = [one_pass("identity", labels, cameras, 1, 4, seed)[0] for seed in range(40)]
    assert any(len(set(batch.tolist())) < 4 for batch in batches)
    assert all((cameras[batch[1:]] != cameras[batch[0]]).all() for batch in batches)


def test_identity_of_one_camera_uses_its_other_images() -> None:
    labels, cameras = np.zeros(9, np.int64), np.full(9, 5)
    for seed in range(20):
        (batch,) = one_pass("identity", labels, cameras, 1, 4, seed)
        assert len(set(batch.tolist())) == 4
    pair = one_pass("identity", np.zeros(2, np.int64), np.zeros(2, np.int64), 1, 4)[0]
    assert pair[0] not in pair[1:] and len(set(pair[1:].tolist())) == 1


def test_a_lone_image_is_repeated_or_breaks_the_grid_as_published() -> None:
    labels = np.concatenate([[0], np.repeat(np.arange(1, 8), 6)])
    cameras = np.zeros(len(labels), np.int64)
    for seed in range(10):
        whole = np.concatenate(one_pass("identity", labels, cameras, 2, 4, seed))
        assert (labels[whole].reshape(-1, 4) == labels[whole].reshape(-1, 4)[:, :1]).all()
        assert len(whole) == 32
    quirks = [one_pass("identity", labels, cameras, 2, 4, seed, single="as-published") for seed in range(10)]
    assert all(len(batches) == 3 for batches in quirks), "1 + 7 x 4 = 29 images are three batches of eight"
    assert all(batch.shape == (8,) for batches in quirks for batch in batches)
    misaligned = [(labels[b].reshape(-1, 4) != labels[b].reshape(-1, 4)[:, :1]).any() for batches in quirks for b in batches]
    assert any(misaligned)


def test_plain_ignores_cameras_and_repeats_only_when_it_must() -> None:
    labels, cameras = np.repeat([0, 1], [8, 3]), np.zeros(11, np.int64)
    for seed in range(20):
        (batch,) = one_pass("plain", labels, cameras, 2, 4, seed)
        blocks = {int(labels[block[0]]): block for block in batch.reshape(2, 4)}
        assert len(set(blocks[0].tolist())) == 4
        assert len(set(blocks[1].tolist())) < 4


def test_exhaustive_uses_each_chunk_once() -> None:
    labels, cameras = np.repeat(np.arange(4), [9, 8, 8, 2]), np.zeros(27, np.int64)
    for seed in range(20):
        batches = one_pass("exhaustive", labels, cameras, 2, 4, seed)
        drawn = np.concatenate(batches)
        for identity, chunks in enumerate((2, 2, 2, 1)):
            rows = drawn[labels[drawn] == identity]
            assert len(rows) <= 4 * chunks
            if identity < 3:
                assert len(set(rows.tolist())) == len(rows), "no image twice"
        assert len(batches) == 3, "7 chunks in pairs of different identities"


def test_more_camera_covers_cameras_first() -> None:
    labels, cameras = np.zeros(10, np.int64), np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
    for seed in range(30):
        (five,) = one_pass("more-camera", labels, cameras, 1, 5, seed)
        assert set(cameras[five]) == {0, 1, 2} and len(set(five.tolist())) == 5
        (two,) = one_pass("more-camera", labels, cameras, 1, 2, seed)
        assert len(set(cameras[two])) == 2
    (lone,) = one_pass("more-camera", np.zeros(2, np.int64), np.array([0, 1]), 1, 4)
    assert set(lone[:2].tolist()) == {0, 1} and set(lone.tolist()) == {0, 1}


def test_proxies_are_pairs_of_label_and_camera() -> None:
    labels, cameras = a_set(12)
    for batch in one_pass("proxy", labels, cameras, 8, 4):
        pairs = np.stack([labels[batch], cameras[batch]], 1).reshape(8, 4, 2)
        assert (pairs == pairs[:, :1]).all()
        assert len({tuple(pair) for pair in pairs[:, 0].tolist()}) == 8


def test_shuffle_draws_each_labelled_image_at_most_once() -> None:
    labels, cameras = a_set()
    drawn = np.concatenate(one_pass("shuffle", labels, cameras, 3, 2))
    assert len(set(drawn.tolist())) == len(drawn) == (labels >= 0).sum() // 6 * 6


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "shuffle"])
def test_too_few_identities_are_refused_at_once(name: str) -> None:
    labels = np.array([0, 0, 1, 1, -1, -1, -1])
    with pytest.raises(LabelsError, match="only 2 have a label") as caught:
        sampler(name, labels, np.zeros(7, np.int64), identities=3, instances=2, generator=np.random.default_rng(0))
    assert caught.value.action


def test_no_label_at_all() -> None:
    for name in SAMPLERS:
        with pytest.raises(LabelsError, match="only 0"):
            one_pass(name, np.full(5, -1), np.zeros(5, np.int64), 1, 1)


def test_wrong_settings_are_refused() -> None:
    labels, cameras = a_set()
    for name, p, k, options in (
        ("identitty", 2, 2, {}),
        ("plain", 0, 2, {}),
        ("plain", 2, 0, {}),
        ("plain", 2, 2, {"single": "x"}),
    ):
        with pytest.raises(LabelsError):
            one_pass(name, labels, cameras, p, k, **options)
    with pytest.raises(LabelsError, match="cameras"):
        one_pass("plain", labels, cameras[:-1], 1, 1)


@pytest.mark.parametrize("name", SAMPLERS)
def test_what_classes_and_cameras_are_called_changes_nothing(name: str) -> None:
    labels, cameras = a_set()
    renamed = np.where(labels >= 0, np.random.default_rng(4).permutation(9)[labels], -1)
    first = one_pass(name, labels, cameras, 3, 2)
    again = one_pass(name, renamed, np.array([2, 3, 0, 1])[cameras], 3, 2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
