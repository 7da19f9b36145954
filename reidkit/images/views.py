"""Views: what a method sees of an image, by the names that papers' recipes go by.

A view maps a picture and a `torch.Generator` to a normalised float32 tensor (3, H, W). All randomness comes from that
generator, so one seed gives one tensor, wherever and beside whatever it is computed. Recipes: clustering family 1.5 and
thesis family 1.3 of the method references (BoT, MMT, UDAP, CAP, ICE).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from reidkit.errors import ImageError, nearest_name

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
ERASING_TRIES, CROP_TRIES = 100, 10
Picture = Image.Image | np.ndarray
SeenAs = Callable[[Picture, torch.Generator], Tensor]


@dataclass(frozen=True)
class Erasing:
    """Random erasing (Zhong et al. 2020): one rectangle filled *after* normalisation.

    Attributes:
        probability: of erasing at all.
        area: range of the rectangle's share of the image.
        aspect: range of height / width, drawn uniformly.
        fill: written into the normalised tensor. Published code writes the raw ImageNet mean, which reads as a slightly
            bright grey; the mean itself would be 0.
    """

    probability: float = 0.5
    area: tuple[float, float] = (0.02, 0.4)
    aspect: tuple[float, float] = (0.3, 1 / 0.3)
    fill: tuple[float, float, float] = MEAN


@dataclass(frozen=True)
class View:
    """One recipe: crop, resize, flip, pad-crop, blur, normalise, erase; each step only where its setting asks for it.

    Attributes:
        name: the recipe's name.
        size: (height, width) of the result, pixels.
        flip: probability of mirroring.
        shift: whether to pad with black and crop back at random: 10 pixels at height 256, in proportion at others.
        region: ranges of (area share, height / width) of a random region taken before resizing.
        blur: probability of a Gaussian blur, sigma uniform in 0.1 to 2 pixels.
        erasing: random erasing, or None.
    """

    name: str
    size: tuple[int, int] = (256, 128)
    flip: float = 0.0
    shift: bool = False
    region: tuple[tuple[float, float], tuple[float, float]] | None = None
    blur: float = 0.0
    erasing: Erasing | None = None

    @property
    def padding(self) -> int:
        """Pixels of padding on each side before the random crop."""
        return max(1, round(10 * self.size[0] / 256)) if self.shift else 0

    def __call__(self, image: Picture, generator: torch.Generator) -> Float[Tensor, "3 h w"]:
        """A tensor normalised by the ImageNet mean and standard deviation.

        Args:
            image: RGB Pillow image, or uint8 array (h, w, 3), of any size.
            generator: the only source of randomness.
        """
        if self.region is not None:
            image = _random_region(image, *self.region, generator)
        pixels = resized(image, self.size)
        mirror, top, left, blur, sigma, erase = _uniform(6, generator)
        if self.shift:
            reach = 2 * self.padding + 1
            offsets = (int(share * reach) - self.padding for share in (top, left))
            pixels = F.crop_image(pixels, *offsets, *self.size)
        if mirror < self.flip:
            pixels = pixels.flip(-1)
        if blur < self.blur:
            pixels = _blurred(pixels, 0.1 + 1.9 * sigma)
        seen = normalised(pixels)
        if self.erasing is not None and erase < self.erasing.probability:
            _erase(seen, self.erasing, generator)
        return seen


VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        View("none"),
        View("flip", flip=1.0),
        View("weak", flip=0.5, shift=True),
        View("strong", flip=0.5, shift=True, erasing=Erasing()),
        View("udap", flip=0.5, erasing=Erasing(area=(0.02, 0.2), fill=(0.4914, 0.4822, 0.4465))),
        View(
            "udap-source",
            flip=0.5,
            region=((0.64, 1.0), (2.0, 3.0)),
            erasing=Erasing(area=(0.02, 0.2), fill=(0.4914, 0.4822, 0.4465)),
        ),
        View("cap", flip=0.5, shift=True, erasing=Erasing(area=(0.02, 0.2), aspect=(0.3, 3.0))),
        View("ice", flip=0.5, shift=True, blur=0.5, erasing=Erasing(probability=0.6)),
    )
}


def make_view(name: str, size: tuple[int, int] = (256, 128)) -> View:
    """The view called `name` at (height, width) `size`.

    Raises:
        ImageError: when no view has this name, or the size is not two positive numbers.
    """
    if name not in VIEWS:
        raise ImageError(f"No view is called {name!r}.", rule=f"Views are {', '.join(VIEWS)}.", action=nearest_name(name, VIEWS))
    if len(size) != 2 or min(size) < 1:
        raise ImageError(f"Size {size!r} is not possible.", rule="A size is (height, width) in pixels.", action="Correct it.")
    return replace(VIEWS[name], size=(int(size[0]), int(size[1])))


def resized(image: Picture, size: tuple[int, int]) -> Tensor:
    """uint8 (3, H, W): `image` in bicubic resize to (height, width); a mere copy when it has that size already."""
    if isinstance(image, np.ndarray) and image.shape[:2] != size:
        image = Image.fromarray(image)
    if isinstance(image, Image.Image):
        if image.size != size[::-1]:
            image = image.resize(size[::-1], Image.Resampling.BICUBIC)
        image = np.array(image)
    return torch.tensor(image).permute(2, 0, 1)


def normalised(pixels: Tensor) -> Tensor:
    """Pixels 0..255 (3, H, W) -> float32, less the ImageNet mean and over its standard deviation, contiguous."""
    seen = pixels.to(torch.float32, memory_format=torch.contiguous_format)
    return seen.mul_(_SCALE).sub_(_OFFSET)


_SCALE = (1 / (255 * torch.tensor(STD))).view(3, 1, 1)
_OFFSET = (torch.tensor(MEAN) / torch.tensor(STD)).view(3, 1, 1)


def _uniform(count: int, generator: torch.Generator) -> list[float]:
    """Numbers in [0, 1)."""
    return torch.rand(count, generator=generator).tolist()


def _blurred(pixels: Tensor, sigma: float) -> Tensor:
    reach = min(math.ceil(3 * sigma), min(pixels.shape[-2:]) - 1)
    return F.gaussian_blur_image(pixels.to(torch.float32), [2 * reach + 1] * 2, [sigma] * 2)


def _random_region(
    image: Picture, area: tuple[float, float], aspect: tuple[float, float], generator: torch.Generator
) -> Image.Image:
    """A random rectangle of `image`; all of it when none of the tries fits inside (UDAP's random sized rectangle crop)."""
    picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    for _ in range(CROP_TRIES):
        box = _rectangle(picture.height, picture.width, area, aspect, generator)
        if box is not None:
            top, left, height, width = box
            return picture.crop((left, top, left + width, top + height))
    return picture


def _erase(seen: Tensor, erasing: Erasing, generator: torch.Generator) -> None:
    """Fill one rectangle of a normalised tensor, in place; nothing after too many tries that do not fit."""
    for _ in range(ERASING_TRIES):
        box = _rectangle(seen.shape[1], seen.shape[2], erasing.area, erasing.aspect, generator)
        if box is not None:
            top, left, height, width = box
            seen[:, top : top + height, left : left + width] = torch.tensor(erasing.fill).view(3, 1, 1)
            return


def _rectangle(
    height: int, width: int, area: tuple[float, float], aspect: tuple[float, float], generator: torch.Generator
) -> tuple[int, int, int, int] | None:
    """(top, left, height, width) with area share and height / width uniform in their ranges; None when it does not fit."""
    share, ratio, down, right = _uniform(4, generator)
    target = (area[0] + share * (area[1] - area[0])) * height * width
    ratio = aspect[0] + ratio * (aspect[1] - aspect[0])
    tall, wide = round(math.sqrt(target * ratio)), round(math.sqrt(target / ratio))
    if not (0 < tall <= height and 0 < wide <= width):
        return None
    return int(down * (height - tall + 1)), int(right * (width - wide + 1)), tall, wide
