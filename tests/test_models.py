"""Backbones, BN-neck, pooling and classifier: published shapes, counts and names; check values; seeds; fallbacks."""

import logging
import socket
from collections.abc import Iterator
from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from reidkit import losses
from reidkit.errors import ModelError
from reidkit.models import BACKBONES, Classifier, Embedder, build_backbone, build_embedder, resnet50_ibn_a
from reidkit.models import backbones as backbones_module
from reidkit.models.build import ReluNeck
from reidkit.models.pooling import make_pool
from reidkit.models.resnet import IBN


def _norm_keys(name: str) -> Iterator[str]:
    for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        yield f"{name}.{part}"


def _published_ibn_a_keys() -> list[str]:
    """Names of XingangPan/IBN-Net's resnet50_ibn_a, from the rule of the architecture."""
    keys = ["conv1.weight", *_norm_keys("bn1")]
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(blocks):
            at = f"layer{stage}.{block}"
            keys.append(f"{at}.conv1.weight")
            if stage < 4:
                keys += [f"{at}.bn1.IN.weight", f"{at}.bn1.IN.bias", *_norm_keys(f"{at}.bn1.BN")]
            else:
                keys += _norm_keys(f"{at}.bn1")
            keys += [f"{at}.conv2.weight", *_norm_keys(f"{at}.bn2"), f"{at}.conv3.weight", *_norm_keys(f"{at}.bn3")]
            if block == 0:
                keys += [f"{at}.downsample.0.weight", *_norm_keys(f"{at}.downsample.1")]
    return [*keys, "fc.weight", "fc.bias"]


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def ibn_network() -> nn.Module:
    return resnet50_ibn_a()


