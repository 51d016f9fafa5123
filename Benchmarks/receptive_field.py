"""Receptive fields of all blocks of a network beside the bare backward passes that they need, in PyTorch.

    swift build -c release --product parallax
    python3 Benchmarks/receptive_field.py [--model vit_base_patch16_224] [--images 32] [--batch 8] [--threads 2] [--rounds 3]

Needs the packages of Oracles/requirements.txt. Both sides have made-up weights of the same architecture and differentiate the
sum of the channels: one backward pass a block. Ours is the whole command on images of noise, from reading files to the report;
PyTorch's are one forward pass a batch and `autograd.grad` from each block's centre patch, nothing else.
The target: ours within 3 times PyTorch's.
"""

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

# torchvision beside the CPU build of torch lacks its compiled operators; declaring them lets timm import it.
_library = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _library.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import timm
from PIL import Image


def bare(model, x, batch):
    """Seconds of the backward passes from every block, and of the forward passes before them."""
    forward = backward = 0.0
    for part in x.split(batch):
        part = part.clone().requires_grad_(True)
        found = []
        handles = [block.register_forward_hook(lambda _, __, out: found.append(out)) for block in model.blocks]
        start = time.perf_counter()
        model(part)
        forward += time.perf_counter() - start
        for handle in handles:
            handle.remove()
        start = time.perf_counter()
        for value in found:
            patches = value[:, model.num_prefix_tokens :]
            side = int(patches.shape[1] ** 0.5)
            centre = patches[:, side // 2 * side + side // 2]
            torch.autograd.grad(centre.sum(), part, retain_graph=True)
        backward += time.perf_counter() - start
    return forward, backward


def ours(program, name, folder, images, batch, threads):
    """Seconds of the whole command, its start and the report included."""
    with tempfile.TemporaryDirectory() as run:
        start = time.perf_counter()
        subprocess.run(
            [program, "receptive-field", name, "--random-weights", "1", "--images", folder, "--images-per-site", str(images),
             "--summed", "--batch-size", str(batch), "--quiet", "--no-resume", "--output", f"{run}/run"],
            check=True, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": str(threads)})
        return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="vit_base_patch16_224")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--program", default=str(Path(__file__).resolve().parent.parent / ".build/release/parallax"))
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    model = timm.create_model(a.model).eval().requires_grad_(False)
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(a.images):
            pixels = generator.integers(0, 256, (224, 224, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(f"{folder}/{number:03}.png")
        x = torch.randn(a.images, 3, 224, 224)
        rows = []
        for _ in range(a.rounds):
            # In turn, so that whatever else the machine does hits both.
            forward, backward = bare(model, x, a.batch)
            rows.append((forward, backward, ours(a.program, a.model, folder, a.images, a.batch, a.threads)))
    forward, backward, own = (min(column) for column in zip(*rows))
    print(f"{a.model}, {len(model.blocks)} blocks, {a.images} images, {a.threads} threads, best of {a.rounds}")
    print(f"PyTorch: forward {forward:.1f} s, backward {backward:.1f} s; parallax, everything: {own:.1f} s")
    print(f"parallax over the bare backward passes: {own / backward:.2f} (target: at most 3)")


if __name__ == "__main__":
    main()
