"""What a measurement consists of: contestants, the inputs they share, what their outputs must agree in, and goals.

How to add one, in a module of its own with a function ``tasks(sizes, quick)``::

    def prepare(inputs):                      # neither timed nor counted: imports, warming up, building a network
        from reidkit.labels import kmeans
        kmeans(inputs["features"][:600], 5, seed=0)
        return inputs

    def ours(inputs):                         # timed; its peak memory is counted
        from reidkit.labels import kmeans
        return {"labels": kmeans(inputs["features"], 500, seed=0)}

    def tasks(sizes, quick):
        def make(folder):                     # every .npy written here reaches the contestants under its stem
            store(folder, features=...)
        return [Task("kmeans of 500 x 64", make, (
            Contestant("ours", ours, prepare=prepare),
            Contestant("scikit-learn", theirs, package="scikit-learn", agrees_with="ours"),
        ), compare={"labels": "labels"}, goals=(Goal("twice as fast", "ours", against="scikit-learn", at_most=1 / 2),))]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from reidkit.errors import BenchError

Inputs = Mapping[str, np.ndarray]
Outputs = Mapping[str, Any]


def as_given(inputs: Inputs) -> Inputs:
    """The `prepare` of a contestant that needs no preparation."""
    return inputs


def nothing_more(inputs: Inputs, outputs: Outputs) -> Outputs:
    """The `finish` of a contestant whose outputs are whole."""
    return {}


@dataclass(frozen=True)
class Contestant:
    """One way to do the work of a task; it runs in a fresh process each time.

    Attributes:
        name: as tables show it; one task has no two of a name.
        run: a function at the top level of a module (the child imports it by name). What `prepare` returned -> outputs:
            arrays (kept for comparison) and numbers. A number under ``"seconds <part>"`` is the time of a part, measured
            by the function itself; other numbers and texts are recorded as they are.
        prepare: the same kind of function, called before: inputs -> what `run` gets. Neither its time nor its memory
            counts. Here code is imported, compiled and warmed up.
        finish: inputs, outputs -> more outputs, after the measurement: what is compared but is not part of the work.
        package: distribution that must be installed; a missing one is recorded as skipped, with its name.
        memory: bytes above the inputs that a run is expected to take; 0 for little. More than is free: skipped.
        seconds: expected time; 0 for little. More than the limit of the run: skipped.
        agrees_with: contestant whose outputs these must equal in what the task compares; "" for none.
        repeats: runs at most, whatever is asked for; 0 for as many as asked.
        device: ``"cuda"`` when it needs an accelerator; skipped where there is none.
        setting: what to choose so that it fits, said when it is skipped for memory ("a smaller --size").
    """

    name: str
    run: Callable[[Any], Outputs]
    prepare: Callable[[Inputs], Any] = as_given
    finish: Callable[[Inputs, Outputs], Outputs] = nothing_more
    package: str = ""
    memory: float | int = 0
    seconds: float | int = 0
    agrees_with: str = ""
    repeats: int = 0
    device: str = "cpu"
    setting: str = "a smaller --size"


@dataclass(frozen=True)
class Goal:
    """A figure that a task is to reach, judged by medians.

    Attributes:
        text: the goal in words, as the record and the README show it.
        contestant: whose figure it is.
        quantity: ``"wall"`` or ``"cpu"`` (seconds), ``"memory"`` (bytes above inputs and imports), ``"seconds <part>"``, or
            the name of any number among the outputs.
        against: contestant with whose figure it is compared; "" for the figure itself.
        as_: ``"ratio"`` (its figure divided by that of `against`) or ``"difference"`` (less that of `against`).
        at_most, at_least: the limits; one of them may be open.
    """

    text: str
    contestant: str
    quantity: str = "wall"
    against: str = ""
    as_: Literal["ratio", "difference"] = "ratio"
    at_most: float | int = float("inf")
    at_least: float | int = float("-inf")


@dataclass(frozen=True)
class Task:
    """One piece of work at one size.

    Attributes:
        name: names the record's entry; measuring it again replaces the entry.
        make: folder -> None; writes the inputs, one .npy an array (`store`). Called once; all contestants map the files.
        contestants: in the order in which they take turns.
        compare: output -> how it is compared with that of `Contestant.agrees_with`: a key of `agreement.MEASURES`.
        goals: what is judged.
        inputs_memory: bytes that the inputs take when in memory, for the estimate.
        about: what the inputs are, in a few words.
    """

    name: str
    make: Callable[[Path], object]
    contestants: Sequence[Contestant]
    compare: Mapping[str, str] = field(default_factory=dict)
    goals: Sequence[Goal] = ()
    inputs_memory: float | int = 0
    about: str = ""

    def __post_init__(self) -> None:
        names = [contestant.name for contestant in self.contestants]
        named = {contestant.agrees_with for contestant in self.contestants} - {""}
        named |= {name for goal in self.goals for name in (goal.contestant, goal.against) if name}
        if len(set(names)) < len(names) or not named <= set(names):
            raise BenchError(
                f"{self.name}: contestants {names}; goals and agreement name {sorted(named)}.",
                rule="Names are unique, and what is named takes part.",
                action="Correct the task.",
            )


def store(folder: Path, **arrays: np.ndarray) -> None:
    """Write inputs where the contestants find them."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
