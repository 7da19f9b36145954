"""What is installed, what really works, where data is looked for, and the one command that repairs what is missing.

Each back end is tried in a process of its own: a library that crashes on import is a finding, not the end of the doctor.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from reidkit import __version__
from reidkit.environment import checkout, installed_version, requirements, usable_cores

State = Literal["ok", "note", "bad"]
SIGNS: dict[State, str] = {"ok": "ok  ", "note": "note", "bad": "BAD "}
PATIENCE = 120  # seconds for one trial
LEAST_FREE = 2 * 2**30


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        area: ``"python"``, ``"packages"``, ``"accelerators"``, ``"neighbours"``, ``"notebooks"`` or ``"data"``.
        state: ``"ok"``; ``"note"`` when something optional is absent; ``"bad"`` when something needed is.
        repair: requirement to install, when that is what helps.
    """

    area: str
    name: str
    state: State
    detail: str
    repair: str = ""


def examine() -> list[Finding]:
    """All findings; takes some seconds, because torch and faiss are really loaded."""
    return [*_python(), *_packages(), *_trials(), *_notebooks(), *_data()]


def repair_command(findings: Sequence[Finding]) -> str:
    """The one command that installs what is missing or too old, else reinstalls what is there but broken; "" for neither."""
    pip = [sys.executable, "-m", "pip", "install"]
    missing = sorted({finding.repair for finding in findings if finding.repair and finding.area == "packages"})
    broken = sorted({finding.repair for finding in findings if finding.repair and finding.area != "packages"})
    if missing:
        return shlex.join([*pip, *missing])
    return shlex.join([*pip, "--force-reinstall", "--no-deps", *broken]) if broken else ""


def to_text(findings: Sequence[Finding], command: str) -> str:
    """The report for a terminal: one line a finding, grouped by area, and what to do at the end."""
    width = max(len(finding.name) for finding in findings)
    lines = [f"reidkit {__version__} in {checkout()}"]
    for area in dict.fromkeys(finding.area for finding in findings):
        lines += ["", area]
        lines += [f"  {SIGNS[f.state]}  {f.name:<{width}}  {f.detail}".rstrip() for f in findings if f.area == area]
    bad = [finding for finding in findings if finding.state == "bad"]
    lines += ["", f"{len(bad)} of {len(findings)} findings are bad." if bad else "Everything needed is there."]
    return "\n".join(lines + ([f"Repair: {command}"] if command else []))


def _python() -> list[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    state: State = "ok" if sys.version_info >= (3, 11) else "bad"
    return [
        Finding("python", "version", state, f"{version} (3.11 or newer is needed) at {sys.executable}"),
        Finding("python", "cores", "ok", str(usable_cores())),
    ]


def _packages() -> list[Finding]:
    """Every requirement against what is installed; those of the extra `dev` are optional."""
    findings = []
    lacking: State
    for extra, lacking in (("", "bad"), ("dev", "note")):
        for wanted in requirements(extra):
            found = installed_version(wanted.name)
            fits = found is not None and wanted.specifier.contains(found, prereleases=True)
            state: State = "ok" if fits else lacking
            detail = f"{found or 'not installed'} (wanted {wanted.specifier}{', for developers' if extra else ''})"
            repair = "" if fits or extra else f"{wanted.name}{wanted.specifier}"
            findings.append(Finding("packages", wanted.name, state, detail, repair))
    return findings


def _trials() -> list[Finding]:
    """Accelerators and neighbour back ends, each tried in a process of its own."""
    return [finding for name in TRIALS for finding in _in_process(name)]


def _in_process(name: str) -> list[Finding]:
    """The findings of one trial; a crash, a hang or an exception is a bad one."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "reidkit.doctor", name], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return [_broken(name, f"no answer in {PATIENCE} s")]
    if done.returncode < 0:
        return [_broken(name, f"crashed with {signal.Signals(-done.returncode).name}")]
    if done.returncode:
        return [_broken(name, (done.stderr.strip().splitlines() or ["failed without a word"])[-1])]
    return [Finding(**row) for row in json.loads(done.stdout.splitlines()[-1])]


def _try_torch() -> list[Finding]:
    """A product in bf16 on every device that torch sees."""
    import torch

    findings = []
    for device in ["cpu"] + [f"cuda:{i}" for i in range(torch.cuda.device_count())]:
        matrix = torch.eye(64, device=device)
        with torch.autocast(torch.device(device).type, dtype=torch.bfloat16):
            product = matrix @ matrix
        right = product.dtype == torch.bfloat16 and bool(torch.equal(product.float().cpu(), torch.eye(64)))
        what = "CPU" if device == "cpu" else torch.cuda.get_device_name(device)
        findings.append(_tried("torch", f"torch on {device}", right, f"{what}; bf16"))
    if not torch.cuda.is_available():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "a CPU build"
        detail = f"no GPU seen ({built}); everything runs on the CPU"
        findings.append(Finding(AREAS["torch"], "torch on cuda", "note", detail))
    return findings


def _try_faiss() -> list[Finding]:
    """A search on the CPU and on every GPU that faiss sees; each point's nearest neighbour is itself."""
    import faiss
    import numpy as np

    points = np.eye(32, dtype=np.float32)
    index = faiss.IndexFlatIP(32)
    index.add(points)

    def right(searched: faiss.Index) -> bool:
        return bool((searched.search(points, 1)[1][:, 0] == np.arange(32)).all())

    findings = [_tried("faiss", "faiss on cpu", right(index), f"{faiss.__version__}; a search")]
    count = faiss.get_num_gpus() if hasattr(faiss, "get_num_gpus") else 0
    for gpu in range(count):
        moved = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), gpu, index)
        findings.append(_tried("faiss", f"faiss on gpu:{gpu}", right(moved), "a search"))
    if not count:
        findings.append(Finding(AREAS["faiss"], "faiss on gpu", "note", "none seen; faiss searches on the CPU"))
    return findings


