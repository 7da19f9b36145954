"""A whole run: notebooks in, verdicts, executed copies, pages and records out."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from filelock import FileLock, Timeout

from reidkit.errors import RunnerError
from reidkit.runner.page import index_page, notebook_page
from reidkit.runner.plan import Job, Limits, find_notebooks, make_jobs, make_limits, prepare_folder
from reidkit.runner.processes import Ended, Pool
from reidkit.runner.record import EXIT_CODES, judge, make_record
from reidkit.runner.scan import read_outcome, strip_notebook
from reidkit.storage import write_atomically, write_json

logger = logging.getLogger(__name__)

LARGE = 2 * 2**20  # bytes: an executed notebook above this is too heavy to be passed around
Listener = Callable[[Job | dict[str, Any]], None]


@dataclass
class Report:
    """What a run left behind.

    Attributes:
        index: the page that links everything.
        records: one for each notebook that ran, in the order asked for.
        not_run: names of those that were never started.
    """

    index: Path
    records: list[dict[str, Any]] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """That of the worst verdict: interrupted 130, died 138, timeout 124, failed or swallowed 1, else 0."""
        verdicts = {record["verdict"] for record in self.records} | ({"interrupted"} if self.not_run else set())
        return next((code for verdict, code in EXIT_CODES.items() if verdict in verdicts), 0)


def run_notebooks(
    notebooks: Sequence[Path] = (),
    *,
    profile: str = "smoke",
    out: Path | None = None,
    parameters: Mapping[str, str] | None = None,
    jobs: int | None = None,
    time_limit: float | None = None,
    listen: Listener = lambda event: None,
) -> Report:
    """Execute notebooks, each in processes of its own, and judge them.

    Nothing starts before every notebook and every parameter is checked. An interrupt ends what runs; what ran is reported.

    Args:
        notebooks: files and folders; none means ``notebooks/``.
        profile: ``"smoke"``, ``"demo"`` or ``"full"``; given to notebooks that have the parameter `profile`.
        out: folder of the results; None means ``runs/<profile>``.
        parameters: name -> text, as on the command line; each must be known to every notebook.
        jobs: notebooks at a time; None means two where there are two cores, one at ``full``.
        time_limit: seconds a notebook, 0 for none; None means 600 at ``smoke``, 1800 at ``demo``, none at ``full``.
        listen: is called with each job that starts and each record that is written.

    Raises:
        RunnerError: when the run cannot start: parameters, folder, another run in the same folder.
    """
    found = find_notebooks(notebooks)
    out = (out or Path("runs") / profile).resolve()
    planned = make_jobs(found, profile, out, parameters or {})
    limits = make_limits(profile, len(planned), time_limit, jobs)
    prepare_folder(out, planned)
    with _alone(out):
        return _run(planned, limits, profile, out, listen)


def _run(planned: list[Job], limits: Limits, profile: str, out: Path, listen: Listener) -> Report:
    pool, records = Pool(planned, limits), dict[str, dict[str, Any]]()
    for job in planned:
        shutil.rmtree(job.folder, ignore_errors=True)  # nothing old may be taken for new

    def finish(ended: Ended) -> None:
        records[ended.job.name] = record = _finish(ended, limits, profile)
        _write_index(out, planned, records)
        listen(record)

    try:
        for event in pool.events():
            if isinstance(event, Ended):
                finish(event)
            else:
                listen(event)
    except KeyboardInterrupt:
        for ended in pool.stop():
            finish(ended)
    except OSError as error:
        raise RunnerError(
            f"{error.filename or out}: {error.strerror}.",
            rule="A run writes its results.",
            action="Make room, or use another --out.",
        ) from error
    finally:
        for ended in pool.stop():
            shutil.rmtree(ended.job.folder / ".work", ignore_errors=True)
    return _write_index(out, planned, records)


def _finish(ended: Ended, limits: Limits, profile: str) -> dict[str, Any]:
    """Judge one notebook and write its files: executed copy, page, log, and the record last."""
    job, folder = ended.job, ended.job.folder
    notebook = nbformat.read(ended.executed if ended.executed.is_file() else job.notebook, as_version=4)
    reading = read_outcome(notebook)
    judgement = judge(ended, reading, limits)
    warnings = list(reading.complaints)
    text = nbformat.writes(strip_notebook(notebook))
    if len(text) > LARGE:
        warnings.append(f"the executed notebook has {len(text) / 2**20:.1f} MiB, more than {LARGE >> 20} MiB")
    record = make_record(ended, reading, judgement, profile, limits, warnings)
    _write(folder / f"{job.name}.ipynb", text)
    _write(folder / "log.txt", ended.log)
    try:
        _write(folder / f"{job.name}.html", notebook_page(notebook, record, job.notebook))
    except Exception as error:  # one page that cannot be drawn must not take the other notebooks' results with it
        logger.exception("no page of %s", job.name)
        warnings.append(f"the page could not be made: {type(error).__name__}: {error}")
    write_json(folder / "record.json", record)
    shutil.rmtree(folder / ".work", ignore_errors=True)
    return record


def _write_index(out: Path, planned: Sequence[Job], records: Mapping[str, dict[str, Any]]) -> Report:
    """The index as far as the run has come."""
    done = [job for job in planned if job.name in records]
    linked = [records[job.name] | {"pages": _pages(job)} for job in done]
    not_run = [job.name for job in planned if job.name not in records]
    index = _write(out / "index.html", index_page(linked, not_run))
    return Report(index, [records[job.name] for job in done], not_run)


def _pages(job: Job) -> dict[str, str]:
    """What the index links to, relative to itself."""
    named = {"html": f"{job.name}.html", "notebook": f"{job.name}.ipynb", "record": "record.json", "log": "log.txt"}
    return {kind: f"{job.name}/{file}" for kind, file in named.items()}


def _write(path: Path, text: str) -> Path:
    return write_atomically(path, lambda partial: partial.write_text(text, encoding="utf-8"))


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the folder against another run; the lock of a process that died falls by itself."""
    lock = FileLock(out / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunnerError(
            f"Another run writes into {out}.",
            rule="A folder takes one run at a time.",
            action="Wait for it, or use another --out.",
        ) from error
    try:
        yield
    finally:
        lock.release()
