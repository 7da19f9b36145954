"""Answers to the exercises of lesson 22: two right ones each, written differently, and three plausible wrong ones."""

import math

import numpy as np

# ------------------------------------------------------------------------------------------------- 22-warmup: exponent


def exponent_by_polyfit(sizes, costs):
    return np.polyfit(np.log10(sizes), np.log10(costs), 1)[0]


def exponent_by_equations(sizes, costs):
    design = np.stack([np.ones(len(sizes)), np.log(sizes)], axis=1)
    return np.linalg.lstsq(design, np.log(costs), rcond=None)[0][1].item()


def exponent_of_plain_line(sizes, costs):
    return np.polyfit(sizes, costs, 1)[0]


def exponent_from_the_ends(sizes, costs):
    return math.log(costs[-1] / costs[0]) / math.log(sizes[-1] / sizes[0])


def exponent_upside_down(sizes, costs):
    return np.polyfit(np.log(costs) + 1e-9 * np.arange(len(costs)), np.log(sizes), 1)[0]


# ------------------------------------------------------------------------------------------- 22-core: reciprocal recall


def recall_by_matrix(exact, found):
    def mutual(lists):
        square = np.zeros((len(lists), len(lists)), bool)
        for i, row in enumerate(lists):
            square[i, row[row >= 0]] = True
        return square & square.T

    wanted = mutual(exact)
    return float((wanted & mutual(found)).sum() / wanted.sum()) if wanted.any() else np.nan


def recall_by_loop(exact, found):
    kept = total = 0
    for i in range(len(exact)):
        for j in exact[i].tolist():
            if i in exact[j]:
                total += 1
                kept += j in found[i] and i in found[j]
    return kept / total if total else math.nan


def recall_of_lists(exact, found):
    return np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(exact.tolist(), found.tolist())])


def recall_squared(exact, found):
    return recall_of_lists(exact, found) ** 2


def recall_zero_for_none(exact, found):
    value = recall_by_loop(exact, found)
    return 0.0 if math.isnan(value) else value


# ---------------------------------------------------------------------------------------------- 22-stretch: certificate


def proven_by_counting(exact, last, margin, k):
    return (exact > (last + margin)[:, None]).sum(axis=1) >= k


def proven_by_loop(exact, last, margin, k):
    return [sorted(row, reverse=True)[k - 1] > bound + error for row, bound, error in zip(exact.tolist(), last, margin)]


def proven_with_half_margin(exact, last, margin, k):
    return np.sort(exact, axis=1)[:, -k] > last + margin / 2


def proven_by_the_worst(exact, last, margin, k):
    return exact.min(axis=1) > last + margin


def proven_with_ties(exact, last, margin, k):
    return np.sort(exact, axis=1)[:, -k] >= last + margin


RIGHT = {
    "22-warmup": (exponent_by_polyfit, exponent_by_equations),
    "22-core": (recall_by_matrix, recall_by_loop),
    "22-stretch": (proven_by_counting, proven_by_loop),
}
WRONG = {
    "22-warmup": (exponent_of_plain_line, exponent_from_the_ends, exponent_upside_down),
    "22-core": (recall_of_lists, recall_squared, recall_zero_for_none),
    "22-stretch": (proven_with_half_margin, proven_by_the_worst, proven_with_ties),
}
