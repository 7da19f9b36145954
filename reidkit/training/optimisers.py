"""The players of a method and their steps: one optimiser a player, over today's parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from reidkit.compute import Compute, Processes
from reidkit.method import Batch, Loss, Method
from reidkit.training.schedule import Schedule

Optimisers = dict[str, torch.optim.Optimizer]
ALONE = Processes()


def ready_optimisers(method: Method, schedule: Schedule, epoch: int, before: Optimisers) -> Optimisers:
    """Fresh optimisers for every player, at this epoch's rate.

    Heads are re-made each epoch, so the parameters change. Unless the schedule renews optimisers, the moments of the
    parameters that survived go on.
    """
    ready: Optimisers = {}
    for player, parameters in method.players().items():
        own = schedule_of(player, method, schedule)
        ready[player] = own.build_optimiser(parameters)
        if player in before and not schedule.renew_optimiser:
            ready[player].state.update({p: before[player].state[p] for p in parameters if p in before[player].state})
        for group in ready[player].param_groups:
            group["lr"] = own.rate(method.clock(epoch))
    return ready


def restore_optimisers(method: Method, schedule: Schedule, states: dict[str, Any]) -> Optimisers:
    """Optimisers with the states that a checkpoint holds."""
    ready: Optimisers = {}
    for player, state in states.items():
        ready[player] = schedule_of(player, method, schedule).build_optimiser(method.players()[player])
        ready[player].load_state_dict(state)
    return ready


def schedule_of(player: str, method: Method, schedule: Schedule) -> Schedule:
    """The schedule, with what the method says of that player's optimiser."""
    return replace(schedule, **method.tuned().get(player, {}))


def players_of(method: Method, batch: Batch, compute: Compute) -> Iterator[tuple[str, Loss]]:
    """The method's steps on a batch, each forward pass in the precision that was asked for."""
    steps = method.steps(batch)
    while True:
        with compute.autocast():
            pair = next(steps, None)
        if pair is None:
            return
        yield pair


def take_step(optimisers: list[torch.optim.Optimizer], loss: Loss, processes: Processes = ALONE) -> None:
    """One gradient step of each of the optimisers on the same loss: the mean of the losses of all processes."""
    for optimiser in optimisers:
        optimiser.zero_grad(set_to_none=True)
    loss.total.backward()
    processes.average_gradients([p for optimiser in optimisers for group in optimiser.param_groups for p in group["params"]])
    for optimiser in optimisers:
        optimiser.step()
