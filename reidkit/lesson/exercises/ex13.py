"""Lesson 13: gradient reversal by hand, the ceilings of a camera judge, and the value of the game for any coding."""

from __future__ import annotations

import numpy as np

from reidkit.lesson.checks import Case, Exercise, Slip

# ---------------------------------------------------------------------------------------------------------- warm-up


def reversed_gradients(feature: float, weight: float, target: float, mu: float) -> tuple[float, float]:
    """What arrives at the feature and at the judge's weight when a reversal of strength `mu` stands between them.

    The judge's loss is (weight * feature - target)^2 / 2. The judge gets its plain gradient; the feature gets its own
    multiplied by -mu (CANU-ReID, equation 4; CHK-5.1).
    """
    off = weight * feature - target
    return -mu * off * weight, off * feature


def _reversal_cases() -> list[Case]:
    rows = [
        ("The judge says 6 and 1 is right.", 3.0, 2.0, 1.0, 0.1),
        ("No error, nothing to learn.", 0.5, 2.0, 1.0, 0.1),
        ("The judge says too little.", 1.0, 0.5, 2.0, 0.5),
        ("A negative weight.", 2.0, -1.0, 1.0, 0.05),
        ("mu = 0: the judge still learns.", 3.0, 2.0, 1.0, 0.0),
        ("mu above 1.", -1.5, 0.8, 0.3, 1.8),
    ]
    names = ("feature", "weight", "target", "mu")
    return [Case(says, dict(zip(names, numbers))) for says, *numbers in rows]


def _not_reversed(feature: float, weight: float, target: float, mu: float) -> tuple[float, float]:
    off = weight * feature - target
    return mu * off * weight, off * feature


def _without_mu(feature: float, weight: float, target: float, mu: float) -> tuple[float, float]:
    off = weight * feature - target
    return -off * weight, off * feature


def _both_reversed(feature: float, weight: float, target: float, mu: float) -> tuple[float, float]:
    off = weight * feature - target
    return -mu * off * weight, -mu * off * feature


def _judge_slowed(feature: float, weight: float, target: float, mu: float) -> tuple[float, float]:
    off = weight * feature - target
    return -mu * off * weight, mu * off * feature


# ------------------------------------------------------------------------------------------------------------- core


def camera_ceilings(counts: np.ndarray) -> tuple[float, float]:
    """(H(C), H(C | P)) in nats: the losses that a judge cannot avoid when features say nothing about the camera.

    The first is that of a plain judge, the second that of one who is told the person.

    Args:
        counts: (P, C), images of each person by each camera; every person has an image.
    """
    share = counts / counts.sum()
    return _entropy(share.sum(axis=0)), _entropy(share) - _entropy(share.sum(axis=1))


def _entropy(share: np.ndarray) -> float:
    """Entropy of shares that sum to 1, in nats."""
    filled = share[share > 0]
    return float(-(filled * np.log(filled)).sum())


def _ceiling_cases() -> list[Case]:
    rows = [
        ("Everybody before every camera alike: the person tells nothing.", [[2, 2], [2, 2]]),
        ("Each person has a camera of its own: told the person, the judge is sure.", [[3, 0], [0, 3]]),
        ("One person is seen more often than the other.", [[6, 2], [0, 2]]),
        ("Three cameras, one of them busy.", [[4, 1, 1], [2, 2, 0], [6, 0, 0]]),
        ("A single person.", [[1, 2, 3]]),
    ]
    draw = np.random.default_rng(1301)
    rows += [(f"Random counts {i}.", (draw.integers(0, 4, (4, 3)) + np.eye(4, 3, dtype=int) + 1).tolist()) for i in range(4)]
    return [Case(says, {"counts": np.array(counts)}) for says, counts in rows]


def _people_alike(counts: np.ndarray) -> tuple[float, float]:
    rows = counts / counts.sum(axis=1, keepdims=True)
    return camera_ceilings(counts)[0], float(np.mean([_entropy(row) for row in rows]))


def _in_bits(counts: np.ndarray) -> tuple[float, float]:
    plain, told = camera_ceilings(counts)
    return plain / float(np.log(2)), told / float(np.log(2))


def _cameras_alike(counts: np.ndarray) -> tuple[float, float]:
    return float(np.log(counts.shape[1])), camera_ceilings(counts)[1]


def _person_given_camera(counts: np.ndarray) -> tuple[float, float]:
    return camera_ceilings(counts)[0], camera_ceilings(counts.T)[1]


# ---------------------------------------------------------------------------------------------------------- stretch


def game_values(share: np.ndarray, coding: np.ndarray) -> tuple[float, float, float]:
    """(H(P | K), H(C | K), H(C | K, P)) in nats: what the best player of each kind still loses, given the code K.

    The three players: a classifier of the person, a plain judge of the camera, and a judge who is also told the person.

    Args:
        share: (P, C), share of the pictures that show person p before camera c; they sum to 1.
        coding: (P, C, K), probability that such a picture gets code k; sums to 1 over k.
    """
    joint = share[:, :, None] * coding
    code = _entropy(joint.sum(axis=(0, 1)))
    with_person, with_camera = _entropy(joint.sum(axis=1)), _entropy(joint.sum(axis=0))
    return with_person - code, with_camera - code, _entropy(joint) - with_person


def _game_case(says: str, share: list[list[float]], codes: list[list[int]], most: int) -> Case:
    """A coding that sends every kind of picture to one code."""
    return Case(says, {"share": np.array(share), "coding": np.eye(most)[np.array(codes)]})


