"""How many cores there are, and a few Python threads that each run compiled code of their own on one of them.

Compiled kernels and matrix products release the interpreter lock. One thread a core, each with products of its own, needs
no barrier: on a machine that others use as well, no core waits for the slowest. Work that holds the interpreter lock gains
nothing from threads: `in_forks` gives it processes.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from threading import Event, Lock
from typing import TypeVar

from reidkit.errors import ReidkitError

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
    with torch_threads_kept(), ThreadPoolExecutor(workers, initializer=_one_core) as pool:
        for future in [pool.submit(loop) for _ in range(workers)]:
            future.result()


def can_fork() -> bool:
    """Whether this process may split into several: not on Windows and macOS, and not inside of a worker."""
    return sys.platform == "linux" and not multiprocessing.current_process().daemon


def in_forks(work: Callable[[Task], Result], tasks: Sequence[Task], count: int) -> Iterator[Result]:
    """``map(work, tasks)`` in `count` forks of this process, in order; worker w does tasks w, w + count, …

    A fork sees all that this process had at hand, so nothing is sent to it, and results wait in its pipe until they are read.
    `work` must not use a GPU. What it raises is raised here.

    Raises:
        ReidkitError: a worker was killed.
    """
    context = multiprocessing.get_context("fork")
    workers = []
    try:
        for number in range(min(count, len(tasks))):
            here, there = context.Pipe(duplex=False)
            process = context.Process(target=_answer, args=(there, work, tasks[number::count]), daemon=True)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: the work is our own
                process.start()
            there.close()
            workers.append((process, here))
        for number in range(len(tasks)):
            try:
                result, error = workers[number % count][1].recv()
            except EOFError:
                raise ReidkitError(
                    "A process that shared the work was killed.",
                    rule="Each process lives until its part is done.",
                    action="Look for a lack of memory, or set OMP_NUM_THREADS=1 to work in one process.",
                ) from None
            if error is not None:
                raise error
            yield result
    finally:
        for process, here in workers:
            process.terminate()
            here.close()
            process.join()


def _answer(pipe: Connection, work: Callable[[Task], Result], tasks: Sequence[Task]) -> None:
    """In a fork: send (result, None) of each task, or (None, error) and no more."""
    _one_core()
    for task in tasks:
        try:
            answer: tuple[Result | None, BaseException | None] = (work(task), None)
        except Exception as error:
            answer = (None, error)
        try:
            pipe.send(answer)
        except OSError:  # nobody reads any more
            return
        if answer[1] is not None:
            return


def on_one_core(work: Callable[[], Result]) -> Result:
    """``work()`` with matrix products on one core, in a thread of its own; for measurements."""
    with torch_threads_kept(), ThreadPoolExecutor(1, initializer=_one_core) as pool:
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
def torch_threads_kept() -> Iterator[None]:
    """Put torch's number of threads back afterwards.

    A worker's setting is also that of threads yet to come, and numba's OpenMP, under which UMAP runs, changes that of torch.
    """
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch is not None else 0
    try:
        yield
    finally:
        if torch is not None:
            torch.set_num_threads(before)
