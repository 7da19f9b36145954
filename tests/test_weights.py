"""Weights files: round trips, reports, heads, prefixes, damage, and files that want to run a program."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from reidkit.errors import ModelError, StorageError
from reidkit.models import Classifier, Embedder, build_backbone, load_weights, save_weights
from tests.faults import files_no_longer_than


class Small(nn.Module):
    """A network with every kind of entry: weights, batch-norm buffers, a head."""

    def __init__(self, classes: int = 3, fill: float = 0.0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.head = Classifier(4, classes, seed=1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.fill_(fill)
            self.bn.running_mean.fill_(fill)


BODY = {"conv.weight", "conv.bias", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "bn.num_batches_tracked"}


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_what_is_saved_comes_back_but_for_the_head(tmp_path: Path, name: str) -> None:
    source, target = Small(fill=2.0), Small(fill=-1.0)
    path = tmp_path / name
    if name.endswith("pth"):
        torch.save(source.state_dict(), path)
    else:
        assert save_weights(source, path) == path
    report = load_weights(target, path)
    assert set(report.loaded) == BODY and report.missing == ("head.weight",)
    assert list(report.skipped) == ["head.weight"] and "identities" in report.skipped["head.weight"]
    assert torch.equal(target.conv.weight, source.conv.weight) and torch.equal(target.bn.running_mean, source.bn.running_mean)
    assert (target.head.weight == -1).all()
    assert "loaded 7, skipped 1, missing 1" in str(report)


def test_an_embedder_goes_round_bit_by_bit(tmp_path: Path) -> None:
    source = Embedder(build_backbone("tiny", seed=1), pool="gem").train()
    source(torch.randn(4, 3, 32, 16))
    target = Embedder(build_backbone("tiny", seed=2), pool="gem")
    report = load_weights(target, save_weights(source, tmp_path / "deep" / "e.safetensors"))
    assert not report.skipped and not report.missing
    assert all(torch.equal(value, target.state_dict()[key]) for key, value in source.state_dict().items())
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["e.safetensors"]


def test_a_backbone_starts_from_a_file(tmp_path: Path) -> None:
    source = build_backbone("tiny", seed=1)
    built = build_backbone("tiny", seed=2, weights=save_weights(source, tmp_path / "b.safetensors"))
    assert torch.equal(built.conv1.weight, source.conv1.weight)


@pytest.mark.parametrize("entry", [None, "state_dict", "model"])
def test_wrapped_and_data_parallel_checkpoints_load(tmp_path: Path, entry: str | None) -> None:
    state = {f"module.{name}": value for name, value in Small(fill=2.0).state_dict().items()}
    torch.save({entry: state, "epoch": 3, "best": 0.5} if entry else state, tmp_path / "c.pth.tar")
    target = Small()
    report = load_weights(target, tmp_path / "c.pth.tar")
    assert set(report.loaded) == BODY and (target.conv.weight == 2).all()


def test_a_module_that_is_called_module_keeps_its_name(tmp_path: Path) -> None:
    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = nn.Linear(2, 2)

    source, target = Wrapped(), Wrapped()
    assert load_weights(target, save_weights(source, tmp_path / "m.safetensors")).loaded == ("module.bias", "module.weight")
    assert torch.equal(target.module.weight, source.module.weight)


def test_misfits_are_skipped_with_their_reason_and_nothing_moves(tmp_path: Path) -> None:
    state = Small(fill=2.0).state_dict()
    state["conv.weight"] = torch.zeros(5, 3, 3, 3)
    state["fc.weight"] = torch.zeros(751, 4)
    del state["bn.weight"], state["bn.num_batches_tracked"]
    torch.save(state, tmp_path / "w.pth")
    target = Small(fill=1.0)
    report = load_weights(target, tmp_path / "w.pth")
    assert report.skipped["conv.weight"] == "shape (5, 3, 3, 3), expected (4, 3, 3, 3)"
    assert report.skipped["fc.weight"] == "unknown name"
    assert set(report.missing) == {"conv.weight", "bn.weight", "head.weight"}
    assert (target.conv.weight == 1).all() and (target.conv.bias == 2).all()


def test_a_head_of_as_many_identities_is_not_carried_either(tmp_path: Path) -> None:
    target = Small(classes=3, fill=0.0)
    load_weights(target, save_weights(Small(classes=3, fill=9.0), tmp_path / "w.safetensors"))
    assert (target.head.weight == 0).all()


def test_half_precision_is_raised(tmp_path: Path) -> None:
    target = Small()
    load_weights(target, save_weights(Small(fill=2.0).half(), tmp_path / "w.safetensors"))
    assert target.conv.weight.dtype == torch.float32 and (target.conv.weight == 2).all()


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    path = save_weights(nn.Linear(2, 2), tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match=r"w\.safetensors: none of its 2 tensors fits Small"):
        load_weights(Small(), path)


def test_shared_tensors_are_saved(tmp_path: Path) -> None:
    tied = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    assert len(load_weights(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), save_weights(tied, tmp_path / "t.st")).loaded) == 4


def test_a_failed_save_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = save_weights(Small(fill=2.0), tmp_path / "w.safetensors")
    before = path.read_bytes()
    with files_no_longer_than(100), pytest.raises(StorageError, match=r"w\.safetensors cannot be written"):
        save_weights(Small(), path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


# Damage and malice.


def _bytes(kind: str, folder: Path) -> bytes:
    path = folder / "whole"
    if kind == "safetensors":
        save_weights(Small(), path)
    else:
        torch.save(Small().state_dict(), path, _use_new_zipfile_serialization=kind == "zip")
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_truncated_files_are_refused_by_name(tmp_path: Path, kind: str, share: float) -> None:
    whole, path, target = _bytes(kind, tmp_path), tmp_path / "cut.pth", Small(fill=5.0)
    path.write_bytes(whole)
    load_weights(target, path)  # the content decides, not the suffix
    path.write_bytes(whole[: int(len(whole) * share)])
    target = Small(fill=5.0)
    with pytest.raises(ModelError, match=r"cut\.pth: (damaged|not a file of tensors)") as caught:
        load_weights(target, path)
    assert caught.value.rule and caught.value.action
    assert (target.conv.weight == 5).all()


@pytest.mark.parametrize("content", [b"these are words, not weights\n" * 9, b"\x89PNG\r\n\x1a\n" + bytes(200), bytes(64)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(ModelError, match=r"x\.pth"):
        load_weights(Small(), tmp_path / "x.pth")


def test_missing_files_and_empty_checkpoints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        load_weights(Small(), tmp_path / "none.pth")
    torch.save({"epoch": 3}, tmp_path / "e.pth")
    with pytest.raises(ModelError, match="without named tensors"):
        load_weights(Small(), tmp_path / "e.pth")
    torch.save([torch.zeros(2)], tmp_path / "l.pth")
    with pytest.raises(ModelError, match="a list without named tensors"):
        load_weights(Small(), tmp_path / "l.pth")


class Payload:
    """Unpickling this object creates a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle"])
@pytest.mark.parametrize("switch", ["", "1"])
def test_a_pickle_with_a_payload_is_refused_and_does_not_run(tmp_path: Path, monkeypatch, kind: str, switch: str) -> None:
    """Fault 22: no program runs, and no environment variable changes that."""
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", switch)
    marker, path = tmp_path / "marker", tmp_path / "bad.pth"
    content = {"state_dict": Small().state_dict(), "config": Payload(marker)}
    if kind == "pickle":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    with pytest.raises(ModelError, match=r"bad\.pth: not a file of tensors only") as caught:
        load_weights(Small(), path)
    assert not marker.exists()
    assert "weights_only=False" not in str(caught.value) and "weights-only" in caught.value.rule
    if kind != "pickle":
        assert "mkdir" in str(caught.value)
    torch.load(path, weights_only=False) if kind != "pickle" else pickle.loads(path.read_bytes())
    assert marker.exists(), "the payload would have worked: the test can fail"
