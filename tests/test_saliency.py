"""Grad-CAM of a similarity against gradients by finite differences, and the deletion test against planted regions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from reidkit.diagnose.deletion import SHARES, VERDICTS, PairDeletion, marked, removed, without
from reidkit.errors import DiagnosisError, ModelError
from reidkit.images.views import normalised
from reidkit.models import build_embedder
from reidkit.records import Records, make_records
from reidkit.saliency import pair_saliency
from reidkit.show import PairCam

SIZE = (16, 8)


class Pooled(nn.Module):
    """One convolution without padding or stride, ReLU, mean over places, a linear map: a map as large as the picture."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.backbone = nn.Sequential(nn.Conv2d(3, 5, 1), nn.ReLU())
        self.head = nn.Linear(5, 4)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(images).mean(dim=(2, 3)))


class RedAndBlue(nn.Module):
    """Features that know only how much strong red and how much strong blue there is."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU())
        self.backbone[0].weight.data = torch.tensor([[1.0, -1.0, -1.0], [-1.0, -1.0, 1.0]])[..., None, None]
        self.backbone[0].bias.data = torch.tensor([-1.5, -1.5])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.backbone(images).mean(dim=(2, 3)) + torch.tensor([0.0, 0.02])


def table(pictures: np.ndarray, drawn: bool = True) -> Records:
    frame = pd.DataFrame({"path": [f"{i}.png" for i in range(len(pictures))], "identity": 1, "camera": np.arange(len(pictures))})
    return make_records(frame, pixels=pictures, drawn=drawn, check_paths=False)


def noise(count: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3), np.uint8)


def red_patches() -> np.ndarray:
    """Grey pictures with a red patch, at another place in each."""
    pictures = np.full((2, *SIZE, 3), 110, np.uint8)
    pictures[0, 2:6, 1:5] = pictures[1, 9:13, 3:7] = (250, 10, 10)
    return pictures


@pytest.mark.parametrize("seed", range(3))
def test_the_map_equals_gradients_by_finite_differences(seed: int) -> None:
    """Equations 1 and 2 of Grad-CAM in float64: nudge one channel everywhere, see what the cosine does, weigh, rectify."""
    network, pictures = Pooled(seed), noise(seed=seed)
    found = pair_saliency(network, table(pictures), (0, 1), size=SIZE, threshold=0.5)
    double = Pooled(seed).double()
    images = torch.stack([normalised(torch.as_tensor(p).permute(2, 0, 1)) for p in pictures]).double()
    with torch.no_grad():
        maps, features = double.backbone(images).numpy(), double(images).numpy()
        weight, bias = double.head.weight.numpy(), double.head.bias.numpy()

    def cosine(activation: np.ndarray, other: np.ndarray) -> float:
        feature = weight @ activation.mean(axis=(1, 2)) + bias
        return float(feature @ other / np.linalg.norm(feature) / np.linalg.norm(other))

    assert found.similarity == pytest.approx(cosine(maps[0], features[1]), abs=1e-5)
    for side in (0, 1):
        alphas = []
        for channel in range(5):
            step = np.zeros_like(maps[side])
            step[channel] = 1e-6
            up, down = (cosine(maps[side] + sign * step, features[1 - side]) for sign in (1, -1))
            alphas.append((up - down) / 2e-6)
        wanted = np.maximum(np.tensordot(alphas, maps[side], axes=1), 0)
        wanted = (wanted - wanted.min()) / max((wanted - wanted.min()).max(), 1e-12)
        np.testing.assert_allclose(found.maps[side], wanted, atol=2e-4)


def test_a_planted_region_is_found_and_its_loss_breaks_the_match() -> None:
    pictures = red_patches()
    found = pair_saliency(RedAndBlue(), table(pictures), (0, 1), size=SIZE, threshold=0.8)
    for number, side in enumerate(("first", "second")):
        planted = pictures[number, ..., 0] == 250
        np.testing.assert_array_equal(found.maps[number] > 0.5, planted)
        assert found.area(side) == planted.mean() and found.verdict(side) == "confirmed"
        assert found.at(side, "most", 0.0)["similarity"] == pytest.approx(found.similarity)
        assert found.at(side, "most", found.area(side))["similarity"] < 0.8 < found.at(side, "least", 0.8)["similarity"]
        assert "not by chance" in found.describe(side) and "12%" in found.describe(side)


def test_each_similarity_of_the_curve_is_that_of_the_picture_without_those_pixels() -> None:
    network, pictures = RedAndBlue(), red_patches()
    found = pair_saliency(network, table(pictures), (0, 1), size=SIZE, threshold=0.8, draws=2, batch=7)
    features = network(torch.stack([normalised(torch.as_tensor(p).permute(2, 0, 1)) for p in pictures])).detach().numpy()
    assert set(found.curve["share"]) >= set(SHARES) and found.curve.groupby("order")["draw"].nunique().to_dict() == {
        "least": 1,
        "most": 1,
        "random": 2,
    }
    for row in found.curve[found.curve["order"] != "random"].itertuples():
        side = 0 if row.side == "first" else 1
        ranks = np.argsort(found.maps[side].ravel() * (-1 if row.order == "most" else 1), kind="stable")
        left = pictures[side].reshape(-1, 3).copy()
        left[ranks[: round(row.share * left.shape[0])]] = np.round(pictures[side].reshape(-1, 3).mean(axis=0))
        image = normalised(torch.as_tensor(left.reshape(*SIZE, 3)).permute(2, 0, 1))[None]
        lost, other = network(image).detach().numpy()[0], features[1 - side]
        wanted = lost @ other / np.linalg.norm(lost) / np.linalg.norm(other)
        assert row.similarity == pytest.approx(wanted, abs=1e-5)


def test_the_network_is_left_alone_and_the_same_seed_gives_the_same_test() -> None:
    embedder = build_embedder("tiny", seed=0).train()
    embedder(torch.randn(4, 3, 32, 16))[0].sum().backward()
    for parameter in embedder.parameters():
        parameter.requires_grad_(False)
    state = {name: value.clone() for name, value in embedder.state_dict().items()}
    gradients = [None if p.grad is None else p.grad.clone() for p in embedder.parameters()]
    first, second = (
        pair_saliency(embedder.embed, table(noise()), (0, 1), size=(32, 16), threshold=0.5, draws=2, seed=3) for _ in range(2)
    )
    pd.testing.assert_frame_equal(first.curve, second.curve)
    assert embedder.training and not any(p.requires_grad for p in embedder.parameters())
    assert all(torch.equal(value, embedder.state_dict()[name]) for name, value in state.items())
    assert all(a is p.grad or torch.equal(a, p.grad) for a, p in zip(gradients, embedder.parameters()))
    assert first.maps.shape == (2, 32, 16) and first.maps.min() >= 0 and first.chance.shape == (2, 32, 16)


def test_what_has_no_network_or_no_such_layer_is_refused() -> None:
    with pytest.raises(ModelError, match="no network behind"):
        pair_saliency(lambda x: x, table(noise()), (0, 1), size=SIZE, threshold=0.5)
    with pytest.raises(ModelError, match="Did you mean 'backbone"):
        pair_saliency(Pooled(0), table(noise()), (0, 1), size=SIZE, threshold=0.5, layer="backbon")


def judged(most: float, chance: float, similarity: float = 0.9) -> PairDeletion:
    saliency = np.zeros((2, 4, 4), np.float32)
    saliency[:, 0] = 1
    rows = [("first", order, 0, share, value) for order, value in (("most", most), ("random", chance)) for share in (0.0, 0.25)]
    curve = pd.DataFrame(rows, columns=["side", "order", "draw", "share", "similarity"])
    return PairDeletion((4, 7), similarity, 0.7, np.zeros((2, 4, 4, 3), np.uint8), saliency, saliency[:1], curve)


@pytest.mark.parametrize(
    ("most", "chance", "similarity", "verdict"),
    [
        (0.2, 0.8, 0.9, "confirmed"),
        (0.2, 0.3, 0.9, "unspecific"),
        (0.8, 0.8, 0.9, "not broken"),
        (0.8, 0.2, 0.9, "refuted"),
        (0.2, 0.8, 0.6, "no match"),
    ],
)
def test_the_verdict_weighs_the_marked_region_against_chance(most, chance, similarity, verdict) -> None:
    found = judged(most, chance, similarity)
    assert found.verdict("first") == verdict and VERDICTS[verdict] in found.describe("first")
    assert found.area("first") == 0.25 and "25%" in found.describe("first")


def test_pixels_go_in_order_and_leave_the_mean_colour() -> None:
    order = np.array([[0.1, 0.9], [0.5, 0.5]])
    assert removed(order, 0.5).tolist() == [[False, True], [True, False]] and not removed(order, 0.0).any()
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    left = without(picture, removed(order, 0.25))
    assert left[0, 1].tolist() == [4, 6, 6] and left[1].tolist() == picture[1].tolist() and picture[0, 1, 0] == 3
    assert marked(np.zeros((2, 2))) == 0 and marked(order) == 0.75
    with pytest.raises(DiagnosisError, match="from 0 to 1"):
        removed(order, 1.5)
    with pytest.raises(DiagnosisError, match="was not tested"):
        judged(0.2, 0.8).at("first", "most", 0.33)


def test_photographs_stay_blank_under_the_map() -> None:
    found = pair_saliency(RedAndBlue(), table(red_patches()), (0, 1), size=SIZE, threshold=0.8, draws=1)
    open_view, closed = PairCam(found, table(red_patches())), PairCam(found, table(red_patches(), drawn=False))
    assert "REIDKIT_PHOTOGRAPHS=1" in closed.static().alt and "REIDKIT_PHOTOGRAPHS" not in open_view.static().alt
    closed.result.pictures[:] = 110  # whatever the pictures were, a closed view draws the same
    again = PairCam(found, table(red_patches(), drawn=False)).static().png
    assert again == closed.static().png
