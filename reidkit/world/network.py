"""Who walks past which camera, when, and what the detector makes of it: the plan of a world, one row an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from reidkit.compute import derive_seed
from reidkit.world.cameras import Camera, daylight
from reidkit.world.people import Person, draw_person, draw_twin
from reidkit.world.settings import WorldSettings

FRAMES_PER_SECOND = 25
SEQUENCE_HOURS = 2.0
OPENS, CLOSES = 8.0, 20.0
TRANSITION_SPREAD = 0.4  # sigma of the logarithm of a transition time


@dataclass(frozen=True)
class Cast:
    """Everybody in a world: `people[i]` is person i + 1; `twin_of[i]` (0: nobody) and what differs from that twin."""

    people: tuple[Person, ...]
    twin_of: tuple[int, ...]
    twin_differs: tuple[str, ...]


def draw_cast(settings: WorldSettings, seed: int) -> Cast:
    """People of the train side, then of the test side, then passers-by who are in no identity list.

    Twins stay on one side: the second of a pair follows the first.
    """
    sides = (settings.train_identities, settings.test_identities, _strangers(settings))
    people: list[Person] = []
    twin_of: list[int] = []
    differs: list[str] = []
    for side, count in enumerate(sides):
        for place in range(count):
            number = len(people) + 1
            rng = np.random.default_rng(derive_seed(seed, settings.site, settings.season, "person", number))
            wants_twin = rng.random() < settings.twin_rate and side < 2
            person, twin, name = draw_person(rng, settings.season, settings.domain_gap), 0, ""
            if wants_twin and place > 0 and twin_of[-1] == 0:
                twin = number - 1
                person, name = draw_twin(people[-1], rng, settings.season, settings.domain_gap)
            people.append(person)
            twin_of.append(twin)
            differs.append(name)
    return Cast(tuple(people), tuple(twin_of), tuple(differs))


def plan(settings: WorldSettings, seed: int, cast: Cast, cameras: list[Camera]) -> pd.DataFrame:
    """One row an image with everything that decides its look, sorted by split and path.

    Columns: path, identity, camera (1..C), split, sequence, frame, tracklet (1.. in the whole world), person (who is
    drawn; 0 nobody), hour, phase and yaw (radians; yaw 0 faces the camera), box_x, box_y (error of the box's centre, in
    box widths and heights), box_scale (box height over the right height), occluder (none, post, box, passer-by) with its
    place and size, passer (who comes by; 0 nobody), ground (column of the background), elevation (degrees), rows (pixels
    that the box really had), flicker (exposure error), light (gain with time of day), twin_of, twin_differs and the
    person's attributes.
    """
    rows: list[dict[str, object]] = []
    known = settings.train_identities + settings.test_identities
    for identity in range(1, known + 1):
        rows += _walk(settings, seed, identity, cameras, train=identity <= settings.train_identities)
    rows += _spoilt(settings, seed, rows, known, len(cast.people), cameras)
    frame = pd.DataFrame(rows)
    frame["tracklet"] = frame.groupby(["identity", "tracklet"]).ngroup() + 1
    frame["path"] = _names(frame)
    frame["passer"] = _passers(frame, len(cast.people))
    own = [cameras[camera - 1] for camera in frame["camera"]]
    frame["elevation"] = [camera.elevation for camera in own]
    frame["rows"] = [camera.rows for camera in own]
    frame["light"] = [
        camera.gain * daylight(hour, settings.day_drift) * float(np.exp(flicker))
        for camera, hour, flicker in zip(own, frame["hour"], frame["flicker"])
    ]
    frame["twin_of"] = [cast.twin_of[p - 1] if p else 0 for p in frame["person"]]
    frame["twin_differs"] = [cast.twin_differs[p - 1] if p else "" for p in frame["person"]]
    blank = dict.fromkeys(cast.people[0].attributes(), None)
    attributes = [cast.people[p - 1].attributes() if p else blank for p in frame["person"]]
    frame = pd.concat([frame, pd.DataFrame(attributes)], axis=1)
    order = frame["split"].map({"train": 0, "query": 1, "gallery": 2})
    return frame.assign(_order=order).sort_values(["_order", "path"]).drop(columns="_order").reset_index(drop=True)


def distances(cameras: list[Camera]) -> np.ndarray:
    """(C, C), how far apart cameras hang on the site's plan, a circle of radius 1."""
    places = np.stack([camera.place for camera in cameras])
    return np.asarray(np.linalg.norm(places[:, None] - places[None], axis=2))


