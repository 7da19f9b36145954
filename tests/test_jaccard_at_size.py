"""The Jaccard graph at size: estimates before it starts, several processes, memory."""

import importlib
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reidkit.errors import LabelsError
from reidkit.jaccard import jaccard_graph, rerank
from reidkit.jaccard.estimate import available_memory, estimate
from tests.test_jaccard import unit_rows


def test_what_cannot_fit_is_refused_before_it_starts(monkeypatch, caplog):
    """The error names the number, the limit and a setting that fits."""
    x = unit_rows(np.random.default_rng(0), 200, 8)
    monkeypatch.setattr("reidkit.jaccard.build.MANY", 100)
    with caplog.at_level(logging.INFO, "reidkit.jaccard"):
        jaccard_graph(x)
    assert "200 images of 8 features: about" in caplog.text
    between = (estimate(200, 8, max_distance=0.7).memory + estimate(200, 8).memory) // 2
    monkeypatch.setattr("reidkit.jaccard.estimate.available_memory", lambda: between)
    with pytest.raises(LabelsError, match=r"200 images takes about .* GiB are free(.|\n)*max_distance=0.7"):
        jaccard_graph(x)
    jaccard_graph(x, max_distance=0.7)
    monkeypatch.setattr("reidkit.jaccard.estimate.available_memory", lambda: 1)
    with pytest.raises(LabelsError, match="fewer images"):
        jaccard_graph(x)


SHARED = """
import sys
from pathlib import Path
import numpy as np
import torch.distributed as dist
from reidkit.jaccard import jaccard_graph
from reidkit.neighbours import Processes
from tests.test_jaccard import unit_rows

dist.init_process_group("gloo")
x = unit_rows(np.random.default_rng(1), 1100, 12, duplicates=40)
matrix = jaccard_graph(x, k1=12, variant="full", processes=Processes.current()).matrix
np.savez(Path(sys.argv[1]) / f"graph{dist.get_rank()}.npz", indptr=matrix.indptr, indices=matrix.indices, data=matrix.data)
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_under_torchrun_give_the_same_graph(tmp_path):
    """`torchrun` itself, on one machine, with gloo."""
    (tmp_path / "shared.py").write_text(SHARED)
    root = str(Path(__file__).parents[1])
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*launch, str(tmp_path / "shared.py"), str(tmp_path)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    wanted = jaccard_graph(unit_rows(np.random.default_rng(1), 1100, 12, duplicates=40), k1=12, variant="full").matrix
    for rank in (0, 1):
        stored = np.load(tmp_path / f"graph{rank}.npz")
        assert all((stored[part] == getattr(wanted, part)).all() for part in ("indptr", "indices", "data"))


def test_a_ranking_that_cannot_fit_is_refused(monkeypatch):
    """The dense result counts, and the number and the limit are named."""
    x = unit_rows(np.random.default_rng(0), 300, 8)
    monkeypatch.setattr(importlib.import_module("reidkit.jaccard.rerank"), "MANY", 100)
    assert rerank(x[:20], x[20:]).shape == (20, 280)
    monkeypatch.setattr("reidkit.jaccard.estimate.available_memory", lambda: 1)
    with pytest.raises(LabelsError, match=r"300 images takes about .* GiB are free(.|\n)*fewer images"):
        rerank(x[:20], x[20:])


def test_indices_keep_32_bits():
    """Half the memory, and what the pair stage waits for."""
    matrix = jaccard_graph(unit_rows(np.random.default_rng(0), 60, 8)).matrix
    assert matrix.indices.dtype == matrix.indptr.dtype == np.int32


def test_memory_grows_with_the_images_not_their_square():
    assert estimate(200_000, 256).memory == 2 * estimate(100_000, 256).memory
    assert estimate(200_000, 256).seconds > 2 * estimate(100_000, 256).seconds
    assert available_memory() > 2**20


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from /proc")
def test_sixty_thousand_images_in_three_gigabytes():
    """A dense matrix would take 14 GB. Everything of a fresh process counts, imports included.

    Its peak is read from /proc: what `getrusage` tells begins with the peak of the process that started it.
    """
    code = """
from pathlib import Path
import numpy as np
from reidkit.jaccard import jaccard_graph
from reidkit.labels import all_eps, dbscan
rng = np.random.default_rng(0)
x = rng.normal(size=(3000, 32))[rng.integers(0, 3000, 60_000)] + 0.5 * rng.normal(size=(60_000, 32))
x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
graph = jaccard_graph(x, max_distance=0.7)
assert (all_eps(graph).labels(0.6) == dbscan(graph, 0.6)).all()
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(1024 * int(status["VmHWM"].split()[0]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 3e9
