"""Truth on request against the pictures, the table, and the symmetry of the camera model."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidkit.errors import ReidkitError
from reidkit.records import Records
from reidkit.world import KINDS, PART_CODES, PRESETS, WorldSettings, make_world, truth
from reidkit.world.body import KEYPOINTS
from reidkit.world.cameras import Camera, make_cameras
from reidkit.world.network import Cast, draw_cast, plan
from reidkit.world.stage import Shot, shot_of, take_picture
from reidkit.world.truth import BODY_METRES, truth_of_shot

SMALL = WorldSettings(
    height=64,
    width=32,
    train_identities=4,
    test_identities=4,
    visits=3.0,
    frames=2,
    occlusion=0.6,
    box_error=0.2,
    distractors=0.3,
    junk=0.2,
)


@pytest.fixture(scope="module")
def world() -> Records:
    return make_world(SMALL, 0)


@pytest.fixture(scope="module")
def stage() -> tuple[Shot, Cast, Camera]:
    """One person in an exact box before a level camera infinitely far away."""
    cast, cameras = draw_cast(SMALL, 0), make_cameras(SMALL, 0)
    shot = shot_of(plan(SMALL, 0, cast, cameras), 0, SMALL, 0)
    shot = replace(shot, box_x=0.0, box_y=0.0, box_scale=1.0, occluder="none", passer=0)
    return shot, cast, replace(cameras[0], elevation=0.0, distance=1e6)


def test_angle_zero_is_the_body_of_the_picture(stage: tuple[Shot, Cast, Camera]) -> None:
    shot, cast, camera = stage
    ideal = replace(camera, elevation=12.0, distance=6.0, noise=0.0, blur=0.0, mist=0.0, rows=64, quality=95, sun_shadow=0.0)
    ideal = replace(ideal, gain=1.0, gamma=1.0, tint=np.ones(3))
    pictures = []
    for level in (0.0, 1.0):  # before black and before white: the body is where nothing changes
        before = replace(ideal, background=np.full_like(camera.background, level))
        data, _, _ = take_picture(replace(shot, box_x=0.1, flicker=0.0), cast, before, replace(SMALL, day_drift=0.0))
        pictures.append(np.asarray(Image.open(io.BytesIO(data)), np.float64).mean(2))
    change = np.abs(pictures[1] - pictures[0])
    body, outside = change < 80, change > 180  # between: one of the pixel's two rays met the body
    found = truth_of_shot(replace(shot, box_x=0.1), cast, ideal, SMALL)["silhouette"]
    assert body.sum() > 200
    assert (body & ~found).sum() + (outside & found).sum() < 0.01 * body.sum()
    assert not np.array_equal(found, truth_of_shot(shot, cast, ideal, SMALL)["silhouette"])


def test_the_silhouette_from_behind_is_the_mirror_for_parallel_level_rays(stage: tuple[Shot, Cast, Camera]) -> None:
    for yaw in (0.0, 0.4, -1.2):
        front, back = (truth_of_shot(*stage, SMALL, yaw=turn) for turn in (yaw, yaw + np.pi))
        for kind in ("silhouette", "structure"):
            a, b = front[kind] > 0, back[kind][:, ::-1] > 0
            assert (a != b).mean() < 0.002, (yaw, kind)
    shot, cast, camera = stage
    near = replace(camera, elevation=25.0, distance=4.0)
    one, other = (truth_of_shot(shot, cast, near, SMALL, ("silhouette",), turn)["silhouette"] for turn in (0.0, np.pi))
    assert (one != other[:, ::-1]).mean() > 0.005  # the stated condition is needed


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["summer", "winter"])
def test_how_roughly_the_mirror_holds_in_a_world_is_as_documented(preset: str) -> None:
    text = (Path(__file__).parents[1] / "docs" / "worlds.md").read_text(encoding="utf-8")
    (told,) = re.findall(rf"0\.\d\d(?= (?:of their union )?in `{preset}`)", text)
    settings = PRESETS[preset]
    frame = plan(settings, 0, draw_cast(settings, 0), make_cameras(settings, 0))
    rows = np.flatnonzero(frame["identity"] > 0)[::20][:80]
    front, back = (truth(preset, 0, rows, ("silhouette",), yaw=yaw)["silhouette"] for yaw in (0.0, np.pi))
    shares = []
    for one, other in zip(front, back[:, :, ::-1]):
        moved = [np.roll(other, step, axis=1) for step in range(-20, 21)]
        shares.append(max(float((one & place).sum() / (one | place).sum()) for place in moved))
    assert np.mean(shares) == pytest.approx(float(told), abs=0.01)


def test_angle_zero_asked_for_is_the_original(world: Records) -> None:
    rows = np.flatnonzero(world.frame["person"] > 0)[:6]
    original, turned = truth(SMALL, 0, rows, KINDS), truth(SMALL, 0, rows, KINDS, yaw=0.0)
    around = truth(SMALL, 0, rows, KINDS, yaw=2 * np.pi)
    for kind in KINDS:
        assert np.array_equal(original[kind], turned[kind]), kind
        assert (np.abs(np.nan_to_num(original[kind] * 1.0) - np.nan_to_num(around[kind] * 1.0)) > 0.01).mean() < 0.01, kind


def test_depth_turns_inside_out_from_behind(stage: tuple[Shot, Cast, Camera]) -> None:
    shot, cast, camera = stage
    camera = replace(camera, distance=6.0)
    found = truth_of_shot(shot, cast, camera, SMALL, ("depth", "silhouette"))
    depth, inside = found["depth"], found["silhouette"]
    assert depth.dtype == np.float32 and np.array_equal(np.isfinite(depth), inside)
    assert np.abs(depth[inside] / BODY_METRES - 6.0).max() < 0.5
    assert depth[inside].mean() < 6.0 * BODY_METRES  # surfaces face the camera, the axis lies behind them


def test_kinds_agree_with_each_other_and_with_the_table(world: Records) -> None:
    rows = np.flatnonzero(world.frame["person"] > 0)
    found = truth(SMALL, 0, rows, KINDS)
    assert {kind: found[kind].dtype for kind in KINDS} == {
        "parts": np.int8,
        "silhouette": np.bool_,
        "visible": np.bool_,
        "depth": np.float32,
        "keypoints": np.float32,
        "structure": np.float32,
    }
    inside = found["silhouette"]
    assert all(found[kind].shape == (len(rows), 64, 32) for kind in KINDS if kind != "keypoints")
    assert np.array_equal(found["parts"] > 0, inside) and found["parts"].max() <= max(PART_CODES.values())
    assert not (found["visible"] & ~inside).any()
    assert (found["structure"] >= 0).all() and (found["structure"] <= 1).all()
    assert ((found["structure"] > 0) <= inside).all()
    hidden = 1 - found["visible"].sum((1, 2)) / inside.sum((1, 2)).clip(1)
    known = world.frame["hidden"].to_numpy()[rows]
    assert known.max() > 0.2 and np.abs(hidden - known)[inside.sum((1, 2)) > 60].max() < 0.08


def test_keypoints_lie_on_their_parts(world: Records) -> None:
    good = (world.frame["identity"] > 0) & (world.frame["occluder"] == "none") & world.frame["bag"].eq("none")
    rows = np.flatnonzero(good)
    found = truth(SMALL, 0, rows, ("keypoints", "parts"))
    seen = dict.fromkeys(KEYPOINTS, 0)
    for points, parts in zip(found["keypoints"], found["parts"]):
        for name, (x, y, code) in zip(KEYPOINTS, points):
            assert code in (0, 1, 2)
            if code == 2:
                seen[name] += 1
                part = parts[int(y), int(x)]
                side = {"l_": "left", "r_": "right"}.get(name[:2], "")
                centre = ("torso", "head", "feet")
                assert part in {c for n, c in PART_CODES.items() if n.startswith(side or "head") or n in centre}
    assert all(count > 0 for count in seen.values()), seen
    yaw = world.frame["yaw"].to_numpy()[rows]
    nose = found["keypoints"][:, KEYPOINTS.index("nose"), 2]
    assert (nose[np.abs(yaw) > 2.2] < 2).all()
    assert (nose[np.abs(yaw) < 0.8] == 2).mean() > 0.9


def test_structure_knows_pose_and_not_clothes(stage: tuple[Shot, Cast, Camera]) -> None:
    shot, cast, camera = stage
    person = replace(
        cast.people[shot.person - 1], upper="tee", lower="trousers", hat="none", bag="none", hair="bald", scarf=False
    )
    painted = replace(person, upper_colour="red", pattern="stripes", hat="sunhat", hair="long", bag="backpack", scarf=True)
    maps = [
        truth_of_shot(shot, replace(cast, people=(one,) * len(cast.people)), camera, SMALL, ("structure",), 0.9)["structure"]
        for one in (person, painted)
    ]
    assert np.array_equal(maps[0], maps[1])
    other = truth_of_shot(replace(shot, phase=shot.phase + 1.5), cast, camera, SMALL, ("structure",), 0.9)["structure"]
    assert not np.array_equal(maps[0] > 0, other > 0)


def test_truth_is_deterministic_and_found_by_path(world: Records) -> None:
    paths = world.frame["path"].iloc[[5, 0, 9]]
    first, again = truth(SMALL, 0, [5, 0, 9]), truth(SMALL, 0, paths.tolist())
    assert all(np.array_equal(first[kind], again[kind]) for kind in first)
    assert not np.array_equal(first["parts"], truth(SMALL, 0, [5, 0, 9], ("parts",), yaw=1.0)["parts"])
    nobody = np.flatnonzero(world.frame["person"] == 0)
    empty = truth(SMALL, 0, nobody, KINDS)
    assert len(nobody) and not empty["silhouette"].any() and np.isinf(empty["depth"]).all() and not empty["keypoints"].any()
    assert truth(SMALL, 0, [])["parts"].shape == (0, 64, 32)


def test_wrong_kinds_and_rows_are_named() -> None:
    with pytest.raises(ReidkitError, match=r"'deph'(.|\n)*'depth'"):
        truth(SMALL, 0, [0], ("deph",))
    with pytest.raises(ReidkitError, match=r"query/none\.jpg"):
        truth(SMALL, 0, ["query/none.jpg"])
    with pytest.raises(ReidkitError, match="-1"):
        truth(SMALL, 0, [-1])
