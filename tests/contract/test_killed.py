"""Every method killed for real in the middle of an epoch: gone on with, it is the run that was never stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from reidkit.methods import all_methods
from tests.contract.checks import Bench, assert_same_run, trained

ROOT = Path(__file__).parents[2]
METHODS = sorted(all_methods())
PATIENCE = 300.0


@pytest.fixture(autouse=True)
def as_the_killed_runs_had() -> Iterator[None]:
    """One thread: sums in another order have other last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of runs, each ended by SIGKILL after a step of its second epoch."""
    folder = tmp_path_factory.mktemp("killed")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).with_name("killed_runs.py")), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as parent:
        assert parent.stdout is not None
        for line in parent.stdout:
            name, process = line.split()
            deadline = time.monotonic() + PATIENCE
            while not (folder / name / "in-training").exists():
                assert time.monotonic() < deadline, f"{name} never came to its second epoch"
                time.sleep(0.02)
            os.kill(int(process), signal.SIGKILL)
    assert parent.returncode == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_a_killed_run_goes_on_bit_for_bit(killed: Path, name: str, tmp_path: Path) -> None:
    cls, bench = all_methods()[name], Bench.standard()
    assert [path.name for path in (killed / name / "checkpoints").glob("epoch_*")] == ["epoch_000"]
    assert_same_run(trained(bench, cls, tmp_path), trained(bench, cls, killed / name))