def test_ibn_a_has_the_published_state_dict(ibn_network: nn.Module) -> None:
    state, expected = ibn_network.state_dict(), _published_ibn_a_keys()
    assert list(state) == expected and len(expected) == 346
    plain = torchvision.models.resnet50().state_dict()
    shapes = {name: tensor.shape for name, tensor in plain.items()}
    for name, tensor in state.items():
        if ".bn1.IN." in name or ".bn1.BN." in name:
            whole = shapes[name.replace("IN.", "").replace("BN.", "")]
            assert list(tensor.shape) == [size // 2 for size in whole]
        else:
            assert tensor.shape == shapes[name]


def test_ibn_a_network_gives_logits(ibn_network: nn.Module) -> None:
    assert ibn_network.eval()(torch.zeros(1, 3, 64, 32)).shape == (1, 1000)
    assert resnet50_ibn_a(last_stride=1, num_classes=7).fc.out_features == 7


def test_chk_1_4_counts(ibn_network: nn.Module) -> None:
    found = [name for name, part in ibn_network.named_modules() if isinstance(part, IBN)]
    assert len(found) == 13 and all(name.endswith(".bn1") and name[:6] in ("layer1", "layer2", "layer3") for name in found)
    assert _parameters(ibn_network) == 25_557_032 == _parameters(torchvision.models.resnet50())
    assert _parameters(build_backbone("resnet50-ibn-a")) == _parameters(build_backbone("resnet50")) == 23_508_032


def test_chk_1_4_instance_half_forgets_contrast_and_brightness() -> None:
    layer, generator = IBN(8).train(), torch.Generator().manual_seed(0)
    x = torch.randn(4, 8, 6, 5, generator=generator)
    scale, shift = torch.rand(4, 8, 1, 1, generator=generator) + 0.5, torch.randn(4, 8, 1, 1, generator=generator)
    before, after = layer(x), layer(x * scale + shift)
    assert torch.allclose(before[:, :4], after[:, :4], atol=1e-4)
    assert (before[:, 4:] - after[:, 4:]).abs().mean() > 0.1
    assert not list(layer.IN.buffers()) and len(list(layer.BN.buffers())) == 3


def test_ibn_equals_the_definition() -> None:
    layer = IBN(6).train()
    nn.init.normal_(layer.IN.weight), nn.init.normal_(layer.BN.bias)
    x = torch.randn(3, 6, 4, 2, generator=torch.Generator().manual_seed(1))
    found = layer(x)
    for image in range(3):
        for channel in range(6):
            instance = channel < 3
            seen = x[image, channel] if instance else x[:, channel]
            part, at = (layer.IN, channel) if instance else (layer.BN, channel - 3)
            scaled = (x[image, channel] - seen.mean()) / (seen.var(unbiased=False) + 1e-5).sqrt()
            assert torch.allclose(found[image, channel], scaled * part.weight[at] + part.bias[at], atol=1e-5)


@pytest.mark.parametrize("name", sorted(BACKBONES))
@pytest.mark.parametrize(("last_stride", "shape"), [(1, (16, 8)), (2, (8, 4))])
def test_chk_1_7_last_stride(name: str, last_stride: int, shape: tuple[int, int]) -> None:
    backbone = build_backbone(name, last_stride=last_stride).eval()
    with torch.no_grad():
        assert backbone(torch.zeros(1, 3, 256, 128)).shape == (1, backbone.out_channels, *shape)


def test_tiny_is_tiny() -> None:
    tiny = build_backbone("tiny").eval()
    assert tiny.out_channels == 256 and 0.8e6 < _parameters(tiny) < 1.4e6
    assert tiny(torch.zeros(1, 3, 128, 64)).shape == (1, 256, 8, 4)


def test_a_trunk_is_torchvisions_resnet_up_to_its_last_map() -> None:
    published = torchvision.models.resnet18().eval()
    trunk = build_backbone("resnet18", last_stride=2).eval()
    trunk.load_state_dict({name: value for name, value in published.state_dict().items() if not name.startswith("fc.")})
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(published.fc(trunk(x).mean(dim=(2, 3))), published(x), atol=1e-5)


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_relu_after_the_stem_is_an_option(name: str) -> None:
    x = torch.randn(2, 3, 32, 16, generator=torch.Generator().manual_seed(0))
    for relu in (True, False):
        seen: list[Tensor] = []
        backbone = build_backbone(name, relu_after_stem=relu).eval()
        backbone.relu.register_forward_hook(lambda _module, _inputs, output, seen=seen: seen.append(output.clone()))
        backbone(x)
        assert len(seen) == 1 and bool((seen[0] < 0).any()) is not relu


@pytest.mark.parametrize("name", ["tiny", "resnet18"])
def test_weights_depend_on_the_seed_alone(name: str) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = build_backbone(name, seed=1).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    again, other = build_backbone(name, seed=1).state_dict(), build_backbone(name, seed=2).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


def test_unknown_names_and_strides_are_refused() -> None:
    with pytest.raises(ModelError, match="'resnet50'"):
        build_backbone("resnet-50")
    with pytest.raises(ModelError, match="last_stride=3"):
        build_backbone("tiny", last_stride=3)
    with pytest.raises(ModelError, match="last_stride=0"):
        resnet50_ibn_a(last_stride=0)
    with pytest.raises(ModelError, match="pooling"):
        Embedder(build_backbone("tiny"), pool="mean")
    with pytest.raises(ModelError, match="out_channels"):
        Embedder(nn.Linear(3, 3))


# ImageNet weights.


def _failing(error: Exception):
    def fetch(url: str) -> dict[str, Tensor]:
        raise error

    return fetch


@pytest.mark.parametrize("error", [OSError("no route"), RuntimeError("invalid hash value"), EOFError("Ran out of input")])
def test_without_imagenet_weights_training_starts_from_scratch(error, monkeypatch, caplog) -> None:
    monkeypatch.setattr(backbones_module, "fetch", _failing(error))
    with caplog.at_level(logging.WARNING, "reidkit"):
        backbone = build_backbone("resnet18", weights="imagenet", seed=3)
    (record,) = caplog.records
    assert "from scratch" in record.message and "resnet18" in record.message and str(error) in record.message
    scratch = build_backbone("resnet18", seed=3)
    assert all(torch.equal(a, b) for a, b in zip(backbone.parameters(), scratch.parameters(), strict=True))


def test_the_tiny_network_has_no_imagenet_weights(caplog) -> None:
    with caplog.at_level(logging.WARNING, "reidkit"):
        build_backbone("tiny", weights="imagenet")
    assert "from scratch" in caplog.text


@pytest.mark.parametrize("name", ["resnet18", "resnet50-ibn-a"])
def test_imagenet_weights_are_taken_over_without_their_head(name: str, monkeypatch, caplog) -> None:
    published = {"resnet18": torchvision.models.resnet18, "resnet50-ibn-a": resnet50_ibn_a}[name]()
    asked: list[str] = []
    monkeypatch.setattr(backbones_module, "fetch", lambda url: asked.append(url) or published.state_dict())
    with caplog.at_level(logging.INFO, "reidkit"):
        backbone = build_backbone(name, weights="imagenet")
    assert name.replace("-", "_") in asked[0] and "missing 0" in caplog.text and "skipped 2" in caplog.text
    own = backbone.state_dict()
    assert all(torch.equal(value, own[key]) for key, value in published.state_dict().items() if not key.startswith("fc."))


def test_downloads_wait_a_limited_time_and_check_the_hash(monkeypatch) -> None:
    seen = {}

    def load(url: str, **options: object) -> dict[str, Tensor]:
        seen.update(options, timeout=socket.getdefaulttimeout())
        return {}

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", load)
    before = socket.getdefaulttimeout()
    backbones_module.fetch("https://example.org/x.pth")
    assert seen["timeout"] and seen["check_hash"] and seen["weights_only"]
    assert socket.getdefaulttimeout() == before


# Embedder.


def test_chk_1_3_metric_losses_do_not_pass_the_neck() -> None:
    embedder, labels = Embedder(build_backbone("tiny", seed=0)).train(), torch.tensor([0, 0, 1, 1])
    head = Classifier(embedder.dimension, 2, seed=0)
    head.remake(torch.randn(2, 256, generator=torch.Generator().manual_seed(0)))
    x = torch.randn(4, 3, 32, 16, generator=torch.Generator().manual_seed(1))

    def both() -> tuple[Tensor, Tensor]:
        f, b = embedder(x)
        return losses.batch_hard_triplet(f, labels, 0.3), losses.smoothed_cross_entropy(head(b), labels)

    triplet, identity = both()
    triplet.backward(retain_graph=True)
    assert embedder.neck.weight.grad is None and next(embedder.backbone.parameters()).grad is not None
    identity.backward()
    assert embedder.neck.weight.grad is not None
    assert embedder.neck.bias.grad is None and not embedder.neck.bias.requires_grad
    assert torch.equal(embedder.neck.weight, torch.ones(256)) and torch.equal(embedder.neck.bias, torch.zeros(256))
    with torch.no_grad():
        embedder.neck.weight.mul_(2)
    moved_triplet, moved_identity = both()
    assert torch.equal(moved_triplet, triplet) and not torch.isclose(moved_identity, identity)


def test_neck_normalises_the_batch() -> None:
    embedder = Embedder(build_backbone("tiny", seed=0)).train()
    f, b = embedder(torch.randn(16, 3, 32, 16, generator=torch.Generator().manual_seed(0)))
    assert torch.allclose(b.mean(0), torch.zeros(256), atol=1e-4)
    expected = (f - f.mean(0)) / (f.var(0, unbiased=False) + 1e-5).sqrt()
    assert torch.allclose(b, expected, atol=1e-3)


def test_without_a_neck_both_features_are_one() -> None:
    embedder = Embedder(build_backbone("tiny"), bn_neck=False).eval()
    f, b = embedder(torch.zeros(2, 3, 32, 16))
    assert f is b and embedder.dimension == 256


def test_embed_is_the_second_feature() -> None:
    embedder = Embedder(build_backbone("tiny")).eval()
    embedder.neck.running_mean += 1
    x = torch.randn(2, 3, 32, 16, generator=torch.Generator().manual_seed(0))
    f, b = embedder(x)
    assert torch.equal(embedder.embed(x), b) and not torch.allclose(f, b)


def test_pools() -> None:
    maps = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)) + 0.1
    assert torch.allclose(make_pool("avg")(maps), F.adaptive_avg_pool2d(maps, 1).flatten(1))
    assert torch.allclose(make_pool("max")(maps), F.adaptive_max_pool2d(maps, 1).flatten(1))
    gem = make_pool("gem")
    expected = [[(sum(v**3 for v in channel.flatten().tolist()) / 20) ** (1 / 3) for channel in image] for image in maps]
    assert torch.allclose(gem(maps), torch.tensor(expected), rtol=1e-5)
    with torch.no_grad():
        gem.power.fill_(1.0)
    assert torch.allclose(gem(maps), make_pool("avg")(maps))
    gem(maps).sum().backward()
    assert gem.power.grad is not None
    assert torch.isfinite(gem(torch.full((1, 3, 2, 2), -1.0))).all()


