"""One process group a notebook, so that a limit, a signal or a crash ends it with its kernel and everything it started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil

from reidkit.runner.child import Order
from reidkit.runner.plan import Job, Limits

MARK = "REIDKIT_RUN"  # in the environment of everything a notebook starts
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")
FOLDERS = ("REIDKIT_DATA", "REIDKIT_CACHE")  # notebooks run in their own folder: relative paths would go astray
LOOK = 0.05  # seconds between two looks at the processes


@dataclass(frozen=True)
class Ended:
    """A notebook's process after its end.

    Attributes:
        status: exit status of the child; None when it was ended from outside.
        stopped: ``"timeout"``, ``"interrupted"`` or ``""``.
        seconds: wall clock from start to end.
        started: seconds since 1970.
        executed: the copy with outputs, as far as it came; it need not exist.
        log: what the processes printed outside any cell.
    """

    job: Job
    status: int | None
    stopped: str
    seconds: float
    started: float
    executed: Path
    log: str


class Running:
    """A notebook's process while it lives."""

    def __init__(self, job: Job, limits: Limits) -> None:
        self.job, self.limits, self.mark = job, limits, uuid4().hex
        self.work = job.folder / ".work"
        self.work.mkdir(parents=True)
        order = Order(
            str(job.notebook), str(self.executed), str(job.notebook.parent), {name: job.values[name] for name in job.given}
        )
        self.started, self.clock = time.time(), time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "reidkit.runner.child", str(order.write(self.work / "order.json"))],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=child_environment(os.environ, self.work, limits.threads) | {MARK: self.mark},
                start_new_session=True,
            )

    @property
    def executed(self) -> Path:
        """Where the child keeps the executed copy."""
        return self.work / "executed.ipynb"

    @property
    def log(self) -> Path:
        """What is printed outside any cell."""
        return self.work / "log.txt"

    def look(self) -> Ended | None:
        """The end of the process when it has come: by itself, or by the time limit."""
        status = self.process.poll()
        if status is not None:
            return self.end("", status)
        if self.limits.seconds and time.monotonic() - self.clock > self.limits.seconds:
            return self.end("timeout")
        return None

    def end(self, stopped: str, status: int | None = None) -> Ended:
        """End whatever is left of the process, its kernel and what these started."""
        seconds = time.monotonic() - self.clock
        end_family(self.process.pid if status is None else None, self.mark)
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        log = self.log.read_text(encoding="utf-8", errors="replace")
        return Ended(self.job, status, stopped, seconds, self.started, self.executed, log)


class Pool:
    """Runs jobs, `limits.jobs` at a time."""

    def __init__(self, jobs: Sequence[Job], limits: Limits) -> None:
        self.waiting, self.limits = list(jobs), limits
        self.running: list[Running] = []

    def events(self) -> Iterator[Job | Ended]:
        """Each job when it starts, and its end when it comes."""
        while self.waiting or self.running:
            while self.waiting and len(self.running) < self.limits.jobs:
                self.running.append(Running(self.waiting[0], self.limits))
                yield self.waiting.pop(0)
            for one in list(self.running):
                ended = one.look()
                if ended is not None:
                    self.running.remove(one)
                    yield ended
            time.sleep(LOOK)

    def stop(self) -> Iterator[Ended]:
        """End everything that runs."""
        while self.running:
            yield self.running.pop().end("interrupted")


def end_family(pid: int | None, mark: str) -> None:
    """Kill a process (None: it has ended), its descendants, and every process that carries `mark`.

    Kernels live in sessions of their own, and their children may too: neither a process group nor the tree finds all.
    """
    for _ in range(5):  # what is killed may just have started something
        family = _family(pid, mark)
        if not family:
            return
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=2)


def child_environment(environment: Mapping[str, str], work: Path, threads: int) -> dict[str, str]:
    """Variables of a headless notebook: a thread count, no front end, and none of the user's start-up files."""
    own = dict.fromkeys(THREAD_VARIABLES, str(threads)) | {
        "OMP_WAIT_POLICY": "passive",
        "PYTHONHASHSEED": "0",
        "TQDM_DISABLE": "1",
    }
    folders = {name: str(Path(environment[name]).resolve()) for name in FOLDERS if environment.get(name)}
    fixed = {
        "REIDKIT_HEADLESS": "1",
        "IPYTHONDIR": str(work / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(work / "runtime"),
        "JUPYTER_CONFIG_DIR": str(work / "config"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    return own | dict(environment) | folders | fixed


def _family(pid: int | None, mark: str) -> list[psutil.Process]:
    """What is alive of a notebook, this process excepted."""
    found: dict[int, psutil.Process] = {}
    with suppress(psutil.NoSuchProcess):
        root = [psutil.Process(pid)] if pid is not None else []
        found = {process.pid: process for top in root for process in [top, *top.children(recursive=True)]}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark:
                found[process.pid] = process
    return [process for process in found.values() if _alive(process)]


def _alive(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE
    return False
