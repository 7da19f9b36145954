"""Names and orders that must not matter: labels, and the places of images in a batch."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from reidkit.compute import seed_everything
from reidkit.method import Batch, Method
from reidkit.models import Centres, Classifier
from tests.contract.checks import SCHEDULE, Bench, first_batch, state

Outcome = tuple[list[float], dict[str, Tensor], dict[str, Tensor]]


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def ready(bench: Bench, cls: type[Method]) -> tuple[Method, Batch]:
    """A method and a batch; layers that start at 0 are drawn, so that what they are told shows in the loss."""
    method, batch = first_batch(bench, cls)
    for layer in method.modules():
        if isinstance(layer, nn.Linear) and not layer.weight.any():
            nn.init.normal_(layer.weight, std=0.1, generator=seeded(3))
    return method, batch


def outcome(method: Method, batch: Batch) -> Outcome:
    """Losses, gradients and everything that is remembered after a step without an optimiser."""
    values = []
    seed_everything(1)
    for _, loss in method.steps(batch):
        loss.total.backward()
        values.append(loss.total.item())
    method.after_step(batch, loss)
    gradients = {name: p.grad.clone() for name, p in method.named_parameters() if p.grad is not None}
    return values, gradients, state(method)


def clusters_of(method: Method) -> int:
    """Rows of what has one row a cluster; 0 where nothing has."""
    heads = [len(part.weight) for part in method.modules() if isinstance(part, Classifier) and part.weight.requires_grad]
    return heads[0] if heads else 0


def renumber(method: Method, order: Tensor) -> None:
    """Row r of every classifier, centre and centroid becomes row order[r]."""
    rows = torch.argsort(order)
    for part in method.modules():
        if isinstance(part, Classifier):
            part.weight.data = part.weight.data[rows]
            part.weight.grad = None if part.weight.grad is None else part.weight.grad[rows]
        elif isinstance(part, Centres):
            part.value = part.value[rows]
        elif isinstance(held := vars(part).get("_buffers", {}).get("centroids"), Tensor):
            part.centroids = held[rows]


def renamed(batch: Batch, order: Tensor) -> Batch:
    """Label l of the first view becomes order[l]; further views, which have no rows, count from 1000 down."""
    columns = batch.label.reshape(len(batch.label), -1).clone()
    rest = 1000 - columns[:, 1:]
    label = torch.cat([order[columns[:, :1]], rest], dim=1).reshape(batch.label.shape)
    return replace(batch, label=label, others=tuple(renamed(other, order) for other in batch.others))


def reordered(batch: Batch, order: Tensor) -> Batch:
    """The same images at other places."""
    told = {name: getattr(batch, name)[order] for name in ("index", "label", "camera")}
    others = tuple(reordered(other, order) for other in batch.others)
    return replace(batch, views=tuple(view[order] for view in batch.views), others=others, **told)


def assert_alike(left: Outcome, right: Outcome) -> None:
    """Equal but for the order in which numbers are added up."""
    torch.testing.assert_close(torch.tensor(left[0]), torch.tensor(right[0]), rtol=1e-5, atol=1e-6, msg="the loss changed")
    for what, ours, theirs in zip(("gradient", "memory"), left[1:], right[1:], strict=True):
        assert set(ours) == set(theirs)
        limit = 1e-5 * max(float(tensor.float().nan_to_num().abs().max()) for tensor in ours.values())
        for name, tensor in ours.items():
            torch.testing.assert_close(
                tensor, theirs[name], rtol=1e-3, atol=limit, equal_nan=True, msg=f"{what} of {name} changed"
            )


def check_renumbering(bench: Bench, cls: type[Method]) -> None:
    """What clusters are called changes neither loss nor gradient nor memory."""
    plain = outcome(*ready(bench, cls))
    method, batch = ready(bench, cls)
    order = torch.randperm(clusters_of(method) or int(batch.label.max()) + 1, generator=seeded(5))
    renumber(method, order)
    values, _, _ = outcome(method, renamed(batch, order))
    renumber(method, torch.argsort(order))
    gradients = {name: p.grad.clone() for name, p in method.named_parameters() if p.grad is not None}
    assert_alike(plain, (values, gradients, state(method)))


def check_order(bench: Bench, cls: type[Method]) -> None:
    """Where images stand in a batch changes nothing.

    All-pairs triplets look from the first image of a pair (tests/test_losses.py has them against loops), so there whole
    groups change places, and all views have one label.
    """
    method, batch = ready(bench, cls)
    if method.draw == "plain" and batch.label.ndim > 1:
        batch = replace(batch, label=batch.label[:, :1].expand_as(batch.label))
    images, size = len(batch.index), SCHEDULE.instances
    groups = torch.arange(images).reshape(-1, size)[torch.randperm(images // size, generator=seeded(6))].flatten()
    order = groups if method.draw == "plain" else torch.randperm(images, generator=seeded(7))
    again, _ = ready(bench, cls)
    assert_alike(outcome(method, batch), outcome(again, reordered(batch, order)))