def test_an_embedder_is_built_from_names() -> None:
    for neck, kind in {"bn": nn.BatchNorm1d, "relu": ReluNeck, "none": nn.Identity}.items():
        embedder = build_embedder("tiny", neck=neck, pool="max", last_stride=2, seed=4)
        assert isinstance(embedder.neck, kind) and isinstance(embedder.pool, type(make_pool("max")))
        assert torch.equal(embedder.backbone.conv1.weight, build_backbone("tiny", seed=4).conv1.weight)
        f, b = embedder.eval()(torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(0)))
        assert f.shape == b.shape == (2, 256)
    with pytest.raises(ModelError, match="'batch'"):
        build_embedder("tiny", neck="batch")


def test_the_relu_neck_is_seeded_and_equals_its_definition() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    neck = build_embedder("tiny", neck="relu", seed=4).neck.eval()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(neck.linear.weight, build_embedder("tiny", neck="relu", seed=4).neck.linear.weight)
    assert neck.linear.bias is None and neck.linear.weight.std().item() == pytest.approx(0.001, rel=0.02)
    neck.bn.running_mean.fill_(0.01)
    f = torch.randn(3, 256, generator=torch.Generator().manual_seed(0))
    expected = ((f @ neck.linear.weight.T - 0.01) / (1 + 1e-5) ** 0.5).clamp_min(0)
    assert torch.allclose(neck(f), expected, atol=1e-6)
    thinned = ReluNeck(256, dropout=0.5).train()
    assert (thinned(f) == 0).float().mean() > (neck(f) == 0).float().mean()


