"""Faster forms of a network: folding, exactness, what the probe takes and refuses, and what `extract` says about it."""

import logging

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from reidkit.errors import ModelError, ReidkitError
from reidkit.features import extract
from reidkit.models import Embedder, StripeEmbedder, build_backbone, build_embedder
from reidkit.models import probe as probing
from reidkit.models.forms import FORMS, fold_batch_norms, has_compiler, in_form
from reidkit.models.probe import Choice, fastest_form
from reidkit.records import Records, make_records

SIZE = (64, 32)  # oneDNN's bf16 convolution on AMX reads foreign memory where a map becomes one pixel wide, as at 32 x 16


def records(count: int = 11) -> Records:
    pixels = np.random.default_rng(0).integers(0, 256, (count, *SIZE, 3), dtype=np.uint8)
    frame = pd.DataFrame({"path": [f"{i}.png" for i in range(count)], "identity": range(1, count + 1), "camera": 0})
    return make_records(frame, pixels=pixels, check_paths=False)


def used(network: nn.Module) -> nn.Module:
    """`network` with the statistics and scales of one that was trained, in evaluation mode."""
    torch.manual_seed(0)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.uniform_(-0.3, 0.3), part.running_var.uniform_(0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 1.5), nn.init.uniform_(part.bias, -0.3, 0.3)
    return network.eval()


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())


@pytest.mark.parametrize(("name", "norms"), [("resnet18", 20), ("resnet50", 53), ("resnet50-ibn-a", 40), ("tiny", 13)])
def test_folding_leaves_the_features_and_takes_every_norm_that_follows_a_convolution(name: str, norms: int) -> None:
    network, images = used(build_embedder(name, seed=0)).double(), torch.randn(3, 3, 64, 32, dtype=torch.float64)
    with torch.no_grad():
        before = network.embed(images)
        assert fold_batch_norms(network, lambda: network.embed(images)) == norms
        torch.testing.assert_close(network.embed(images), before, rtol=1e-9, atol=1e-9)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in network.modules())


def test_norms_that_do_not_directly_follow_or_run_twice_stay() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
            self.shared, self.after = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

        def forward(self, x: Tensor) -> Tensor:
            return self.after(torch.relu(self.shared(self.b(self.shared(self.a(x))))))

    network, images = used(Odd()), torch.randn(2, 3, 8, 4)
    with torch.no_grad():
        before = network(images)
        assert fold_batch_norms(network, lambda: network(images)) == 0
        assert torch.equal(network(images), before)


@pytest.mark.parametrize("form", ["float32-folded", "bf16-folded"])
@pytest.mark.parametrize("flip", [False, True])
def test_forms_agree_with_float32_and_leave_the_network_alone(form: str, flip: bool) -> None:
    network, table = used(build_embedder("resnet18", seed=0)), records()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    options = {"size": SIZE, "batch": 4, "flip": flip, "progress": False}
    exact, found = extract(network.embed, table, **options), extract(network.embed, table, precision=form, **options)
    assert cosine(found.matrix, exact.matrix) >= 0.9999 and found.matrix.dtype == np.float32
    assert not np.array_equal(found.matrix, exact.matrix)
    assert (exact.precision, found.precision) == ("float32", form)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in state.items())
    assert all(part.weight.dtype == torch.float32 for part in network.modules() if isinstance(part, nn.Conv2d))


def test_parts_of_a_stripe_network_are_kept_apart() -> None:
    class Stripes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = StripeEmbedder(build_embedder("tiny", seed=0))

        def embed(self, images: Tensor) -> Tensor:
            return self.network(images)[1].flatten(1)

    network = used(Stripes())
    exact, found = (
        extract(network.embed, records(), size=(64, 32), parts=3, progress=False, precision=form)
        for form in ("float32", "bf16-folded")
    )
    for part in range(3):
        assert cosine(found.part(part).matrix, exact.part(part).matrix) >= 0.9999
    assert found.part(1).precision == "bf16-folded"


def test_small_work_is_not_probed() -> None:
    features = extract(build_embedder("tiny", seed=0).embed, records(), size=SIZE, precision="auto", progress=False)
    plain = extract(build_embedder("tiny", seed=0).embed, records(), size=SIZE, progress=False)
    assert features.precision == "float32" and np.array_equal(features.matrix, plain.matrix)


def choose(monkeypatch: pytest.MonkeyPatch, speed: dict[str, float], network: nn.Module, count: int = 10**6) -> Choice:
    """The probe's choice when each form takes the given seconds an image."""
    names: dict[int, str] = {}

    def made(embed, form: str, images: Tensor):
        own = in_form(embed, form.replace("compiled", "folded"), images)
        names[id(own)] = form
        return own

    monkeypatch.setattr(probing, "in_form", made)
    monkeypatch.setattr(probing, "_seconds", lambda embed, images, turns=3: speed[names.get(id(embed), "float32")])
    with torch.no_grad():
        return fastest_form(network.eval().embed, torch.randn(8, 3, *SIZE), count, batch=16)


SPEED = {"float32": 1.0, "float32-folded": 0.6, "bf16-folded": 0.25, "bf16-compiled": 0.2, "float32-compiled": 0.4}


