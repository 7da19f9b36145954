"""`extract` against a plain loop: order, flip-sum, modes, precision, bounded memory, refusals; and `Features`."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from reidkit.errors import ImageError, ModelError, RecordsError, ReidkitError
from reidkit.features import Features, extract
from reidkit.images.views import make_view
from reidkit.models import Embedder, build_backbone
from reidkit.records import Records, make_records

SIZE = (32, 16)


def _records(count: int = 11) -> Records:
    pixels = np.random.default_rng(0).integers(0, 256, (count, *SIZE, 3), dtype=np.uint8)
    frame = pd.DataFrame(
        {"path": [f"{i}.png" for i in range(count)], "identity": range(1, count + 1), "camera": np.arange(count) % 3}
    )
    return make_records(frame, pixels=pixels, check_paths=False)


class Probe(nn.Module):
    """Keeps what it was shown; its dropout and batch norm give away the mode it is in."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * SIZE[0] * SIZE[1], 6)
        self.norm, self.frozen = nn.BatchNorm1d(6), nn.BatchNorm1d(6)
        self.frozen.eval()
        self.sizes: list[int] = []

    def embed(self, images: Tensor) -> Tensor:
        self.sizes.append(len(images))
        assert not self.training and not torch.is_grad_enabled()
        return self.frozen(nn.functional.dropout(self.norm(self.linear(images.flatten(1))), 0.5, self.training))


def _probe() -> Probe:
    torch.manual_seed(0)
    return Probe()


def _images(records: Records) -> Tensor:
    view, generator = make_view("none", SIZE), torch.Generator()
    assert records.pixels is not None
    return torch.stack([view(picture, generator) for picture in records.pixels])


def test_rows_are_the_network_on_each_image_in_order() -> None:
    records, probe = _records(), _probe()
    features = extract(probe.embed, records, size=SIZE, batch=4, progress=False)
    assert probe.sizes == [4, 4, 3] and features.records is records
    assert features.matrix.dtype == np.float32 and features.matrix.shape == (11, 6) and features.dimension == 6
    with torch.no_grad():
        expected = probe.eval().embed(_images(records))
    assert np.allclose(features.matrix, expected.numpy(), atol=1e-5)
    assert np.array_equal(features.camera, records.camera)


