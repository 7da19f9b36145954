"""Devices, precision, seeds and threads."""

import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from reidkit.compute import Compute, derive_seed, device_of, memory_for, seed_everything, threads
from reidkit.errors import ReidkitError


def test_auto_is_the_best_device_here() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert Compute().torch_device.type == expected and Compute("cpu").torch_device == torch.device("cpu")


def test_a_gpu_that_is_not_there_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Compute("auto").torch_device.type == "cpu"
    with pytest.raises(ReidkitError, match="sees no GPU") as caught:
        _ = Compute("cuda:1").torch_device
    assert "doctor" in caught.value.action


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ReidkitError, match="'fp16' is unknown"):
        Compute(precision="fp16")


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bf16", torch.bfloat16)])
def test_autocast_follows_the_precision_and_ends(precision: str, dtype: torch.dtype) -> None:
    linear, x = nn.Linear(4, 4), torch.ones(2, 4)
    with Compute("cpu", precision).autocast():
        assert linear(x).dtype == dtype
    assert linear(x).dtype == torch.float32 and linear.weight.dtype == torch.float32


def test_autocast_ends_after_an_error() -> None:
    with pytest.raises(ValueError, match="x"), Compute("cpu", "bf16").autocast():
        raise ValueError("x")
    assert not torch.is_autocast_enabled("cpu")


def test_place_and_device_of() -> None:
    module = nn.Linear(2, 2)
    assert Compute("cpu").place(module) is module and device_of(module) == torch.device("cpu")
    assert device_of(nn.ReLU()) == torch.device("cpu")
    assert device_of(nn.Linear(2, 2, device="meta")).type == "meta"
    assert device_of(nn.BatchNorm1d(2, affine=False, device="meta")).type == "meta"  # buffers only


def test_one_seed_seeds_everything() -> None:
    def draws() -> tuple[float, float, float]:
        return random.random(), float(np.random.random()), float(torch.rand(()))

    assert seed_everything(3, "epoch", 7) == derive_seed(3, "epoch", 7)
    first = draws()
    draws()
    seed_everything(3, "epoch", 7)
    assert draws() == first
    seed_everything(3, "epoch", 8)
    assert all(a != b for a, b in zip(draws(), first))


def test_seeds_differ_by_every_part_and_by_order() -> None:
    parts = [(n, word, m) for n in range(5) for word in ("a", "b", "epoch", "extract") for m in range(50)]
    parts += [(word, n, m) for n in range(5) for word in ("a", "b", "epoch", "extract") for m in range(50)]
    seeds = [derive_seed(*part) for part in parts]
    assert len(set(seeds)) == len(seeds) and all(isinstance(s, int) and 0 <= s < 2**32 for s in seeds)
    assert derive_seed(1, "x") == derive_seed(1, "x")
    assert len({derive_seed(1), derive_seed(1, 0), derive_seed(-1), derive_seed("1")}) == 4


@pytest.mark.slow
def test_seeds_are_the_same_in_every_process() -> None:
    code = "from reidkit.compute import derive_seed; print(derive_seed(7, 'world', 3))"
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) == derive_seed(7, "world", 3)


def test_threads_obey_the_environment(monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads() == 3
    for value in ("", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert 1 <= threads() <= (os.cpu_count() or 1)


def test_a_lack_of_memory_is_told_and_other_errors_pass() -> None:
    with pytest.raises(ReidkitError, match=r"No memory for a map(.|\n)*Lower size"), memory_for("a map", less="Lower size."):
        torch.empty(1 << 55)  # more than any machine has
    with pytest.raises(RuntimeError, match=r"inner dimensions|shapes cannot"), memory_for("a map", less="Lower size."):
        torch.zeros(2, 3) @ torch.zeros(2, 3)
