"""The whole Jacobian of a 512-dimensional embedding at the pixels, beside the bare backward passes and PyTorch's vmap of vjp.

    swift build -c release --product ParallaxBenchmark
    python3 Benchmarks/jacobian.py [--threads 2] [--rounds 3] [--batch 8]

Needs the packages of Oracles/requirements.txt. A ViT-B/16 as CLIP has it, made-up weights, one image. Ours forms `LayerJacobian.matrix`;
bare are as many backward passes from one forward pass over copies of the image. PyTorch's `vmap` batches the backward passes alike.
The target: ours within 1.2 times the bare passes.
"""

import argparse
import subprocess
import time
from pathlib import Path

import timm
import torch


def torchs(model, batch):
    """Seconds of vmap(vjp) over unit vectors, in chunks."""
    x = torch.randn(1, 3, 224, 224)
    start = time.perf_counter()
    y, back = torch.func.vjp(model, x)
    units = torch.eye(y.shape[1]).unsqueeze(1)
    sum(torch.func.vmap(back)(part)[0].sum() for part in units.split(batch))
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="clip-vit-base-patch16")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--program", default=str(Path(__file__).resolve().parent.parent / ".build/release/ParallaxBenchmark"))
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    timm.layers.set_fused_attn(False)
    model = timm.create_model("vit_base_patch16_clip_quickgelu_224", num_classes=512).eval().requires_grad_(False)
    process = subprocess.Popen(
        [a.program, "jacobian", a.model, str(a.batch), str(a.threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ours(mode):
        process.stdin.write(mode + "\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    # In turn, so that whatever else the machine does hits all.
    rows = [(ours("whole"), ours("bare"), torchs(model, a.batch)) for _ in range(a.rounds)]
    process.stdin.close()
    process.wait()
    whole, bare, other = (min(column) for column in zip(*rows))
    print(f"Jacobian 512 x 150528: ours {whole:.1f} s, bare products {bare:.1f} s ({whole / bare:.2f}), vmap of vjp {other:.1f} s ({whole / other:.2f})")


if __name__ == "__main__":
    main()
