"""What is going to run: which notebooks, with which values, into which folders, with which limits."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat

from reidkit.environment import usable_cores
from reidkit.errors import RunnerError, nearest_name, shown
from reidkit.runner.parameters import bind, read_parameters

PROFILES = ("smoke", "demo", "full")
TIME_LIMITS = {"smoke": 600.0, "demo": 1800.0, "full": 0.0}  # seconds a notebook; 0 means none
SET_BY_THE_RUNNER = {"profile": "--profile", "out": "--out"}
FREE_SPACE = 200 * 2**20
RESULTS = ("record.json", ".work")  # one of them stands in every folder that a run made


@dataclass(frozen=True)
class Job:
    """One notebook to run.

    Attributes:
        notebook: the source; it is only read.
        folder: where its results go.
        values: every parameter with the value it runs with.
        given: the names that differ from the notebook's own cell, in the order they are injected.
    """

    notebook: Path
    folder: Path
    values: dict[str, object]
    given: tuple[str, ...]

    @property
    def name(self) -> str:
        """The notebook's name without its suffix."""
        return self.notebook.stem

    @property
    def files(self) -> Path:
        """Where the notebook itself writes: its parameter `out`."""
        return self.folder / "files"


@dataclass(frozen=True)
class Limits:
    """What a run may use.

    Attributes:
        seconds: wall clock a notebook; 0 means no limit.
        jobs: notebooks at a time.
        threads: threads of each.
    """

    seconds: float
    jobs: int
    threads: int


def make_limits(profile: str, notebooks: int, time_limit: float | None, jobs: int | None) -> Limits:
    """Two notebooks at a time where there are two cores, except at `full`, where one fills the machine.

    The threads of a notebook do not depend on how many run beside it, so that its figures do not either.
    """
    cores = usable_cores()
    usual = 1 if profile == "full" else min(2, cores)
    seconds = TIME_LIMITS[profile] if time_limit is None else time_limit
    for name, value in (("--jobs", jobs if jobs is not None else usual), ("--time-limit", seconds)):
        if value < (1 if name == "--jobs" else 0):
            raise RunnerError(
                f"{name} {value}.", rule="At least one job; a time limit in seconds, 0 for none.", action="Correct it."
            )
    return Limits(seconds, min(jobs or usual, max(1, notebooks)), max(1, cores // usual))


def find_notebooks(given: Sequence[Path]) -> list[Path]:
    """The notebooks named, those of each folder named, or those of ``notebooks/`` when none is named; sorted in a folder.

    Raises:
        RunnerError: for a missing file, another kind of file, no notebook at all, or two of one name.
    """
    found: list[Path] = []
    for path in given or [Path("notebooks")]:
        if path.is_dir():
            found += sorted(p for p in path.glob("*.ipynb") if not p.name.startswith("."))
        elif path.is_file() and path.suffix == ".ipynb":
            found.append(path)
        else:
            beside = [p.name for p in path.parent.glob("*.ipynb")]
            near = nearest_name(path.name, beside) if beside else ""
            raise RunnerError(
                f"{path} is no notebook. {near}".strip(), rule="Notebooks end in .ipynb.", action="Correct the name."
            )
    if not found:
        raise RunnerError(
            f"No notebook in {shown(given or ['notebooks'])}.", rule="A run has one.", action="Name one, or its folder."
        )
    names = [path.stem for path in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RunnerError(
            f"Given twice: {shown(twice)}.", rule="Results lie in a folder of the notebook's name.", action="Run them apart."
        )
    return [path.resolve() for path in found]


def make_jobs(notebooks: Iterable[Path], profile: str, out: Path, given: Mapping[str, str]) -> list[Job]:
    """Check every notebook's parameters before any of them starts.

    Raises:
        RunnerError: for an unreadable notebook, or values that do not fit one of them.
    """
    if profile not in PROFILES:
        raise RunnerError(
            f"Profile {profile!r}.", rule=f"A profile is one of {PROFILES}.", action=nearest_name(profile, PROFILES)
        )
    for name in SET_BY_THE_RUNNER.keys() & given.keys():
        raise RunnerError(
            f"-p {name}={given[name]}", rule="The runner sets this parameter.", action=f"Use {SET_BY_THE_RUNNER[name]}."
        )
    return [_make_job(path, profile, out.resolve(), given) for path in notebooks]


def prepare_folder(out: Path, jobs: Iterable[Job]) -> None:
    """Make the folder of a run, and refuse one that cannot take it.

    Raises:
        RunnerError: when it cannot be written, the disk is nearly full, or a job's folder holds something else than results.
    """
    for job in jobs:
        if job.folder.exists() and not any((job.folder / own).exists() for own in RESULTS):
            raise RunnerError(
                f"{job.folder} exists and holds no results of a run.",
                rule="A run replaces its own earlier results only.",
                action="Choose another folder with --out.",
            )
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise RunnerError(
            f"{out}: {error.strerror}.", rule="A run writes its results.", action="Choose another folder with --out."
        ) from error
    free = shutil.disk_usage(out).free
    if free < FREE_SPACE:
        raise RunnerError(
            f"{out}: {free >> 20} MiB free.",
            rule=f"A run starts with at least {FREE_SPACE >> 20} MiB.",
            action="Make room, or use --out.",
        )


def _make_job(path: Path, profile: str, out: Path, given: Mapping[str, str]) -> Job:
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise RunnerError(
            f"{path} cannot be read: {error}", rule="A notebook is JSON of format 4.", action="Restore it."
        ) from error
    declared = read_parameters(notebook, path.name)
    folder = out / path.stem
    own = {"profile": profile, "out": _short(folder / "files", path.parent)}
    values = dict(given) | {name: text for name, text in own.items() if name in declared}
    return Job(path, folder, bind(declared, values, path.name), tuple(name for name in declared if name in values))


def _short(path: Path, start: Path) -> str:
    """Relative to the notebook where both lie in the project, so that no machine's paths enter the executed notebook."""
    here = Path.cwd().resolve()
    inside = path.is_relative_to(here) and start.resolve().is_relative_to(here)
    return Path(os.path.relpath(path, start)).as_posix() if inside else path.as_posix()
