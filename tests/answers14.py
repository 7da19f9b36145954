"""Answers to the exercises of lesson 14, written in other ways than the library's, and wrong ones that people give."""

import copy

import numpy as np
import torch

# -------------------------------------------------------------------------------------------------- 14-warmup: the gate


def gate_by_torch(half, first, second):
    maps = torch.as_tensor(half)
    pooled = torch.stack([maps.flatten(1).mean(1), maps.flatten(1).amax(1)])
    answer = torch.relu(pooled @ torch.as_tensor(first).T) @ torch.as_tensor(second).T
    return (torch.sigmoid(answer.sum(0)) * pooled.sum(0)).numpy()


def gate_by_loop(half, first, second):
    found = []
    means = [channel.sum() / channel.size for channel in half]
    largest = [max(channel.ravel()) for channel in half]
    for c, (mean, most) in enumerate(zip(means, largest)):
        answer = 0.0
        for pooled in (means, largest):
            hidden = [max(0.0, sum(w * v for w, v in zip(row, pooled))) for row in first]
            answer += sum(w * v for w, v in zip(second[c], hidden))
        found.append((mean + most) * (np.tanh(answer / 2) + 1) / 2)
    return found


def gate_of_slides(half, first, second):
    pooled = torch.as_tensor(half).flatten(1)
    parts = torch.stack([pooled.mean(1), pooled.amax(1)])
    answer = (torch.relu(parts @ torch.as_tensor(first).T) @ torch.as_tensor(second).T).sum(0)
    return torch.sigmoid(answer * parts.sum(0)).numpy()


def gate_without_relu(half, first, second):
    mean, most = half.mean((1, 2)), half.max((1, 2))
    return (mean + most) / (1 + np.exp(-(second @ first @ (mean + most))))


def gate_of_one_pass(half, first, second):
    pooled = half.mean((1, 2)) + half.max((1, 2))
    return pooled / (1 + np.exp(-second @ np.maximum(first @ pooled, 0)))


# ------------------------------------------------------------------------------------------------ 14-core: no gradient


def silent_by_autograd(network, loss):
    trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad(loss(network), list(trained.values()), allow_unused=True)
    return sorted(name for name, g in zip(trained, gradients) if g is None or torch.count_nonzero(g) == 0)


def silent_by_a_step(network, loss):
    moved = copy.deepcopy(network)
    trained = [p for p in moved.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(trained, lr=1.0)
    loss(moved).backward()
    optimiser.step()
    before = dict(network.named_parameters())
    return sorted(n for n, p in moved.named_parameters() if p.requires_grad and torch.equal(p, before[n]))


def silent_if_none(network, loss):
    loss(network).backward()
    return [name for name, p in sorted(network.named_parameters()) if p.requires_grad and p.grad is None]


def silent_and_frozen(network, loss):
    loss(network).backward()
    return sorted(name for name, p in network.named_parameters() if p.grad is None or p.grad.abs().sum() == 0)


def silent_by_mean(network, loss):
    loss(network).backward()
    trained = [(name, p.grad) for name, p in network.named_parameters() if p.requires_grad]
    return sorted(name for name, g in trained if g is None or g.mean() == 0)


# --------------------------------------------------------------------------------------------- 14-stretch: mini-batches


def step_by_running_means(rows, centres, counts):
    distance = np.linalg.norm(rows[:, None] - centres[None], axis=2)
    mine = np.argmin(distance, axis=1)[:, None] == np.arange(len(centres))
    seen = mine.sum(0)
    total = np.maximum(counts + seen, 1)
    means = (centres * counts[:, None] + mine.T @ rows) / total[:, None]
    return np.where((seen > 0)[:, None], means, centres), counts + seen


def step_by_convex_sum(rows, centres, counts):
    places = [min(range(len(centres)), key=lambda k: (sum((row - centres[k]) ** 2), k)) for row in rows]
    moved, seen = [list(map(float, c)) for c in centres], list(map(int, counts))
    for row, k in zip(rows, places):
        seen[k] += 1
        rate = 1 / seen[k]
        moved[k] = [(1 - rate) * a + rate * b for a, b in zip(moved[k], row)]
    return np.array(moved), np.array(seen)


def step_one_by_one(rows, centres, counts):
    centres, counts = centres.astype(float), counts.copy()
    for row in rows:
        k = np.argmin(((row - centres) ** 2).sum(1))
        counts[k] += 1
        centres[k] += (row - centres[k]) / counts[k]
    return centres, counts


def step_of_lloyd(rows, centres, counts):
    k = np.argmin(((rows[:, None] - centres[None]) ** 2).sum(2), 1)
    moved = np.array([rows[k == i].mean(0) if (k == i).any() else centre for i, centre in enumerate(centres)])
    return moved, counts + np.bincount(k, minlength=len(centres))


def step_at_one_rate(rows, centres, counts):
    k = np.argmin(((rows[:, None] - centres[None]) ** 2).sum(2), 1)
    centres, counts = centres.astype(float), counts.copy()
    for row, i in zip(rows, k):
        counts[i] += 1
        centres[i] += (row - centres[i]) / counts.sum()
    return centres, counts


RIGHT = {
    "14-warmup": (gate_by_torch, gate_by_loop),
    "14-core": (silent_by_autograd, silent_by_a_step),
    "14-stretch": (step_by_running_means, step_by_convex_sum),
}
WRONG = {
    "14-warmup": (gate_of_slides, gate_without_relu, gate_of_one_pass),
    "14-core": (silent_if_none, silent_and_frozen, silent_by_mean),
    "14-stretch": (step_one_by_one, step_of_lloyd, step_at_one_rate),
}
