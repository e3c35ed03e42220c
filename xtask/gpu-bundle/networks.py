"""The networks of the measurements, written down for PyTorch as dtrp has them (3x32x32 images, 10 classes).

The parameter counts are compared with dtrp's before anything is measured.
"""

import torch
import torch.nn.functional as F
from torch import nn


class Subsample(nn.Module):
    """Shortcut A: every second pixel, new channels are zeros."""

    def __init__(self, more):
        super().__init__()
        self.more = more

    def forward(self, x):
        below = self.more // 2
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, below, self.more - below))


class Basic(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, inputs, width, stride, shortcut):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        if inputs == width and stride == 1:
            self.shortcut = nn.Identity()
        elif shortcut == "A":
            self.shortcut = Subsample(width - inputs)
        else:
            conv = nn.Conv2d(inputs, width, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(width))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class PreActivated(nn.Module):
    """A block of a wide ResNet: normalisation and ReLU before each convolution."""

    def __init__(self, inputs, width, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.shortcut = None
        if inputs != width or stride != 1:
            self.shortcut = nn.Conv2d(inputs, width, 1, stride, bias=False)

    def forward(self, x):
        y = F.relu(self.bn1(x))
        beside = x if self.shortcut is None else self.shortcut(y)
        y = self.conv2(F.relu(self.bn2(self.conv1(y))))
        return y + beside


def stages(block, widths, blocks, inputs, **options):
    """The residual blocks; every stage but the first halves the image."""
    layers = []
    for index, width in enumerate(widths):
        for number in range(blocks):
            stride = 2 if index > 0 and number == 0 else 1
            layers.append(block(inputs, width, stride, **options))
            inputs = width
    return layers


def stem(width):
    return [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]


def head(width):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)]


def resnet_cifar(depth):
    blocks = stages(Basic, [16, 32, 64], (depth - 2) // 6, 16, shortcut="A")
    return nn.Sequential(*stem(16), *blocks, *head(64))


def resnet18():
    blocks = stages(Basic, [64, 128, 256, 512], 2, 64, shortcut="B")
    return nn.Sequential(*stem(64), *blocks, *head(512))


def wide_resnet(depth, factor):
    widths = [16 * factor, 32 * factor, 64 * factor]
    blocks = stages(PreActivated, widths, (depth - 4) // 6, 16)
    first = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
    last = [nn.BatchNorm2d(widths[-1]), nn.ReLU()]
    return nn.Sequential(first, *blocks, *last, *head(widths[-1]))


def vgg16():
    layers, inputs = [], 3
    for width, convolutions in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]:
        for _ in range(convolutions):
            layers += [nn.Conv2d(inputs, width, 3, 1, 1), nn.BatchNorm2d(width), nn.ReLU()]
            inputs = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 10))


# Name, how PyTorch makes it, how dtrp does.
NETWORKS = [
    ("ResNet-20", lambda: resnet_cifar(20), ["model.name=resnet-cifar", "model.depth=20"]),
    ("ResNet-110", lambda: resnet_cifar(110), ["model.name=resnet-cifar", "model.depth=110"]),
    ("ResNet-18", resnet18, ["model.name=resnet", "model.depth=18", "model.stem=cifar"]),
    ("WRN-28-10", lambda: wide_resnet(28, 10), ["model.name=wide-resnet-cifar", "model.depth=28", "model.width=10"]),
    ("VGG-16", vgg16, ["model.name=vgg", "model.depth=16", "model.batch_norm=true", "model.head=cifar"]),
]
