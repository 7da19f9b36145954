"""A small residual network for lessons on a CPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut ("Deep Residual Learning", Fig. 2); the first one may halve the map."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        inner = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(inner)) + self.downsample(x), inplace=True)


class TinyNet(nn.Module):
    """A stem and four residual blocks: (B, 3, H, W) -> (B, 256, H/16, W/16), 1.2 M parameters.

    128x64 gives an 8x4 map. Half the weights sit in the last block, where maps are small and cheap; the stem is narrow,
    because a CPU spends most of its time on large maps. It works in channels-last layout, the fastest for a CPU.

    Args:
        last_stride: stride of the last block, 1 or 2 (2 halves the map once more).
        relu_after_stem: whether a ReLU follows the first normalisation.
    """

    stem_width, widths = 16, (32, 64, 128, 256)

    def __init__(self, *, last_stride: int = 1, relu_after_stem: bool = True) -> None:
        super().__init__()
        self.out_channels = self.widths[-1]
        self.conv1 = nn.Conv2d(3, self.stem_width, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(self.stem_width)
        self.relu = nn.ReLU(inplace=True) if relu_after_stem else nn.Identity()
        inputs = (self.stem_width, *self.widths)
        self.blocks = nn.Sequential(*map(ResidualBlock, inputs, self.widths, (2, 2, 2, last_stride)))
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c h2 w2"]:
        images = images.contiguous(memory_format=torch.channels_last)
        return self.blocks(self.relu(self.bn1(self.conv1(images))))
