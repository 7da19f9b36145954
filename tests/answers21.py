"""Answers to the exercises of lesson 21, written in other ways than the library's, and wrong ones that people give."""

import math

import numpy as np
import pandas as pd
from scipy.optimize import brentq

# --------------------------------------------------------------------------------------- 21-warmup: rows of a manifest


def rows_by_pandas(paths, identities, splits):
    frame = pd.DataFrame({"path": paths, "who": identities, "train": [split == "train" for split in splits]})
    both = frame.groupby("who")["train"].transform("nunique") == 2
    return np.flatnonzero(frame["path"].duplicated(keep=False) | (frame["who"] == "") | both)


def rows_by_loop(paths, identities, splits):
    found = set()
    for i in range(len(paths)):
        if identities[i] == "":
            found.add(i)
        for j in range(i):
            leak = identities[i] == identities[j] and (splits[i] == "train") != (splits[j] == "train")
            if paths[i] == paths[j] or leak:
                found |= {i, j}
    return sorted(found)


def rows_of_copies_only(paths, identities, splits):
    return [i for i, path in enumerate(paths) if paths.count(path) > 1]


def rows_as_mask(paths, identities, splits):
    found = rows_by_loop(paths, identities, splits)
    return [i in found for i in range(len(paths))]


def rows_without_train_of_a_leak(paths, identities, splits):
    learnt = {name for name, split in zip(identities, splits) if split == "train"}
    rows = enumerate(zip(paths, identities, splits))
    return [i for i, (p, n, s) in rows if paths.count(p) > 1 or not n or (s != "train" and n in learnt)]


# ------------------------------------------------------------------------------------------- 21-core: error rates


def rates_by_loop(distance, same_identity, same_camera, threshold):
    strangers, mates, matched, missed = 0, 0, 0, 0
    for d, identity, camera in zip(distance, same_identity, same_camera):
        if camera:
            continue
        if identity:
            mates += 1
            missed += d > threshold
        else:
            strangers += 1
            matched += d <= threshold
    return matched / strangers if strangers else math.nan, missed / mates if mates else math.nan


def rates_by_pandas(distance, same_identity, same_camera, threshold):
    kept = pd.DataFrame({"same": same_identity, "called": distance <= threshold})[~same_camera]
    called = kept.groupby("same")["called"].mean()
    return [called.get(False, np.nan), 1 - called.get(True, np.nan)]


def rates_of_decisions(distance, same_identity, same_camera, threshold):
    called, across = distance <= threshold, ~same_camera
    kept, dropped = same_identity[called & across], same_identity[~called & across]
    return (~kept).mean() if len(kept) else math.nan, dropped.mean() if len(dropped) else math.nan


def rates_with_one_camera(distance, same_identity, same_camera, threshold):
    return rates_by_loop(distance, same_identity, np.zeros_like(same_camera), threshold)


def rates_zero_for_none(distance, same_identity, same_camera, threshold):
    return tuple(0.0 if math.isnan(rate) else rate for rate in rates_by_loop(distance, same_identity, same_camera, threshold))


def rates_of_similarity(distance, same_identity, same_camera, threshold):
    return rates_by_loop(-distance, same_identity, same_camera, -threshold)


# --------------------------------------------------------------------------------------------- 21-stretch: an interval


def interval_by_roots(right, judged, z):
    if not judged:
        return 0, 1
    share = right / judged
    a, b, c = 1 + z**2 / judged, -(2 * share + z**2 / judged), share**2
    roots = np.sort(np.roots([a, b, c]).real)
    return float(roots[0]), float(roots[1])


def interval_by_search(right, judged, z):
    if judged == 0:
        return [0.0, 1.0]
    share = right / judged

    def off(p):
        return (share - p) ** 2 - z**2 * p * (1 - p) / judged

    low = 0.0 if right == 0 else brentq(off, 0.0, share - 1e-9, xtol=1e-13)
    return [low, 1.0 if right == judged else brentq(off, share + 1e-9, 1.0, xtol=1e-13)]


def interval_normal(right, judged, z):
    share = right / judged if judged else 0.5
    reach = z * math.sqrt(share * (1 - share) / max(judged, 1))
    return share - reach, share + reach


def interval_without_the_square(right, judged, z):
    if not judged:
        return 0.0, 1.0
    share, grown = right / judged, 1 + z**2 / judged
    reach = z * math.sqrt(share * (1 - share) / judged) / grown
    return (share + z**2 / (2 * judged)) / grown - reach, (share + z**2 / (2 * judged)) / grown + reach


def interval_of_two_more(right, judged, z):
    return interval_normal(right + 2, judged + 4, z)


RIGHT = {
    "21-warmup": (rows_by_pandas, rows_by_loop),
    "21-core": (rates_by_loop, rates_by_pandas),
    "21-stretch": (interval_by_roots, interval_by_search),
}
WRONG = {
    "21-warmup": (rows_of_copies_only, rows_as_mask, rows_without_train_of_a_leak),
    "21-core": (rates_of_decisions, rates_with_one_camera, rates_zero_for_none, rates_of_similarity),
    "21-stretch": (interval_normal, interval_without_the_square, interval_of_two_more),
}
