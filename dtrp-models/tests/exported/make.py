"""Writes the small networks that the tests read, and what PyTorch computes with them in f64: `toy.pt2`, `toy.safetensors`, and others that
cannot be used.

    python make.py FOLDER

Dropout and stochastic depth draw here as dtrp does (SplitMix64 over seed, node, batch), so that training can be compared too. The entries of
`toy.safetensors` are those of `peers.py`, with the prefix `f64.`; the seed is 3, the batch 0.
"""

import re
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from torch.export import Dim

WORD = (1 << 64) - 1
SEED, BATCH = 3, 0


class Branch(nn.Module):
    """Two tensors cross any cut inside it; its second half is left out at random, sample by sample."""

    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x):
        y = self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True))
        noise = torch.empty([x.shape[0], 1, 1, 1], dtype=x.dtype).bernoulli_(0.75)
        noise.div_(0.75)
        return x + y * noise


class Toy(nn.Module):
    def __init__(self, width=6, classes=5):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, stride=2)
        self.blocks = nn.Sequential(Branch(width), Branch(width))
        self.shared = nn.Linear(width, width)
        self.drop = nn.Dropout(0.25)
        self.fc = nn.Linear(width, classes)
        self.register_buffer("mask", torch.arange(width) % 3 != 0)
        self.register_buffer("passes", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("table", torch.randn(width) * 0.1, persistent=False)
        self.frozen = nn.Parameter(torch.randn(width) * 0.1, requires_grad=False)
        self.unread = nn.Parameter(torch.ones(2))

    def forward(self, x):
        # In place on a view of what is read again: both see it.
        x = x * 1.0
        x[:, 0].mul_(0.5)
        h = self.blocks(self.stem(x))
        if self.training:
            self.passes.add_(1)
            self.mean.mul_(0.9).add_(h.detach().mean((0, 2, 3)), alpha=0.1)
        h = h.mean((2, 3)) + self.table + self.frozen
        h = h.masked_fill(self.mask, 0.25) + torch.tensor([1.5, -0.5, 0.5] * 2)
        h = F.gelu(self.shared(F.gelu(self.shared(h))))
        # A size that depends on the batch.
        h = h.reshape(x.shape[0] * 2, -1).reshape(x.shape[0], -1)
        return self.fc(self.drop(h))


class Noise(nn.Module):
    """Random numbers that cannot be repeated."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(12, 2)

    def forward(self, x):
        return self.fc(x.flatten(1) + torch.randn_like(x.flatten(1)))


class Two(nn.Module):
    """Several outputs."""

    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm2d(3)
        self.a, self.b = nn.Linear(12, 2), nn.Linear(12, 3)

    def forward(self, x):
        x = self.bn(x).flatten(1)
        return self.a(x), self.b(x)


class Tied(nn.Module):
    """Two names for one parameter."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(12, 12, bias=False), nn.Linear(12, 12, bias=False)
        self.second.weight = self.first.weight
        self.fc = nn.Linear(12, 2)

    def forward(self, x):
        return self.fc(self.second(F.relu(self.first(x.flatten(1)))))


class Reading(nn.Module):
    """An output that depends on a buffer which changes."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(12, 2)
        self.register_buffer("scale", torch.ones(12))

    def forward(self, x):
        x = x.flatten(1)
        self.scale.mul_(0.9).add_(x.detach().abs().mean(0), alpha=0.1)
        return self.fc(x / self.scale)


class Plain(nn.Module):
    """Exported twice: as it is, and in functional operators, where buffers take their new values at the end."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.fc = nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4), nn.Linear(4, 2)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x):
        if self.training:
            self.count.add_(0.5)
        return self.fc(F.relu_(self.bn(self.conv(x))).flatten(1))


class Quiet(nn.Module):
    """Parts without gradients, which the file has as graphs of their own: one changes a buffer, the output depends on the other."""

    def __init__(self):
        super().__init__()
        self.first, self.fc = nn.Linear(12, 12), nn.Linear(12, 2)
        self.register_buffer("mean", torch.zeros(12))

    def forward(self, x):
        h = self.first(x.flatten(1))
        with torch.no_grad():
            self.mean.mul_(0.9).add_(h.mean(0), alpha=0.1)
        with torch.no_grad():
            scale = h.abs().mean(1, keepdim=True).expand(x.shape[0], 12)
        return self.fc(h * scale)


class Inputs(nn.Module):
    def forward(self, x, y):
        return (x + y).flatten(1)


def export(net, shape, dynamic=True):
    shapes = ({0: Dim("batch", min=2)},) if dynamic else None
    return torch.export.export(net, (torch.randn(2, *shape),), dynamic_shapes=shapes)


def save(program, path, method=zipfile.ZIP_DEFLATED):
    """Without sample inputs, and without the folders of the machine that this runs on."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / path.name
        torch.export.save(program, whole)
        with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w", method) as new:
            for name in old.namelist():
                if "/data/sample_inputs/" in name:
                    continue
                content = old.read(name)
                if name.endswith("model.json"):
                    content = re.sub(rb'File \\"[^"]*/(?=torch/|make\.py)', rb'File \\"/', content)
                new.writestr(zipfile.ZipInfo(name), content, method)


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def kept(shape, rate, node):
    """Ones for what is kept with probability 1 - rate, as dtrp draws them for the node with this number."""
    gamma, key = 0x9E3779B97F4A7C15, 0
    for word in (SEED, node, BATCH, 0):
        key = mix(((key + gamma) & WORD) ^ word)
    count, threshold = torch.Size(shape).numel(), round(rate * (1 << 24))
    drawn = [mix((key + i * gamma) & WORD) >> 40 >= threshold for i in range(count)]
    drawn = torch.tensor(drawn, dtype=torch.float64)
    if len(shape) == 4:
        n, c, h, w = shape
        return drawn.view(n, h, w, c).permute(0, 3, 1, 2)
    return drawn.view(shape)


def expect(net, program, shape):
    """What PyTorch computes in training, with the product's random numbers, and then in evaluation."""
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    numbers = {name: [i for i, node in enumerate(calls) if name in str(node.target)] for name in ("dropout", "bernoulli")}
    dropout, bernoulli = F.dropout, torch.Tensor.bernoulli_

    def own_dropout(x, p, training, inplace=False):
        return x * kept(x.shape, p, numbers["dropout"].pop(0)) / (1 - p) if training else x

    def own_bernoulli(x, p):
        return x.copy_(kept(x.shape, 1 - p, numbers["bernoulli"].pop(0)) if net.training else torch.ones_like(x))

    def evaluated_div(x, by):
        return x

    net = net.double().train()
    x, few = torch.randn(4, *shape).double(), torch.randn(3, *shape).double()
    try:
        F.dropout, torch.Tensor.bernoulli_ = own_dropout, own_bernoulli
        output = net(x)
        cotangent = torch.randn_like(output)
        (output * cotangent).sum().backward()
        tensors = {"input": x, "cotangent": cotangent, "few.input": few, "f64.output": output.detach()}
        for key, parameter in net.named_parameters():
            if parameter.grad is not None:
                tensors[f"f64.grad.{key}"] = parameter.grad
        for key, value in net.state_dict().items():
            if key in dict(net.named_buffers()):
                tensors[f"f64.after.{key}"] = value.clone()
        net.eval()
        divide, torch.Tensor.div_ = torch.Tensor.div_, evaluated_div
        with torch.no_grad():
            tensors["f64.evaluated"], tensors["f64.few.output"] = net(x), net(few)
        torch.Tensor.div_ = divide
    finally:
        F.dropout, torch.Tensor.bernoulli_ = dropout, bernoulli
    return {key: value.contiguous() for key, value in tensors.items()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    torch.manual_seed(1)
    image, small = (3, 8, 8), (3, 2, 2)
    net = Toy().train()
    program = export(net, image)
    save(program, folder / "toy.pt2", zipfile.ZIP_STORED)
    save_file(expect(net, program, image), folder / "toy.safetensors")
    for name, other in (("noise", Noise()), ("two", Two()), ("tied", Tied()), ("reading", Reading())):
        save(export(other.train(), small), folder / f"{name}.pt2")
    net = Quiet().train()
    program = export(net, small)
    save(program, folder / "quiet.pt2")
    save_file(expect(net, program, small), folder / "quiet.safetensors")
    plain = export(Plain().train(), small)
    save(plain, folder / "plain.pt2")
    save(plain.run_decompositions(), folder / "functional.pt2")
    save(export(Two().eval(), small), folder / "evaluation.pt2")
    save(export(Tied().train(), small, dynamic=False), folder / "fixed.pt2")
    two = (torch.randn(2, *small), torch.randn(2, *small))
    batch = Dim("batch", min=2)
    save(torch.export.export(Inputs(), two, dynamic_shapes=({0: batch}, {0: batch})), folder / "inputs.pt2")
