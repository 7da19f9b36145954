"""Work shared out among forks of this process: in order, with errors raised, and nothing left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from reidkit.errors import ReidkitError
from reidkit.records import Records
from reidkit.threads import can_fork, in_forks
from reidkit.world import make_world
from tests.test_world import SMALL, digest

pytestmark = pytest.mark.skipif(not can_fork(), reason="needs forks")


@pytest.mark.parametrize("count", [1, 2, 3, 9])
@pytest.mark.parametrize("tasks", [0, 1, 2, 7, 40])
def test_results_come_in_the_order_of_the_tasks(count: int, tasks: int) -> None:
    base = np.arange(1000)
    found = list(in_forks(lambda n: (n, int(base[n]), os.getpid()), range(tasks), count))
    assert [f[:2] for f in found] == [(n, n) for n in range(tasks)]
    assert len({f[2] for f in found}) == min(count, tasks) and os.getpid() not in {f[2] for f in found}


def test_large_results_wait_in_their_pipes() -> None:
    for number, block in enumerate(in_forks(lambda n: np.full(300_000, n), range(12), 3)):
        assert (block == number).all()


def test_an_error_is_raised_here_after_what_came_before_it() -> None:
    def work(n: int) -> int:
        if n == 5:
            raise ReidkitError("five.", rule="No five.", action="Take another.")
        return n

    seen = []
    with pytest.raises(ReidkitError, match="five"):
        for n in in_forks(work, range(9), 2):
            seen.append(n)
    assert seen == [0, 1, 2, 3, 4]
    assert not multiprocessing.active_children()


def test_a_killed_worker_is_said_and_nothing_waits_for_ever() -> None:
    def work(n: int) -> int:
        if n == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return n

    with pytest.raises(ReidkitError, match="was killed"):
        list(in_forks(work, range(8), 2))
    assert not multiprocessing.active_children()


def test_a_reader_who_stops_leaves_no_worker_behind() -> None:
    results = in_forks(lambda n: np.zeros(200_000), range(50), 2)
    next(results)
    assert len(multiprocessing.active_children()) == 2
    results.close()
    assert not multiprocessing.active_children()


def test_a_worker_forks_no_further_and_keeps_torch_on_one_core() -> None:
    found = list(in_forks(lambda n: (can_fork(), torch.get_num_threads()), range(2), 2))
    assert found == [(False, 1)] * 2 and can_fork()


@pytest.fixture(scope="module")
def world() -> Records:
    return make_world(SMALL, 0)


@pytest.mark.parametrize("workers", [2, 5])
@pytest.mark.parametrize("together", [1, 7])
def test_a_world_made_in_forks_has_the_same_bytes(
    world: Records, monkeypatch: pytest.MonkeyPatch, workers: int, together: int
) -> None:
    asked = []

    def counted(work, tasks, count):
        asked.append(count)
        return in_forks(work, tasks, count)

    monkeypatch.setattr("reidkit.world.in_forks", counted)
    monkeypatch.setattr("reidkit.world.MANY", 1)
    monkeypatch.setattr("reidkit.world.TOGETHER", together)
    monkeypatch.setenv("OMP_NUM_THREADS", str(workers))
    before = torch.get_num_threads()
    assert digest(make_world(SMALL, 0)) == digest(world)
    assert asked == [workers] and torch.get_num_threads() == before


def test_a_script_without_a_main_guard_makes_a_world() -> None:
    """As a student writes it: a fork runs the work and not the script again."""
    code = (
        "from dataclasses import replace\nfrom reidkit.world import PRESETS, make_world\n"
        "small = replace(PRESETS['summer'], height=32, width=16, train_identities=30, test_identities=0)\n"
        "print(len(make_world(small, 0)) >= 256)\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=environment)
    assert (done.returncode, done.stdout.strip(), done.stderr.strip()) == (0, "True", "")
