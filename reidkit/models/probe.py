"""Which form of a network is fastest here and still exact enough: tried on a few images, and said."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from reidkit.models.forms import Embed, has_compiler, in_form, module_of

logger = logging.getLogger(__name__)

COSINE = 0.9999  # the least that each part of each feature may agree with float32
ALIKE = 0.99  # below this a form that was asked for computes something else
PROBED, FEW, TURNS = 16, 2, 3  # images that are timed, images that warm up, times that each form is timed
SHORT = 5.0  # seconds below which a search for something faster does not pay
HOPELESS = 3.0  # a form this much slower on a few images is dropped at once (bf16 where the CPU has no units for it)
FASTER = 1.15  # what a form must gain, so that noise does not choose it
COMPILING, COMPILED_GAIN = 20.0, 0.2  # expected seconds that compiling takes, and the share of time that it saves


@dataclass(frozen=True, eq=False)
class Choice:
    """What a probe decided.

    Attributes:
        form: one of `reidkit.models.forms.FORMS`, to be asked for by name when the same features are wanted again.
        embed: the network in that form.
        reason: why, in words.
        seconds: form -> seconds an image, of the forms that were timed.
    """

    form: str
    embed: Embed
    reason: str
    seconds: dict[str, float] = field(default_factory=dict)


@torch.no_grad()
def fastest_form(embed: Embed, images: Float[Tensor, "b 3 h w"], count: int, *, batch: int, parts: int = 1) -> Choice:
    """The form in which `embed` makes the features of `count` images soonest, compiling included.

    A form counts only if each part of each feature has a cosine of 0.9999 or more with that of the plain network, and if it
    is 15 % faster. Timing chooses, so two runs may choose differently where forms are about equal: the choice is logged, and
    asking for its name repeats it.

    Args:
        embed: a module in evaluation mode, or a bound method of one.
        images: some of them, on the network's device; up to 16 are used.
        count: how many there are in all.
        batch: images in a batch (compiled code is made for that size).
        parts: equal parts of a feature that are compared one by one.
    """
    images = images[:PROBED]
    seconds = {"float32": _seconds(embed, images)}
    whole = count * seconds["float32"]
    if module_of(embed) is None or whole < SHORT:
        why = "the network cannot be seen" if module_of(embed) is None else f"{count} images take {whole:.1f} s"
        return _said(Choice("float32", embed, why, seconds))
    exact = embed(images).float()
    usable = {"float32": embed}
    for form in ("float32-folded", "bf16-folded"):
        tried = _tried(embed, form, images, exact, parts, HOPELESS * _seconds(embed, images[:FEW]))
        usable |= {form: tried} if tried is not None else {}
    seconds = {form: min(seconds.get(form, np.inf), _seconds(one, images)) for form, one in usable.items()}
    best = min(usable, key=lambda form: seconds[form])
    if seconds["float32"] < FASTER * seconds[best]:
        return _said(Choice("float32", embed, "no other form is exact and faster", seconds))
    chosen = Choice(best, usable[best], _gain(seconds, best), seconds)
    if count * seconds[best] * COMPILED_GAIN < COMPILING or not has_compiler():
        return _said(chosen)
    return _said(_compiled(embed, chosen, images.repeat(-(-batch // len(images)), 1, 1, 1)[:batch], exact, parts))


def named_form(embed: Embed, form: str, images: Float[Tensor, "b 3 h w"], parts: int = 1) -> Choice:
    """The form of that name; a warning says where its features are not those of float32 (some CPUs' bf16 on tiny maps)."""
    made = in_form(embed, form, images[:FEW])
    if form != "float32":
        seen = images if form.endswith("compiled") else images[:FEW]  # compiled code is made for batches of one size
        cosine = _least_cosine(made(seen)[:FEW].float(), embed(images[:FEW]).float(), parts)
        if not cosine >= ALIKE:
            logger.warning("%s gives other features than float32 here: cosine %.4f. Use 'float32' or 'auto'.", form, cosine)
    return Choice(form, made, "it was asked for")


def _compiled(embed: Embed, chosen: Choice, images: Tensor, exact: Tensor, parts: int) -> Choice:
    """The compiled form where it works, agrees and is faster on a whole batch than what was chosen; else that."""
    form = chosen.form.replace("folded", "compiled")
    tried = _tried(embed, form, images, exact, parts, np.inf)
    if tried is None:
        return chosen
    seconds = chosen.seconds | {chosen.form: _seconds(chosen.embed, images), form: _seconds(tried, images)}
    return Choice(form, tried, _gain(seconds, form), seconds) if seconds[form] < seconds[chosen.form] else chosen


def _tried(embed: Embed, form: str, images: Tensor, exact: Tensor, parts: int, limit: float) -> Embed | None:
    """`embed` in a form; None if the form fails on this network, is slower than `limit` s an image, or not exact enough."""
    try:
        made = in_form(embed, form, images[:FEW])
        if np.isfinite(limit) and _seconds(made, images[:FEW], 1) > limit:
            logger.info("probe: %s is far slower here", form)
            return None
        found = made(images)[: len(exact)].float()
    except (RuntimeError, TypeError, ValueError, NotImplementedError, AttributeError) as error:
        logger.info("probe: %s does not work with this network: %s", form, str(error).partition("\n")[0])
        return None
    cosine = _least_cosine(found, exact, parts)
    if not cosine >= COSINE:
        logger.info("probe: %s is not exact enough: cosine %.6f to float32", form, cosine)
        return None
    return made


def _seconds(embed: Embed, images: Tensor, turns: int = TURNS) -> float:
    """Seconds an image: the fastest of some turns, after one on a few images that does not count."""
    embed(images if turns == 1 else images[:FEW])
    taken = []
    for _ in range(turns):
        started = time.perf_counter()
        embed(images).sum().item()
        taken.append(time.perf_counter() - started)
    return min(taken) / len(images)


def _least_cosine(found: Tensor, exact: Tensor, parts: int) -> float:
    """Smallest cosine of corresponding parts of rows; NaN where a row is not finite."""
    left, right = (rows.reshape(len(rows), parts, -1).double() for rows in (found, exact))
    return float(torch.cosine_similarity(left, right, dim=2).min())


def _gain(seconds: dict[str, float], form: str) -> str:
    return f"{seconds['float32'] / seconds[form]:.1f} times the images a second of float32"


def _said(choice: Choice) -> Choice:
    logger.info("probe: %s (%s)", choice.form, choice.reason)
    return choice
