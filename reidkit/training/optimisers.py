"""One optimiser a player, over today's parameters."""

from __future__ import annotations

from typing import Any

import torch

from reidkit.method import Loss, Method
from reidkit.training.schedule import Schedule

Optimisers = dict[str, torch.optim.Optimizer]


def ready_optimisers(method: Method, schedule: Schedule, epoch: int, before: Optimisers) -> Optimisers:
    """Fresh optimisers for every player, at this epoch's rate.

    Heads are re-made each epoch, so the parameters change. Unless the schedule renews optimisers, the moments of the
    parameters that survived go on.
    """
    ready: Optimisers = {}
    for player, parameters in method.players().items():
        ready[player] = schedule.build_optimiser(parameters)
        if player in before and not schedule.renew_optimiser:
            ready[player].state.update({p: before[player].state[p] for p in parameters if p in before[player].state})
        for group in ready[player].param_groups:
            group["lr"] = schedule.rate(method.clock(epoch))
    return ready


def restore_optimisers(method: Method, schedule: Schedule, states: dict[str, Any]) -> Optimisers:
    """Optimisers with the states that a checkpoint holds."""
    ready: Optimisers = {}
    for player, state in states.items():
        ready[player] = schedule.build_optimiser(method.players()[player])
        ready[player].load_state_dict(state)
    return ready


def take_step(optimisers: list[torch.optim.Optimizer], loss: Loss) -> None:
    """One gradient step of each of the optimisers on the same loss."""
    for optimiser in optimisers:
        optimiser.zero_grad(set_to_none=True)
    loss.total.backward()
    for optimiser in optimisers:
        optimiser.step()
