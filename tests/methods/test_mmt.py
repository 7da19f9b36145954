"""The numbered checks of MMT (clustering reference, section 4)."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from reidkit.losses import pairwise_distances, softmax_triplet
from reidkit.method import follow, ramped
from reidkit.methods.mmt import MMT
from reidkit.models import Branch, build_embedder, in_groups
from reidkit.training import fit
from tests.contract.checks import SCHEDULE, Bench, first_batch

IMAGES = torch.randn(8, 3, 32, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench.standard()


def test_chk_4_1_the_ramped_average() -> None:
    teacher, student = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    teacher.weight.data.fill_(100.0)
    values = []
    for step, value in enumerate((1.0, 2.0, 3.0, 6.0)):
        student.weight.data.fill_(value)
        follow(teacher, student, ramped(0.999, step))
        values.append(teacher.weight.item())
    assert values == pytest.approx([1.0, 1.5, 2.0, 3.0])
    for step, alpha in {0: 0.0, 1: 0.5, 9: 0.9, 998: 0.998999, 999: 0.999, 5000: 0.999}.items():
        assert ramped(0.999, step) == pytest.approx(alpha, abs=1e-6)


def test_chk_4_5_weights(bench: Bench) -> None:
    method, batch = first_batch(bench, MMT)
    weights = {name: weight for name, (weight, _) in method.loss(batch).terms.items()}
    assert weights == pytest.approx({"identity": 0.5, "soft_identity": 0.5, "triplet": 0.2, "soft_triplet": 0.8})
    one = {"identity": 2.0, "soft_identity": 1.5, "triplet": 0.7, "soft_triplet": 0.6}
    assert sum(weights[name] * one[name] for name in one) == pytest.approx(2.37)


def test_chk_4_6_each_teaches_the_other(bench: Bench) -> None:
    method, batch = first_batch(bench, MMT)
    method.eval()

    def gradients() -> list[torch.Tensor]:
        method.zero_grad()
        method.loss(batch).total.backward()
        return [branch.embedder.backbone.conv1.weight.grad.clone() for branch in method.students]

    before = gradients()
    for parameter in method.teachers[0].parameters():
        parameter.data.zero_()
    after = gradients()
    assert torch.equal(before[0], after[0]) and not torch.equal(before[1], after[1])


def test_chk_4_8_classifiers_start_equal_and_statistics_are_not_averaged(bench: Bench) -> None:
    method, batch = first_batch(bench, MMT)
    rows = [branch.classifier.weight for branch in (*method.students, *method.teachers)]
    for weight in rows:
        assert torch.equal(weight, rows[0])
        torch.testing.assert_close(weight.norm(dim=1), torch.ones(len(weight)))
    statistics = method.teachers[0].embedder.neck.running_mean.clone()
    student = method.students[0].embedder.neck.running_mean
    student.add_(1.0)
    method.after_step(batch, method.loss(batch))
    moved = method.teachers[0].embedder.neck.running_mean - statistics
    assert moved.abs().max() < 0.5, "the teacher's statistics are its own"


def test_chk_4_9_both_row_norms_count() -> None:
    """2 |a|^2 - 2ab, right for unit vectors only, would give -4 from a and 12 from b; the squared distance is 4."""
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 0.0]])
    assert [(2 * x @ x.T - 2 * x @ y.T).item() for x, y in ((a, b), (b, a))] == [-4.0, 12.0]
    assert pairwise_distances(a, b).square().item() == pairwise_distances(b, a).square().item() == 4.0
    features = torch.tensor(
        [[1.0, 0.0], [3.0, 0.0], [0.0, 5.0], [0.0, 6.0]]
    )  # d_ap 2, 2, 1, 1; d_an to the nearest of the others
    others = [26**0.5, 34**0.5, 26**0.5, 37**0.5]
    wanted = sum(math.log1p(math.exp(near - far)) for near, far in zip((2, 2, 1, 1), others, strict=True)) / 4
    assert softmax_triplet(features, torch.tensor([0, 0, 1, 1])).item() == pytest.approx(wanted, rel=1e-6)


def test_groups_give_the_statistics_of_small_batches() -> None:
    network = build_embedder("tiny").train()
    alone = torch.cat([copy.deepcopy(network)(part)[1] for part in IMAGES.split(4)])
    together = in_groups(copy.deepcopy(network), IMAGES, 4)[1]
    torch.testing.assert_close(together, alone)
    assert not torch.allclose(together, network(IMAGES)[1])


@pytest.mark.parametrize(
    "change",
    [
        {"soft_identity": 0.0, "soft_triplet": 0.0},
        {"momentum": 0.0},
        {"taught_by": "own"},
        {"clustering": "kmeans", "clusters": 8},
        {"evaluated": "both"},
        {"norm_group": 4},
        {"dropout": 0.5},
    ],
    ids=lambda change: "-".join(change),
)
def test_ablations_run(bench: Bench, change: dict[str, object], tmp_path: Path) -> None:
    toy = bench.build(MMT)
    method = MMT([branch.embedder for branch in toy.students], replace(toy.recipe, **change))
    capsule = fit(method, bench.target.train, schedule=replace(SCHEDULE, epochs=1), out=tmp_path, progress=False)
    assert len(capsule.losses) and np.isfinite(capsule.losses["value"]).all()
    if change.get("momentum") == 0.0:
        for teacher, student in zip(method.teachers.parameters(), method.students.parameters()):
            assert torch.equal(teacher, student)


def test_dropout_stands_before_the_classifier_and_only_while_training() -> None:
    branch = Branch(build_embedder("tiny"), classes=5, dropout=0.5)
    _, b, logits = branch(IMAGES)
    unlike = (logits - branch.classifier(b)).abs().sum(1)
    assert (unlike > 0).any() and torch.equal(branch.eval()(IMAGES)[2], branch.classifier(branch(IMAGES)[1]))


def test_one_network_teaches_itself(bench: Bench, tmp_path: Path) -> None:
    recipe = replace(bench.build(MMT).recipe, taught_by="own")
    method = MMT([build_embedder("tiny")], recipe)
    capsule = fit(method, bench.target.train, schedule=replace(SCHEDULE, epochs=1), out=tmp_path, progress=False)
    assert np.isfinite(capsule.losses["value"]).all()