def test_flip_adds_the_mirror_without_normalising() -> None:
    records, probe = _records(), _probe()
    found = extract(probe.embed, records, size=SIZE, batch=5, flip=True, progress=False).matrix
    with torch.no_grad():
        images = _images(records)
        expected = probe.eval().embed(images) + probe.embed(images.flip(3))
    assert np.allclose(found, expected.numpy(), atol=1e-5)
    mirror = extract(probe.embed, records, size=SIZE, view="flip", progress=False).matrix
    assert np.allclose(found, extract(probe.embed, records, size=SIZE, progress=False).matrix + mirror, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_every_submodule_gets_its_mode_back(training: bool) -> None:
    probe = _probe()
    probe.train(training)
    probe.frozen.eval()
    before = [part.training for part in probe.modules()]
    state = {name: value.clone() for name, value in probe.state_dict().items()}
    extract(probe.embed, _records(), size=SIZE, progress=False)
    assert [part.training for part in probe.modules()] == before
    assert all(torch.equal(value, probe.state_dict()[name]) for name, value in state.items())


def test_the_mode_comes_back_after_an_error() -> None:
    class Failing(Probe):
        def embed(self, images: Tensor) -> Tensor:
            raise RuntimeError("no")

    failing = Failing()
    with pytest.raises(RuntimeError, match="no"):
        extract(failing.embed, _records(), size=SIZE, progress=False)
    assert failing.training and failing.norm.training


def test_a_module_and_its_method_are_both_understood() -> None:
    class Callable(Probe):
        def forward(self, images: Tensor) -> Tensor:
            return self.embed(images)

    torch.manual_seed(0)
    module = Callable()
    first = extract(module, _records(), size=SIZE, progress=False).matrix
    assert np.array_equal(first, extract(module.embed, _records(), size=SIZE, progress=False).matrix)


def test_the_same_bytes_again_whatever_the_workers_and_the_global_seed() -> None:
    records, embedder = _records(), Embedder(build_backbone("tiny", seed=0))
    torch.manual_seed(1)
    options = {"size": (64, 32), "batch": 4, "view": "strong", "progress": False}
    first = extract(embedder.embed, records, **options).matrix
    torch.manual_seed(2)
    assert np.array_equal(first, extract(embedder.embed, records, workers=2, **options).matrix)
    assert not np.array_equal(first, extract(embedder.embed, records, seed=1, **options).matrix)


def test_batch_size_does_not_change_features() -> None:
    records, embedder = _records(), Embedder(build_backbone("tiny", seed=0))
    one, many = (extract(embedder.embed, records, size=SIZE, batch=b, progress=False).matrix for b in (1, 64))
    assert np.allclose(one, many, rtol=1e-4, atol=1e-5)


def test_bf16_stays_near_and_comes_back_as_float32() -> None:
    """At a size whose maps stay two pixels wide: on AMX, oneDNN's bf16 convolution reads foreign memory where they do not."""
    records, embedder = _records(), Embedder(build_backbone("tiny", seed=0))
    exact = extract(embedder.embed, records, size=(64, 32), progress=False).matrix
    rough = extract(embedder.embed, records, size=(64, 32), progress=False, precision="bf16").matrix
    assert rough.dtype == np.float32 and not np.array_equal(rough, exact)
    assert np.linalg.norm(rough - exact) < 0.02 * np.linalg.norm(exact)


def test_images_on_disk_give_the_same_as_pixels(tmp_path) -> None:
    records, probe = _records(4), _probe()
    assert records.pixels is not None
    for name, picture in zip(records.frame["path"], records.pixels):
        Image.fromarray(picture).save(tmp_path / name)
    on_disk = make_records(records.frame, root=tmp_path)
    found = extract(probe.embed, on_disk, size=SIZE, progress=False).matrix
    assert np.allclose(found, extract(probe.embed, records, size=SIZE, progress=False).matrix, atol=1e-6)
    (tmp_path / "2.png").write_bytes(b"\x89PNG")
    with pytest.raises(ImageError, match=r"2\.png"):
        extract(probe.embed, on_disk, size=SIZE, progress=False)


def test_only_one_batch_is_alive_at_a_time() -> None:
    import weakref

    alive: list[weakref.ref[Tensor]] = []

    def embed(images: Tensor) -> Tensor:
        assert sum(reference() is not None for reference in alive) <= 1
        alive.append(weakref.ref(images))
        return images.mean(dim=(2, 3))

    extract(embed, _records(12), size=SIZE, batch=2, progress=False)
    assert len(alive) == 6


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_features_that_are_not_finite_name_their_images(bad: float) -> None:
    calls = []

    def embed(images: Tensor) -> Tensor:
        calls.append(len(images))
        out = images.mean(dim=(2, 3))
        if len(calls) == 2:
            out[1, 2] = bad
        return out

    with pytest.raises(ModelError, match=r"NaN or infinity for '5\.png'") as caught:
        extract(embed, _records(), size=SIZE, batch=4, progress=False)
    assert "0.png" not in str(caught.value)


@pytest.mark.parametrize(
    "embed", [lambda images: (images.mean((2, 3)),) * 2, lambda images: images, lambda images: images.mean((2, 3))[:1]]
)
def test_what_is_not_one_row_an_image_is_refused(embed) -> None:
    with pytest.raises(ModelError, match="one matrix"):
        extract(embed, _records(3), size=SIZE, progress=False)


def test_an_empty_table_and_unknown_options_are_refused() -> None:
    records = _records()
    with pytest.raises(RecordsError, match="no image"):
        extract(_probe().embed, records.query, size=SIZE, progress=False)
    with pytest.raises(ReidkitError, match="precision"):
        extract(_probe().embed, records, size=SIZE, precision="float16", progress=False)
    with pytest.raises(ReidkitError, match="view"):
        extract(_probe().embed, records, size=SIZE, view="weaker", progress=False)


def test_a_network_elsewhere_is_not_moved_in_silence() -> None:
    probe = _probe().to("meta")
    with pytest.raises(ModelError, match="is on meta, but device='cpu'"):
        extract(probe.embed, _records(), size=SIZE, device="cpu", progress=False)


def test_progress_is_shown_only_when_asked(capsys) -> None:
    extract(_probe().embed, _records(), size=SIZE, progress=False)
    assert capsys.readouterr().err == ""
    extract(_probe().embed, _records(), size=SIZE, progress=True)
    assert "11/11" in capsys.readouterr().err


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_features() -> None:
    records, embedder = _records(), Embedder(build_backbone("tiny", seed=0))
    cpu = extract(embedder.embed, records, size=(128, 64), progress=False).matrix
    gpu = extract(embedder.cuda().embed, records, size=(128, 64), progress=False).matrix
    assert np.linalg.norm(gpu - cpu) < 1e-2 * np.linalg.norm(cpu)  # TF32 convolutions


# Features.


def test_parts_are_equal_slices() -> None:
    matrix = np.arange(12, dtype=np.float32).reshape(2, 6)
    features = Features(matrix, _records(2), parts=3)
    assert features.part(1).matrix.tolist() == [[2, 3], [8, 9]] and features.part(1).parts == 1
    assert np.array_equal(features.part(-1).matrix, features.part(2).matrix)
    with pytest.raises(RecordsError, match="Part 3 of 3"):
        features.part(3)


def test_unit_normalises_each_part_and_leaves_the_original() -> None:
    matrix = np.array([[3, 4, 0, 5], [0, 0, 1, 1]], np.float32)
    features = Features(matrix, _records(2), parts=2)
    assert np.allclose(features.unit().matrix, [[0.6, 0.8, 0, 1], [0, 0, 0.5**0.5, 0.5**0.5]])
    assert np.allclose(Features(matrix, _records(2)).unit().matrix[0], np.array([3, 4, 0, 5]) / 50**0.5)
    assert features.unit().matrix.dtype == np.float32 and features.unit().parts == 2 and matrix[0, 0] == 3


def test_take_keeps_rows_and_images_together() -> None:
    records = _records(5)
    features = Features(np.eye(5, dtype=np.float32), records)
    mask = np.array([True, False, False, True, True])
    for rows in (mask, np.array([0, 3, 4])):
        taken = features.take(rows)
        assert taken.matrix.argmax(axis=1).tolist() == [0, 3, 4] and list(taken.records.frame["path"]) == [
            "0.png",
            "3.png",
            "4.png",
        ]
    assert features.take([4, 0]).matrix.argmax(axis=1).tolist() == [4, 0]
    assert len(features) == 5


def test_features_must_fit_their_images_and_parts() -> None:
    with pytest.raises(RecordsError, match="3 features for the 2 images"):
        Features(np.zeros((3, 2), np.float32), _records(2))
    with pytest.raises(RecordsError, match="cannot be cut in 3 parts"):
        Features(np.zeros((2, 4), np.float32), _records(2), parts=3)
