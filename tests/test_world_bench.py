"""Batched bodies: the same on any device but for rays that graze, and the yardstick notices when they are not."""

from __future__ import annotations

import json
from dataclasses import replace
from types import ModuleType

import pytest
import torch

from reidkit.world import WorldSettings
from reidkit.world.renderer import Rendering, render
from tests.test_formats_data_scripts import SCRIPTS

SMALL = WorldSettings(height=64, width=32, train_identities=3, test_identities=0, visits=2.0, frames=2)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import bench_world as module  # type: ignore[import-not-found]

    return module


def rendered(bench: ModuleType, size: int, device: str = "cpu") -> list[Rendering]:
    return [render(scene.to(device), SMALL.height, SMALL.width) for scene in bench.batches(SMALL, 6, size)]


def test_a_batch_is_its_pictures(bench: ModuleType) -> None:
    (together,), alone = rendered(bench, 6), rendered(bench, 1)
    assert torch.equal(together.colour, torch.cat([one.colour for one in alone]))
    assert torch.equal(together.depth, torch.cat([one.depth for one in alone]))


def test_agreement_notices_other_parts_and_depths(bench: ModuleType) -> None:
    (one,) = rendered(bench, 6)
    assert bench.agreement(one, one) == 1.0
    assert bench.agreement(one, replace(one, part=one.part.roll(1, dims=3))) < bench.REACHED
    assert bench.agreement(one, replace(one, depth=one.depth + 1.0)) < bench.REACHED


def test_the_page_says_what_the_record_says(bench: ModuleType) -> None:
    record = json.loads(bench.RECORD.read_text(encoding="utf-8"))
    page = bench.PAGE.read_text(encoding="utf-8").split(bench.BEGIN)[1].split(bench.END)[0]
    assert page == bench.paragraph(record)
    record["256x128"]["in_batches"]["images_a_second"] += 1
    assert page != bench.paragraph(record)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_agrees_within_the_stated_tolerance(bench: ModuleType) -> None:
    (cpu,), (gpu,) = rendered(bench, 6), rendered(bench, 6, "cuda")
    assert bench.agreement(cpu, gpu) >= bench.REACHED
    seen = (cpu.part == gpu.part.cpu()) & (cpu.part >= 0)
    assert float((cpu.colour - gpu.colour.cpu())[seen].abs().quantile(0.99)) < 0.02
