"""ResNets as re-ID uses them: without a classifier, with a last stride of 1, and with IBN-a normalisation.

Everything is torchvision's ResNet; what differs is changed in place, so that state-dict keys stay the published ones.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from reidkit.errors import ModelError

RESNET50 = (3, 4, 6, 3)
RESNET18 = (2, 2, 2, 2)


class IBN(nn.Module):
    """Instance normalisation on the first half of the channels, batch normalisation on the second ("Two at Once", IBN-a).

    The instance half has scale and shift but no running statistics. The names `IN` and `BN` are those of the published
    weights.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.instance_channels = channels // 2
        self.IN = nn.InstanceNorm2d(self.instance_channels, affine=True)
        self.BN = nn.BatchNorm2d(channels - self.instance_channels)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return torch.cat([self.IN(x[:, : self.instance_channels]), self.BN(x[:, self.instance_channels :])], dim=1)


class ResNetTrunk(ResNet):
    """A ResNet up to its last map: (B, 3, H, W) -> (B, C, H/16, W/16), or /32 with a last stride of 2.

    Args:
        block: torchvision's `BasicBlock` or `Bottleneck`.
        layers: blocks in each of the four stages.
        last_stride: stride of stage 4, 1 (re-ID) or 2 (ImageNet).
        relu_after_stem: whether the ReLU after the first normalisation is kept; MMT, ABMT and CAP leave it out.
        ibn: whether stages 1 to 3 are IBN-a.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        layers: tuple[int, int, int, int],
        *,
        last_stride: int = 1,
        relu_after_stem: bool = True,
        ibn: bool = False,
    ) -> None:
        super().__init__(block, list(layers))
        self.out_channels: int = self.fc.in_features
        del self.fc, self.avgpool
        if not relu_after_stem:
            self.relu = nn.Identity()
        if ibn:
            use_ibn_a(self)
        set_last_stride(self, last_stride)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c h2 w2"]:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


def resnet50_ibn_a(last_stride: int = 2, num_classes: int = 1000) -> ResNet:
    """IBN-ResNet-50-a with its classifier: (B, 3, H, W) -> (B, num_classes).

    The published network of "Two at Once": its state-dict keys equal those of ``resnet50_ibn_a`` in XingangPan/IBN-Net,
    so that the released ImageNet weights load unchanged. 25,557,032 parameters with 1000 classes, as plain ResNet-50.

    Args:
        last_stride: 2 as published, 1 as used in re-ID (changes no weight).
        num_classes: rows of the classifier.
    """
    network = ResNet(Bottleneck, list(RESNET50), num_classes=num_classes)
    use_ibn_a(network)
    set_last_stride(network, last_stride)
    return network


def use_ibn_a(network: ResNet) -> None:
    """Replace the first normalisation of every bottleneck of stages 1 to 3 by `IBN`, in place (13 in a ResNet-50)."""
    for stage in (network.layer1, network.layer2, network.layer3):
        for block in stage:
            block.bn1 = IBN(block.bn1.num_features)


def set_last_stride(network: ResNet, stride: int) -> None:
    """Set the stride of stage 4, in place: of the 3x3 convolution and of the shortcut in its first block."""
    if stride not in (1, 2):
        raise ModelError(f"last_stride={stride}.", rule="The last stride is 1 or 2.", action="Use 1 for re-ID, 2 as on ImageNet.")
    first = network.layer4[0]
    convolution = first.conv2 if isinstance(first, Bottleneck) else first.conv1
    for part in (convolution, first.downsample[0]):
        part.stride = (stride, stride)
