"""The claims as data: a sentence, where it is printed, and the contrast of measurements that decides it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reidkit.errors import BenchError, nearest_name

BOTH, ALL, DEPENDENT = ("standard", "hard"), ("standard", "hard", "dependent"), ("dependent",)
ABOVE, WITHIN = "above", "within"
POINT = 0.01  # one point of mAP


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        id: number in the reference's table of claims, with a letter where a claim has several halves.
        sentence: what is claimed.
        source: paper and place.
        contrast: ``"run: measure"`` -> coefficient; the effect of a seed is the sum. Runs are those of `runs.RUNS`,
            measures those of `measures.value`.
        margin: the effect that counts, in the measure's unit.
        rule: ``"above"``: the effect is larger than the margin; ``"within"``: its size is smaller.
        worlds: pairs on which it is asked.
        change: what the world, or the run, would have to be like to show it.
    """

    id: str
    sentence: str
    source: str
    contrast: Mapping[str, float]
    margin: float = 0.0
    rule: str = ABOVE
    worlds: tuple[str, ...] = BOTH
    change: str = ""

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs that it needs, in the order of its contrast."""
        return tuple(dict.fromkeys(term.partition(": ")[0] for term in self.contrast))


def more(larger: str, smaller: str, measure: str) -> dict[str, float]:
    """`measure` of one run minus that of another."""
    return {f"{larger}: {measure}": 1.0, f"{smaller}: {measure}": -1.0}


LBG, CANU, LF2 = "Learn by Guessing", "CANU-ReID", "LF2, slides"
STEPS = {"guess selected: map.last": 1.0, "guess raw: map.last": -2.0, "guess raw: map.first": 1.0}
MMT_PLAIN, SSG_PLAIN = more("canu mmt", "adv mmt", "map.last"), more("canu ssg", "adv ssg", "map.last")
MU = "a longer run: collapse adds up over rounds"
HALVES = "taller pictures: at 64 x 32 the map of a half has two rows, and says little that the whole does not"
WEAK = (
    "longer runs, or a larger mu: here the judges win, round after round, since mu times their gradient moves features too "
    "little in so few batches; C-11c and C-18c turn mu up"
)
FEW = "labels that are right more often before the first step, as a network trained on photographs gives"
RADIUS = (
    "a world in which k = N / 15 is far from the number of people (here it is 80 for 100), or a radius picked at every step "
    "(lesson 10 does so): picked once, it joins strangers as soon as features tighten"
)
PORTION = (
    "radii at which raw and normalised features keep equally many images; the rule of 3.3.2 picks one for each, and k-means, "
    "which keeps nearly all, shows the claim (lesson 10)"
)

CLAIMS: tuple[Claim, ...] = (
    Claim("C-03", "adaptation beats direct transfer", "UDAP, README", more("baseline", "direct", "map.last"), POINT, worlds=ALL),
    Claim(
        "C-05", "three views of the body help over one", "SSG, README", more("ssg", "ssg whole", "map.last"), POINT, change=HALVES
    ),
    Claim("C-07", "mutual soft labels beat a hard baseline", "MMT", more("mmt", "baseline", "map.last"), POINT),
    Claim("C-11a", "CANU improves MMT", f"{CANU}, Tables I-II", more("canu mmt", "mmt", "map.last"), worlds=ALL, change=WEAK),
    Claim("C-11b", "CANU improves SSG", f"{CANU}, Tables I-II", more("canu ssg", "ssg", "map.last"), worlds=ALL, change=WEAK),
    Claim("C-11c", "CANU improves MMT when mu is turned up to 1.8", "ours, with C-16", more("canu mmt 1.8", "mmt", "map.last")),
    Claim(
        "C-13a",
        "a plain adversary improves MMT",
        f"{CANU}, Table IV",
        more("adv mmt", "mmt", "map.last"),
        worlds=ALL,
        change=WEAK,
    ),
    Claim(
        "C-13b",
        "a plain adversary improves SSG",
        f"{CANU}, Table IV",
        more("adv ssg", "ssg", "map.last"),
        worlds=ALL,
        change=WEAK,
    ),
    Claim("C-14a", "a conditional adversary beats a plain one, on MMT", f"{CANU}, Table IV", MMT_PLAIN),
    Claim("C-14b", "a conditional adversary beats a plain one, on SSG", f"{CANU}, Table IV", SSG_PLAIN),
    Claim(
        "C-14c",
        "where identity and camera depend on each other, the conditional adversary keeps more of the identity, on MMT",
        f"{CANU}, IV, equations 6 and 7",
        more("canu mmt", "adv mmt", "identity.last"),
        worlds=DEPENDENT,
        change="a steeper visiting graph (world dial `dependence`)",
    ),
    Claim(
        "C-14d",
        "where identity and camera depend on each other, the conditional adversary keeps more of the identity, on SSG",
        f"{CANU}, IV, equations 6 and 7",
        more("canu ssg", "adv ssg", "identity.last"),
        worlds=DEPENDENT,
        change="a steeper visiting graph (world dial `dependence`)",
    ),
    Claim("C-16a", "mu = 1.8 destroys SSG", f"{CANU}, Table III", more("ssg", "canu ssg 1.8", "map.last"), 5 * POINT, change=MU),
    Claim(
        "C-16b",
        "mu = 1.8 leaves MMT within two points of mu = 0.1",
        f"{CANU}, Table III",
        more("canu mmt", "canu mmt 1.8", "map.last"),
        2 * POINT,
        WITHIN,
        change="longer runs with mu = 0.1, whose adversary does hardly anything here; 1.8 helps",
    ),
    Claim(
        "C-17",
        "the dependence of labels on cameras falls with rounds, for plain MMT too (chance taken off)",
        f"{CANU}, Fig. 3",
        {"mmt: excess.first": 1.0, "mmt: excess.last": -1.0},
        worlds=ALL,
    ),
    Claim(
        "C-18a",
        "+Adv lowers it below plain MMT",
        f"{CANU}, Fig. 3",
        more("mmt", "adv mmt", "excess.last"),
        worlds=ALL,
        change=WEAK,
    ),
    Claim(
        "C-18b",
        "CANU lowers it below plain MMT",
        f"{CANU}, Fig. 3",
        more("mmt", "canu mmt", "excess.last"),
        worlds=ALL,
        change=WEAK,
    ),
    Claim("C-18c", "CANU with mu = 1.8 lowers it below plain MMT", "ours, with C-16", more("mmt", "canu mmt 1.8", "excess.last")),
    Claim(
        "C-19",
        "+Adv lowers it more than CANU",
        f"{CANU}, Fig. 3",
        more("canu mmt", "adv mmt", "excess.last"),
        worlds=ALL,
        change=WEAK,
    ),
    Claim(
        "C-20",
        "CANU-MMT stays above the line of the true identities (chance taken off)",
        f"{CANU}, Fig. 3",
        {"canu mmt: excess.last": 1.0, "facts: excess": -1.0},
        worlds=ALL,
    ),
    Claim("C-21a", "the same for SSG: +Adv below plain", f"{CANU}, Fig. 5", more("ssg", "adv ssg", "excess.last"), worlds=ALL),
    Claim("C-21b", "the same for SSG: CANU below plain", f"{CANU}, Fig. 5", more("ssg", "canu ssg", "excess.last"), worlds=ALL),
    Claim("C-22a", "fewer identities are lost over rounds", f"{CANU}, Fig. 4", {"mmt: lost.first": 1.0, "mmt: lost.last": -1.0}),
    Claim("C-22b", "+Adv loses fewer identities than MMT", f"{CANU}, Fig. 4", more("mmt", "adv mmt", "lost.last")),
    Claim("C-22c", "CANU loses fewer identities than MMT", f"{CANU}, Fig. 4", more("mmt", "canu mmt", "lost.last")),
    Claim(
        "C-25",
        "one step of raw pseudo-labels already helps",
        f"{LBG}, Table 3",
        {"guess raw: map.first": 1.0, "direct: map.last": -1.0},
        POINT,
        change=FEW,
    ),
    Claim(
        "C-26",
        "more steps on raw clusters change little (two points at most)",
        f"{LBG}, Table 3",
        {"guess raw: map.last": 1.0, "guess raw: map.first": -1.0},
        2 * POINT,
        WITHIN,
        change="training a step for as long as the paper does: here a first step is too short to have converged",
    ),
    Claim("C-27", "selection adds more than progressive steps alone", f"{LBG}, Table 3", STEPS),
    Claim(
        "C-28",
        "camera normalisation adds on top of selection",
        f"{LBG}, Table 3",
        more("guess", "guess selected", "map.last"),
        POINT,
    ),
    Claim(
        "C-29",
        "camera normalisation needs fewer progressive steps",
        f"{LBG}, Fig. 2",
        more("guess selected", "guess", "map.peak"),
        change="more steps than this size runs: a score that still rises peaks at the last one",
    ),
    Claim(
        "C-30",
        "camera normalisation lets selection keep more images at the first step",
        f"{LBG}, 4.4",
        more("guess", "guess selected", "portion.first"),
        change=PORTION,
    ),
    Claim("C-31a", "DBSCAN beats k-means", f"{LBG}, Table 4", more("guess", "guess k-means", "map.last"), change=RADIUS),
    Claim("C-31b", "though DBSCAN keeps fewer images", f"{LBG}, Table 4", more("guess k-means", "guess", "portion.last")),
    Claim("C-33a", "re-ranking raises mAP", f"{LBG}, Table 2", {"guess: reranked_map": 1.0, "guess: map.last": -1.0}, POINT),
    Claim(
        "C-33b",
        "re-ranking raises mAP more than rank-1",
        f"{LBG}, Table 2",
        {"guess: reranked_map": 1.0, "guess: map.last": -1.0, "guess: reranked_rank1": -1.0, "guess: rank1.last": 1.0},
    ),
    Claim(
        "C-34",
        "without normalisation the first labels depend on the camera more (kept clusters, chance taken off)",
        f"{LBG}, 4.4",
        more("guess selected", "guess", "excess.first"),
        change=PORTION,
    ),
    Claim(
        "C-35",
        "clustering the halves too helps",
        f"{LF2}, components",
        more("lf2 parts", "lf2 global", "map.last"),
        POINT,
        change=HALVES,
    ),
    Claim("C-36a", "fused features cluster better than local ones", f"{LF2}, components", more("lf2", "lf2 parts", "map.last")),
    Claim(
        "C-36b",
        "the fused upper half ranks better than the upper half alone",
        "Learning Feature Fusion, the idea of its section on fusion",
        {"lf2: fused_upper": 1.0, "lf2: alone_upper": -1.0},
    ),
    Claim(
        "C-36c",
        "the fused lower half ranks better than the lower half alone",
        "Learning Feature Fusion, the idea of its section on fusion",
        {"lf2: fused_lower": 1.0, "lf2: alone_lower": -1.0},
    ),
    Claim(
        "C-36d",
        "whole and halves together rank better than the whole alone",
        f"{LF2}, test features",
        {"lf2: map.last": 1.0, "lf2: alone_whole": -1.0},
        change=HALVES,
    ),
    Claim("C-41a", "the camera is the obstacle: normalisation improves", LBG, more("guess", "guess selected", "map.last")),
    Claim("C-41b", "the camera is the obstacle: an adversary improves", CANU, more("canu mmt", "mmt", "map.last")),
)

NOT_ASKED = {
    "C-01": "supervised tricks of the baseline: lesson 03",
    "C-02": "IBN-a needs the large backbone",
    "C-04": "the number of GPUs: lesson 12 turns the batch-norm group",
    "C-06": "SSG++ uses labels",
    "C-08": "IBN-a needs the large backbone",
    "C-09": "the number of clusters: a sweep of lesson 12",
    "C-10": "compares data sets of photographs",
    "C-12": "compares data sets of photographs",
    "C-15": "a sweep over mu: lesson 13; C-16 has its ends",
    "C-23": "counts of one or two identities",
    "C-24": "a picture: the camera-pair map of lesson 13",
    "C-32": "compares data sets of photographs",
    "C-37": "compares data sets of photographs",
    "C-38": "a table of other papers' numbers",
    "C-39": "as C-33",
    "C-40": "no number in the sources",
}
"""Claims of the reference's table that are not decided here, and why."""


def claims_named(ids: tuple[str, ...]) -> tuple[Claim, ...]:
    """Claims by number; none means all."""
    known = {claim.id: claim for claim in CLAIMS}
    for name in ids:
        if name not in known:
            raise BenchError(f"No claim {name!r}.", rule="Claims have numbers like C-29.", action=nearest_name(name, known))
    return tuple(known[name] for name in ids) or CLAIMS
