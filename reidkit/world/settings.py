"""What a world is made of: one frozen dataclass of sizes and dials, and the named presets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from reidkit.errors import ReidkitError, nearest_name

SEASONS = ("summer", "winter")
QUERIES = ("image", "tracklet")
DIALS = (
    "domain_gap",
    "camera_gap",
    "twin_rate",
    "occlusion",
    "box_error",
    "resolution_loss",
    "day_drift",
    "dependence",
)


@dataclass(frozen=True)
class WorldSettings:
    """Sizes and dials of one synthetic camera network.

    Every dial lies in 0..1 (`camera_gap` in 0..2); 0 switches its effect off. Turning a dial leaves all other draws
    as they were: the same people walk the same ways.

    Attributes:
        name: name of the records.
        season: wardrobe, light and ground, ``"summer"`` or ``"winter"``.
        site: place name; other sites have other cameras, backgrounds and people.
        height, width: size of a picture in pixels.
        cameras: number of cameras, C.
        train_identities, test_identities: people of each side; the sides share none.
        visits: mean number of tracklets of a person (from 2 cameras up).
        visits_spread: how far a person's number of tracklets may be from that mean.
        frames: pictures kept of each tracklet.
        frames_apart: mean number of video frames (25 a second) from one kept picture to the next.
        query: what a query is: ``"image"``, one picture of each test person and camera, or ``"tracklet"``, the first tracklet of
            each test person as a whole, for video; distractors and junk are then tracklets too.
        distractors: boxes of no known person (identity 0), as a share of the gallery.
        junk: spoilt boxes of known people (identity -1), as a share of the gallery.
        domain_gap: how much season and site shape wardrobe, light and ground (0: all seasons alike).
        camera_gap: how much cameras differ in view, light, colour, ground and sharpness (0: all alike).
        twin_rate: share of people who share all but one attribute with another person.
        occlusion: probability that a tracklet is partly hidden by a post, a box or a passer-by.
        box_error: how badly the detector places its boxes (off-centre, cut, too large).
        resolution_loss: how few pixels the cameras really have.
        day_drift: how much light changes from morning to evening.
        dependence: how much people keep to a few neighbouring cameras (0: any camera is as likely as another).
    """

    name: str = "world"
    season: str = "summer"
    site: str = "campus"
    height: int = 128
    width: int = 64
    cameras: int = 6
    train_identities: int = 100
    test_identities: int = 60
    visits: float = 4.0
    visits_spread: int = 1
    frames: int = 3
    frames_apart: int = 13
    query: str = "image"
    distractors: float = 0.10
    junk: float = 0.04
    domain_gap: float = 1.0
    camera_gap: float = 0.3
    twin_rate: float = 0.10
    occlusion: float = 0.12
    box_error: float = 0.30
    resolution_loss: float = 0.30
    day_drift: float = 0.30
    dependence: float = 0.0

    def __post_init__(self) -> None:
        if self.season not in SEASONS:
            _refuse(f"season {self.season!r} is unknown", f"A season is one of {SEASONS}.")
        if self.query not in QUERIES:
            _refuse(f"query {self.query!r} is unknown", f"A query is one of {QUERIES}.")
        for dial in DIALS:
            most = 2.0 if dial == "camera_gap" else 1.0
            if not 0.0 <= getattr(self, dial) <= most:
                _refuse(f"{dial}={getattr(self, dial)!r}", f"The dial {dial} lies between 0 and {most:g}.")
        for count, least in (("height", 16), ("width", 8), ("cameras", 2), ("frames", 1), ("frames_apart", 1)):
            if getattr(self, count) < least:
                _refuse(f"{count}={getattr(self, count)!r}", f"{count} is at least {least}.")
        if min(self.train_identities, self.test_identities) < 0 or self.train_identities + self.test_identities == 0:
            _refuse("the world has no people", "A world has at least one identity.")
        if self.visits < 2:
            _refuse(f"visits={self.visits!r}", "Everybody is seen by at least two cameras.")
        if not (0 <= self.distractors < 1 and 0 <= self.junk < 1):
            _refuse("distractors or junk out of range", "Both are shares of the gallery, from 0 to below 1.")

    def to_dict(self) -> dict[str, object]:
        """All settings as plain values, for records of runs."""
        return asdict(self)


SIZES: dict[str, dict[str, int | float]] = {
    "XS": {"train_identities": 24, "test_identities": 20, "visits": 3.0, "frames": 2},
    "S": {"train_identities": 100, "test_identities": 60, "visits": 4.0, "frames": 3},
    "M": {"train_identities": 600, "test_identities": 300, "visits": 5.0, "frames": 4},
    "L": {"train_identities": 1067, "test_identities": 700, "visits": 5.0, "frames": 6},
}
"""About 150, 1,200, 12,000 and 32,000 training images. A video world keeps its own number of frames in a tracklet."""

_SUMMER = WorldSettings(name="summer", season="summer", site="campus")
_WINTER = WorldSettings(name="winter", season="winter", site="station")
_TWELVE: dict[str, int | float] = {
    "train_identities": 0,
    "test_identities": 4,
    "cameras": 3,
    "visits": 3.0,
    "visits_spread": 0,
    "frames": 1,
}
_VIDEO = {"query": "tracklet", "frames": 16, "frames_apart": 3, "distractors": 0.05, "junk": 0.02}
_CLEAN: dict[str, float] = {"twin_rate": 0.0, "occlusion": 0.0, "box_error": 0.0, "distractors": 0.0, "junk": 0.0}

PRESETS: dict[str, WorldSettings] = {
    "summer": _SUMMER,
    "winter": _WINTER,
    "hard-summer": replace(_SUMMER, name="hard-summer", camera_gap=0.7),
    "hard-winter": replace(_WINTER, name="hard-winter", camera_gap=0.7),
    "dependent-summer": replace(_SUMMER, name="dependent-summer", dependence=0.8),
    "dependent-winter": replace(_WINTER, name="dependent-winter", dependence=0.8),
    "fifteen": replace(_WINTER, name="fifteen", site="mall", cameras=15, camera_gap=0.5, dependence=0.4),
    "video-summer": replace(_SUMMER, name="video-summer", **_VIDEO),  # type: ignore[arg-type]
    "video-winter": replace(_WINTER, name="video-winter", **_VIDEO),  # type: ignore[arg-type]
    "twelve": replace(_SUMMER, name="twelve", **_CLEAN, **_TWELVE),  # type: ignore[arg-type]
}
"""``summer`` and ``winter`` are the standard pair (source, target); ``hard-`` has a large camera gap, in ``dependent-``
people keep to a few cameras, ``fifteen`` is a site of 15 cameras in the spirit of MSMT17, ``video-`` has tracklets of 16 frames
(about two seconds, two full gait cycles) with tracklets as queries, and ``twelve`` is four people by three cameras for lessons
by hand."""


def resolve(world: str | WorldSettings, size: str | None = None) -> WorldSettings:
    """The settings that a preset's name stands for, in the size asked (default: as the settings say, S for presets)."""
    if isinstance(world, str):
        if world not in PRESETS:
            raise ReidkitError(
                f"No world is called {world!r}.", rule=f"Presets: {', '.join(PRESETS)}.", action=nearest_name(world, PRESETS)
            )
        world = PRESETS[world]
    if size is None:
        return world
    if size not in SIZES:
        raise ReidkitError(f"size {size!r} is unknown.", rule=f"A size is one of {', '.join(SIZES)}.", action="Choose one.")
    counts = SIZES[size] | ({"frames": world.frames} if world.query == "tracklet" else {})
    return replace(world, **counts)  # type: ignore[arg-type]


def _refuse(what: str, rule: str) -> None:
    raise ReidkitError(f"World settings: {what}.", rule=rule, action="Correct this setting.")
