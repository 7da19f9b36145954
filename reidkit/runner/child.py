"""The process of one notebook: ``python -m reidkit.runner.child job.json``.

Exit status: 0 all cells ran, 1 a cell raised, 138 the kernel died, 70 papermill itself failed (the log says why).
The parent holds the other end of standard input: when that closes, the parent is gone, and so are this process and its kernel.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

CELL_RAISED, BROKEN, KERNEL_DIED = 1, 70, 138
SCHEME = "reidkit-notebook"


@dataclass(frozen=True)
class Order:
    """What the parent asks for.

    Attributes:
        source: the notebook to run; it is only read.
        target: where the executed copy is kept, cell by cell.
        folder: working directory of the kernel.
        values: parameters to inject.
    """

    source: str
    target: str
    folder: str
    values: dict[str, object]

    def write(self, path: Path) -> Path:
        """Store as JSON."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")
        return path


def execute(order: Order) -> int:
    """Run one notebook; returns the exit status."""
    import nbformat
    from nbclient.exceptions import DeadKernelError
    from papermill.engines import papermill_engines
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import execute_notebook
    from papermill.iorw import papermill_io

    from reidkit.runner.engine import Engine, NotebookFiles

    notebook = nbformat.read(order.source, as_version=4)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    papermill_io.register(SCHEME, NotebookFiles(nbformat.writes(notebook), Path(order.target)))
    papermill_engines.register("reidkit", Engine)
    try:
        execute_notebook(
            f"{SCHEME}.ipynb",
            f"{SCHEME}.ipynb",
            parameters=order.values,
            engine_name="reidkit",
            kernel_name="python3",
            progress_bar=False,
            cwd=order.folder,
        )
    except PapermillExecutionError:
        return CELL_RAISED
    except DeadKernelError:
        return KERNEL_DIED
    except Exception:
        traceback.print_exc()
        return BROKEN
    return 0


def follow_parent() -> None:
    """End this process and its kernel as soon as the parent is gone."""

    def wait() -> None:
        import psutil

        while os.read(0, 1):  # not sys.stdin: its lock would be held at interpreter shutdown
            pass
        for process in psutil.Process().children(recursive=True):
            process.kill()
        os._exit(BROKEN)

    threading.Thread(target=wait, daemon=True, name="parent watch").start()


if __name__ == "__main__":
    follow_parent()
    sys.exit(execute(Order(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
