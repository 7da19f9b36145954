"""The numbered checks of SSG (clustering reference, section 3)."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from reidkit.losses import all_pairs_triplet
from reidkit.methods.ssg import SSG
from reidkit.models import (
    Embedder,
    StripeEmbedder,
    build_embedder,
)
from reidkit.training import fit
from tests.contract.checks import SCHEDULE, Bench, first_batch

IMAGES = torch.randn(8, 3, 32, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench.standard()


class _Maps(nn.Module):
    """A backbone whose map is the image."""

    out_channels = 3

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images


def test_chk_3_1_and_3_2_the_whole_is_the_mean_of_its_stripes() -> None:
    network = StripeEmbedder(build_embedder("tiny", neck="relu")).eval()
    _, features = network(torch.randn(2, 3, 128, 64))
    torch.testing.assert_close(features[:, 0], features[:, 1:].mean(1))
    bare = StripeEmbedder(Embedder(_Maps(), bn_neck=False))
    _, features = bare(torch.arange(8.0).reshape(1, 1, 8, 1).repeat(1, 3, 1, 1))
    assert features[0, :, 0].tolist() == [3.5, 1.5, 5.5]


def test_chk_3_3_an_image_trains_only_if_no_view_calls_it_an_outlier(bench: Bench) -> None:
    from reidkit.labels import PseudoLabels

    labels = PseudoLabels(np.array([[0, 1, -1], [0, 0, 0], [1, 1, 1], [-1, 0, 0], [1, 1, 0]]))
    assert labels.kept.tolist() == [False, True, True, False, True]


def test_chk_3_4_positional_positives() -> None:
    features, part = torch.tensor([[0.0], [5.0], [6.0], [1.0]]), torch.tensor([0, 1, 1, 0])
    assert all_pairs_triplet(features, part, 0.5, positives="positional", instances=2).item() == pytest.approx(0.5)
    assert all_pairs_triplet(features, part, 0.5).item() == 0.0


def test_chk_3_5_four_terms_of_weight_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    method, batch = first_batch(bench, SSG)
    z = torch.randn(len(batch.index), 256)
    monkeypatch.setattr(method.network, "forward", lambda images: (z, torch.stack([z] * 3, dim=1)))
    same = replace(batch, label=batch.label[:, :1].repeat(1, 3))
    loss = method.loss(same)
    single = all_pairs_triplet(z, same.label[:, 0], 0.5)
    assert len(loss.terms) == 4 and all(weight == 1 for weight, _ in loss.terms.values())
    torch.testing.assert_close(loss.total, 4 * single)


@pytest.mark.parametrize(("test", "norm"), [("whole", 1.0), ("per-view", math.sqrt(3))])
def test_chk_3_6_the_test_vector(bench: Bench, test: str, norm: float) -> None:
    method = bench.build(SSG).eval()
    method.recipe = replace(method.recipe, test=test)
    vector = method.embed_test(IMAGES)
    assert vector.shape == (8, 3 * 256)
    if test == "per-view":
        torch.testing.assert_close(vector.norm(dim=1), torch.full((8,), norm))
        both = (method.embed(IMAGES) + method.embed(IMAGES.flip(-1))).unflatten(1, (3, -1))
        torch.testing.assert_close(vector, nn.functional.normalize(both, dim=2).flatten(1), msg="first the sum, then the norms")


def test_without_parts_there_is_one_view(bench: Bench, tmp_path: Path) -> None:
    method = bench.build(SSG)
    method = SSG(method.network, replace(method.recipe, label_views=("full",)))
    capsule = fit(method, bench.target.train, schedule=SCHEDULE, out=tmp_path, progress=False)
    assert set(capsule.losses["term"]) == {"z", "full"}
