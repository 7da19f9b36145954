"""The numbered checks of LF2 (clustering reference, section 7)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reidkit.features import extract
from reidkit.methods.lf2 import LF2
from reidkit.models import (
    FusionModule,
)
from reidkit.models.fusion import average, halves, largest
from reidkit.training import fit
from tests.contract.checks import SCHEDULE, Bench, first_batch

IMAGES = torch.randn(8, 3, 32, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench.standard()


def test_chk_7_1_where_the_sigmoid_stands() -> None:
    maps = torch.tensor([2.0, 0.0]).reshape(1, 2, 1, 1)
    for sigmoid, wanted in (("inside", (1.761594, 0.0)), ("outside", (0.982014, 0.5))):
        fusion = FusionModule(2, reduction=1, sigmoid=sigmoid)
        for layer in (fusion.attention[0][0], fusion.attention[0][2]):
            layer.weight.data = torch.eye(2)
        # One map of one pixel: average and maximum agree, so halving them gives MLP(F) and F of the check.
        gate = fusion.gate(maps / 2, 0)
        assert gate.flatten().tolist() == pytest.approx(wanted, abs=1e-5)


def test_chk_7_2_the_released_attention_gets_no_gradient(bench: Bench) -> None:
    method, batch = first_batch(bench, LF2)
    method.loss(batch).total.backward()
    assert all(p.grad is None for p in method.fusion.parameters())
    for expert in (method.student.upper, method.student.lower):
        assert expert[0].weight.grad.abs().sum() > 0
    assert method.student.backbone.conv1.weight.grad.abs().sum() > 0


def test_the_option_trains_the_attention_and_nothing_above_it(bench: Bench) -> None:
    toy = bench.build(LF2)
    method = LF2(toy.student, toy.fusion, replace(toy.recipe, fusion_loss="triplet"))
    _, batch = first_batch(bench, LF2)
    method.classifier.remake(8)
    method.train()
    loss = method.loss(batch)
    sum(weight * value for name, (weight, value) in loss.terms.items() if name.startswith("fused"))
    before = loss.total - sum(loss.terms[name][0] * loss.terms[name][1] for name in ("identity", "triplet", "upper", "lower"))
    assert before.item() > 0
    loss.total.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in method.fusion.attention.parameters())
    assert all(p.grad is None for p in method.teacher.parameters())


def test_chk_7_3_halves() -> None:
    maps = torch.randn(2, 4, 16, 8)
    upper, lower = halves(maps)
    assert upper.shape == lower.shape == (2, 4, 8, 8)
    torch.testing.assert_close((average(upper) + average(lower)) / 2, average(maps))
    torch.testing.assert_close(torch.maximum(largest(upper), largest(lower)), largest(maps))


def test_chk_7_4_each_view_has_its_own_batch_and_weight(bench: Bench) -> None:
    method, batch = first_batch(bench, LF2)
    assert len(batch.others) == 2
    weights = {name: weight for name, (weight, _) in method.loss(batch).terms.items()}
    assert weights == {"identity": 1.0, "triplet": 1.0, "upper": 0.5, "lower": 0.5}
    method.recipe = replace(method.recipe, gamma=0.0)
    method.eval()
    gradients = []
    for scale in (1.0, 3.0):
        method.zero_grad()
        others = tuple(replace(other, views=(other.views[0] * scale,)) for other in batch.others)
        method.loss(replace(batch, others=others)).total.backward()
        gradients.append(method.student.backbone.conv1.weight.grad.clone())
    assert torch.equal(*gradients)


def test_chk_7_5_the_teacher_alone_is_tested(bench: Bench) -> None:
    method = bench.build(LF2).eval()
    before = method.embed_test(IMAGES)
    assert before.shape == (8, 3 * 256)
    torch.testing.assert_close(before.norm(dim=1), torch.ones(8))
    for parameter in method.student.parameters():
        parameter.data.add_(1.0)
    assert torch.equal(before, method.embed_test(IMAGES))


def test_chk_7_6_the_teacher_is_averaged_as_mmts(bench: Bench) -> None:
    """CHK-4.1 through LF2's own step: 100 becomes 1, 1.5, 2, 3 as the student takes 1, 2, 3, 6; statistics are left alone."""
    method, batch = first_batch(bench, LF2)
    loss = method.loss(batch)
    pairs = [(method.teacher, method.student), (method.teacher_classifier, method.classifier)]
    parameters = [(next(teacher.parameters()), next(student.parameters())) for teacher, student in pairs]
    statistics, values = method.teacher.norm.running_mean.clone(), []
    method.student.norm.running_mean.add_(1.0)
    for teacher, _ in parameters:
        teacher.data.fill_(100.0)
    for value in (1.0, 2.0, 3.0, 6.0):
        for _, student in parameters:
            student.data.fill_(value)
        method.after_step(batch, loss)
        values.append([teacher.flatten()[0].item() for teacher, _ in parameters])
    assert np.array(values) == pytest.approx(np.repeat([[1.0], [1.5], [2.0], [3.0]], 2, axis=1))
    assert torch.equal(statistics, method.teacher.norm.running_mean)


def test_each_view_may_have_its_own_number_of_clusters(bench: Bench) -> None:
    toy = bench.build(LF2)
    features = extract(toy.embed, bench.target.train.blind(), size=(32, 16), parts=3, flip=True, progress=False)
    for parts, wanted in (((), (8, 8, 8)), ((5, 3), (8, 5, 3))):
        toy.recipe = replace(toy.recipe, part_clusters=parts)
        assert toy.prepare_epoch(features, 0).clusters_per_view == wanted
    assert toy.classifier.classes == 8


def test_the_recipe_says_where_the_sigmoid_stands(bench: Bench) -> None:
    toy = bench.build(LF2)
    assert toy.fusion.sigmoid == "inside"
    LF2(toy.student, toy.fusion, replace(toy.recipe, sigmoid="outside"))
    assert toy.fusion.sigmoid == "outside"


@pytest.mark.parametrize("fusion", ["teacher-parts", "global"])
def test_ablations_run(bench: Bench, fusion: str, tmp_path: Path) -> None:
    toy = bench.build(LF2)
    method = LF2(toy.student, toy.fusion, replace(toy.recipe, fusion=fusion))
    capsule = fit(method, bench.target.train, schedule=replace(SCHEDULE, epochs=1), out=tmp_path, progress=False)
    assert ("upper" in set(capsule.losses["term"])) == (fusion != "global")
