"""Whole pictures in batches are the pictures made one at a time, but for rounding."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from reidkit.errors import ReidkitError
from reidkit.records import Records
from reidkit.world import WorldSettings, batches, make_world
from reidkit.world.batches import take_pictures
from reidkit.world.cameras import make_cameras
from reidkit.world.network import draw_cast, plan
from reidkit.world.stage import shot_of, shots_of

SMALL = WorldSettings(height=64, width=32, train_identities=4, test_identities=4, visits=3.0, frames=2)
WILD = replace(
    SMALL, season="winter", camera_gap=1.2, occlusion=1.0, box_error=1.0, day_drift=1.0, resolution_loss=0.9, distractors=0.4
)
TOLERATED, LEVELS = 0.999, 2  # this share of values lies within so many of 255 levels of the CPU's


def in_batches(settings: WorldSettings, seed: int, batch: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Pixels and truth from the batched path, forced onto the CPU."""
    cast, cameras = draw_cast(settings, seed), make_cameras(settings, seed)
    shots = shots_of(plan(settings, seed, cast, cameras), settings, seed)
    with ThreadPoolExecutor(2) as pool:
        data, hidden, cut = zip(*take_pictures(shots, cast, cameras, settings, "cpu", pool, batch))
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(one))) for one in data])
    return pixels, pd.DataFrame({"hidden": hidden, "cut": cut})


def assert_alike(world: Records, pixels: np.ndarray, truth: pd.DataFrame) -> None:
    assert world.pixels is not None and pixels.shape == world.pixels.shape
    near = np.abs(pixels.astype(np.int64) - world.pixels) <= LEVELS
    assert near.mean() >= TOLERATED
    pd.testing.assert_frame_equal(truth, world.frame[["hidden", "cut"]], atol=1e-3)


@pytest.mark.parametrize("settings", [SMALL, WILD, replace(SMALL, resolution_loss=0.0)], ids=["small", "wild", "sharp"])
def test_batches_are_the_single_pictures(settings: WorldSettings) -> None:
    world = make_world(settings, 0)
    if settings is WILD:
        assert {"post", "box", "passer-by"} <= set(world.frame["occluder"]) and (world.frame["person"] == 0).any()
    assert_alike(world, *in_batches(settings, 0, batch=13))


def test_the_size_of_a_batch_changes_nothing() -> None:
    one, other = (in_batches(WILD, 0, batch) for batch in (1, 50))
    assert np.array_equal(one[0], other[0]) and one[1].equals(other[1])


def test_the_comparison_notices_a_lost_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(WILD, 0)
    for name in ("cast_shadow", "put_obstacle"):
        with monkeypatch.context() as patched:
            patched.setattr(f"reidkit.world.stage.{name}", lambda picture, *_: picture)
            with pytest.raises(AssertionError):
                assert_alike(world, *in_batches(WILD, 0, batch=20))
    monkeypatch.setattr(batches, "hidden_share", lambda *_: 0.0)
    with pytest.raises(AssertionError):
        assert_alike(world, *in_batches(WILD, 0, batch=20))


def test_a_plan_becomes_shots_row_by_row() -> None:
    frame = plan(WILD, 0, draw_cast(WILD, 0), make_cameras(WILD, 0))
    shots = shots_of(frame, WILD, 0)
    assert [shot_of(frame, row, WILD, 0) for row in (0, 5)] == [shots[0], shots[5]]
    assert [shot.yaw for shot in shots] == list(frame["yaw"]) and len({shot.seed for shot in shots}) == len(frame)


def test_the_folder_says_which_device_made_it(tmp_path: Path) -> None:
    make_world(replace(SMALL, train_identities=1, test_identities=0, visits=2.0, visits_spread=0), 0, tmp_path / "world")
    assert json.loads((tmp_path / "world" / "world.json").read_text())["device"] == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ReidkitError, match="sees no GPU"):
        make_world(SMALL, 0, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_makes_the_same_pictures_within_the_stated_tolerance() -> None:
    made = make_world(WILD, 0, device="cuda")
    assert made.pixels is not None
    assert_alike(make_world(WILD, 0), made.pixels, made.frame[["hidden", "cut"]])
