"""What test_killed.py starts: every method is trained until the middle of its second epoch, and then waits to be killed.

python tests/contract/killed_runs.py FOLDER
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from reidkit.methods import all_methods
from tests.contract.checks import Bench, trained


def train_until_killed(name: str, folder: Path) -> None:
    """Go on for one step of the second epoch, say so in a file, and stand still."""
    cls = all_methods()[name]
    honest = cls.after_step

    def after_step(self, batch, loss):
        honest(self, batch, loss)
        if (folder / "checkpoints/epoch_000").is_dir():
            (folder / "in-training").touch()
            time.sleep(600)

    cls.after_step = after_step
    trained(Bench.standard(), cls, folder)


def main(folder: Path) -> None:
    """One process a method, so that each is killed for itself; this one says which is which and waits for them."""
    for name in sorted(all_methods()):
        process = os.fork()
        if not process:
            train_until_killed(name, folder / name)
            os._exit(1)
        print(name, process, flush=True)
        os.waitpid(process, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
