"""Lesson 12: the ramped average, batch norm in groups, and a soft triplet whose pairs the student chose."""

from __future__ import annotations

import math

import numpy as np

from reidkit.lesson.checks import Case, Exercise, Slip

# ---------------------------------------------------------------------------------------------------------- warm-up


def ramped_average(start: float, students: np.ndarray, momentum: float) -> np.ndarray:
    """The teacher's value after each step.

    In step s = 0, 1, ... the student has moved to `students[s]`, and the teacher becomes
    alpha * teacher + (1 - alpha) * student with alpha = min(1 - 1 / (s + 1), momentum).

    Args:
        start: the teacher's value before the first step.
        students: (S,).
        momentum: the largest alpha, in [0, 1].
    """
    teacher, followed = start, []
    for step, student in enumerate(students):
        alpha = min(1.0 - 1.0 / (step + 1), momentum)
        teacher = alpha * teacher + (1.0 - alpha) * student
        followed.append(teacher)
    return np.array(followed, np.float64)


def _average_cases() -> list[Case]:
    rows: list[tuple[str, float, list[float], float]] = [
        ("The first step takes the student as it is.", 100.0, [1.0], 0.999),
        ("Then the teacher is the mean of all students so far.", 100.0, [1.0, 2.0, 3.0, 6.0], 0.999),
        ("A small momentum ends the ramp early.", 0.0, [1.0, 2.0, 3.0, 6.0], 0.5),
        ("Momentum 0: the teacher is the student.", 7.0, [3.0, 1.0, 2.0], 0.0),
        ("A student that stands still.", 9.0, [2.0, 2.0, 2.0], 0.9),
    ]
    draw = np.random.default_rng(1201)
    rows += [(f"Random steps {i}.", float(i), draw.normal(size=12).round(2).tolist(), 0.8) for i in range(3)]
    return [Case(says, {"start": a, "students": np.array(b), "momentum": m}) for says, a, b, m in rows]


def _without_ramp(start: float, students: np.ndarray, momentum: float) -> np.ndarray:
    teacher, followed = start, []
    for student in students:
        teacher = momentum * teacher + (1.0 - momentum) * student
        followed.append(teacher)
    return np.array(followed)


def _counted_from_one(start: float, students: np.ndarray, momentum: float) -> np.ndarray:
    return ramped_average(start, np.r_[start, students], momentum)[1:]


def _roles_swapped(start: float, students: np.ndarray, momentum: float) -> np.ndarray:
    teacher, followed = start, []
    for step, student in enumerate(students):
        alpha = min(1.0 - 1.0 / (step + 1), momentum)
        teacher = (1.0 - alpha) * teacher + alpha * student
        followed.append(teacher)
    return np.array(followed)


def _mean_for_ever(start: float, students: np.ndarray, momentum: float) -> np.ndarray:
    return np.asarray(np.cumsum(students) / np.arange(1, len(students) + 1))


# ------------------------------------------------------------------------------------------------------------- core


def normalise_in_groups(features: np.ndarray, size: int, epsilon: float) -> np.ndarray:
    """Batch norm as `size` images at a time see it: per group and column, minus the mean, over sqrt(variance + epsilon).

    Groups are consecutive rows; the last one has what is left. The variance is the biased one (divided by the group's size).

    Args:
        features: (B, D).
    """
    groups = [features[first : first + size] for first in range(0, len(features), size)]
    return np.concatenate([(group - group.mean(axis=0)) / np.sqrt(group.var(axis=0) + epsilon) for group in groups])


def _group_case(says: str, features: object, size: int, epsilon: float = 1e-5) -> Case:
    return Case(says, {"features": np.array(features, np.float64), "size": size, "epsilon": epsilon})


def _group_cases() -> list[Case]:
    two = [[0.0], [2.0], [10.0], [14.0]]
    cases = [
        _group_case("Two groups of two: 10 is as far below its mean as 0 is.", two, 2),
        _group_case("One group: batch norm as it is known.", two, 4),
        _group_case("Each column has a mean and a deviation of its own.", [[0, 5], [2, 1], [4, 3], [8, 1]], 2),
        _group_case("The last group is smaller.", [[0], [2], [1], [5], [7], [3]], 4),
        _group_case("A column without spread stays finite.", [[1, 0], [1, 2], [3, 1], [5, 1]], 2, 0.01),
    ]
    draw = np.random.default_rng(1202)
    return cases + [_group_case(f"Random features {i}.", draw.normal(size=(8, 3)).round(2), 4, 1e-5) for i in range(3)]


