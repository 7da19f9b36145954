"""From a person and a gait phase to round cones: the hull of two spheres is the only solid there is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from reidkit.world.people import Person

MATERIALS = ("upper", "second", "lower", "shoes", "hat", "bag", "scarf", "skin", "hair", "tights")
PARTS = ("head", "torso", "left arm", "right arm", "left leg", "right leg", "feet", "bag")
KEYPOINTS = (
    "nose",
    "neck",
    *(f"{side}_{joint}" for side in "lr" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")),
)


@dataclass
class Body:
    """Round cones in body space: x to the person's left, y up, z forward; the person is 1 high and stands at y = 0.

    Lists of equal length, one entry a cone: `start` and `end` (3,), `radius` (2,), `material` and `part` (indices),
    `height` (2,) the pattern coordinate at both ends (so that stripes follow a bent arm), `front` 1 where a logo may sit
    (there the pattern follows the true height), `open` 1 where the lower end is a hem instead of a sphere.
    """

    start: list[np.ndarray] = field(default_factory=list)
    end: list[np.ndarray] = field(default_factory=list)
    radius: list[tuple[float, float]] = field(default_factory=list)
    material: list[int] = field(default_factory=list)
    part: list[int] = field(default_factory=list)
    height: list[tuple[float, float]] = field(default_factory=list)
    front: list[float] = field(default_factory=list)
    open: list[float] = field(default_factory=list)
    keypoints: dict[str, np.ndarray] = field(default_factory=dict)

    def add(
        self,
        part: str,
        material: str,
        a: np.ndarray,
        b: np.ndarray,
        ra: float,
        rb: float,
        *,
        front: bool = False,
        hem: bool = False,
        top: float = 0.0,
    ) -> None:
        """One cone from `a` to `b`; `top` is the pattern coordinate of `a` when it is not simply its height."""
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        length = float(np.linalg.norm(b - a))
        if abs(ra - rb) > 0.97 * length:  # one sphere would swallow the other, and no cone touches both
            b = a + xyz(0.0, -1.04 * abs(ra - rb) - 1e-4, 0.0)
            length = float(np.linalg.norm(b - a))
        self.start.append(a)
        self.end.append(b)
        self.radius.append((ra, rb))
        self.material.append(MATERIALS.index(material))
        self.part.append(PARTS.index(part))
        self.height.append((top, top - length) if top else (float(a[1]), float(b[1])))
        self.front.append(float(front))
        self.open.append(float(hem))


def pose(person: Person, phase: float) -> Body:
    """The body of `person` at gait phase `phase` (radians; one full cycle is two steps)."""
    body = Body()
    hip_height = 0.50 * person.legs
    lift = person.bounce * np.cos(2 * phase)
    hips = xyz(0.0, hip_height + lift, 0.0)
    spine = _turn(xyz(0.0, 0.30, 0.0), person.lean)
    neck = hips + spine + xyz(0.0, 0.02 * (1 - person.legs), 0.0)
    twist = 0.12 * person.swing * np.sin(phase)
    _legs(body, person, hips, phase)
    _torso(body, person, hips, neck, twist)
    _arms(body, person, neck, phase, twist)
    _head(body, person, neck)
    _bag(body, person, hips, neck)
    return body


def _legs(body: Body, person: Person, hips: np.ndarray, phase: float) -> None:
    thick = 0.5 + 0.5 * person.build
    covered = "upper" if person.upper in ("coat", "dress") else "lower"
    thigh_cloth = "lower" if person.lower in ("trousers", "shorts") and person.upper != "coat" else covered
    below_skirt = "tights" if person.upper in ("coat", "jacket") else "skin"
    shin_cloth = {"trousers": "lower", "shorts": "skin"}.get(person.lower, below_skirt)
    hindered = {"skirt": 0.8, "long skirt": 0.6}.get(person.lower, 0.85 if person.upper == "coat" else 1.0)
    stride, knees = hindered * person.stride, []
    for side, name, angle in ((1, "left", phase), (-1, "right", phase + np.pi)):
        hip = hips + xyz(side * 0.052 * person.hips, 0.0, 0.0)
        swing = stride * np.sin(angle)
        bend = 0.10 + 0.85 * stride * max(0.0, np.cos(angle)) ** 2
        thigh, shin = 0.245 * person.legs, 0.235 * person.legs
        knee = hip + _turn(xyz(0.0, -thigh, 0.0), -swing - 0.35 * bend)
        ankle = knee + _turn(xyz(0.0, -shin, 0.0), -swing + 0.65 * bend)
        ankle[1] = max(ankle[1], 0.035)
        toe = ankle + _turn(xyz(0.0, -0.012, 0.085), -0.5 * swing + 0.5 * bend)
        wide = 1.12 if person.lower == "trousers" else 1.0
        body.add(f"{name} leg", thigh_cloth, hip, knee, 0.060 * thick * person.hips, 0.040 * thick * wide)
        body.add(f"{name} leg", shin_cloth, knee, ankle, 0.041 * thick * wide, 0.026 * wide if shin_cloth != "lower" else 0.034)
        body.add("feet", "shoes", ankle + xyz(0.0, -0.008, -0.012), toe, 0.030, 0.024)
        body.keypoints |= {f"{name[0]}_hip": hip, f"{name[0]}_knee": knee, f"{name[0]}_ankle": ankle}
        knees.append(knee)
    _skirt(body, person, hips, knees)


def _skirt(body: Body, person: Person, hips: np.ndarray, knees: list[np.ndarray]) -> None:
    """Skirts and the lower half of coats: open cones that follow each thigh, and one between them."""
    coat = person.upper == "coat"
    if not coat and person.lower not in ("skirt", "long skirt"):
        return
    material = "upper" if coat or person.upper == "dress" else "lower"
    hem = 0.27 if coat else {"skirt": 0.23, "long skirt": 0.37}[person.lower]
    narrow, wide = 0.070 * person.hips * (0.5 + 0.5 * person.build), (0.080 if hem < 0.3 else 0.092) * (0.6 + 0.4 * person.build)
    for side, knee in ((1, knees[0]), (-1, knees[1]), (0, 0.5 * (knees[0] + knees[1]))):
        top = hips + xyz(side * 0.042, 0.025, 0.0)
        follow = min(1.0, hem / 0.245) * (knee - hips)[2]
        bottom = hips + xyz(side * 0.040, -hem, 0.85 * follow)
        part = "right leg" if side < 0 else "left leg"
        body.add(part, material, top, bottom, narrow, wide, front=True, hem=True)


def _torso(body: Body, person: Person, hips: np.ndarray, neck: np.ndarray, twist: float) -> None:
    build, wide = person.build, person.shoulders
    across = xyz(np.cos(twist), 0.0, -np.sin(twist))
    padded = 1.10 if person.upper in ("coat", "jacket") else 1.0
    chest, waist = 0.064 * (0.45 + 0.55 * build) * padded, 0.056 * build * padded
    cloth = "upper"
    for side in (1, -1):
        top = neck + across * side * 0.050 * wide + xyz(0.0, -0.055, 0.0)
        low = hips + xyz(side * 0.038 * (0.4 + 0.6 * build), 0.05, 0.0)
        body.add("torso", cloth, top, low, chest, waist, front=True)
    slope = xyz(0.0, -0.048, 0.0)
    left, right = neck + across * 0.092 * wide + slope, neck - across * 0.092 * wide + slope
    body.add("torso", cloth, neck + xyz(0.0, -0.02, 0.0), left, 0.034, 0.039 * padded, front=True)
    body.add("torso", cloth, neck + xyz(0.0, -0.02, 0.0), right, 0.034, 0.039 * padded, front=True)
    belly = xyz(0.0, 0.10, 0.018 * build)
    stomach = 0.064 * build * padded
    body.add("torso", cloth, neck + xyz(0.0, -0.08, 0.012), hips + belly, 0.066 * padded, stomach, front=True)
    below = cloth if person.upper in ("coat", "jacket", "dress") else "lower"
    out = xyz(0.036 * person.hips, 0.0, 0.0)
    body.add(
        "torso", below, hips + out + xyz(0, 0.012, 0), hips - out + xyz(0, 0.012, 0), 0.066 * person.hips, 0.066 * person.hips
    )


def _arms(body: Body, person: Person, neck: np.ndarray, phase: float, twist: float) -> None:
    sleeve = {"none": ("skin", "skin"), "short": ("upper", "skin"), "long": ("upper", "upper")}[person.sleeves]
    thick = (0.5 + 0.5 * person.build) * (1.15 if person.upper in ("coat", "jacket") else 1.0)
    across = xyz(np.cos(twist), 0.0, -np.sin(twist))
    for side, name, angle in ((1, "left", phase + np.pi), (-1, "right", phase)):
        carries = person.bag == "handbag" and side == person.bag_side
        shoulder = neck + across * side * 0.104 * person.shoulders + xyz(0.0, -0.056, 0.0)
        swing = (0.25 if carries else 1.0) * person.swing * np.sin(angle)
        out = xyz(side * (0.014 + 0.020 * person.build), 0.0, 0.0)
        elbow = shoulder + _turn(xyz(0.0, -0.165, 0.0), -swing) + out
        wrist = elbow + _turn(xyz(0.0, -0.145, 0.0), -swing - 0.35 - 0.3 * max(swing, 0.0)) + 0.25 * out
        body.add(f"{name} arm", sleeve[0], shoulder, elbow, 0.037 * thick, 0.030 * thick, top=shoulder[1])
        bare = 0.92 if sleeve[1] == "skin" else 1.08
        body.add(f"{name} arm", sleeve[1], elbow, wrist, 0.029 * thick * bare, 0.022 * thick * bare, top=shoulder[1] - 0.165)
        body.add(f"{name} arm", "skin", wrist, wrist + 0.25 * (wrist - elbow), 0.022, 0.020)
        body.keypoints |= {f"{name[0]}_shoulder": shoulder, f"{name[0]}_elbow": elbow, f"{name[0]}_wrist": wrist}


def _head(body: Body, person: Person, neck: np.ndarray) -> None:
    chin, crown = neck + xyz(0.0, 0.065, 0.018), neck + xyz(0.0, 0.118, 0.008)
    body.add("head", "skin", neck + xyz(0.0, -0.02, 0.0), chin, 0.033, 0.03)
    body.add("head", "skin", chin, crown, 0.042, 0.053)
    body.add("head", "skin", chin + xyz(0, 0.018, 0.035), chin + xyz(0, 0.032, 0.034), 0.012, 0.008)
    body.keypoints |= {"nose": chin + xyz(0, 0.02, 0.045), "neck": neck}
    if person.hair != "bald":
        body.add("head", "hair", crown + xyz(0, 0.006, -0.012), crown + xyz(0, -0.040, -0.024), 0.056, 0.046)
    if person.hair == "long":
        for side in (-1, 1):
            low = neck + xyz(side * 0.028, -0.045, -0.042)
            body.add("head", "hair", crown + xyz(side * 0.022, -0.015, -0.022), low, 0.042, 0.032)
    elif person.hair == "bun":
        body.add("head", "hair", crown + xyz(0, 0.03, -0.055), crown + xyz(0, 0.018, -0.062), 0.026, 0.024)
    if person.scarf:
        body.add("head", "scarf", neck + xyz(0, 0.016, 0.012), neck + xyz(0, -0.014, 0.006), 0.044, 0.054)
    if person.hat == "none":
        return
    body.add("head", "hat", crown + xyz(0, 0.020, -0.006), crown + xyz(0, 0.004, -0.010), 0.054, 0.058)
    if person.hat == "cap":
        for side in (-1, 1):
            body.add(
                "head", "hat", crown + xyz(side * 0.022, 0.006, 0.03), crown + xyz(side * 0.016, -0.004, 0.092), 0.013, 0.009
            )
    elif person.hat == "sunhat":
        for x, z in ((1, 0), (0, 1), (0.7, 0.7), (0.7, -0.7)):
            rim = xyz(0.082 * x, 0.0, 0.082 * z)
            body.add("head", "hat", crown + xyz(0, 0.004, -0.008) - rim, crown + xyz(0, 0.004, -0.008) + rim, 0.012, 0.012)
    else:
        body.add("head", "hat", crown + xyz(0, 0.058, -0.010), crown + xyz(0, 0.064, -0.012), 0.020, 0.016)


def _bag(body: Body, person: Person, hips: np.ndarray, neck: np.ndarray) -> None:
    side = person.bag_side
    if person.bag == "backpack":
        for x in (-1, 1):
            top, low = neck + xyz(x * 0.026, -0.080, -0.098), hips + xyz(x * 0.030, 0.090, -0.108)
            body.add("bag", "bag", top, low, 0.054, 0.062)
            strap = neck + xyz(x * 0.068, -0.012, 0.028)
            body.add("bag", "bag", strap, neck + xyz(x * 0.074, -0.14, 0.062), 0.016, 0.013)
    elif person.bag == "shoulder bag":
        hip = hips + xyz(side * 0.135, 0.01, 0.0)
        body.add("bag", "bag", hip + xyz(0, 0, 0.042), hip + xyz(0, -0.004, -0.042), 0.046, 0.046)
        for z in (0.066, -0.058):
            start = neck + xyz(-side * 0.06, -0.005, 0.4 * z)
            middle = 0.5 * (neck + hips) + xyz(side * 0.02, 0.02, z * 1.18)
            body.add("bag", "bag", start, middle, 0.011, 0.011)
            body.add("bag", "bag", middle, hip + xyz(-side * 0.02, 0.03, z), 0.011, 0.011)
    elif person.bag == "handbag":
        wrist = body.keypoints["l_wrist" if side > 0 else "r_wrist"]
        body.add("bag", "bag", wrist + xyz(0, -0.085, 0.045), wrist + xyz(0, -0.085, -0.045), 0.042, 0.042)
        for z in (0.03, -0.03):
            body.add("bag", "bag", wrist + xyz(0, -0.03, 0.2 * z), wrist + xyz(0, -0.06, z), 0.008, 0.008)


def xyz(x: float | int, y: float | int, z: float | int) -> np.ndarray:
    """A point or a step in body space."""
    return np.array([x, y, z], np.float64)


def _turn(vector: np.ndarray, angle: float) -> np.ndarray:
    """`vector` turned about the x axis; a positive angle leans what points up to the front."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([vector[0], c * vector[1] - s * vector[2], s * vector[1] + c * vector[2]])
