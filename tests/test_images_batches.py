"""Batches: each image under its own seed, whatever surrounds it and whoever loads it."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from reidkit.errors import ImageError
from reidkit.images.batches import iterate_batches, load_batch, preloaded
from reidkit.images.views import make_view
from reidkit.records import ImageTable, make_records

SIZE = (32, 16)


def in_memory(count: int = 20, size: tuple[int, int] = SIZE) -> ImageTable:
    pixels = np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)
    frame = pd.DataFrame({"path": [f"{i}.png" for i in range(count)], "identity": range(1, count + 1)})
    return make_records(frame, pixels=pixels).blind()


def on_disk(table: ImageTable, root: Path) -> ImageTable:
    """The same pictures as PNG files."""
    assert table.pixels is not None
    for path, picture in zip(table.frame["path"], table.pixels, strict=True):
        Image.fromarray(picture).save(root / path)
    frame = table.frame.assign(identity=range(1, len(table) + 1))
    return make_records(frame, root=root).blind()


@pytest.fixture
def views() -> list:
    return [make_view("strong", SIZE), make_view("weak", SIZE)]


def test_one_tensor_a_view(views: list) -> None:
    strong, weak = load_batch(in_memory(), np.array([3, 3, 5]), views, seed=(0, "train"))
    assert strong.shape == weak.shape == (3, 3, *SIZE)
    assert not torch.equal(strong, weak)
    assert not torch.equal(weak[0], weak[1]), "the same image at two places is drawn twice"


def test_an_image_does_not_depend_on_its_neighbours(views: list) -> None:
    table = in_memory()
    long = load_batch(table, [4, 7, 9, 1], views, seed=(1, "x"))
    short = load_batch(table, [0, 7], views, seed=(1, "x"))
    assert torch.equal(long[0][1], short[0][1]) and torch.equal(long[1][1], short[1][1])


def test_a_view_does_not_depend_on_the_views_after_it(views: list) -> None:
    table = in_memory()
    assert torch.equal(load_batch(table, [4, 7], views, seed=(1,))[0], load_batch(table, [4, 7], views[:1], seed=(1,))[0])


def test_the_seed_decides(views: list) -> None:
    table = in_memory()
    one, same, other = (load_batch(table, [1, 2], views, seed=seed)[0] for seed in ((5, "a"), (5, "a"), (5, "b")))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_the_global_generator_is_neither_read_nor_moved(views: list) -> None:
    table = in_memory()
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    one = load_batch(table, [1, 2], views, seed=(0,))[0]
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(load_batch(table, [1, 2], views, seed=(0,))[0], one)


@pytest.mark.parametrize("size", [SIZE, (50, 21)])
def test_files_and_memory_give_the_same_tensors(tmp_path: Path, views: list, size: tuple[int, int]) -> None:
    table = in_memory(6, size)
    for one, other in zip(
        load_batch(table, [0, 5, 2], views, seed=(3,)),
        load_batch(on_disk(table, tmp_path), [0, 5, 2], views, seed=(3,)),
        strict=True,
    ):
        assert torch.equal(one, other)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_any_number_of_workers_gives_the_same_batches(tmp_path: Path, views: list, workers: int) -> None:
    table = on_disk(in_memory(), tmp_path)
    batches = [np.array([i, (3 * i) % 20, (7 * i + 1) % 20]) for i in range(12)]
    plain = list(iterate_batches(table, batches, views, seed=(0, "e")))
    threaded = list(iterate_batches(table, iter(batches), views, seed=(0, "e"), workers=workers))
    assert len(plain) == len(threaded) == 12
    for (rows, tensors), (other_rows, others), asked in zip(plain, threaded, batches, strict=True):
        assert np.array_equal(rows, asked) and np.array_equal(other_rows, asked)
        assert all(torch.equal(a, b) for a, b in zip(tensors, others, strict=True))


def test_batches_of_one_pass_are_drawn_apart(views: list) -> None:
    first, second = (t[0] for _, t in iterate_batches(in_memory(), [np.array([1]), np.array([1])], views, seed=(0,)))
    assert not torch.equal(first, second)


def test_an_endless_stream_is_read_only_a_little_ahead(views: list) -> None:
    asked = 0

    def endless():
        nonlocal asked
        while True:
            asked += 1
            yield np.array([asked % 20])

    stream = iterate_batches(in_memory(), endless(), views, seed=(0,), workers=2)
    for _ in range(3):
        next(stream)
    stream.close()
    assert asked <= 8
    assert not [t for t in threading.enumerate() if t.name.startswith("reidkit-images")]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_file_stops_the_stream_by_name(tmp_path: Path, views: list, workers: int) -> None:
    table = on_disk(in_memory(), tmp_path)
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(buffer, "JPEG")
    (tmp_path / "7.png").write_bytes(buffer.getvalue()[:200])
    stream = iterate_batches(table, [np.array([i]) for i in range(20)], views, seed=(0,), workers=workers)
    for _ in range(7):
        next(stream)
    with pytest.raises(ImageError, match=r"7\.png"):
        next(stream)


def test_nothing_to_load_is_refused(views: list) -> None:
    for rows, seen in ((np.array([], np.int64), views), (np.array([0]), [])):
        with pytest.raises(ImageError, match="at least one"):
            load_batch(in_memory(), rows, seen, seed=(0,))


def test_pictures_from_20_to_4000_pixels_in_one_batch(tmp_path: Path, views: list) -> None:
    sizes = [(20, 20), (4000, 30), (58, 3928), (21, 20), (200, 100)]
    for number, (height, width) in enumerate(sizes):
        Image.new("RGB", (width, height), (200, 100, 50)).save(tmp_path / f"{number}.png")
    frame = pd.DataFrame({"path": [f"{i}.png" for i in range(5)], "identity": range(1, 6)})
    (plain,) = load_batch(make_records(frame, root=tmp_path).blind(), range(5), [make_view("none", SIZE)], seed=(0,))
    assert torch.allclose(plain, plain[0, :, :1, :1].expand_as(plain), atol=1e-5)


def test_preloaded_pictures_are_seen_as_those_in_files(tmp_path: Path, views: list) -> None:
    table = on_disk(in_memory(), tmp_path)
    kept = preloaded(table)
    assert kept.pixels is not None and len(kept.pixels) == len(table) and preloaded(kept) is kept
    for ours, theirs in zip(load_batch(kept, [4, 7], views, seed=(3,)), load_batch(table, [4, 7], views, seed=(3,)), strict=True):
        assert torch.equal(ours, theirs)
    assert preloaded(table, most=kept.pixels.nbytes - 1) is table


def test_pictures_of_several_sizes_stay_files(tmp_path: Path) -> None:
    table = on_disk(in_memory(), tmp_path)
    Image.new("RGB", (20, 40)).save(tmp_path / table.paths[-1])
    assert preloaded(table) is table