def _whole_batch(features: np.ndarray, size: int, epsilon: float) -> np.ndarray:
    return normalise_in_groups(features, len(features), epsilon)


def _unbiased(features: np.ndarray, size: int, epsilon: float) -> np.ndarray:
    groups = [features[first : first + size] for first in range(0, len(features), size)]
    return np.concatenate([(group - group.mean(axis=0)) / np.sqrt(group.var(axis=0, ddof=1) + epsilon) for group in groups])


def _every_other(features: np.ndarray, size: int, epsilon: float) -> np.ndarray:
    groups, answer = -(-len(features) // size), np.empty_like(features)
    for group in range(groups):
        answer[group::groups] = normalise_in_groups(features[group::groups], len(features), epsilon)
    return answer


def _all_columns_at_once(features: np.ndarray, size: int, epsilon: float) -> np.ndarray:
    groups = [features[first : first + size] for first in range(0, len(features), size)]
    return np.concatenate([(group - group.mean()) / np.sqrt(group.var() + epsilon) for group in groups])


# ---------------------------------------------------------------------------------------------------------- stretch


def soft_triplet(student: np.ndarray, teacher: np.ndarray, labels: np.ndarray) -> float:
    """The soft softmax-triplet loss from distances: the mean over anchors of the cross-entropy of two pairs of shares.

    For each anchor the student chooses the farthest image of its label and the nearest of another. The softmax of these two
    distances is the student's pair of shares; the softmax of the teacher's distances to *the same* two images is the target.

    Args:
        student, teacher: (B, B) distances.
        labels: (B,); every label has two images or more, and there are two labels or more.
    """
    same, rows = labels[:, None] == labels[None], np.arange(len(labels))
    positive = np.where(same, student, -np.inf).argmax(axis=1)
    negative = np.where(same, np.inf, student).argmin(axis=1)
    given, target = (_shares(matrix[rows, positive], matrix[rows, negative]) for matrix in (student, teacher))
    return float(-(target * np.log(given)).sum(axis=1).mean())


def _shares(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """(B, 2): the softmax of two distances."""
    pair = np.stack([positive, negative], axis=1)
    powers = np.exp(pair - pair.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _square(size: int, within: float, across: float, **others: float) -> np.ndarray:
    """(2 size, 2 size) distances of two labels; others as ``d02=1.5`` between rows 0 and 2."""
    label = np.arange(2 * size) // size
    square = np.where(label[:, None] == label[None], within, across) * (1.0 - np.eye(2 * size))
    for name, value in others.items():
        i, j = int(name[1]), int(name[2])
        square[i, j] = square[j, i] = value
    return square


def _triplet_cases() -> list[Case]:
    two, three = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 1])
    near, far = _square(2, 1.0, 3.0, d02=2.0, d13=2.0), _square(2, 1.0, 3.0, d03=2.0, d12=2.0)
    rows = [
        ("Student (1, 2), teacher undecided (1, 1): 0.813262.", _square(2, 1.0, 2.0), _square(2, 1.0, 1.0), two),
        ("Student and teacher agree on (1, 2): their entropy, not 0.", _square(2, 1.0, 2.0), _square(2, 1.0, 2.0), two),
        ("Each finds another negative nearest; the student's counts.", near, far, two),
        ("A teacher who has it the wrong way round.", _square(2, 1.0, 2.0), _square(2, 4.0, 1.0), two),
        ("Three images a label: the farthest positive.", _square(3, 1.0, 4.0, d02=3.0), _square(3, 1.0, 2.0, d01=5.0), three),
    ]
    draw = np.random.default_rng(1203)
    for i in range(4):
        both = draw.uniform(0.5, 3.0, (2, 6, 6)).round(2)
        both = np.triu(both, 1) + np.triu(both, 1).transpose(0, 2, 1)
        rows.append((f"Random distances {i}.", both[0], both[1], three))
    return [Case(says, {"student": a, "teacher": b, "labels": c}) for says, a, b, c in rows]


def _teacher_chooses(student: np.ndarray, teacher: np.ndarray, labels: np.ndarray) -> float:
    same, rows = labels[:, None] == labels[None], np.arange(len(labels))
    pairs = [_shares(m[rows, np.where(same, m, -np.inf).argmax(1)], np.where(same, np.inf, m).min(1)) for m in (student, teacher)]
    return float(-(pairs[1] * np.log(pairs[0])).sum(axis=1).mean())


def _hard_target(student: np.ndarray, teacher: np.ndarray, labels: np.ndarray) -> float:
    same = labels[:, None] == labels[None]
    gap = np.where(same, student, -np.inf).max(1) - np.where(same, np.inf, student).min(1)
    return float(np.mean([math.log1p(math.exp(each)) for each in gap]))


def _roles_reversed(student: np.ndarray, teacher: np.ndarray, labels: np.ndarray) -> float:
    same, rows = labels[:, None] == labels[None], np.arange(len(labels))
    positive, negative = np.where(same, student, -np.inf).argmax(1), np.where(same, np.inf, student).argmin(1)
    given, target = (_shares(matrix[rows, positive], matrix[rows, negative]) for matrix in (student, teacher))
    return float(-(given * np.log(target)).sum(axis=1).mean())


def _divergence(student: np.ndarray, teacher: np.ndarray, labels: np.ndarray) -> float:
    same, rows = labels[:, None] == labels[None], np.arange(len(labels))
    positive, negative = np.where(same, student, -np.inf).argmax(1), np.where(same, np.inf, student).argmin(1)
    target = _shares(teacher[rows, positive], teacher[rows, negative])
    return soft_triplet(student, teacher, labels) + float((target * np.log(target)).sum(axis=1).mean())


EXERCISES = (
    Exercise(
        "12-warmup",
        "the ramped average",
        difficulty=1,
        minutes=8,
        hints=(
            "Walk through the students in order and keep one number: where the teacher is now.",
            "In step 0 the ramp is 0, so the teacher jumps to the student, wherever it started; in step 1 it is one half.",
            "`alpha = min(1 - 1 / (step + 1), momentum)`; `teacher = alpha * teacher + (1 - alpha) * student`; keep each.",
        ),
        solution=ramped_average,
        cases=_average_cases,
        slips=(
            Slip(_without_ramp, "There is no ramp yet: with the full momentum at once the teacher stays near its start."),
            Slip(_counted_from_one, "Your steps are counted from 1; in step 0 the ramp is 0 and the teacher takes the student."),
            Slip(_roles_swapped, "Alpha is the teacher's own share, not the student's."),
            Slip(_mean_for_ever, "That is the mean of all students; once the ramp reaches the momentum, old ones are forgotten."),
        ),
    ),
    Exercise(
        "12-core",
        "batch norm in groups",
        difficulty=2,
        minutes=12,
        hints=(
            "A GPU knows the images it was given, and nothing of the others. Each is normalised by its own group.",
            "Cut the rows into consecutive pieces of `size`; in each, one mean and one variance a column.",
            "`(group - group.mean(axis=0)) / np.sqrt(group.var(axis=0) + epsilon)` for each piece, then `np.concatenate`.",
        ),
        solution=normalise_in_groups,
        cases=_group_cases,
        slips=(
            Slip(_whole_batch, "This is batch norm over the whole batch; a group knows its own images only."),
            Slip(
                _unbiased,
                "Divide the squares by the number of images, not by one less: batch norm does.",
            ),
            Slip(_every_other, "Your groups take every n-th row; a GPU gets consecutive ones."),
            Slip(_all_columns_at_once, "Each column has its own mean and deviation; you use one of each for all columns."),
        ),
    ),
    Exercise(
        "12-stretch",
        "a soft triplet whose pairs the student chose",
        difficulty=3,
        minutes=20,
        hints=(
            "Two questions: which two images does the student find hardest, and how sure is the teacher of those?",
            "The places of the farthest positive and the nearest negative are the student's; read both matrices there.",
            "`t = softmax([teacher[i, p], teacher[i, n]])`, `s` likewise from the student; the mean of `-(t * log(s)).sum()`.",
        ),
        solution=soft_triplet,
        cases=_triplet_cases,
        slips=(
            Slip(_teacher_chooses, "Your teacher chose its own pairs. It is asked about those of the student."),
            Slip(_hard_target, "The teacher has no say yet: this is the hard softmax-triplet."),
            Slip(_roles_reversed, "The teacher is the target: its shares stand before the logarithm of the student's."),
            Slip(_divergence, "You took the teacher's entropy away. It changes no gradient, but the loss is the cross-entropy."),
        ),
    ),
)
