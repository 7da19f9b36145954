"""One run of one contestant, in a process of its own: prepare, then time and weigh the work, then hand over the outputs."""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import logging
import resource
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reidkit.bench.contest import Inputs

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Order:
    """What a child is to do.

    Attributes:
        inputs: folder of .npy files, read as memory maps.
        run, prepare, finish: ``"module:function"``.
        out: folder for ``result.json`` and one .npy an output array; arrays are left out unless `keep`.
    """

    inputs: str
    run: str
    prepare: str
    finish: str
    out: str
    keep: bool

    def write(self, path: Path) -> Path:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")
        return path


def place_of(function: Callable[..., Any]) -> str:
    """The name under which another process finds a function."""
    return f"{function.__module__}:{function.__qualname__}"


def main(order: Order) -> None:
    """Carry out an order."""
    inputs = mapped(Path(order.inputs))
    run, finish, prepared = _find(order.run), _find(order.finish), _find(order.prepare)(inputs)
    touch(inputs)
    before = _start_peak()
    wall, cpu = time.perf_counter(), _processor_seconds()
    outputs = run(prepared)
    measured = {"wall": time.perf_counter() - wall, "cpu": _processor_seconds() - cpu, "memory": max(0, _peak() - before)}
    _hand_over({**outputs, **finish(inputs, outputs)}, measured, Path(order.out), order.keep)


def mapped(folder: Path) -> Inputs:
    """The arrays of a folder, mapped from disk; a contestant that writes into one changes its own copy only."""
    return {path.stem: np.asarray(np.load(path, mmap_mode="c")) for path in sorted(folder.glob("*.npy"))}


def touch(inputs: Inputs) -> None:
    """Read every page once, so that the inputs count as memory from before the work."""
    for array in inputs.values():
        flat = np.reshape(array, -1)
        for start in range(0, flat.size, 1 << 24):
            flat[start : start + (1 << 24) : 512].max(initial=0)


def _find(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def _hand_over(outputs: Mapping[str, Any], measured: dict[str, Any], folder: Path, keep: bool) -> None:
    """Store arrays as files and everything else beside the measurements."""
    plain = {}
    for name, value in outputs.items():
        if not isinstance(value, np.ndarray):
            plain[name] = value.item() if isinstance(value, np.generic) else value
        elif keep:
            np.save(folder / f"{name}.npy", value)
    (folder / "result.json").write_text(json.dumps({"measured": measured, "outputs": plain}), encoding="utf-8")


def _processor_seconds() -> float:
    """User and system time of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _start_peak() -> int:
    """Bytes resident now; from here on `_peak` counts. Where the peak cannot be set back, it is the one so far.

    What preparation has freed goes back to the system first: kept for reuse, it would hide what the work takes.
    """
    gc.collect()
    if CLEAR.exists():
        with suppress(OSError, AttributeError):  # a C library without malloc_trim keeps what it has
            ctypes.CDLL(None).malloc_trim(0)
        CLEAR.write_text("5", encoding="ascii")
    return _peak()


def _peak() -> int:
    """Largest resident size in bytes."""
    if STATUS.exists():
        line = next(line for line in STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="  %(message)s")
    try:
        main(Order(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
    except Exception as error:
        sys.stdout.write(f"{type(error).__name__}: {error}\n")  # the arena reads the last line
        raise
