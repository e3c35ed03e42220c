#!/usr/bin/env python3
"""Checks and measures dtrp on this machine's NVIDIA GPU; needs a driver and PyTorch 2.11 (cu130) in this Python.

    python3 run.py [--seconds 540] [--only checks|measurements]

Prints one line for each check, `ok`, `FAILED` or `skipped: why`, then the counts, and writes results.json beside this file.
Exit code 1 if a check has failed. Where there is no GPU, everything is skipped and the exit code is 0.
"""

import argparse
import glob
import json
import os
import platform
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DTRP = os.path.join(HERE, "bin", "dtrp")
GPU_CHECK = os.path.join(HERE, "bin", "dtrp-gpu-check")
BATCHES = [128, 512]
WORKERS = [1, 2, 4]
# Of PyTorch, beside each measurement. `compile` takes minutes and comes last.
VARIANTS = ["eager", "tf32", "channels-last", "bf16"]
PRECISIONS = [("f32", []), ("bf16 channels-last", ["run.precision=bf16", "run.channels_last=true"])]
NAMES = ["ResNet-20", "ResNet-110", "ResNet-18", "WRN-28-10", "VGG-16"]


class Results:
    """Lines as they come, and everything as JSON in the end."""

    def __init__(self):
        self.checks = []
        self.measurements = []

    def add(self, name, outcome, detail=""):
        self.checks.append({"name": name, "outcome": outcome, "detail": detail})
        text = {
            "ok": f"ok {name}" + (f" ({detail})" if detail else ""),
            "failed": f"FAILED {name}: {detail}",
            "skipped": f"skipped: {detail}: {name}",
        }[outcome]
        print(text, flush=True)

    def count(self, outcome):
        return sum(check["outcome"] == outcome for check in self.checks)

    def write(self, machine):
        path = os.path.join(HERE, "results.json")
        everything = {"machine": machine, "checks": self.checks, "measurements": self.measurements}
        with open(path, "w") as file:
            json.dump(everything, file, indent=1)
        return path


def look_around():
    """What this machine has, and why nothing can be run on it, if so."""
    machine = {"processor": platform.machine(), "python": platform.python_version()}
    if platform.machine() != "x86_64":
        return machine, f"dtrp is built for x86_64, this is {platform.machine()}", None
    try:
        import torch
    except Exception as error:
        return machine, f"this Python has no PyTorch ({error})", None
    machine["torch"] = torch.__version__
    library = os.path.join(os.path.dirname(torch.__file__), "lib")
    if not torch.__version__.startswith("2.11."):
        return machine, f"PyTorch 2.11 is needed, this is {torch.__version__}", None
    if not os.path.exists(os.path.join(library, "libtorch_cuda.so")):
        return machine, f"PyTorch {torch.__version__} is built without CUDA", None
    if not torch.cuda.is_available():
        return machine, "PyTorch finds no CUDA GPU; is the driver installed, and new enough?", None
    machine["gpu"] = torch.cuda.get_device_name(0)
    machine["cuda"] = torch.version.cuda
    return machine, None, library


def environment(library):
    """Where dtrp finds libtorch, and the libraries that this needs."""
    site = os.path.dirname(os.path.dirname(library))
    folders = [library] + sorted(glob.glob(os.path.join(site, "nvidia", "*", "lib")))
    before = os.environ.get("LD_LIBRARY_PATH")
    variables = dict(os.environ, LD_LIBRARY_PATH=":".join(folders + ([before] if before else [])))
    return variables


def measurement_names():
    return [f"measure {name} batch {batch}" for name in NAMES for batch in BATCHES]


def checks(results, variables, deadline):
    """`dtrp-gpu-check`, line by line."""
    path = os.path.join(HERE, "checks.json")
    seconds = max(1, int(deadline - time.monotonic()))
    command = [GPU_CHECK, "--json", path, "--seconds", str(seconds)]
    host = os.path.join(HERE, "plugins", "liblookahead.so")
    command += ["--host-plugin", host]
    device = build_device_plugin()
    if device:
        command += ["--device-plugin", device]
    if os.path.exists(path):
        os.remove(path)
    run = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, err = run.communicate(timeout=seconds + 60)
    except subprocess.TimeoutExpired:
        run.kill()
        out, err = run.communicate()
        err += "\nkilled: it ran past its time"
    if os.path.exists(path):
        with open(path) as file:
            for check in json.load(file)["checks"]:
                results.add(check["name"], check["outcome"], check["detail"])
        return
    # It did not come to its end: what it printed, and how it ended.
    sys.stdout.write(out)
    why = (err.strip().splitlines() or ["no message"])[-1]
    results.add("dtrp-gpu-check", "failed", f"exit code {run.returncode}: {why}")


def build_device_plugin():
    """The example for device memory, compiled if there is a compiler."""
    source = os.path.join(HERE, "plugins", "cuda-lookahead")
    if not shutil.which("nvcc") or not os.path.isdir(source):
        return None
    built = subprocess.run(["make", "-C", source], capture_output=True, text=True)
    libraries = glob.glob(os.path.join(source, "*.so"))
    if built.returncode or not libraries:
        print(built.stdout + built.stderr, file=sys.stderr)
        return None
    return libraries[0]