def transition_hours(cameras: list[Camera]) -> np.ndarray:
    """(C, C), median hours from arriving at one camera to arriving at the next; a log-normal of `TRANSITION_SPREAD`."""
    return 0.02 + 0.05 * distances(cameras)


def visits(settings: WorldSettings, cameras: list[Camera], rng: np.random.Generator) -> list[tuple[int, float]]:
    """A way through the site: (position of the camera in `cameras`, hour of arrival), at least two different cameras.

    With `dependence` 0 cameras come in random order, none twice until all were seen. With more, the next camera is
    rather a neighbour on the plan and somebody's first camera is rather their home.
    """
    count = max(2, round(settings.visits + settings.visits_spread * rng.integers(-1, 2)))
    apart, hours = distances(cameras), transition_hours(cameras)
    home = int(rng.integers(len(cameras)))
    pull = 9.0 * settings.dependence**2
    seen = np.zeros(len(cameras))
    hour = float(rng.uniform(OPENS, CLOSES - 1.5))
    here, way = home, []
    for step in range(count):
        fresh = np.exp(-6.0 * (1.0 - settings.dependence) * (seen - seen.min()))
        weight = fresh * np.exp(-pull * (0.35 * apart[here] + 0.65 * apart[home]))
        if step == count - 1 and (seen > 0).sum() == 1:
            weight[seen > 0] = 0.0
        after = int(rng.choice(len(cameras), p=weight / weight.sum()))
        hour += float(hours[here, after] * rng.lognormal(0.0, TRANSITION_SPREAD))
        seen[after] += 1
        way.append((after, min(hour, CLOSES - 0.01)))
        here = after
    return way


def _walk(settings: WorldSettings, seed: int, identity: int, cameras: list[Camera], *, train: bool) -> list[dict[str, object]]:
    """All images of one person. On the test side one image of each camera becomes a query, as in Market-1501.

    In a video, and where a tracklet is one picture, the first tracklet is the query: everybody comes to another camera later.
    """
    rng = np.random.default_rng(derive_seed(seed, settings.site, settings.season, "walk", identity))
    rows: list[dict[str, object]] = []
    asked: set[int] = set()
    for tracklet, (position, hour) in enumerate(visits(settings, cameras, rng), start=1):
        own_seed = derive_seed(seed, settings.site, settings.season, "tracklet", identity, tracklet)
        shots = _tracklet(settings, own_seed, cameras[position])
        chosen = int(rng.integers(len(shots)))
        for number, shot in enumerate(shots):
            query = not train and position not in asked and number == chosen
            split = "train" if train else ("query" if query else "gallery")
            labels = {"identity": identity, "person": identity, "split": split, "tracklet": tracklet}
            rows.append(labels | _clock(hour, shot) | shot)
        asked.add(position)
    if not train and (settings.frames == 1 or settings.query == "tracklet"):
        for row in rows:
            row["split"] = "query" if row["tracklet"] == 1 else "gallery"
    return rows


def _tracklet(settings: WorldSettings, seed: int, camera: Camera) -> list[dict[str, object]]:
    """The pictures kept of one passage: the walk goes on from frame to frame, the detector errs anew each time."""
    rng = np.random.default_rng(seed)
    way = camera.heading + np.pi * rng.integers(2) + camera.spread * rng.normal()
    start, cadence = rng.uniform(0, 2 * np.pi), rng.uniform(1.6, 2.1) * np.pi
    ground, flicker = rng.uniform(0.1, 0.9), 0.05 * rng.normal() * settings.camera_gap
    hidden = rng.random() < settings.occlusion
    kind = str(rng.choice(["post", "box", "passer-by"], p=[0.3, 0.3, 0.4]))
    occluder = kind if hidden else "none"
    place, size, passer = rng.uniform(-1, 1), rng.uniform(), int(rng.integers(1, 1 << 30))
    shots: list[dict[str, object]] = []
    offset = 0
    for _ in range(settings.frames):
        errors = rng.normal(size=3).clip(-2.2, 2.2) * settings.box_error
        seconds = offset / FRAMES_PER_SECOND
        shots.append(
            {
                "camera": camera.index,
                "offset": offset,
                "phase": float((start + cadence * seconds) % (2 * np.pi)),
                "yaw": float((way + 0.12 * rng.normal() + np.pi) % (2 * np.pi) - np.pi),
                "box_x": float(0.22 * errors[0]),
                "box_y": float(0.12 * errors[1]),
                "box_scale": float(np.exp(0.22 * errors[2])),
                "occluder": occluder,
                "occluder_x": float(place + 0.25 * seconds),
                "occluder_size": float(size),
                "passer": passer,
                "ground": float((ground + 0.01 * seconds) % 1.0),
                "flicker": float(flicker),
            }
        )
        offset += max(1, round(int(rng.integers(6, 20)) * settings.frames_apart / 13))
    return shots


