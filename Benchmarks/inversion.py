"""A step of inversion at a block beside a bare forward and backward pass to that block in PyTorch, and the same descent in PyTorch.

    swift build -c release --product parallax
    python3 Benchmarks/inversion.py [--model vit_base_patch16_224] [--block 5] [--threads 2] [--rounds 3]

Needs the packages of Oracles/requirements.txt. Ours is the difference of two runs of the whole command, with few steps and with
more, so that start and report drop out; PyTorch's stops after the block too. Both have the same made-up weights and one image. The
target: ours within 1.1 times PyTorch's. Accuracy: the recipe `quick` by hand in PyTorch, from the same start; how far the two
pictures and their embeddings' distances lie apart.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file


class Reached(Exception):
    """The block has been seen."""


class Embedding:
    """The block's output; nothing after it runs."""

    def __init__(self, model, block):
        self.model, self.found = model, []
        model.blocks[block].register_forward_hook(self.stop)

    def stop(self, _, __, out):
        self.found.append(out)
        raise Reached

    def __call__(self, x):
        self.found.clear()
        try:
            self.model(x)
        except Reached:
            pass
        return self.found[0].flatten(1)


def bare(embedding, steps):
    """Seconds a step."""
    x = torch.rand(1, 3, 224, 224)
    wanted = torch.zeros_like(embedding(x).detach())
    start = time.perf_counter()
    for _ in range(steps):
        leaf = x.clone().requires_grad_(True)
        torch.autograd.grad(((wanted - embedding(leaf)) ** 2).sum(), leaf)
    return (time.perf_counter() - start) / steps


OCTAVES = ((0.125, 20, 0.1, 0.02), (0.25, 25, 0.1, 0.02), (0.5, 25, 0.1, 0.02), (1, 30, 0.1, 0.005))
"""Of `quick`: share of the size, steps of a hundred, ε at both ends."""

VARIATION = 2


def quick(embedding, mean, std, target, steps):
    """The recipe's descent from its start with seed 0; the best picture and the distance of its embedding."""
    channel = lambda v: torch.tensor(v).reshape(1, 3, 1, 1)
    resized = lambda a, side: F.interpolate(a, size=(side, side), mode="bilinear", align_corners=False)
    seen = lambda a: embedding((resized(a, 224) - channel(mean)) / channel(std))
    with torch.no_grad():
        wanted = seen(target)
    counts = [steps * own // 100 for _, own, _, _ in OCTAVES[:-1]]
    counts.append(steps - sum(counts))
    sides = [round(224 * share) for share, _, _, _ in OCTAVES]
    # Octaves without a step are passed over, also at the start.
    first = next(k for k, n in enumerate(counts) if n > 0)
    seed = 1_000_003**2 % 2**64
    a = 0.5 + 0.05 * torch.randn(1, 3, sides[first], sides[first], generator=torch.Generator().manual_seed(seed))
    for n, side, (_, _, start, end) in zip(counts, sides, OCTAVES):
        if n == 0:
            continue
        a = torch.nn.Parameter(resized(a, side).detach().clone())
        optimiser = torch.optim.Adam([a], lr=start)
        best, least = a, float("inf")
        for i in range(n + 1):
            loss = ((wanted - seen(a)) ** 2).sum() / (wanted**2).sum()
            if loss.item() < least:
                best, least = a.detach().clone(), loss.item()
            if i == n:
                break
            across, down = a[..., 1:] - a[..., :-1], a[:, :, 1:] - a[:, :, :-1]
            optimiser.zero_grad()
            (loss + VARIATION * (across.abs().mean() + down.abs().mean())).backward()
            optimiser.param_groups[0]["lr"] = start * (n - i) / n + end * i / n
            optimiser.step()
            with torch.no_grad():
                a.clamp_(0, 1)
    with torch.no_grad():
        return best, (seen(best) - wanted).norm().item()


def ours(program, name, weights, block, folder, steps, threads, run):
    """Seconds of the whole command, which leaves its run folder."""
    start = time.perf_counter()
    subprocess.run(
        [program, "invert", f"{name}={weights}@blocks.{block}", "--images", folder, "--pictures", "1", "--preset", "quick",
         "--steps", str(steps), "--quiet", "--no-resume", "--output", run],
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
    torch.manual_seed(0)
    model = timm.create_model(a.model).eval().requires_grad_(False)
    embedding = Embedding(model, a.block)
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        weights, images, run = (f"{folder}/{part}" for part in ("weights.safetensors", "images", "run"))
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, weights)
        os.mkdir(images)
        Image.fromarray(pixels).resize((28, 28)).resize((224, 224), Image.BICUBIC).save(f"{images}/noise.png")
        rows = []
        for _ in range(a.rounds):
            # In turn, so that whatever else the machine does hits both.
            torchs = bare(embedding, a.steps)
            few, many = (ours(a.program, a.model, weights, a.block, images, n, a.threads, run) for n in (2, 2 + a.steps))
            rows.append(((many - few) / a.steps, torchs))
        result = json.load(open(f"{run}/results/inversion.json"))
        found = load_file(f"{run}/tensors/inversion/pictures.safetensors")
        target, picture = (found[k][None] for k in sorted(found))
        one = result["models"][0]["layers"][0]["reconstructions"][0]
        cfg = model.default_cfg
        theirs, distance = quick(embedding, cfg["mean"], cfg["std"], target, 2 + a.steps)
    best = [min(column) for column in zip(*rows)]
    print(f"{a.model} block {a.block}: ours {1000 * best[0]:.1f} ms a step, PyTorch {1000 * best[1]:.1f} ms: {best[0] / best[1]:.2f}")
    print(f"after {2 + a.steps} steps: pictures differ by {(picture - theirs).abs().max():.1e} at most, "
          f"{(picture - theirs).norm() / theirs.norm():.1e} in norm; m_g {one['embedding']:.6g}, PyTorch's {distance:.6g}")


if __name__ == "__main__":
    main()
