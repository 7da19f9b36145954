"""What this environment holds: the requirements of reidkit, the versions installed, the commit of a checkout."""

from __future__ import annotations

import os
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

FAISS = ("faiss-gpu", "faiss-cpu", "faiss")  # one library under the names that pip and conda know it by


def requirements(extra: str = "") -> list[Requirement]:
    """What reidkit needs on this machine, from the checkout's pyproject.toml, else from the installed metadata.

    Args:
        extra: name of an extra (``"dev"``); its requirements are listed instead.
    """
    pyproject = checkout() / "pyproject.toml"
    if pyproject.is_file():
        project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
        lines = project["optional-dependencies"].get(extra, []) if extra else project["dependencies"]
    else:
        lines = [line for line in metadata.requires("reidkit") or [] if ("extra ==" in line) == bool(extra)]
    found = [Requirement(line) for line in lines]
    return [wanted for wanted in found if wanted.marker is None or wanted.marker.evaluate({"extra": extra})]


def installed_version(name: str) -> str | None:
    """The version of an installed distribution, whichever of its names it was installed under; None when there is none."""
    for known in FAISS if name in FAISS else (name,):
        try:
            return metadata.version(known)
        except metadata.PackageNotFoundError:
            continue
    return None


def installed_versions() -> dict[str, str | None]:
    """Version of reidkit and of everything it asks for by name."""
    from reidkit import __version__

    return {"reidkit": __version__} | {wanted.name: installed_version(wanted.name) for wanted in requirements()}


def checkout() -> Path:
    """The folder that holds the package: the root of the repository, or site-packages."""
    return Path(__file__).resolve().parent.parent


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def git_commit(folder: Path) -> dict[str, object] | None:
    """``{"commit": hash, "clean": whether nothing tracked was changed}`` of a checkout; None where there is none."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    return {"commit": commit, "clean": git("status", "--porcelain", "--untracked-files=no") == ""} if commit else None
