"""Exports networks of torchvision, and writes what PyTorch computes with them in f64 and f32 beside.

    python peers.py FOLDER [NAME ...]

For each NAME: `NAME.pt2` with dropout and stochastic depth as torchvision has them, `NAME.still.pt2` without, and `NAME.safetensors`:
`input`, `cotangent` and `few.input` (another number of samples), and, each under `f64.` and `f32.`, `output` (of a forward pass in
training), `grad.PARAMETER`, `after.BUFFER`, and then of `net.eval()` `evaluated` and `few.output`. The test `peers` compares with them.
"""

import sys
from pathlib import Path

import torch
import torchvision
from safetensors.torch import save_file
from torch.export import Dim
from torch.utils._pytree import _register_namedtuple
from torchvision.models.googlenet import GoogLeNetOutputs
from torchvision.ops import StochasticDepth

# It gives three outputs in training, of which the first is taken; what it does with the others is not compared.
_register_namedtuple(GoogLeNetOutputs, serialized_type_name="torchvision.models.googlenet.GoogLeNetOutputs")

# Large enough that no convolution sees a single pixel: behind it a norm takes back what a weight does, and gradients are noise.
SIZES = {"convnext_tiny": 32, "vit_b_16": 32, "swin_t": 32, "resnet18": 64}
NAMES = ["resnet18", "densenet121", "mobilenet_v2", "efficientnet_b0", "googlenet", "vit_b_16", "convnext_tiny", "swin_t",
         "regnet_y_400mf", "shufflenet_v2_x1_0"]


def make(name, size):
    torch.manual_seed(1)
    more = {"image_size": size} if name.startswith("vit") else {}
    if name == "googlenet":
        more = {"init_weights": True}
    net = getattr(torchvision.models, name)(num_classes=10, **more)
    # What torchvision starts at zero, or next to it, would hide a branch.
    with torch.no_grad():
        for parameter_name, parameter in net.named_parameters():
            if parameter_name.endswith("layer_scale") or parameter.abs().max() < 1e-3:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return net


def export(net, size, path):
    x = torch.randn(2, 3, size, size)
    program = torch.export.export(net.train(), (x,), dynamic_shapes=({0: Dim("batch", min=2)},))
    torch.export.save(program, path)


def still(net):
    for module in net.modules():
        if isinstance(module, (torch.nn.Dropout, StochasticDepth)):
            module.p = 0.0
    return net


def step(net, x, few, cotangent):
    output = net(x)
    output = output if isinstance(output, torch.Tensor) else output[0]
    (output * cotangent).sum().backward()
    tensors = {"output": output.detach()}
    for key, parameter in net.named_parameters():
        if parameter.grad is not None:
            tensors[f"grad.{key}"] = parameter.grad
    for key, buffer in net.named_buffers():
        if buffer.numel() < 100_000 and not key.startswith("aux"):
            tensors[f"after.{key}"] = buffer.clone()
    net.eval()
    with torch.no_grad():
        tensors["evaluated"] = net(x)
        tensors["few.output"] = net(few)
    return tensors


def one(name, folder):
    size = SIZES.get(name, 96)
    net = make(name, size)
    start = {key: value.clone() for key, value in net.state_dict().items()}
    export(net, size, folder / f"{name}.pt2")
    net = still(make(name, size))
    net.load_state_dict(start)
    export(net, size, folder / f"{name}.still.pt2")
    torch.manual_seed(2)
    x = torch.randn(4, 3, size, size).double()
    few = torch.randn(3, 3, size, size).double()
    cotangent = torch.randn(4, 10).double()
    tensors = {"input": x, "cotangent": cotangent, "few.input": few}
    for prefix, kind in (("f64.", torch.float64), ("f32.", torch.float32)):
        net = still(make(name, size))
        net.load_state_dict(start)
        for key, value in step(net.to(kind).train(), x.to(kind), few.to(kind), cotangent.to(kind)).items():
            tensors[prefix + key] = value.contiguous()
    save_file(tensors, folder / f"{name}.safetensors")
    print(name, "exported", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    for name in sys.argv[2:] or NAMES:
        one(name, folder)
