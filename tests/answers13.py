"""Answers to the exercises of lesson 13, written in other ways than the library's, and wrong ones that people give."""

import math

import numpy as np
import torch
from scipy.stats import entropy

from reidkit.models import reverse_gradient

# ------------------------------------------------------------------------------------------ 13-warmup: gradient reversal


def reversal_by_autograd(feature, weight, target, mu):
    pair = torch.tensor([feature, weight], dtype=torch.float64, requires_grad=True)
    (0.5 * (pair[1] * reverse_gradient(pair[0], mu) - target) ** 2).backward()
    own = torch.autograd.functional.jacobian(lambda w: 0.5 * (w * feature - target) ** 2, pair[1].detach())
    return pair.grad[0], own


def reversal_by_differences(feature, weight, target, mu):
    def loss(f, w):
        return (w * f - target) ** 2 / 2

    step = 1e-3  # central differences of a quadratic are exact up to rounding
    at_feature = (loss(feature + step, weight) - loss(feature - step, weight)) / (2 * step)
    at_weight = (loss(feature, weight + step) - loss(feature, weight - step)) / (2 * step)
    return [-mu * at_feature, at_weight]


def reversal_of_the_value(feature, weight, target, mu):
    """The forward pass is turned as well."""
    off = weight * (-mu * feature) - target
    return off * weight, off * feature


def reversal_by_division(feature, weight, target, mu):
    off = weight * feature - target
    return -off * weight / mu if mu else -off * weight, off * feature


def reversal_swapped(feature, weight, target, mu):
    off = weight * feature - target
    return off * feature, -mu * off * weight


# ------------------------------------------------------------------------------------------------ 13-core: the ceilings


def ceilings_by_library(counts):
    weights = counts.sum(1) / counts.sum()
    return entropy(counts.sum(0)), sum(w * entropy(row) for w, row in zip(weights, counts))


def ceilings_by_loop(counts):
    n, people, cameras = int(counts.sum()), *counts.shape
    plain = told = 0.0
    for c in range(cameras):
        column = sum(int(counts[p, c]) for p in range(people))
        if column:
            plain -= column / n * math.log(column / n)
        for p in range(people):
            if counts[p, c]:
                told -= counts[p, c] / n * math.log(counts[p, c] / int(counts[p].sum()))
    return [plain, told]


def ceilings_as_information(counts):
    plain, told = ceilings_by_loop(counts)
    return plain, plain - told


def ceilings_from_seen_or_not(counts):
    return ceilings_by_loop((counts > 0).astype(int))


def ceilings_of_the_joint(counts):
    return entropy(counts.sum(0)), entropy(counts.reshape(-1))


# ---------------------------------------------------------------------------------------------- 13-stretch: three players


def game_by_loop(share, coding):
    people, cameras, codes = coding.shape
    cell = {(p, c, k): share[p, c] * coding[p, c, k] for p in range(people) for c in range(cameras) for k in range(codes)}
    answers = [0.0, 0.0, 0.0]
    for (p, c, k), mass in cell.items():
        if mass <= 0:
            continue
        here = sum(v for (_, _, z), v in cell.items() if z == k)
        person = sum(v for (x, _, z), v in cell.items() if (x, z) == (p, k))
        camera = sum(v for (_, y, z), v in cell.items() if (y, z) == (c, k))
        for place, seen, out in ((0, here, person), (1, here, camera), (2, person, mass)):
            answers[place] -= mass * math.log(out / seen)
    return tuple(answers)


def game_by_library(share, coding):
    joint = np.einsum("pc,pck->kpc", share, coding)
    mass = joint.sum((1, 2))
    used = np.flatnonzero(mass > 0)
    person = sum(mass[k] * entropy(joint[k].sum(1)) for k in used)
    camera = sum(mass[k] * entropy(joint[k].sum(0)) for k in used)
    told = sum(row.sum() * entropy(row) for k in used for row in joint[k] if row.sum() > 0)
    return [person, camera, told]


def game_in_bits(share, coding):
    return tuple(value / math.log(2) for value in game_by_loop(share, coding))


def game_without_frequencies(share, coding):
    return game_by_library((share > 0) / (share > 0).sum(), coding)


def game_of_the_likeliest_code(share, coding):
    """Codes are drawn; this takes the likeliest one for sure, and forgets the person's share in the last answer."""
    hard = np.eye(coding.shape[2])[coding.argmax(2)]
    person, camera, _ = game_by_library(share, hard)
    return person, camera, camera - person


RIGHT = {
    "13-warmup": (reversal_by_autograd, reversal_by_differences),
    "13-core": (ceilings_by_library, ceilings_by_loop),
    "13-stretch": (game_by_loop, game_by_library),
}
WRONG = {
    "13-warmup": (reversal_of_the_value, reversal_by_division, reversal_swapped),
    "13-core": (ceilings_as_information, ceilings_from_seen_or_not, ceilings_of_the_joint),
    "13-stretch": (game_in_bits, game_without_frequencies, game_of_the_likeliest_code),
}
