"""Lesson 14: the gate of LF2's fusion, parameters that no gradient reaches, and a step of mini-batch k-means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from reidkit.lesson.checks import Case, Exercise, Slip

# ---------------------------------------------------------------------------------------------------------- warm-up


def gate(half: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Z_j (C,): the weight that one half of the student's map gives each channel of the teacher's.

    Z = sigmoid(MLP(max) + MLP(mean)) * (max + mean), with MLP(v) = second @ relu(first @ v).

    Args:
        half: (C, h, w), one half of the student's map.
        first, second: (R, C) and (C, R), the two layers without biases.
    """
    mean, most = half.mean(axis=(1, 2)), half.max(axis=(1, 2))
    answer = sum(second @ np.maximum(first @ pooled, 0.0) for pooled in (mean, most))
    return np.asarray((mean + most) / (1.0 + np.exp(-answer)))


def _gate_case(says: str, half: object, first: object, second: object) -> Case:
    layers = {"first": np.array(first, float), "second": np.array(second, float)}
    return Case(says, {"half": np.array(half, float), **layers})


def _gate_cases() -> list[Case]:
    one = np.eye(2)
    cases = [
        _gate_case("Channels (1, 0) of one place: mean and maximum agree, so F = (2, 0).", [[[1.0]], [[0.0]]], one, one),
        _gate_case("An MLP of zeros: half of F.", [[[1.0, 3.0]], [[0.0, 2.0]]], 0 * one, 0 * one),
        _gate_case("Mean 2 and maximum 3: both go through the MLP.", [[[1.0, 3.0]]], [[1.0]], [[1.0]]),
        _gate_case("ReLU first: a negative answer of the first layer is 0.", [[[1.0, 3.0]]], [[-1.0]], [[2.0]]),
        _gate_case(
            "The maximum wakes the hidden unit, the mean does not.", [[[0, 0, 0, 4]], [[1, 1, 3, 3]]], [[1, -1]], [[1], [1]]
        ),
    ]
    draw = np.random.default_rng(1401)
    for i in range(4):
        half, first, second = draw.random((4, 2, 3)).round(1), draw.normal(size=(2, 4)), draw.normal(size=(4, 2))
        cases.append(_gate_case(f"Random maps and layers {i}.", half, first.round(1), second.round(1)))
    return cases


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def _mlp(pooled: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.asarray(second @ np.maximum(first @ pooled, 0.0))


def _outside(half: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    mean, most = half.mean(axis=(1, 2)), half.max(axis=(1, 2))
    return _sigmoid((_mlp(mean, first, second) + _mlp(most, first, second)) * (mean + most))


def _one_pass(half: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    pooled = half.mean(axis=(1, 2)) + half.max(axis=(1, 2))
    return np.asarray(_sigmoid(_mlp(pooled, first, second)) * pooled)


def _attention_only(half: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    mean, most = half.mean(axis=(1, 2)), half.max(axis=(1, 2))
    return _sigmoid(_mlp(mean, first, second) + _mlp(most, first, second))


def _mean_only(half: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    mean = half.mean(axis=(1, 2))
    return np.asarray(_sigmoid(_mlp(mean, first, second)) * mean)


# ------------------------------------------------------------------------------------------------------------- core


def silent_parameters(network: nn.Module, loss: Callable[[nn.Module], Tensor]) -> list[str]:
    """Names, sorted, of the trainable parameters that one backward pass of ``loss(network)`` does not reach.

    A parameter is trainable when it requires a gradient; it is not reached when its gradient is None or all zeros.
    """
    network.zero_grad()
    loss(network).backward()
    found = [(name, parameter.grad) for name, parameter in network.named_parameters() if parameter.requires_grad]
    return sorted(name for name, gradient in found if gradient is None or not gradient.any())


class Toy(nn.Module):
    """Three layers without biases and weights of whole numbers; equal to another by its values."""

    def __init__(self, *frozen: str) -> None:
        super().__init__()
        for seed, name in enumerate(("trunk", "gate", "head")):
            layer = nn.Linear(2, 2, bias=False)
            numbers = np.random.default_rng(1400 + seed).integers(1, 4, (2, 2))
            layer.weight.data = torch.as_tensor(numbers, dtype=torch.float32)
            self.add_module(name, layer.requires_grad_(name not in frozen))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Toy):
            return NotImplemented
        pairs = zip(self.named_parameters(), other.named_parameters())
        return all(a[1].requires_grad == b[1].requires_grad and torch.equal(a[1], b[1]) for a, b in pairs)

    __hash__ = nn.Module.__hash__

    def __repr__(self) -> str:
        kinds = {name: "trainable" if parameter.requires_grad else "frozen" for name, parameter in self.named_parameters()}
        return ", ".join(f"{name} ({kind})" for name, kind in kinds.items())


@dataclass(frozen=True)
class Objective:
    """A loss that prints as the expression that it is."""

    says: str
    of: Callable[[Toy], Tensor]

    def __call__(self, network: Toy) -> Tensor:
        return self.of(network)

    def __repr__(self) -> str:
        return self.says


ONES = torch.tensor([[1.0, 2.0]])


def _silent_case(says: str, expression: str, of: Callable[..., Tensor], *frozen: str) -> Case:
    return Case(says, {"network": Toy(*frozen), "loss": Objective(expression, of)})


def _silent_cases() -> list[Case]:
    """`n` is the network, `x` two numbers; layers are linear maps of them."""
    x = ONES
    return [
        _silent_case("Nothing reads the gate.", "head(trunk(x)).sum()", lambda n: n.head(n.trunk(x)).sum()),
        _silent_case("Everything is read.", "head(gate(trunk(x))).sum()", lambda n: n.head(n.gate(n.trunk(x))).sum()),
        _silent_case(
            "The gate is read, and cut off on the way.",
            "(head(trunk(x)) * gate(trunk(x)).detach()).sum()",
            lambda n: (n.head(n.trunk(x)) * n.gate(n.trunk(x)).detach()).sum(),
        ),
        _silent_case(
            "The gate is read, and does nothing: relu of something negative. Its gradient is there, and zero.",
            "(head(trunk(x)) + relu(-gate(x))).sum()",
            lambda n: (n.head(n.trunk(x)) + torch.relu(-n.gate(x))).sum(),
        ),
        _silent_case(
            "A frozen layer waits for no gradient, so it is not missing one.",
            "head(x).sum()",
            lambda n: n.head(x).sum(),
            "trunk",
        ),
        _silent_case(
            "A gradient whose entries add up to zero is none of zeros.",
            "trunk(x)[0, 0] - trunk(x)[0, 1]",
            lambda n: n.trunk(x)[0, 0] - n.trunk(x)[0, 1],
            "head",
        ),
    ]


def _none_only(network: nn.Module, loss: Callable[[nn.Module], Tensor]) -> list[str]:
    loss(network).backward()
    return sorted(name for name, p in network.named_parameters() if p.requires_grad and p.grad is None)


def _with_frozen(network: nn.Module, loss: Callable[[nn.Module], Tensor]) -> list[str]:
    loss(network).backward()
    return sorted(name for name, p in network.named_parameters() if p.grad is None or not p.grad.any())


def _by_sum(network: nn.Module, loss: Callable[[nn.Module], Tensor]) -> list[str]:
    loss(network).backward()
    trained = [(name, p.grad) for name, p in network.named_parameters() if p.requires_grad]
    return sorted(name for name, gradient in trained if gradient is None or float(gradient.sum()) == 0.0)


# ---------------------------------------------------------------------------------------------------------- stretch


def batch_step(rows: np.ndarray, centres: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(centres, counts) after one mini-batch ("Web-Scale K-Means Clustering", 2010, algorithm 1).

    Every row goes to its nearest centre (of equals the first) *before* any centre moves. Then, row by row, the count n of its
    centre grows by one, and the centre moves a share 1/n of the way to the row.

    Args:
        rows: (B, D), the batch.
        centres: (M, D).
        counts: (M,), rows that each centre has seen so far, 0 or more.
    """
    centres, counts = centres.astype(float), counts.copy()
    nearest = ((rows[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
    for row, place in zip(rows, nearest):
        counts[place] += 1
        centres[place] += (row - centres[place]) / counts[place]
    return centres, counts


def _batch_case(says: str, rows: list[list[float]], centres: list[list[float]], counts: list[int]) -> Case:
    return Case(says, {"rows": np.array(rows), "centres": np.array(centres), "counts": np.array(counts)})


def _batch_cases() -> list[Case]:
    cases = [
        _batch_case("One row; its centre has seen one before: half of the way.", [[2.0]], [[0.0], [9.0]], [1, 1]),
        _batch_case("A new centre (count 0) jumps onto its first row.", [[2.0]], [[0.0], [9.0]], [0, 5]),
        _batch_case("Two rows to one centre: the second moves it less.", [[2.0], [4.0]], [[0.0], [99.0]], [1, 1]),
        _batch_case("The second row belongs to where the centres stood before.", [[4.0], [5.5]], [[0.0], [10.0]], [0, 9]),
        _batch_case("A centre without rows stays.", [[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [7.0, 7.0]], [3, 2]),
        _batch_case("Equally near: the first centre.", [[1.0]], [[0.0], [2.0]], [1, 1]),
    ]
    draw = np.random.default_rng(1403)
    for i in range(4):
        rows, centres = draw.random((6, 2)).round(1), draw.random((3, 2)).round(1)
        cases.append(_batch_case(f"Random rows {i}.", rows.tolist(), centres.tolist(), draw.integers(0, 4, 3).tolist()))
    return cases


def _while_moving(rows: np.ndarray, centres: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    centres, counts = centres.astype(float), counts.copy()
    for row in rows:
        centres, counts = batch_step(row[None], centres, counts)
    return centres, counts


def _batch_means(rows: np.ndarray, centres: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return batch_step(rows, centres, np.zeros_like(counts))[0], batch_step(rows, centres, counts)[1]


def _counts_later(rows: np.ndarray, centres: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    moved, nearest = centres.astype(float), ((rows[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
    for row, place in zip(rows, nearest):
        moved[place] += (row - moved[place]) / max(1, counts[place])
    return moved, counts + np.bincount(nearest, minlength=len(counts))


EXERCISES = (
    Exercise(
        "14-warmup",
        "the gate of the fusion",
        difficulty=1,
        minutes=10,
        hints=(
            "A half of the map becomes two vectors of C numbers, its mean and its maximum over places.",
            "Both go through the same two layers; the answers are added before the sigmoid, and the sigmoid multiplies F.",
            "`answer = mlp(mean) + mlp(most)`; `(mean + most) / (1 + np.exp(-answer))`, with `mlp(v) = W2 @ relu(W1 @ v)`.",
        ),
        solution=gate,
        cases=_gate_cases,
        slips=(
            Slip(
                _outside,
                "This is the slides' formula: the sigmoid stands outside of the product, so an absent channel keeps 1/2.",
            ),
            Slip(_one_pass, "You send F through the MLP once. The code sends mean and maximum separately, and adds the answers."),
            Slip(_attention_only, "This is the attention a. The residual product with F = mean + maximum is missing."),
            Slip(_mean_only, "Half of it is missing: the maximum is pooled too."),
        ),
    ),
    Exercise(
        "14-core",
        "parameters that nobody teaches",
        difficulty=2,
        minutes=15,
        hints=(
            "After one backward pass, look at `.grad` of every parameter that `named_parameters()` gives.",
            "Three kinds: a gradient, a gradient of zeros, and none at all (None). Frozen parameters wait for none.",
            "`p.requires_grad and (p.grad is None or not p.grad.any())`, sorted names; clear old gradients before.",
        ),
        solution=silent_parameters,
        cases=_silent_cases,
        slips=(
            Slip(_none_only, "You look for None only. A gradient that is all zeros moves nothing either."),
            Slip(_with_frozen, "A frozen parameter (`requires_grad` False) is not waiting for a gradient: leave it out."),
            Slip(_by_sum, "A sum of zero can hide entries that cancel. Ask whether any entry differs from zero."),
        ),
    ),
    Exercise(
        "14-stretch",
        "a step of mini-batch k-means",
        difficulty=3,
        minutes=20,
        hints=(
            "Two passes over the batch: who is nearest to whom, then the moves.",
            "A centre that has seen n rows, this one counted, moves a share 1/n: then it is the mean of all that it has seen.",
            "`counts[k] += 1; centres[k] += (row - centres[k]) / counts[k]`, on copies, with k found before the loop.",
        ),
        solution=batch_step,
        cases=_batch_cases,
        slips=(
            Slip(_while_moving, "Your centres move while rows are still being assigned; find the nearest of all rows first."),
            Slip(_batch_means, "The centre forgets what it has seen: it becomes the mean of this batch only."),
            Slip(_counts_later, "The count grows first, this row included: with n = 1 before, the share is 1/2."),
        ),
    ),
)
