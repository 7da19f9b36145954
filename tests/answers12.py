"""Answers to the exercises of lesson 12, written in other ways than the library's, and wrong ones that people give."""

import math

import numpy as np
import torch
from scipy.special import log_softmax, softmax
from torch import nn

# ---------------------------------------------------------------------------------------------- 12-warmup: ramped average


def average_by_weights(start, students, momentum):
    alphas = np.minimum(1 - 1 / np.arange(1, len(students) + 1), momentum)
    values = np.r_[start, students]
    weights = np.r_[1.0, 1 - alphas]
    return [sum(values[i] * weights[i] * np.prod(alphas[i : s + 1]) for i in range(s + 2)) for s in range(len(students))]


def average_by_difference(start, students, momentum):
    teacher, out = torch.tensor(start, dtype=torch.float64), []
    for step in range(1, len(students) + 1):
        teacher = teacher.lerp(torch.tensor(students[step - 1], dtype=torch.float64), max(1 / step, 1 - momentum))
        out.append(teacher.item())
    return np.array(out)


def average_with_larger_alpha(start, students, momentum):
    teacher, out = start, []
    for step, student in enumerate(students):
        alpha = max(1 - 1 / (step + 1), momentum)
        teacher = alpha * teacher + (1 - alpha) * student
        out.append(teacher)
    return np.array(out)


def average_last_only(start, students, momentum):
    return average_by_difference(start, students, momentum)[-1]


def average_begins_with_start(start, students, momentum):
    return np.r_[start, average_by_difference(start, students, momentum)[:-1]]


# ------------------------------------------------------------------------------------------------- 12-core: groups


def groups_by_torch(features, size, epsilon):
    norm = nn.BatchNorm1d(features.shape[1], eps=epsilon, affine=False, dtype=torch.float64).train()
    return torch.cat([norm(group) for group in torch.from_numpy(features).split(size)]).numpy()


def groups_by_loop(features, size, epsilon):
    answer = [[0.0] * features.shape[1] for _ in range(len(features))]
    for first in range(0, len(features), size):
        rows = range(first, min(first + size, len(features)))
        for column in range(features.shape[1]):
            mean = sum(features[row, column] for row in rows) / len(rows)
            spread = sum((features[row, column] - mean) ** 2 for row in rows) / len(rows)
            for row in rows:
                answer[row][column] = (features[row, column] - mean) / math.sqrt(spread + epsilon)
    return answer


def groups_only_centred(features, size, epsilon):
    return np.concatenate([part - part.mean(0) for part in np.split(features, range(size, len(features), size))])


def groups_epsilon_outside(features, size, epsilon):
    parts = np.split(features, range(size, len(features), size))
    return np.concatenate([(part - part.mean(0)) / (part.std(0) + epsilon) for part in parts])


def groups_drop_the_last(features, size, epsilon):
    whole = len(features) // size * size
    return groups_by_torch(features[:whole], size, epsilon)


# --------------------------------------------------------------------------------------------- 12-stretch: soft triplet


def triplet_by_loop(student, teacher, labels):
    total = 0.0
    for i, label in enumerate(labels):
        positive = max((j for j in range(len(labels)) if labels[j] == label), key=lambda j: student[i, j])
        negative = min((j for j in range(len(labels)) if labels[j] != label), key=lambda j: student[i, j])
        pair = [positive, negative]
        total -= softmax(teacher[i, pair]) @ log_softmax(student[i, pair])
    return total / len(labels)


def triplet_by_sigmoid(student, teacher, labels):
    mine, theirs = torch.from_numpy(student), torch.from_numpy(teacher)
    same = torch.from_numpy(labels[:, None] == labels[None])
    p = mine.masked_fill(~same, -torch.inf).max(1).indices[:, None]
    n = mine.masked_fill(same, torch.inf).min(1).indices[:, None]
    gap = mine.gather(1, n) - mine.gather(1, p)
    target = torch.sigmoid(theirs.gather(1, n) - theirs.gather(1, p))
    return nn.functional.binary_cross_entropy_with_logits(gap, target).item()


def triplet_sums(student, teacher, labels):
    return triplet_by_loop(student, teacher, labels) * len(labels)


def triplet_nearest_positive(student, teacher, labels):
    same, rows = labels[:, None] == labels[None], np.arange(len(labels))
    p = np.where(same & ~np.eye(len(labels), dtype=bool), student, np.inf).argmin(1)
    n = np.where(same, np.inf, student).argmin(1)
    shares = [np.stack([m[rows, p], m[rows, n]], 1) for m in (student, teacher)]
    return -(softmax(shares[1], axis=1) * log_softmax(shares[0], axis=1)).sum(1).mean()


def triplet_of_squares(student, teacher, labels):
    same, rows = labels[:, None] == labels[None], np.arange(len(labels))
    p, n = np.where(same, student, -np.inf).argmax(1), np.where(same, np.inf, student).argmin(1)
    shares = [np.stack([m[rows, p], m[rows, n]], 1) ** 2 for m in (student, teacher)]
    return -(softmax(shares[1], axis=1) * log_softmax(shares[0], axis=1)).sum(1).mean()


RIGHT = {
    "12-warmup": (average_by_weights, average_by_difference),
    "12-core": (groups_by_torch, groups_by_loop),
    "12-stretch": (triplet_by_loop, triplet_by_sigmoid),
}
WRONG = {
    "12-warmup": (average_with_larger_alpha, average_last_only, average_begins_with_start),
    "12-core": (groups_only_centred, groups_epsilon_outside, groups_drop_the_last),
    "12-stretch": (triplet_sums, triplet_nearest_positive, triplet_of_squares),
}