# Classifier.


def test_classifier_starts_small_and_without_bias() -> None:
    head = Classifier(256, 400, seed=3)
    assert head.classes == 400 and [name for name, _ in head.named_parameters()] == ["weight"]
    assert head.weight.std().item() == pytest.approx(0.001, rel=0.02) and abs(head.weight.mean().item()) < 1e-5
    x = torch.randn(2, 256)
    assert torch.allclose(head(x), x @ head.weight.T)
    assert torch.equal(head.weight, Classifier(256, 400, seed=3).weight)
    assert not torch.equal(head.weight, Classifier(256, 400, seed=4).weight)


def test_classifier_remade_from_centroids_has_unit_rows() -> None:
    head, centroids = Classifier(4, 9, seed=0), torch.tensor([[3.0, 4, 0, 0], [0, 0, 0, 2]])
    head.weight.grad = torch.ones_like(head.weight)
    head.remake(centroids)
    assert torch.allclose(head.weight, torch.tensor([[0.6, 0.8, 0, 0], [0, 0, 0, 1]]))
    assert head.weight.grad is None and head.weight.requires_grad
    with torch.no_grad():
        head.weight.add_(1)
    assert centroids.tolist() == [[3, 4, 0, 0], [0, 0, 0, 2]]


def test_new_rows_are_a_new_parameter_on_the_same_terms() -> None:
    for trained in (True, False):
        head = Classifier(4, 2, seed=0).double().requires_grad_(trained)
        before = head.weight
        head.remake(3)
        assert head.weight is not before and head.classes == 3
        assert head.weight.requires_grad is trained and head.weight.dtype == torch.float64


@pytest.mark.parametrize("start", [0, torch.zeros(0, 4), torch.ones(2, 5)])
def test_impossible_classifiers_are_refused(start) -> None:
    with pytest.raises(ModelError, match="cannot start"):
        Classifier(4, 2, seed=0).remake(start)


def test_a_state_dict_of_another_number_of_classes_resizes() -> None:
    class Model(nn.Module):
        def __init__(self, classes: int) -> None:
            super().__init__()
            self.head = Classifier(4, classes, seed=classes)

    stored, model = Model(7), Model(2).requires_grad_(False)
    teacher = deepcopy(model)
    model.load_state_dict(stored.state_dict())
    assert model.head.classes == 7 and torch.equal(model.head.weight, stored.head.weight)
    assert teacher.head.classes == 2 and not model.head.weight.requires_grad
    parameter = model.head.weight
    model.load_state_dict(stored.state_dict())
    assert model.head.weight is parameter
    with torch.no_grad():
        model.head.weight.zero_()
    assert stored.head.weight.abs().sum() > 0
    with pytest.raises(RuntimeError, match="size mismatch"):
        model.load_state_dict({"head.weight": torch.zeros(7, 5)})


@pytest.mark.slow
def test_tiny_learns_to_tell_colours_apart() -> None:
    """Twenty steps on four flat colours: the network trains at all, from scratch, with the baseline's losses."""
    generator = torch.Generator().manual_seed(0)
    embedder, labels = Embedder(build_backbone("tiny", seed=0)).train(), torch.arange(16) // 4
    head = Classifier(256, 4, seed=0)
    x = torch.randn(4, 3, 1, 1, generator=generator)[labels] + 0.3 * torch.randn(16, 3, 64, 32, generator=generator)
    optimiser = torch.optim.Adam([*embedder.parameters(), *head.parameters()], lr=1e-3)
    values = []
    for _ in range(20):
        f, b = embedder(x)
        loss = losses.smoothed_cross_entropy(head(b), labels) + losses.softmax_triplet(f, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        values.append(loss.item())
    assert values[-1] < 0.5 * values[0]
