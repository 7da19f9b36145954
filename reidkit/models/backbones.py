"""Backbones by name, with their starting weights."""

from __future__ import annotations

import http.client
import logging
import os
import pickle
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights, ResNet50_Weights
from torchvision.models.resnet import BasicBlock, Bottleneck

from reidkit.compute import derive_seed
from reidkit.errors import ModelError, nearest_name
from reidkit.models.resnet import RESNET18, RESNET50, ResNetTrunk
from reidkit.models.tiny import TinyNet
from reidkit.models.weights import load_weights, take_over

logger = logging.getLogger(__name__)

PATIENCE = 20.0  # seconds that a silent network is waited for before training starts from scratch
UNAVAILABLE = (OSError, http.client.HTTPException, RuntimeError, EOFError, pickle.UnpicklingError)


def _resnet18(**options: Any) -> nn.Module:
    return ResNetTrunk(BasicBlock, RESNET18, **options)


def _resnet50(**options: Any) -> nn.Module:
    return ResNetTrunk(Bottleneck, RESNET50, **options)


def _resnet50_ibn_a(**options: Any) -> nn.Module:
    return ResNetTrunk(Bottleneck, RESNET50, ibn=True, **options)


BACKBONES: dict[str, Callable[..., nn.Module]] = {
    "tiny": TinyNet,
    "resnet18": _resnet18,
    "resnet50": _resnet50,
    "resnet50-ibn-a": _resnet50_ibn_a,
}

# torchvision's first version of each: the one that the papers started from. IBN-a is on its authors' release page.
IMAGENET = {
    "resnet18": ResNet18_Weights.IMAGENET1K_V1.url,
    "resnet50": ResNet50_Weights.IMAGENET1K_V1.url,
    "resnet50-ibn-a": "https://github.com/XingangPan/IBN-Net/releases/download/v1.0/resnet50_ibn_a-d9d0bb7b.pth",
}


def build_backbone(
    name: str,
    *,
    weights: str | os.PathLike[str] | None = None,
    last_stride: int = 1,
    relu_after_stem: bool = True,
    seed: int = 0,
) -> nn.Module:
    """A backbone: images (B, 3, H, W) -> map (B, C, h, w), with C in `out_channels`.

    At a last stride of 1 the map is 1/16 of the image (256x128 -> 16x8), at 2 it is 1/32 (8x4).

    Args:
        name: ``"tiny"`` (C = 256), ``"resnet18"`` (512), ``"resnet50"`` or ``"resnet50-ibn-a"`` (2048).
        weights: None (random), ``"imagenet"`` (random with a warning in the log when they cannot be had), or a file.
        last_stride: stride of the last stage, 1 (re-ID) or 2.
        relu_after_stem: whether a ReLU follows the first normalisation; MMT's and ABMT's plain ResNet-50 leave it out.
        seed: of the random weights.

    Raises:
        ModelError: if there is no backbone of that name, or the file does not fit it.
    """
    if name not in BACKBONES:
        raise ModelError(f"No backbone is called {name!r}.", rule="A backbone has a name.", action=nearest_name(name, BACKBONES))
    if last_stride not in (1, 2):
        raise ModelError(f"last_stride={last_stride}.", rule="The last stride is 1 or 2.", action="Use 1 for re-ID.")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(seed, "backbone", name))  # leaves the generators of GPUs alone
        backbone = BACKBONES[name](last_stride=last_stride, relu_after_stem=relu_after_stem)
    if weights == "imagenet":
        _start_from_imagenet(backbone, name)
    elif weights is not None:
        logger.info("%s from %s: %s", name, os.fspath(weights), load_weights(backbone, weights))
    return backbone


def fetch(url: str) -> dict[str, Tensor]:
    """A published state dict: from torch's cache, else downloaded there and compared with the hash in its name.

    Raises:
        OSError: if it cannot be had.
        RuntimeError: if the hash differs.
        pickle.UnpicklingError: if the copy in the cache is damaged.
    """
    with _network_timeout(PATIENCE):
        return torch.hub.load_state_dict_from_url(url, map_location="cpu", progress=False, check_hash=True, weights_only=True)


def _start_from_imagenet(backbone: nn.Module, name: str) -> None:
    """Load ImageNet weights where they can be had; else say that training starts from scratch."""
    if name not in IMAGENET:
        logger.warning("No ImageNet weights are published for %r: training starts from scratch.", name)
        return
    try:
        report = take_over(backbone, fetch(IMAGENET[name]), IMAGENET[name])
    except UNAVAILABLE as error:
        logger.warning("ImageNet weights of %s cannot be had (%s): training starts from scratch.", name, error)
        return
    logger.info("%s starts from ImageNet weights: %s", name, report)


@contextmanager
def _network_timeout(seconds: float) -> Iterator[None]:
    """Wait no longer than this for a socket; torch.hub has no limit of its own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
