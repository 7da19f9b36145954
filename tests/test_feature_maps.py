"""Where features look: losses of hidden regions against features by hand, maps and gates of LF2 against its forward pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from reidkit.diagnose.feature_maps import FeatureMaps, spread_over_pixels, upper_share, windows
from reidkit.errors import DiagnosisError
from reidkit.images.views import normalised
from reidkit.methods.lf2 import LF2
from reidkit.models.fusion import average, halves, largest
from reidkit.saliency import fusion_maps, loss_without, occlusion_maps
from reidkit.show import FeatureLooks
from tests.toys import toy_records

SIZE = (32, 16)
RECORDS = toy_records(seed=2)


class MeanColours(nn.Module):
    """Two features: the mean colour of the upper half, and of the lower one; both with an offset, so that black has one."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([half.mean(dim=(2, 3)) + 3 for half in images.tensor_split(2, dim=2)], dim=1)


def lf2() -> LF2:
    torch.manual_seed(0)
    return LF2.toy(RECORDS, RECORDS.blind())


def seen(rows: list[int]) -> torch.Tensor:
    return torch.stack([normalised(torch.tensor(RECORDS.pixels[row]).permute(2, 0, 1)) for row in rows])


def test_a_feature_of_one_half_loses_nothing_when_the_other_is_hidden() -> None:
    upper = np.zeros((1, *SIZE), bool)
    upper[:, :16] = True
    lost = loss_without(MeanColours(), RECORDS, [0, 5], np.concatenate([upper, ~upper]), size=SIZE, parts=2)
    assert lost.shape == (2, 2, 2)
    np.testing.assert_allclose([lost[0, :, 1], lost[1, :, 0]], 0.0, atol=1e-6)
    assert (lost[0, :, 0] > 1e-4).all() and (lost[1, :, 1] > 1e-4).all()
    maps = occlusion_maps(MeanColours(), RECORDS, [0, 5], size=SIZE, window=(4, 4), stride=2, parts=2)
    shares = upper_share(maps)
    assert (shares[0] > 0.9).all() and (shares[1] < 0.1).all()


def test_the_loss_is_one_minus_the_cosine_with_the_mean_colour_in_the_hole() -> None:
    hole = np.zeros((1, *SIZE), bool)
    hole[0, 3:9, 2:7] = True
    picture = RECORDS.pixels[4].copy()
    picture[hole[0]] = RECORDS.pixels[4].reshape(-1, 3).mean(axis=0).round()
    both = torch.stack([normalised(torch.tensor(p).permute(2, 0, 1)) for p in (RECORDS.pixels[4], picture)])
    for part, (a, b) in enumerate(zip(*MeanColours()(both).unflatten(1, (2, 3)))):
        wanted = 1 - float(a @ b / a.norm() / b.norm())
        found = loss_without(MeanColours(), RECORDS, [4], hole, size=SIZE, parts=2)[0, 0, part]
        assert found == pytest.approx(wanted, abs=1e-6)


def test_windows_cover_every_pixel_and_their_mean_is_a_mean() -> None:
    places = windows((10, 7), (4, 3), 3)
    assert places.any(axis=0).all() and {(int(p.any(1).sum()), int(p.any(0).sum())) for p in places} == {(4, 3)}
    np.testing.assert_allclose(spread_over_pixels(np.full((len(places), 2), 0.25), places), 0.25)
    draw = np.random.default_rng(0).random(len(places))
    assert spread_over_pixels(draw, places)[5, 4] == pytest.approx(draw[places[:, 5, 4]].mean())
    with pytest.raises(DiagnosisError, match="fits into"):
        windows((10, 7), (11, 3), 3)


def test_the_upper_share_of_a_map() -> None:
    assert upper_share(np.array([[3.0], [1.0]])) == 0.75 and np.isnan(upper_share(np.zeros((4, 2))))
    assert upper_share(np.array([[2.0], [4.0], [2.0]])) == 0.5  # the middle row counts half on either side


def test_maps_and_gates_are_those_of_the_forward_pass() -> None:
    method, rows = lf2().eval(), [1, 8, 20]
    method.student.backbone.conv1.weight.data.mul_(1.5)  # student and teacher differ
    found = fusion_maps(method, RECORDS, rows, size=SIZE)
    with torch.no_grad():
        teacher, student = method.teacher.backbone(seen(rows)), method.student.backbone(seen(rows))
        for view, half in enumerate(halves(student)):
            gate = method.fusion.gate(half, view)
            np.testing.assert_allclose(found.gates[view], gate.numpy(), rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(found.pooled[view], (average(half) + largest(half)).numpy(), rtol=1e-4, atol=1e-5)
            fused = (gate[:, :, None, None] * teacher).norm(dim=1).numpy()
            np.testing.assert_allclose(found.of("activity")[3 + view], fused, rtol=1e-4, atol=1e-5)
    g, u, lower = found.of("activity")[:3]
    np.testing.assert_allclose(g, teacher.norm(dim=1).numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(u + lower, g)  # each half of the map is in one of them
    assert upper_share(u).tolist() == [1.0] * 3 and upper_share(lower).tolist() == [0.0] * 3
    assert found.loss.shape == (5, 3, *SIZE) and len(found.upper_shares()) == 15
    np.testing.assert_array_equal(found.pictures, RECORDS.pixels[rows])
    with pytest.raises(DiagnosisError, match="Did you mean 'loss'"):
        found.of("los")


def test_the_method_is_left_as_it_was() -> None:
    method = lf2().train()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    fusion_maps(method, RECORDS, [0], size=SIZE)
    assert method.training and all(torch.equal(value, before[name]) for name, value in method.state_dict().items())


def test_the_table_of_gates_tells_a_constant_from_a_choice() -> None:
    pooled = np.random.default_rng(0).random((2, 1, 8)).astype(np.float32) + 0.1
    plain = np.zeros((5, 1, 4, 2), np.float32)
    names = ("g", "u", "l", "g+u", "g+l")
    pictures = np.zeros((1, 4, 2, 3), np.uint8)
    made = [FeatureMaps(names, pictures, plain, plain, pooled, gates) for gates in (0.5 * pooled, pooled * (pooled > 0.6))]
    constant, chosen = (one.gate_table() for one in made)
    assert constant["follows"].tolist() == pytest.approx([1.0, 1.0]) and constant["spread"].max() < 1e-6
    assert chosen["spread"].min() > 0.1 and chosen["follows"].max() < 0.999
    assert constant["alike"].iloc[0] == pytest.approx(float(np.corrcoef(pooled[0, 0], pooled[1, 0])[0, 1]), abs=1e-5)


def test_photographs_stay_blank_under_the_maps() -> None:
    found = fusion_maps(lf2(), RECORDS, [0, 1], size=SIZE)
    closed = FeatureLooks(found, RECORDS)  # these records do not say that they are drawn
    assert "REIDKIT_PHOTOGRAPHS=1" in closed.static().alt
    first = closed.static().png
    found.pictures[:] = 10
    assert FeatureLooks(found, RECORDS).static().png == first