def _game_cases() -> list[Case]:
    even, bound = [[0.25, 0.25], [0.25, 0.25]], [[0.5, 0.0], [0.0, 0.5]]
    leaning = [[0.4, 0.1], [0.1, 0.4]]
    cases = [
        _game_case("The code is the person, and nobody keeps to a camera.", even, [[0, 0], [1, 1]], 2),
        _game_case("The code is the camera: both judges are sure, the classifier guesses.", even, [[0, 1], [0, 1]], 2),
        _game_case("One code for all; each person has a camera of its own.", bound, [[0, 0], [0, 0]], 1),
        _game_case("The code is the person, who leans to a camera.", leaning, [[0, 0], [1, 1]], 2),
        _game_case("One picture in four has a code of its own.", [[0.5, 0.25], [0.0, 0.25]], [[0, 0], [0, 1]], 2),
    ]
    draw = np.random.default_rng(1302)
    for i in range(4):
        share, coding = draw.random((3, 2)) + 0.1, draw.random((3, 2, 3)) + 0.05
        arguments = {"share": share / share.sum(), "coding": coding / coding.sum(axis=2, keepdims=True)}
        cases.append(Case(f"A blurred coding {i}: codes are drawn.", arguments))
    return cases


def _informations(share: np.ndarray, coding: np.ndarray) -> tuple[float, float, float]:
    person, camera, told = game_values(share, coding)
    people, cameras = share.sum(axis=1), share.sum(axis=0)
    return _entropy(people) - person, _entropy(cameras) - camera, _entropy(share) - _entropy(people) - told


def _deaf_judge(share: np.ndarray, coding: np.ndarray) -> tuple[float, float, float]:
    person, camera, _ = game_values(share, coding)
    return person, camera, _entropy(share) - _entropy(share.sum(axis=1))


def _codes_alike(share: np.ndarray, coding: np.ndarray) -> tuple[float, float, float]:
    joint = share[:, :, None] * coding
    used = [k for k in range(joint.shape[2]) if joint[:, :, k].sum() > 0]
    parts = [joint[:, :, k] / joint[:, :, k].sum() for k in used]
    person = float(np.mean([_entropy(part.sum(axis=1)) for part in parts]))
    return person, float(np.mean([_entropy(part.sum(axis=0)) for part in parts])), game_values(share, coding)[2]


def _pictures_alike(share: np.ndarray, coding: np.ndarray) -> tuple[float, float, float]:
    return game_values(np.full_like(share, 1 / share.size), coding)


EXERCISES = (
    Exercise(
        "13-warmup",
        "a gradient, turned round",
        difficulty=1,
        minutes=8,
        hints=(
            "First as if there were no reversal: the two partial derivatives of the squared error, by the chain rule.",
            "Both share the error `weight * feature - target`. Which factor belongs to the feature, which to the weight?",
            "The judge keeps its derivative, `error * feature`. The feature's, `error * weight`, is multiplied by `-mu`.",
        ),
        solution=reversed_gradients,
        cases=_reversal_cases,
        slips=(
            Slip(_not_reversed, "The feature helps the judge here. It is its opponent: turn the sign."),
            Slip(_without_mu, "The sign is right; mu is missing, and with it the dial."),
            Slip(_both_reversed, "Your judge is reversed too: it would learn to be wrong, which is no opponent."),
            Slip(_judge_slowed, "The judge's own gradient has no mu: it always plays as well as it can."),
        ),
    ),
    Exercise(
        "13-core",
        "the ceilings of a judge",
        difficulty=2,
        minutes=12,
        hints=(
            "A judge who sees nothing useful guesses by shares: of all pictures, or of the pictures of this person.",
            "H(C) needs the columns' shares. H(C | P) is the mean of each person's own H(C), weighted by its pictures.",
            "Shorter: `H(C | P) = H(P, C) - H(P)`; with `share = counts / counts.sum()` each is `-(s * log(s)).sum()`, s > 0.",
        ),
        solution=camera_ceilings,
        cases=_ceiling_cases,
        slips=(
            Slip(_people_alike, "You average over persons; one with many pictures weighs more: average over pictures."),
            Slip(_in_bits, "These are bits; cross-entropy is in nats, with the natural logarithm."),
            Slip(_cameras_alike, "ln C is the loss of a judge before it learns. Cameras are not equally busy: use their shares."),
            Slip(_person_given_camera, "This is H(P | C), the person's uncertainty given the camera; wanted is the reverse."),
        ),
    ),
    Exercise(
        "13-stretch",
        "what three players lose",
        difficulty=3,
        minutes=20,
        hints=(
            "Make one table of person, camera and code: how often does each triple occur? All three answers come from it.",
            "The best player guesses by shares among the pictures it cannot tell apart: its loss is a conditional entropy.",
            "`joint = share[:, :, None] * coding`; `H(P|K) = H(P,K) - H(K)`, `H(C|K)` likewise, `H(C|K,P) = H(P,C,K) - H(P,K)`.",
        ),
        solution=game_values,
        cases=_game_cases,
        slips=(
            Slip(_informations, "These are informations, what the code tells; wanted is what the players still lose."),
            Slip(_deaf_judge, "Your second judge hears the person but does not look at the code."),
            Slip(_codes_alike, "You average over codes; a code of many pictures weighs more."),
            Slip(_pictures_alike, "You count every kind of picture alike; `share` says how often each occurs."),
        ),
    ),
)