AREAS = {"torch": "accelerators", "faiss": "neighbours"}
TRIALS: dict[str, Callable[[], list[Finding]]] = {"torch": _try_torch, "faiss": _try_faiss}


def _tried(trial: str, name: str, right: bool, detail: str) -> Finding:
    return (
        Finding(AREAS[trial], name, "ok", f"{detail} works") if right else _broken(trial, f"{detail} gives wrong numbers", name)
    )


def _broken(trial: str, detail: str, name: str = "") -> Finding:
    """A back end that is there and does not work; nothing to repair here when its package is missing (see packages)."""
    found = next((str(wanted.name) for wanted in requirements() if wanted.name.startswith(trial)), trial)
    repair = found if installed_version(found) else ""
    return Finding(AREAS[trial], name or trial, "bad", detail, repair)


def _notebooks() -> list[Finding]:
    """Whether notebooks can start a kernel of this interpreter."""
    kernel = find_spec("ipykernel") is not None
    return [Finding("notebooks", "kernel", "ok" if kernel else "bad", "this interpreter" if kernel else "ipykernel is missing")]


def _data() -> list[Finding]:
    """Where data and caches are looked for, and what stands there."""
    root = os.environ.get("REIDKIT_DATA", "")
    if not root:
        data = Finding("data", "REIDKIT_DATA", "note", "not set; lessons use the synthetic worlds")
    elif not Path(root).is_dir():
        data = Finding("data", "REIDKIT_DATA", "bad", f"{root} is no folder; correct or unset it")
    else:
        found = sorted(path.name for path in Path(root).iterdir() if path.is_dir())
        data = Finding("data", "REIDKIT_DATA", "ok", f"{root}: {', '.join(found) or 'no data set in it'}")
    return [data, _cache()]


def _cache() -> Finding:
    try:
        from reidkit.stages import cache_folder
    except ImportError as error:
        return Finding("data", "cache", "note", f"cannot be told before the packages are there ({error})")
    folder = cache_folder()
    standing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(standing).free
    stated = "REIDKIT_CACHE" if os.environ.get("REIDKIT_CACHE") else "REIDKIT_CACHE not set"
    if not os.access(standing, os.W_OK):
        return Finding("data", "cache", "bad", f"{folder} cannot be written ({stated})")
    state: State = "ok" if free >= LEAST_FREE else "note"
    return Finding("data", "cache", state, f"{folder} ({stated}), {free / 2**30:.1f} GiB free")


if __name__ == "__main__":
    sys.stdout.write(json.dumps([vars(finding) for finding in TRIALS[sys.argv[1]]()]) + "\n")