def _clock(hour: float, shot: dict[str, object]) -> dict[str, object]:
    """Time of day, sequence (two hours each) and frame number within it."""
    seconds = (hour - OPENS) * 3600 + int(str(shot["offset"])) / FRAMES_PER_SECOND
    sequence = int(seconds // (SEQUENCE_HOURS * 3600))
    frame = round((seconds - sequence * SEQUENCE_HOURS * 3600) * FRAMES_PER_SECOND)
    return {"hour": OPENS + seconds / 3600, "sequence": sequence + 1, "frame": frame}


def _strangers(settings: WorldSettings) -> int:
    return max(1, (settings.test_identities + settings.train_identities) // 10)


def _spoilt(
    settings: WorldSettings, seed: int, rows: list[dict[str, object]], known: int, everybody: int, cameras: list[Camera]
) -> list[dict[str, object]]:
    """Distractors (identity 0: no known person, or hardly a person) and junk (identity -1: a known person, spoilt box)."""
    rng = np.random.default_rng(derive_seed(seed, settings.site, settings.season, "spoilt"))
    gallery = sum(row["split"] == "gallery" for row in rows)
    tests = [row for row in rows if row["split"] == "gallery"]
    made: list[dict[str, object]] = []
    long = settings.frames if settings.query == "tracklet" else 1
    distractors, junk = (round(share * gallery / long) for share in (settings.distractors, settings.junk))
    for number in range(distractors + junk):
        distractor = number < distractors
        camera = cameras[int(rng.integers(len(cameras)))]
        shots = _tracklet(settings, derive_seed(seed, settings.site, settings.season, "spoilt", number), camera)[:long]
        hour, person = float(rng.uniform(OPENS, CLOSES)), int(rng.integers(known + 1, everybody + 1))
        if not distractor:
            person = int(str(tests[int(rng.integers(len(tests)))]["person"]))
        kind = int(rng.integers(3)) if distractor else 1
        spoilt: dict[str, object] = {}
        if kind == 0:
            person, spoilt = 0, {"occluder": "none"}
        elif kind == 1:
            spoilt = {
                "box_x": float(rng.choice([-1, 1]) * rng.uniform(0.3, 0.55)),
                "box_y": float(rng.uniform(-0.45, 0.45)),
                "box_scale": float(rng.choice([0.45, 1.9]) * rng.uniform(0.85, 1.15)),
            }
        labels = {"identity": 0 if distractor else -1, "person": person, "split": "gallery", "tracklet": number}
        made += [labels | _clock(hour, shot) | shot | spoilt for shot in shots]
    return made


def _passers(frame: pd.DataFrame, everybody: int) -> list[int]:
    """Who comes by, where somebody does: anyone but the person of the picture."""
    chosen = []
    for person, draw, kind in zip(frame["person"], frame["passer"], frame["occluder"]):
        other = 1 + draw % (everybody - 1)
        chosen.append(0 if kind != "passer-by" or not person else other + int(other >= person))
    return chosen


def _names(frame: pd.DataFrame) -> list[str]:
    """Market-1501 names, ``PPPP_cCsS_FFFFFF_BB.jpg`` in the folder of the split; BB counts what would else be equal."""
    folders = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
    taken: dict[str, int] = {}
    names = []
    for row in frame.itertuples():
        person = "-1" if row.identity == -1 else f"{row.identity:04d}"
        stem = f"{person}_c{row.camera}s{row.sequence}_{row.frame:06d}"
        taken[stem] = taken.get(stem, 0) + 1
        names.append(f"{folders[row.split]}/{stem}_{taken[stem]:02d}.jpg")
    return names
