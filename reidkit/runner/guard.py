"""Inside the kernel: what no cell output shows is written down here, and read by the engine after the last cell.

An exception in a thread or in an asyncio task ends nothing and fails nothing. The engine calls `install` before the first
cell and `report` after the last one. The standard library only: this is imported into every kernel.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
from typing import Any


class Recorder:
    """Exceptions that reached nobody, in the order they came."""

    def __init__(self) -> None:
        self.found: list[dict[str, str]] = []

    def note(self, where: str, error: BaseException | None) -> None:
        """Write down one exception and the place that lost it."""
        if error is not None and not isinstance(error, SystemExit):
            self.found.append({"where": where, "type": type(error).__name__, "message": str(error)[:2000]})


RECORDER = Recorder()  # one kernel, one list: the hooks below belong to the whole process


def install() -> None:
    """Watch threads and the tasks of the running event loop; what they print stays as it is."""
    usual = threading.excepthook

    def thread_hook(args: Any) -> None:
        RECORDER.note(f"thread {args.thread.name if args.thread else '?'}", args.exc_value)
        usual(args)

    def task_handler(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        RECORDER.note("asyncio task", context.get("exception"))
        loop.default_exception_handler(context)

    threading.excepthook = thread_hook
    asyncio.get_running_loop().set_exception_handler(task_handler)


def report() -> str:
    """JSON with the lost exceptions, the device that torch saw and the peak memory of this kernel in MiB."""
    gc.collect()  # a failed task speaks when it is collected
    for task in [thing for thing in gc.get_objects() if isinstance(thing, asyncio.Task)]:
        if task.done() and not task.cancelled() and getattr(task, "_log_traceback", False):
            RECORDER.note(f"asyncio task {task.get_name()}", task.exception())
    return json.dumps({"swallowed": RECORDER.found, "device": _device(), "peak_memory_mib": _peak_memory()})


def _device() -> str:
    if "torch" not in sys.modules:
        return "cpu"
    from reidkit.compute import describe_device

    return describe_device()


def _peak_memory() -> float | None:
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
