"""A step of matching beside a bare forward and backward pass in PyTorch, and beside the published loop, which embeds twice a step.

    swift build -c release --product parallax
    python3 Benchmarks/matching.py [--model vit_base_patch16_224] [--pairs 1] [--threads 2] [--rounds 3]

Needs the packages of Oracles/requirements.txt. Ours is the difference of two runs of the whole command, with few steps and with more,
so that start, pass, readers and report drop out. All have the same made-up weights, one file, and the same pictures; after the same number of steps the
distances are compared. The target: ours within 1.1 times the bare passes.
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
from PIL import Image
from safetensors.torch import save_file

MEAN = STD = 0.5


def published(model, source, target, steps, rate, bare=False):
    """Seconds a step, and the squared distance reached."""
    with torch.no_grad():
        t = model(target)
    x, low, high = source.clone(), source.min(), source.max()
    start = time.perf_counter()
    for _ in range(steps):
        x = x.detach().requires_grad_(True)
        e = model(x)
        loss = torch.nn.functional.mse_loss(e, t, reduction="sum") / t.shape[1]
        (g,) = torch.autograd.grad(loss, x)
        x = torch.clamp(x.detach() - rate * g, low, high)
        if not bare:
            with torch.no_grad():
                e = model(x)
                d, cosine = ((t - e) ** 2).sum(), torch.nn.functional.cosine_similarity(t, e)
                _ = (d.item(), cosine.tolist(), (x - source).abs().sum().item())
    seconds = (time.perf_counter() - start) / steps
    with torch.no_grad():
        return seconds, ((model(x) - t) ** 2).sum(1).tolist()


def ours(program, weights, folder, pairs, steps, threads):
    """Seconds of the whole command, and the squared distances reached."""
    with tempfile.TemporaryDirectory() as run:
        start = time.perf_counter()
        subprocess.run(
            [program, "match", f"{weights}@head", "--images", folder, "--pairs", str(pairs), "--preset", "salman2024",
             "--steps", str(steps), "--tolerance", "1e-12", "--quiet", "--no-resume", "--output", f"{run}/run"],
            check=True, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": str(threads)})
        seconds = time.perf_counter() - start
        result = json.loads(Path(f"{run}/run/results/matching.json").read_text())
        place = result["models"][0]["places"][0]["pairs"]
        ids = [(result["images"][p["source"]]["id"], result["images"][p["target"]]["id"]) for p in place]
        return seconds, ids, [p["after"]["distance"] for p in place]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="vit_base_patch16_224")
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--program", default=str(Path(__file__).resolve().parent.parent / ".build/release/parallax"))
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    model = timm.create_model(a.model).eval().requires_grad_(False)
    size = model.default_cfg["input_size"][1]
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        Path(f"{folder}/images").mkdir()
        pictures = {}
        for index in range(max(2, 2 * a.pairs)):
            pixels = generator.integers(0, 256, (size, size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(f"{folder}/images/{index}.png")
            pictures[f"{index}.png"] = (torch.tensor(pixels).permute(2, 0, 1).float() / 255 - MEAN) / STD
        # As the hub keeps timm's models; the whole picture goes in.
        Path(f"{folder}/model").mkdir()
        save_file(model.state_dict(), f"{folder}/model/model.safetensors")
        card = {"mean": [MEAN] * 3, "std": [STD] * 3, "input_size": [3, size, size], "crop_pct": 1.0, "interpolation": "bicubic"}
        Path(f"{folder}/model/config.json").write_text(json.dumps({"architecture": a.model, "num_classes": 1000, "pretrained_cfg": card}))
        rows, gaps = [], []
        for _ in range(a.rounds):
            # In turn, so that whatever else the machine does hits all.
            few, ids, _ = ours(a.program, f"{folder}/model", f"{folder}/images", a.pairs, 2, a.threads)
            many, ids, ends = ours(a.program, f"{folder}/model", f"{folder}/images", a.pairs, 2 + a.steps, a.threads)
            source = torch.stack([pictures[s] for s, _ in ids])
            target = torch.stack([pictures[t] for _, t in ids])
            bare, _ = published(model, source, target, a.steps, 0.08, bare=True)
            whole, reached = published(model, source, target, 2 + a.steps, 0.08)
            rows.append(((many - few) / a.steps, bare, whole))
            gaps.append(max(abs(x - y) / max(y, 1e-12) for x, y in zip(ends, reached)))
    best = [min(column) for column in zip(*rows)]
    print(
        f"{a.model}, {a.pairs} at once: ours {1000 * best[0]:.1f} ms a step, bare passes {1000 * best[1]:.1f} ms: {best[0] / best[1]:.2f}; "
        f"published loop {1000 * best[2]:.1f} ms: {best[0] / best[2]:.2f}; distances after {2 + a.steps} steps differ by {max(gaps):.1e} of themselves")


if __name__ == "__main__":
    main()
