"""Who decided each published setting, and where it is written: ``"paper: ..."``, ``"code: ..."`` or ``"ours: ..."``.

The settings are the network (``backbone``) and the fields of `reidkit.training.Schedule` in `SETTINGS`; the rest of a
schedule says how a run is judged and stored, which no paper decides.
"""

from __future__ import annotations

SETTINGS = (
    "backbone",
    "size",
    "epochs",
    "steps",
    "passes",
    "identities",
    "instances",
    "optimiser",
    "learning_rate",
    "weight_decay",
    "warmup_epochs",
    "warmup_factor",
    "milestones",
    "decay",
    "renew_optimiser",
)

NO_WARMUP, NO_STEPS = ("warmup_epochs", "warmup_factor"), ("milestones", "decay")
CONSTANT = dict.fromkeys((*NO_WARMUP, *NO_STEPS), "code: {}, a constant rate")


def _said(place: str, **others: str) -> dict[str, str]:
    """Every setting from one place, others from elsewhere."""
    return dict.fromkeys(SETTINGS, place) | others


def _constant(place: str) -> dict[str, str]:
    return {name: text.format(place) for name, text in CONSTANT.items()}


_MMT_PLACE = "yxgeee/MMT examples/mmt_train_*.py, scripts/*.sh"
_SELF = "selftraining.py"
_LF2_PLACE = "DJEddyking/LF2 target_train.py"

BOT = _said(
    "code: michuanhaohao/reid-strong-baseline configs/softmax_triplet_with_center.yml",
    renew_optimiser="code: michuanhaohao/reid-strong-baseline, one optimiser for the run",
)
UDAP = _said(f"code: LcDog/DomainAdaptiveReID {_SELF}", **_constant(f"LcDog/DomainAdaptiveReID {_SELF}"))
SSG = _said(f"code: OasisYang/SSG {_SELF}, run.sh", **_constant(f"OasisYang/SSG {_SELF}"))
MMT = _said(f"code: {_MMT_PLACE}", **_constant(_MMT_PLACE))
MMT_DBSCAN = MMT | {"backbone": "paper: CANU-ReID, Table I, the row that printed MMT with DBSCAN"}
GUESSING = _said(
    "ours: not printed, BoT's value",
    backbone="paper: 3.1",
    size="ours: not printed, as the compared methods",
    epochs="ours: 5 steps of 3.6.1's 90 and 3.6.2's 20 epochs; the paper stops by test score",
    optimiser="paper: 3.6.1",
    warmup_epochs="paper: 3.6.1, the warm-up of BoT",
    warmup_factor="paper: 3.6.1, the warm-up of BoT",
)
CANU_SSG = SSG | {
    "backbone": "paper: V-A",
    "optimiser": "paper: V-A",
    "learning_rate": "paper: V-A",
    "epochs": "ours: not printed, SSG's 30 rounds",
    "passes": "ours: V-A can be read as one pass; SSG's 70",
}
CANU_MMT = MMT | {
    "backbone": "paper: V-A",
    "optimiser": "paper: V-A",
    "learning_rate": "paper: V-A",
    "epochs": "paper: V-A",
    "steps": "code: yihongXU/CANUREID_ICPR2020Oral README",
}
LF2 = _said(f"code: {_LF2_PLACE}", **_constant(_LF2_PLACE))