def same_network(name, make, sets, variables):
    """Whether both sides train the same network."""
    family = sets[0].split("=")[1]
    options = [word for key in sets[1:] for word in ("--option", key.split(".", 1)[1])]
    shown = subprocess.check_output([DTRP, "models", "show", family, "--format", "json", *options], env=variables)
    here = sum(parameter.numel() for parameter in make().parameters())
    there = json.loads(shown)["parameters"]
    return here == there, f"{there} parameters in dtrp, {here} in PyTorch"


def dtrp_rate(sets, batch, workers, steps, variables, seconds):
    """Images per second and peak bytes of dtrp with so many workers on the GPU."""
    sets = sets + [
        "run.device=cuda:0",
        "data.name=synthetic",
        "data.shape=[3, 32, 32]",
        f"data.train_samples={batch * (steps + 1)}",
        f"data.batch_size={batch}",
        "data.threads=4",
        "method.name=" + ("bp" if workers == 1 else "dtrp"),
        f"method.modules={workers}",
        "method.cuts=" + ("even" if workers == 1 else "auto"),
    ]
    command = [DTRP, "bench", "--alone", "--json", "--pairs", "3", "--steps", str(steps)]
    for key in sets:
        command += ["--set", key]
    run = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=seconds)
    if run.returncode:
        raise RuntimeError((run.stderr.strip().splitlines() or ["no message"])[-1])
    result = json.loads(run.stdout)
    return result["images_per_second"]["median"], result.get("device_peak_bytes")


def measure(results, variables, deadline):
    from networks import NETWORKS

    left = lambda: deadline - time.monotonic()
    for name, make, sets in NETWORKS:
        same, detail = same_network(name, make, sets, variables)
        results.add(f"same network {name}", "ok" if same else "failed", detail)
        for batch in BATCHES:
            check = f"measure {name} batch {batch}"
            if left() < 30:
                results.add(check, "skipped", "out of time")
                continue
            row = {"network": name, "batch": batch, "pytorch": {}, "dtrp": {}}
            results.measurements.append(row)
            problems = pytorch_rates(row, name, batch, VARIANTS, left())
            steps = 10 if name == "WRN-28-10" else 30
            for precision, keys in PRECISIONS:
                for workers in WORKERS:
                    label = f"{precision} K={workers}"
                    try:
                        rate, peak = dtrp_rate(sets + keys, batch, workers, steps, variables, max(20, left()))
                        row["dtrp"][label] = {"images_per_second": rate, "peak_bytes": peak}
                    except Exception as error:
                        problems.append(f"dtrp {label}: {error}")
            told = ", ".join(
                f"{side} {label} {entry['images_per_second']:,.0f}"
                for side in ("pytorch", "dtrp")
                for label, entry in row[side].items()
            )
            results.add(check, "failed" if problems else "ok", "; ".join(problems) or told + " images/s")
    for name in ("ResNet-20", "ResNet-110", "ResNet-18"):
        row = next((r for r in results.measurements if r["network"] == name and r["batch"] == 128), None)
        check = f"measure {name} batch 128 torch.compile"
        if row is None or left() < 60:
            results.add(check, "skipped", "out of time")
            continue
        problems = pytorch_rates(row, name, 128, ["compile"], left())
        rate = row["pytorch"].get("compile", {}).get("images_per_second", 0)
        # That torch.compile works is not for dtrp to say.
        results.add(check, "skipped" if problems else "ok", "; ".join(problems) or f"{rate:,.0f} images/s")


def pytorch_rates(row, name, batch, variants, seconds):
    """Fills in what PyTorch does; returns what went wrong."""
    command = [sys.executable, os.path.join(HERE, "pytorch.py"), name, str(batch), *variants]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=max(20, seconds))
    except subprocess.TimeoutExpired:
        return ["PyTorch: out of time"]
    problems = []
    for line in run.stdout.splitlines():
        result = json.loads(line)
        variant = result.pop("variant")
        if "error" in result:
            problems.append(f"PyTorch {variant}: {result['error']}")
        else:
            row["pytorch"][variant] = result
    if run.returncode:
        problems.append("PyTorch: " + (run.stderr.strip().splitlines() or ["no message"])[-1])
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=540, help="stop beginning anything new after this")
    parser.add_argument("--only", choices=["checks", "measurements"])
    args = parser.parse_args()
    deadline = time.monotonic() + args.seconds
    results = Results()
    machine, problem, library = look_around()
    if problem:
        with open(os.path.join(HERE, "checks.txt")) as file:
            for name in file.read().splitlines() + measurement_names():
                results.add(name, "skipped", problem)
    else:
        variables = environment(library)
        if args.only != "measurements":
            # The checks take their time first, but never more than half of it.
            checks(results, variables, time.monotonic() + args.seconds / 2)
        if args.only != "checks":
            measure(results, variables, deadline)
    print(f"{results.count('ok')} ok, {results.count('failed')} failed, {results.count('skipped')} skipped")
    print(f"everything is in {results.write(machine)}")
    return 1 if results.count("failed") else 0


if __name__ == "__main__":
    sys.exit(main())
