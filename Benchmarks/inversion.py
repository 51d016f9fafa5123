"""A step of inversion at a block beside a bare forward and backward pass to that block in PyTorch.

    swift build -c release --product parallax
    python3 Benchmarks/inversion.py [--model vit_base_patch16_224] [--block 5] [--threads 2] [--rounds 3]

Needs the packages of Oracles/requirements.txt. Ours is the difference of two runs of the whole command, with few steps and with
more, so that start and report drop out; PyTorch's stops after the block too. Both have made-up weights and one image.
The target: ours within 1.1 times PyTorch's.
"""

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image


class Reached(Exception):
    """The block has been seen."""


def bare(model, block, steps):
    """Seconds a step."""
    found = []

    def stop(_, __, out):
        found.append(out)
        raise Reached

    handle = model.blocks[block].register_forward_hook(stop)
    x = torch.rand(1, 3, 224, 224)
    wanted = None
    start = time.perf_counter()
    for _ in range(steps):
        leaf = x.clone().requires_grad_(True)
        found.clear()
        try:
            model(leaf)
        except Reached:
            pass
        wanted = torch.zeros_like(found[0]) if wanted is None else wanted
        torch.autograd.grad(((wanted - found[0]) ** 2).sum(), leaf)
    handle.remove()
    return (time.perf_counter() - start) / steps


def ours(program, name, block, folder, steps, threads):
    """Seconds of the whole command."""
    with tempfile.TemporaryDirectory() as run:
        start = time.perf_counter()
        subprocess.run(
            [program, "invert", f"{name}@blocks.{block}", "--random-weights", "1", "--images", folder, "--pictures", "1",
             "--steps", str(steps), "--quiet", "--no-resume", "--output", f"{run}/run"],
            check=True, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": str(threads)})
        return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="vit_base_patch16_224")
    parser.add_argument("--block", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--program", default=str(Path(__file__).resolve().parent.parent / ".build/release/parallax"))
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    model = timm.create_model(a.model).eval().requires_grad_(False)
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        Image.fromarray(pixels).save(f"{folder}/noise.png")
        rows = []
        for _ in range(a.rounds):
            # In turn, so that whatever else the machine does hits both.
            torchs = bare(model, a.block, a.steps)
            few, many = (ours(a.program, a.model, a.block, folder, n, a.threads) for n in (2, 2 + a.steps))
            rows.append(((many - few) / a.steps, torchs))
    best = [min(column) for column in zip(*rows)]
    print(f"{a.model} block {a.block}: ours {1000 * best[0]:.1f} ms a step, PyTorch {1000 * best[1]:.1f} ms: {best[0] / best[1]:.2f}")


if __name__ == "__main__":
    main()
