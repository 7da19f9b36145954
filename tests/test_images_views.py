"""Views: the papers' recipes, one seed one tensor, and the figures that implementations get wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from reidkit.errors import ImageError
from reidkit.images.views import MEAN, STD, VIEWS, make_view, normalised, resized

SIZE = (64, 32)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(height: int = 64, width: int = 32, low: int = 0) -> np.ndarray:
    return np.random.default_rng(1).integers(low, 256, (height, width, 3), dtype=np.uint8)


def pixels_of(seen: Tensor) -> np.ndarray:
    """A normalised tensor as pixels 0..255 (H, W, 3)."""
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    return (((seen * std + mean) * 255).permute(1, 2, 0)).double().numpy()


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_a_finite_tensor_that_only_the_seed_decides(name: str) -> None:
    view = make_view(name, SIZE)
    image = noise(90, 41)
    first = view(image, seeded(3))
    assert first.shape == (3, *SIZE) and first.dtype == torch.float32 and first.is_contiguous()
    assert torch.isfinite(first).all()
    torch.manual_seed(999)
    state = torch.random.get_rng_state()
    assert torch.equal(view(image, seeded(3)), first)
    assert torch.equal(torch.random.get_rng_state(), state), "a view must leave the global generator alone"


@pytest.mark.parametrize("name", VIEWS)
def test_arrays_and_pillow_images_look_the_same(name: str) -> None:
    view = make_view(name, SIZE)
    for image in (noise(), noise(50, 70)):
        assert torch.equal(view(image, seeded(5)), view(Image.fromarray(image), seeded(5)))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", VIEWS)
def test_a_view_leaves_its_input_alone(name: str) -> None:
    image = noise()
    image.setflags(write=False)
    before = image.copy()
    make_view(name, SIZE)(image, seeded(0))
    assert np.array_equal(image, before)


@pytest.mark.parametrize("name", sorted(set(VIEWS) - {"none", "flip"}))
def test_seeds_differ(name: str) -> None:
    view = make_view(name, SIZE)
    assert len({view(noise(), seeded(s)).sum().item() for s in range(12)}) > 5


def test_none_equals_torchvision() -> None:
    image = Image.fromarray(noise(100, 77))
    theirs = v2.Compose(
        [
            v2.Resize(SIZE, interpolation=v2.InterpolationMode.BICUBIC),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )(image)
    assert torch.allclose(make_view("none", SIZE)(image, seeded(0)), theirs, atol=1e-5)


def test_flip_is_the_mirror_of_none() -> None:
    image = noise(90, 41)
    assert torch.equal(make_view("flip", SIZE)(image, seeded(0)), make_view("none", SIZE)(image, seeded(1)).flip(-1))


def test_an_image_of_the_right_size_is_not_resampled() -> None:
    image = noise()
    assert np.array_equal(resized(image, SIZE).permute(1, 2, 0).numpy(), image)


def test_normalisation_is_float64s() -> None:
    image = noise()
    expected = (image.astype(np.float64) / 255 - np.array(MEAN)) / np.array(STD)
    assert np.abs(normalised(resized(image, SIZE)).permute(1, 2, 0).numpy() - expected).max() < 2e-6


@pytest.mark.parametrize(("height", "padding"), [(384, 15), (256, 10), (128, 5), (64, 2), (32, 1), (16, 1), (8, 1)])
def test_padding_grows_with_the_size(height: int, padding: int) -> None:
    assert make_view("weak", (height, height // 2)).padding == padding
    assert make_view("udap", (height, height // 2)).padding == 0


def test_weak_is_a_shifted_image_on_black_and_half_of_them_are_mirrored() -> None:
    """Every draw must be one of the (2p+1)^2 x 2 crops of the padded image; all shifts occur about equally often."""
    size, image = (51, 20), noise(51, 20, low=1)
    p = make_view("weak", size).padding
    padded = np.pad(image, ((p, p), (p, p), (0, 0)))
    crops = {
        padded[top : top + 51, left : left + 20][:, ::step].tobytes(): (top, left, step)
        for top in range(2 * p + 1)
        for left in range(2 * p + 1)
        for step in (1, -1)
    }
    view, generator = make_view("weak", size), seeded(0)
    drawn = [crops[np.rint(pixels_of(view(image, generator))).astype(np.uint8).tobytes()] for _ in range(1500)]
    assert len(set(drawn)) == len(crops) == 50
    counts = np.unique([d[0] * 5 + d[1] for d in drawn], return_counts=True)[1]
    assert counts.max() < 3 * counts.min()
    assert 0.45 < np.mean([d[2] == -1 for d in drawn]) < 0.55


def erased(seen: Tensor, fill: tuple[float, float, float]) -> tuple[int, int, int, int] | None:
    """(top, left, height, width) of the rectangle that reads exactly `fill`; None when there is none."""
    mask = (seen == torch.tensor(fill).view(3, 1, 1)).all(0)
    if not mask.any():
        return None
    rows, columns = torch.where(mask.any(1))[0], torch.where(mask.any(0))[0]
    top, left = int(rows[0]), int(columns[0])
    height, width = int(rows[-1]) - top + 1, int(columns[-1]) - left + 1
    assert mask.sum() == height * width, "the erased area is one full rectangle"
    return top, left, height, width


def test_chk_1_8_an_erased_pixel_reads_the_raw_mean() -> None:
    view = make_view("strong", (128, 64))
    boxes = [(seen, box) for s in range(40) if (box := erased(seen := view(noise(128, 64), seeded(s)), MEAN))]
    assert boxes
    seen, (top, left, *_) = boxes[0]
    assert seen[:, top, left].tolist() == [np.float32(0.485), np.float32(0.456), np.float32(0.406)]


@pytest.mark.parametrize(
    ("name", "probability", "area", "aspect", "fill"),
    [
        ("strong", 0.5, (0.02, 0.4), (0.3, 1 / 0.3), (0.485, 0.456, 0.406)),
        ("udap", 0.5, (0.02, 0.2), (0.3, 1 / 0.3), (0.4914, 0.4822, 0.4465)),
        ("cap", 0.5, (0.02, 0.2), (0.3, 3.0), (0.485, 0.456, 0.406)),
        ("ice", 0.6, (0.02, 0.4), (0.3, 1 / 0.3), (0.485, 0.456, 0.406)),
    ],
)
def test_erasing_as_published(
    name: str, probability: float, area: tuple[float, float], aspect: tuple[float, float], fill: tuple[float, float, float]
) -> None:
    size, trials = (128, 64), 600
    view, image, generator = make_view(name, size), noise(128, 64), seeded(0)
    boxes = [box for _ in range(trials) if (box := erased(view(image, generator), fill))]
    assert abs(len(boxes) / trials - probability) < 4 * math.sqrt(0.25 / trials)
    shares = np.array([h * w for *_, h, w in boxes]) / (size[0] * size[1])
    ratios = np.array([h / w for *_, h, w in boxes])
    assert area[0] * 0.9 < shares.min() < area[0] + 0.03 and area[1] - 0.05 < shares.max() < area[1] * 1.1
    assert aspect[0] * 0.8 < ratios.min() and ratios.max() < aspect[1] * 1.25
    assert min(top for top, *_ in boxes) < 5 and max(top + h for top, _, h, _ in boxes) > 123


def test_views_without_erasing_never_erase() -> None:
    for name in ("none", "flip", "weak"):
        view = make_view(name, SIZE)
        assert not any((view(noise(), seeded(s)) == torch.tensor(MEAN).view(3, 1, 1)).all(0).any() for s in range(20))


def test_udap_source_cuts_a_region_of_the_published_shape() -> None:
    """A picture whose red is its column and green its row tells which region was taken."""
    height, width = 240, 120
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(width)[None], np.arange(height)[:, None]
    view, generator, shares = make_view("udap-source", (240, 120)), seeded(0), []
    for _ in range(60):
        values = pixels_of(view(image, generator))
        kept = values[(values[..., 2] < 1) & (values[..., 2] > -1)]
        red, green = np.percentile(kept[:, 0], [1, 99]), np.percentile(kept[:, 1], [1, 99])
        shares.append((red[1] - red[0]) * (green[1] - green[0]) / (height * width))
    assert 0.55 < min(shares) < 0.8 and 0.85 < max(shares) <= 1.0


def test_ice_blurs_half_of_the_images() -> None:
    view, image, generator = make_view("ice", SIZE), noise(), seeded(0)
    rough = [pixels_of(view(image, generator))[4:-4, 4:-4].std() for _ in range(400)]
    full = image.std()
    assert 0.3 < np.mean(np.array(rough) < 0.7 * full) < 0.7


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("size", [(1, 1), (4, 2), (20, 300)])
def test_any_size_and_any_picture(name: str, size: tuple[int, int]) -> None:
    for image in (noise(1, 1), noise(20, 3), noise(300, 20)):
        for seed in range(6):
            assert make_view(name, size)(image, seeded(seed)).shape == (3, *size)


def test_unknown_names_and_sizes_are_refused() -> None:
    with pytest.raises(ImageError, match="strong"):
        make_view("stronk")
    for size in ((0, 10), (10, -1)):
        with pytest.raises(ImageError, match="height, width"):
            make_view("none", size)
