"""The notebook as an application: Voila on this machine only, behind a token, without any other host."""

from __future__ import annotations

import os
from importlib.resources import files

from reidkit.analyst.source import Source

PORT = 8866


def serve(source: Source, *, port: int = PORT, browser: bool = True) -> None:
    """Serve until interrupted; the address, token included, is printed by Voila.

    Args:
        source: what to diagnose; check it with `source.diagnose` before.
        port: the first port to try.
        browser: whether to open one.
    """
    from voila.app import Voila

    os.environ.update(source.environment())
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    Voila.launch_instance(arguments(port=port, browser=browser))


def arguments(*, port: int, browser: bool) -> list[str]:
    """Voila's command line; it makes the token itself, and prints only such a one in full."""
    notebook = str(files("reidkit.analyst").joinpath("analyst.ipynb"))
    words = [
        notebook,
        f"--port={port}",
        "--Voila.ip=127.0.0.1",
        "--Voila.auto_token=True",
        "--VoilaConfiguration.show_tracebacks=True",
    ]
    return words if browser else [*words, "--no-browser"]
