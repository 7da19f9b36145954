"""How many cores there are, and a few Python threads that each run compiled code of their own on one of them.

Compiled kernels and matrix products release the interpreter lock. One thread a core, each with products of its own, needs
no barrier: on a machine that others use as well, no core waits for the slowest.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Lock
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
_NO_TASK = object()


def threads() -> int:
    """Threads that numeric code may use here: ``OMP_NUM_THREADS`` when set, else the number of usable cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_threads(work: Callable[[Task], Result], tasks: Iterable[Task]) -> list[Result]:
    """``[work(task) for task in tasks]`` on all usable cores; results in the order of the tasks."""
    results: dict[int, Result] = {}

    def keep(numbered: tuple[int, Task]) -> None:
        results[numbered[0]] = work(numbered[1])

    for_each(keep, enumerate(tasks))
    return [results[place] for place in range(len(results))]


def for_each(work: Callable[[Task], object], tasks: Iterable[Task]) -> None:
    """Do `work` for every task on all usable cores.

    Tasks are taken one by one, so a long list of them costs no memory. The first error stops all threads and is raised.
    """
    queue, lock, stopped = iter(tasks), Lock(), Event()

    def loop() -> None:
        while not stopped.is_set():
            with lock:
                task = next(queue, _NO_TASK)
            if task is _NO_TASK:
                return
            try:
                work(task)  # type: ignore[arg-type]
            except BaseException:
                stopped.set()
                raise

    workers = threads()
    if workers == 1:
        loop()
        return
    with _torch_on_one_core(), ThreadPoolExecutor(workers, initializer=_one_core) as pool:
        for future in [pool.submit(loop) for _ in range(workers)]:
            future.result()


def on_one_core(work: Callable[[], Result]) -> Result:
    """``work()`` with matrix products on one core, in a thread of its own; for measurements."""
    with _torch_on_one_core(), ThreadPoolExecutor(1, initializer=_one_core) as pool:
        return pool.submit(work).result()


def row_ranges(rows: int, at_most: int = 4096) -> list[tuple[int, int]]:
    """(start, stop) of consecutive pieces, several for each thread, none longer than `at_most`."""
    length = max(1, min(at_most, -(-rows // (4 * threads()))))
    return [(start, min(start + length, rows)) for start in range(0, rows, length)]


def _one_core() -> None:
    """In a worker: its matrix products stay on its own core (the setting belongs to the thread)."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@contextmanager
def _torch_on_one_core() -> Iterator[None]:
    """torch also keeps the last number of threads for threads yet to come: put it back afterwards."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch is not None else 0
    try:
        yield
    finally:
        if torch is not None:
            torch.set_num_threads(before)
