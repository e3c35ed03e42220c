"""Images per second of plain backpropagation in PyTorch: `pytorch.py NETWORK BATCH VARIANT...` prints a JSON line each.

The batch lies on the GPU already, so PyTorch pays nothing for loading. One process for one network.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F

from networks import NETWORKS

WARM_UP = 10


def train(make, batch, variant):
    """Images per second and peak bytes; time is taken around steps that are all done when it ends."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = variant == "tf32"
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(1)
    network = make().cuda()
    images = torch.randn(batch, 3, 32, 32, device="cuda")
    labels = torch.randint(10, (batch,), device="cuda")
    if variant in ("channels-last", "bf16"):
        network = network.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    run = torch.compile(network) if variant == "compile" else network

    def step():
        with torch.autocast("cuda", torch.bfloat16, enabled=variant == "bf16"):
            loss = F.cross_entropy(run(images), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    for _ in range(WARM_UP):
        step()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    start, steps = time.perf_counter(), 0
    # At least two seconds, so that clocks have settled.
    while steps < 20 or time.perf_counter() - start < 2.0:
        for _ in range(10):
            step()
        steps += 10
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    return batch * steps / seconds, torch.cuda.max_memory_allocated()


def main():
    name, batch, variants = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    make = next(make for network, make, _ in NETWORKS if network == name)
    for variant in variants:
        try:
            rate, peak = train(make, batch, variant)
            result = {"variant": variant, "images_per_second": rate, "peak_bytes": peak}
        except Exception as error:  # Out of memory, or no compiler: the other variants can still be measured.
            result = {"variant": variant, "error": str(error).strip().splitlines()[0]}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
