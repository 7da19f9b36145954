"""Batches: what travels with them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from reidkit.method import Batch
from tests.contract.checks import Bench

IMAGES = torch.randn(8, 3, 32, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench.standard()


def test_batches_move_whole() -> None:
    """`Batch.to` takes companions and further batches along."""
    batch = Batch((IMAGES,), torch.arange(8), torch.zeros(8, 1, dtype=torch.long), torch.zeros(8, dtype=torch.long))
    moved = replace(batch, companion=batch, others=(batch,)).to(torch.device("meta"))
    assert moved.others[0].index.is_meta and moved.companion.views[0].is_meta and moved.label.is_meta
