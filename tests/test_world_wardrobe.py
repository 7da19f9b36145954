"""Whatever a person can wear, be or carry is drawn; and every dial at 0 has no effect left in the plan and the cameras."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from reidkit.world import DIALS, PRESETS, SIZES, WorldSettings
from reidkit.world.body import Body, pose
from reidkit.world.cameras import daylight, look_of, make_cameras
from reidkit.world.figures import PATTERNS, build_scene
from reidkit.world.network import draw_cast, plan
from reidkit.world.people import Person, draw_person
from reidkit.world.renderer import Rendering, render
from reidkit.world.settings import resolve
from reidkit.world.stage import place
from reidkit.world.wardrobe import COLOURS, WARDROBES

SMALL = WorldSettings(height=64, width=32)
VALUES = {
    kind: sorted({name for wardrobe in WARDROBES.values() for name in wardrobe[kind]})
    for kind in ("upper", "lower", "pattern", "hat", "bag")
} | {"hair": ["bald", "bun", "long", "short"], "scarf": [False, True]}
BASE = {"upper": "jacket", "lower": "trousers", "pattern": "plain", "hat": "none", "bag": "none", "hair": "short", "scarf": False}


def seen(person: Person, yaw: float, phase: float = 0.7) -> Rendering:
    camera = replace(make_cameras(SMALL, 0)[0], elevation=0.0, distance=1e6)
    body = pose(person, phase)
    figure = (0, 0, person, body, place(body, yaw, camera, 90.0, (32.0, 100.0)))
    return render(build_scene([figure], np.array([[0.0, 0.0, -1.0]]), np.array([0.5])), 112, 64, samples=1)


def person(**attributes: object) -> Person:
    drawn = draw_person(np.random.default_rng(2), "summer")
    colours = {
        "upper_colour": "white",
        "second_colour": "red",
        "lower_colour": "blue",
        "hat_colour": "green",
        "bag_colour": "brown",
    }
    return replace(drawn, skin=1, hair_colour=1, **(colours | BASE | attributes))  # type: ignore[arg-type]


@pytest.mark.parametrize("attribute", VALUES)
def test_every_value_of_an_attribute_looks_like_no_other(attribute: str) -> None:
    pictures = {}
    for value in VALUES[attribute]:
        one = person(**{attribute: value})
        one = replace(one, lower="skirt") if one.upper == "dress" else one
        pictures[value] = torch.cat([seen(one, yaw).colour.flatten() for yaw in (0.3, np.pi / 2, np.pi + 0.3)])
    values = list(pictures)
    for i, value in enumerate(values):
        for other in values[i + 1 :]:
            changed = int(((pictures[value] - pictures[other]).abs().view(-1, 3).sum(1) > 0.05).sum())
            assert changed > 12, (attribute, value, other)


def test_wardrobes_name_only_what_is_drawn() -> None:
    for season, wardrobe in WARDROBES.items():
        assert set(wardrobe["pattern"]) <= set(PATTERNS), season
        assert set(wardrobe["upper colour"]) | set(wardrobe["lower colour"]) <= set(COLOURS), season
    sleeves = {person(upper=upper).sleeves for upper in VALUES["upper"]}
    assert sleeves == {"none", "short", "long"} and {"coat", "shirt"} <= set(VALUES["upper"])
    assert {"skirt", "long skirt", "trousers", "shorts"} == set(VALUES["lower"])


@pytest.mark.parametrize("attribute", ["build", "shoulders", "hips", "legs"])
def test_body_shape_is_seen_in_the_silhouette(attribute: str) -> None:
    thin, wide = (seen(person(**{attribute: value}), 0.0).part >= 0 for value in (0.85, 1.15))
    assert int((thin != wide).sum()) > 30


@pytest.mark.parametrize("attribute", ["stride", "swing"])
def test_gait_is_seen_from_the_side(attribute: str) -> None:
    calm, far = (seen(person(**{attribute: value}), np.pi / 2).part >= 0 for value in (0.3, 0.6))
    assert int((calm != far).sum()) > 30
    start, later = (seen(person(), np.pi / 2, phase).part for phase in (0.2, 1.8))
    assert not torch.equal(start, later)


def test_the_two_halves_of_a_step_are_each_others_mirror() -> None:
    """Half a gait cycle later the other leg is in front: from the front the outline is mirrored."""
    body: Body = pose(person(), 0.9)
    later: Body = pose(person(), 0.9 + np.pi)
    for side, other in (("l", "r"), ("r", "l")):
        for joint in ("knee", "ankle", "elbow", "wrist"):
            here, there = body.keypoints[f"{side}_{joint}"], later.keypoints[f"{other}_{joint}"]
            np.testing.assert_allclose(here * [-1, 1, 1], there, atol=0.02)


def test_each_dial_at_zero_is_off() -> None:
    off = replace(WorldSettings(visits=4.0, train_identities=20, test_identities=6), **dict.fromkeys(DIALS, 0.0))
    cast, cameras = draw_cast(off, 0), make_cameras(off, 0)
    frame = plan(off, 0, cast, cameras)
    people = frame[frame["identity"] > 0]
    assert not any(cast.twin_of) and (people["occluder"] == "none").all()
    assert (people[["box_x", "box_y"]] == 0).all(axis=None) and (people["box_scale"] == 1).all()
    assert {camera.rows for camera in cameras} == {off.height} and {camera.blur for camera in cameras} == {0.0}
    assert {daylight(hour, 0.0) for hour in (8.0, 12.0, 20.0)} == {1.0}
    looks = [look_of(camera, hour, 0.0, 0.0) for camera in cameras for hour in (8.0, 20.0)]
    assert all(np.allclose(getattr(look, name), getattr(looks[0], name)) for look in looks for name in vars(looks[0]))
    for season, site in (("summer", "campus"), ("winter", "station")):
        other = replace(off, season=season, site=site)
        air = {name: getattr(make_cameras(other, 0)[0], name) for name in ("gain", "saturation", "ambient", "mist")}
        assert air == pytest.approx({name: getattr(cameras[0], name) for name in air})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "size", "expected"),
    [("fifteen", "XS", 150), ("winter", "S", 1200), ("fifteen", "M", 12_000), ("summer", "L", 32_000)],
)
def test_the_plan_of_a_size_has_as_many_training_images_as_it_says(preset: str, size: str, expected: int) -> None:
    settings = resolve(preset, size)
    frame = plan(settings, 0, draw_cast(settings, 0), make_cameras(settings, 0))
    assert (frame["split"] == "train").sum() == pytest.approx(expected, rel=0.1)
    assert frame["camera"].nunique() == settings.cameras == (15 if preset == "fifteen" else 6)


def test_the_presets_that_were_asked_for_are_there() -> None:
    assert len({(s.season, s.site) for s in PRESETS.values()}) >= 3
    assert PRESETS["fifteen"].cameras == 15 and PRESETS["fifteen"].site not in {PRESETS["summer"].site, PRESETS["winter"].site}
    assert all(PRESETS[name].query == "tracklet" and PRESETS[name].frames > 1 for name in ("video-summer", "video-winter"))
    assert PRESETS["twelve"].test_identities * PRESETS["twelve"].cameras == 12
    assert set(SIZES) == {"XS", "S", "M", "L"}