def test_the_fastest_exact_form_is_taken_and_said(monkeypatch, caplog) -> None:
    caplog.set_level(logging.INFO)
    network = used(build_embedder("tiny", seed=0))
    monkeypatch.setattr(probing, "has_compiler", lambda: False)
    chosen = choose(monkeypatch, SPEED, network)
    assert chosen.form == "bf16-folded" and "4.0 times" in chosen.reason and "probe: bf16-folded (4.0 times" in caplog.text
    monkeypatch.setattr(probing, "has_compiler", lambda: True)
    assert choose(monkeypatch, SPEED, network).form == "bf16-compiled"
    assert choose(monkeypatch, SPEED, network, count=300).form == "bf16-folded"  # too few to pay for compiling
    assert choose(monkeypatch, SPEED | {"bf16-compiled": 0.3}, network).form == "bf16-folded"


@pytest.mark.parametrize(
    ("speed", "form"),
    [
        ({"bf16-folded": 4.0}, "float32-folded"),  # no bf16 units
        ({"bf16-folded": 4.0, "float32-folded": 0.95}, "float32"),  # nothing gains enough
    ],
)
def test_slower_forms_are_left(monkeypatch, speed: dict[str, float], form: str) -> None:
    monkeypatch.setattr(probing, "has_compiler", lambda: False)
    assert choose(monkeypatch, SPEED | speed, used(build_embedder("tiny", seed=0))).form == form


class Subtle(nn.Module):
    """Its features hang on digits that bf16 does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)

    def embed(self, images: Tensor) -> Tensor:
        return torch.sin(1000 * self.stem(images).mean(dim=(2, 3)).float())


class Stubborn(Subtle):
    """Cannot be copied."""

    def __deepcopy__(self, memo: dict) -> "Stubborn":
        raise TypeError("there is only one")


@pytest.mark.parametrize(("network", "form"), [(Subtle(), "float32-folded"), (Stubborn(), "float32")])
def test_forms_that_are_less_exact_or_fail_are_left(monkeypatch, network: nn.Module, form: str) -> None:
    monkeypatch.setattr(probing, "has_compiler", lambda: False)
    assert choose(monkeypatch, SPEED, network).form == form


def test_a_network_that_cannot_be_seen_stays_and_cannot_be_asked_for(monkeypatch) -> None:
    monkeypatch.setattr(probing, "SHORT", 0.0)
    network = build_embedder("tiny", seed=0).eval()
    found = extract(lambda images: network.embed(images), records(), size=SIZE, precision="auto", progress=False)
    assert found.precision == "float32"
    with pytest.raises(ModelError, match="cannot be seen"):
        extract(lambda images: network.embed(images), records(), size=SIZE, precision="bf16-folded", progress=False)


def test_without_a_compiler_the_error_says_what_to_do(monkeypatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert not has_compiler()
    with pytest.raises(ModelError, match=r"C\+\+ compiler") as caught:
        extract(Embedder(build_backbone("tiny")).embed, records(), size=SIZE, precision="bf16-compiled", progress=False)
    assert "bf16-folded" in str(caught.value)


def test_an_unknown_form_is_refused_and_auto_chooses_a_known_one(monkeypatch) -> None:
    with pytest.raises(ReidkitError, match="precision"):
        extract(Embedder(build_backbone("tiny")).embed, records(), size=SIZE, precision="bf61", progress=False)
    monkeypatch.setattr(probing, "SHORT", 0.0)
    network = used(build_embedder("tiny", seed=0))
    found = extract(network.embed, records(40), size=SIZE, batch=16, precision="auto", progress=False)
    assert found.precision in FORMS
    exact = extract(network.embed, records(40), size=SIZE, batch=16, progress=False)
    assert cosine(found.matrix, exact.matrix) >= 0.9999


@pytest.mark.slow
@pytest.mark.skipif(not has_compiler(), reason="needs a C++ compiler")
def test_compiled_code_agrees_also_for_a_last_batch_that_is_short() -> None:
    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution, self.norm = nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16)

        def embed(self, images: Tensor) -> Tensor:
            return torch.relu(self.norm(self.convolution(images))).mean(dim=(2, 3))

    network = used(Small())
    exact = extract(network.embed, records(), size=SIZE, batch=4, progress=False).matrix
    found = extract(network.embed, records(), size=SIZE, batch=4, progress=False, precision="bf16-compiled")
    assert cosine(found.matrix, exact) >= 0.9999 and found.precision == "bf16-compiled"


def test_a_named_form_that_computes_something_else_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A signal that stands on a large constant is lost in eight bits."""

    class Offset(nn.Module):
        def __init__(self, height: float) -> None:
            super().__init__()
            self.up, self.height = nn.Conv2d(3, 8, 1), height
            nn.init.constant_(self.up.bias, height)

        def forward(self, x: Tensor) -> Tensor:
            return self.up(x)[:, :, 0, 0] - self.height

    extract(Offset(0.0).eval(), records(), size=SIZE, precision="bf16-folded", progress=False)
    assert not caplog.records
    extract(Offset(1024.0).eval(), records(), size=SIZE, precision="bf16-folded", progress=False)
    assert "bf16-folded gives other features than float32" in caplog.text
