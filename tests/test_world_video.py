"""Tracklets as queries, times between cameras, and worlds on disk that have no training side."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reidkit.errors import FormatError, ReidkitError
from reidkit.formats import load
from reidkit.world import PRESETS, WorldSettings, make_world
from reidkit.world.cameras import make_cameras
from reidkit.world.network import TRANSITION_SPREAD, draw_cast, plan, transition_hours, visits
from reidkit.world.settings import resolve


def plan_of(settings: WorldSettings, seed: int = 0) -> pd.DataFrame:
    return plan(settings, seed, draw_cast(settings, seed), make_cameras(settings, seed))


@pytest.fixture(scope="module")
def video() -> pd.DataFrame:
    return plan_of(replace(PRESETS["video-summer"], train_identities=6, test_identities=12, distractors=0.3, junk=0.2))


def test_a_tracklet_is_sixteen_frames_of_one_person_camera_and_split(video: pd.DataFrame) -> None:
    tracklets = video.groupby("tracklet")
    assert (tracklets.size() == 16).all()
    for column in ("identity", "person", "camera", "split"):
        assert (tracklets[column].nunique() == 1).all(), column
    assert set(video["identity"]) >= {-1, 0, 1}
    assert sorted(video["tracklet"].unique()) == list(range(1, video["tracklet"].nunique() + 1))
    for _, frames in video[video["identity"] > 0].groupby("tracklet"):
        hours = np.sort(frames["hour"].to_numpy())
        seconds = 3600 * (hours[-1] - hours[0])
        assert 1.0 < seconds < 3.0 and (np.diff(hours) * 3600 * 25 < 5.5).all()


def test_every_query_tracklet_has_an_answer_in_another_camera(video: pd.DataFrame) -> None:
    people = video[video["identity"] > 0].drop_duplicates("tracklet")
    query, gallery = people[people["split"] == "query"], people[people["split"] == "gallery"]
    assert sorted(query["identity"]) == list(range(7, 19))
    for row in query.itertuples():
        assert ((gallery["identity"] == row.identity) & (gallery["camera"] != row.camera)).any()


def test_a_video_keeps_its_frames_at_any_size() -> None:
    assert resolve("video-winter", "XS").frames == 16 and resolve("winter", "XS").frames == 2
    with pytest.raises(ReidkitError, match="query 'clip'"):
        replace(PRESETS["summer"], query="clip")


def test_time_between_cameras_grows_with_their_distance() -> None:
    settings = WorldSettings(cameras=4, visits=6.0)
    cameras = make_cameras(settings, 0)
    expected, rng = transition_hours(cameras), np.random.default_rng(0)
    ratios = []
    for _ in range(300):
        way = visits(settings, cameras, rng)
        ratios += [np.log((t1 - t0) / expected[a, b]) for (a, t0), (b, t1) in pairwise(way)]
    assert abs(np.median(ratios)) < 0.05 and abs(np.std(ratios) - TRANSITION_SPREAD) < 0.03
    assert expected[0, 2] > expected[0, 1] > expected[0, 0] > 0
    assert np.array_equal(expected, expected.T)


def test_a_world_without_a_training_side_is_read_back_and_a_market_without_one_is_not(tmp_path: Path) -> None:
    written = make_world("twelve", 0, out=tmp_path / "twelve")
    read = load(tmp_path / "twelve")
    assert read.summary()["images"].to_dict() == written.summary()["images"].to_dict() == {"train": 0, "query": 4, "gallery": 8}
    (tmp_path / "twelve" / "world.parquet").unlink()
    with pytest.raises(FormatError, match="no images"):
        load(tmp_path / "twelve")


def test_a_lost_training_folder_is_noticed(tmp_path: Path) -> None:
    settings = WorldSettings(height=32, width=16, train_identities=1, test_identities=1, visits=2.0, visits_spread=0, frames=1)
    make_world(settings, 0, out=tmp_path / "world")
    for path in (tmp_path / "world" / "bounding_box_train").iterdir():
        path.unlink()
    with pytest.raises(FormatError, match="no images"):
        load(tmp_path / "world")
