"""Writes networks of PyTorch's as files that dtrp trains: ResNet-18 of torchvision, for 1000 classes, and one of our own."""

import torch
import torchvision
from torch.export import Dim

from vit import ViT


def save(net, file, side):
    """In training mode, for images of side × side pixels and any number of them."""
    images = torch.randn(2, 3, side, side)
    program = torch.export.export(net.train(), (images,), dynamic_shapes=({0: Dim("batch", min=2)},))
    torch.export.save(program, file)


torch.manual_seed(1)
save(torchvision.models.resnet18(), "resnet18.pt2", 32)  # with weights="DEFAULT" to start from those of ImageNet
save(ViT(), "vit.pt2", 32)
