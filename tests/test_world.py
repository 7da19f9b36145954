"""The synthetic camera network: bytes, splits, dials and settings."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reidkit.compute import derive_seed
from reidkit.errors import FormatError, ReidkitError
from reidkit.formats import load
from reidkit.records import Records
from reidkit.world import DIALS, PRESETS, SIZES, WorldSettings, make_world, writer
from reidkit.world.cameras import make_cameras
from reidkit.world.network import draw_cast, plan
from reidkit.world.people import draw_person
from reidkit.world.settings import resolve
from reidkit.world.wardrobe import WARDROBES

SMALL = WorldSettings(height=64, width=32, train_identities=3, test_identities=3, visits=3.0, frames=2, distractors=0.3, junk=0.3)


@pytest.fixture(scope="module")
def world() -> Records:
    return make_world(SMALL, 0)


def plan_of(settings: WorldSettings, seed: int = 0) -> pd.DataFrame:
    return plan(settings, seed, draw_cast(settings, seed), make_cameras(settings, seed))


def digest(records: Records) -> str:
    assert records.pixels is not None
    table = records.frame.to_csv(index=False).encode()
    return hashlib.sha256(records.pixels.tobytes() + table).hexdigest()


# records ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_same_seed_same_bytes_with_any_worker_count(world: Records, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    asked: list[int] = []

    class Counted(ThreadPoolExecutor):
        def __init__(self, max_workers: int) -> None:
            asked.append(max_workers)
            super().__init__(max_workers)

    monkeypatch.setattr("reidkit.world.ThreadPoolExecutor", Counted)
    monkeypatch.setenv("OMP_NUM_THREADS", str(workers))
    assert digest(make_world(SMALL, 0)) == digest(world)
    assert asked == [workers]
    assert not plan_of(SMALL, 1).equals(plan_of(SMALL, 0))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 4])
def test_same_seed_same_bytes_in_another_process(world: Records, workers: int) -> None:
    code = "from tests.test_world import SMALL, digest, make_world; print(digest(make_world(SMALL, 0)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONHASHSEED": str(workers), "PYTHONPATH": ".", "OMP_NUM_THREADS": str(workers)},
    )
    assert done.stdout.strip() == digest(world)


def test_the_folder_holds_what_memory_holds(world: Records, tmp_path: Path) -> None:
    written = make_world(SMALL, 0, out=tmp_path / "world")
    assert written.root == tmp_path / "world" and written.pixels is None
    pd.testing.assert_frame_equal(written.frame, world.frame)
    assert world.pixels is not None
    for path, pixels in zip(written.paths, world.pixels):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(Path(path).read_bytes()))), pixels)
    stored = pd.read_parquet(tmp_path / "world" / "world.parquet")
    assert len(stored) == len(world)
    assert {
        "yaw",
        "phase",
        "box_x",
        "box_y",
        "box_scale",
        "occluder",
        "hidden",
        "cut",
        "hour",
        "light",
        "elevation",
        "twin_of",
        "upper",
    } <= set(stored)


def test_the_ordinary_reader_reads_it_back(tmp_path: Path) -> None:
    written = make_world(SMALL, 0, out=tmp_path / "world")
    read = load(tmp_path / "world")
    columns = ["path", "identity", "camera", "split", "sequence", "frame", "yaw", "hidden", "twin_of"]
    left, right = (r.frame.sort_values("path")[columns].reset_index(drop=True) for r in (written, read))
    pd.testing.assert_frame_equal(left, right, check_dtype=False)
    assert read.camera_names == written.camera_names


def test_a_full_folder_is_refused_and_a_broken_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("keep")
    with pytest.raises(FormatError, match="exists already"):
        make_world(SMALL, 0, out=full)
    assert (full / "mine.txt").read_text() == "keep"

    def broken(*_: object) -> pd.DataFrame:
        raise ValueError("broken")

    monkeypatch.setattr(writer, "_with_truth", broken)
    with pytest.raises(ValueError, match="broken"):
        make_world(replace(SMALL, train_identities=2, test_identities=2), 0, out=tmp_path / "broken")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["full"]


def test_splits_are_disjoint_and_every_query_has_an_answer(world: Records) -> None:
    frame = world.frame
    people = frame[frame["identity"] > 0]
    train, test = set(people[people["split"] == "train"]["identity"]), set(people[people["split"] != "train"]["identity"])
    assert train == {1, 2, 3} and test == {4, 5, 6}
    query, gallery = world.query.frame, world.gallery.frame
    assert not query.duplicated(["identity", "camera"]).any()
    for row in query.itertuples():
        assert ((gallery["identity"] == row.identity) & (gallery["camera"] != row.camera)).any()
    junk, distractors = frame[frame["identity"] == -1], frame[frame["identity"] == 0]
    assert len(junk) and len(distractors)
    assert set(junk["split"]) == set(distractors["split"]) == {"gallery"}
    assert set(junk["person"]) <= test and not set(distractors["person"]) & (train | test)


def test_tracklets_walk_on_from_frame_to_frame() -> None:
    frame = plan_of(replace(SMALL, frames=4))
    for _, tracklet in frame[frame["identity"] > 0].groupby(["identity", "tracklet"]):
        ordered = tracklet.sort_values(["sequence", "frame"])
        assert ordered["camera"].nunique() == 1 and len(ordered) == 4
        assert ordered["phase"].nunique() == 4
        assert ordered["hour"].is_monotonic_increasing and ordered["yaw"].std() < 0.6


def test_twins_share_all_but_one_attribute() -> None:
    cast = draw_cast(replace(SMALL, twin_rate=1.0, train_identities=5, test_identities=5), 0)
    pairs = [(i, twin) for i, twin in enumerate(cast.twin_of) if twin]
    assert len(pairs) >= 4
    for i, twin in pairs:
        one, other = cast.people[i].attributes(), cast.people[twin - 1].attributes()
        differing = {name for name in one if one[name] != other[name]}
        assert cast.twin_differs[i] in differing and differing <= {cast.twin_differs[i], "second_colour"}
        assert (i + 1 <= 5) == (twin <= 5)
    assert not any(draw_cast(replace(SMALL, twin_rate=0.0), 0).twin_of)


# dials --------------------------------------------------------------------------------------------------------------


def test_a_dial_turned_leaves_all_other_draws_as_they_were() -> None:
    calm = plan_of(replace(SMALL, **dict.fromkeys(DIALS, 0.0) | {"domain_gap": 1.0}))
    assert (calm["occluder"][calm["identity"] > 0] == "none").all() and (calm["twin_of"] == 0).all()
    people = calm[calm["identity"] > 0]
    assert (people["box_x"] == 0).all() and (people["box_scale"] == 1).all() and (people["flicker"] == 0).all()
    for dial, value in (("occlusion", 1.0), ("box_error", 1.0), ("resolution_loss", 1.0), ("day_drift", 1.0)):
        turned = plan_of(replace(SMALL, **dict.fromkeys(DIALS, 0.0) | {"domain_gap": 1.0, dial: value}))
        for column in ("path", "identity", "camera", "phase", "yaw", "hour", "upper", "ground"):
            assert (turned[column].fillna("") == calm[column].fillna("")).all(), (dial, column)


def test_cameras_are_alike_without_a_gap_and_apart_with_one() -> None:
    names = ("gain", "gamma", "saturation", "elevation", "ambient", "rows", "noise", "quality", "heading")

    def spread(gap: float) -> np.ndarray:
        cameras = make_cameras(replace(SMALL, camera_gap=gap), 0)
        grounds = np.stack([camera.background.mean((0, 1)) for camera in cameras])
        return np.array([np.ptp([getattr(camera, name) for camera in cameras]) for name in names] + [np.ptp(grounds, 0).max()])

    none, some, much = spread(0.0), spread(0.3), spread(1.0)
    assert (none < 1e-9).all() and (some[:5] > 0).all()
    assert (much[[0, 1, 2, 3, 9]] > 1.5 * some[[0, 1, 2, 3, 9]]).all()


def test_dependence_ties_people_to_cameras() -> None:
    def information(dependence: float) -> float:
        frame = plan_of(replace(SMALL, train_identities=80, test_identities=1, visits=4.0, frames=1, dependence=dependence))
        table = pd.crosstab(frame["identity"], frame["camera"])[lambda t: t.index > 0].to_numpy(np.float64)
        p = table / table.sum()
        independent = p.sum(1, keepdims=True) * p.sum(0, keepdims=True)
        return float((p[p > 0] * np.log(p[p > 0] / independent[p > 0])).sum())

    free, tied = information(0.0), information(0.9)
    assert 0.2 < free < 0.6 and tied > free + 0.3


def test_seasons_dress_people_differently_and_alike_without_a_domain_gap() -> None:
    def coats(season: str, gap: float) -> float:
        return float(
            np.mean([draw_person(np.random.default_rng(i), season, gap).upper in ("coat", "jacket") for i in range(100)])
        )

    assert coats("summer", 1.0) < 0.1 and coats("winter", 1.0) > 0.6
    assert coats("summer", 0.0) == coats("winter", 0.0)
    assert set(WARDROBES["summer"]) == set(WARDROBES["winter"])


def test_occluders_hide_and_boxes_cut() -> None:
    hidden = make_world(replace(SMALL, occlusion=1.0, box_error=0.0, junk=0.0, distractors=0.0), 0).frame["hidden"]
    assert hidden.mean() > 0.05 and (hidden <= 1).all() and (hidden > 0).mean() > 0.5
    frames = [make_world(replace(SMALL, box_error=error, junk=0.0, distractors=0.0), 0).frame["cut"] for error in (0.0, 1.0)]
    assert frames[0].max() < 0.02 < frames[1].mean()


# settings -----------------------------------------------------------------------------------------------------------


def test_sizes_are_what_they_say() -> None:
    for size, expected in (("XS", 150), ("S", 1200), ("M", 12_000), ("L", 32_000)):
        settings = resolve("summer", size)
        assert settings.train_identities * settings.visits * settings.frames == pytest.approx(expected, rel=0.05)
    assert len(plan_of(resolve("summer", "S")).query("split == 'train'")) == pytest.approx(1200, rel=0.05)
    assert set(SIZES) == {"XS", "S", "M", "L"}


def test_twelve_is_four_people_by_three_cameras() -> None:
    twelve = make_world("twelve", 0)
    assert len(twelve) == 12 and twelve.num_cameras == 3
    assert pd.crosstab(twelve.frame["identity"], twelve.frame["camera"]).eq(1).all(axis=None)
    assert len(twelve.query) == 4 and len(twelve.gallery) == 8


def test_names_and_dials_are_checked() -> None:
    with pytest.raises(ReidkitError, match=r"'sumer'.*\n.*\n.*'summer'"):
        make_world("sumer", 0)
    with pytest.raises(ReidkitError, match="size 'XL'"):
        make_world("summer", 0, size="XL")
    with pytest.raises(ReidkitError, match="0 or more"):
        make_world("twelve", -1)
    for wrong in ({"occlusion": 1.5}, {"camera_gap": -0.1}, {"season": "autumn"}, {"cameras": 1}, {"visits": 1.0}, {"junk": 1.0}):
        with pytest.raises(ReidkitError, match=next(iter(wrong))):
            replace(SMALL, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ReidkitError, match="no people"):
        replace(SMALL, train_identities=0, test_identities=0)
    assert {"summer", "winter", "hard-summer", "hard-winter", "twelve"} <= set(PRESETS)
    assert derive_seed(0, "a") != derive_seed(0, "b")
