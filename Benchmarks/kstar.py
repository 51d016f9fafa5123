"""k* of many images, beside the full sort of each row in NumPy and PyTorch and beside the bare matrix products.

    swift build -c release --product ParallaxBenchmark
    python3 Benchmarks/kstar.py [--images 50000] [--width 512] [--classes 1000] [--threads 2] [--rounds 1]

Needs torch and safetensors. All see the same float32 features of made-up classes, which lie in memory. The authors' notebook makes the whole
matrix and sorts every row; the matrix of 50 000 images would take 10 GB, so here blocks of rows are made and sorted one after the other, by the
same formula (argsort, labels in that order, the first that differs). In each round every contestant runs once, and the next round begins with the
next one; the sorts run on a share of the rows, spread over all, and are multiplied.

Accuracy: k* from float64 differences, for a sample of the images, beside everyone's.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from neighbours import ROOT, Ours, report, rounds


def made_up(images, width, classes):
    """Classes of different spread, some of them in two pieces, all near enough to one another to mix."""
    rng = np.random.default_rng(11)
    labels = rng.permutation(np.arange(images) % classes)
    centres = rng.normal(size=(2, classes, width)).astype(np.float32)
    piece = (rng.random(images) < 0.3) & (labels % 3 == 0)
    spread = (0.8 + 1.2 * (labels % 7) / 6)[:, None].astype(np.float32)
    x = centres[piece.astype(int), labels] + spread * rng.normal(size=(images, width)).astype(np.float32)
    return x, labels


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=50000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--share", type=int, default=20, help="NumPy and PyTorch sort one row in so many")
    parser.add_argument("--binary", default=str(ROOT / ".build" / "release" / "ParallaxBenchmark"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    x, labels = made_up(options.images, options.width, options.classes)
    features, classes = torch.from_numpy(x), torch.from_numpy(labels)
    block = max(1, (1 << 24) // (4 * options.images))
    out = torch.empty(block, options.images)
    found = {}

    def timed(run):
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    def products():
        for some in features.split(block):
            torch.mm(some, features.T, out=out[: len(some)])

    shared = torch.arange(0, options.images, options.share)

    def sorted_torch():
        ranks, norms = [], features.square().sum(1)
        start = time.perf_counter()
        for some in shared.split(block):
            squares = norms[some, None] + norms - 2 * features[some] @ features.T
            squares[torch.arange(len(some)), some] = -1
            ordered = classes[squares.argsort(1)]
            ranks.append((ordered != ordered[:, :1]).int().argmax(1))
        found["PyTorch, argsort"] = torch.cat(ranks)
        return (time.perf_counter() - start) * options.images / len(shared)

    def sorted_numpy():
        norms = (x**2).sum(1)
        rows = shared.numpy()
        start = time.perf_counter()
        for some in np.array_split(rows, max(1, len(rows) // block)):
            squares = norms[some, None] + norms - 2 * x[some] @ x.T
            squares[np.arange(len(some)), some] = -1
            ordered = labels[squares.argsort(1)]
            (ordered != ordered[:, :1]).argmax(1)
        return (time.perf_counter() - start) * options.images / len(rows)

    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / f) for f in ("features.safetensors", "found.safetensors")]
        save_file({"features": features, "labels": classes}, files[0])
        ours = Ours([options.binary, "kstar", files[0], files[1], str(options.threads)])
        times = rounds(
            {"bare products": lambda: timed(products), "Parallax": lambda: ours("kstar"), "Parallax, kNN and silhouettes": lambda: ours("all"),
             f"PyTorch, argsort (×{options.share})": sorted_torch, f"NumPy, argsort (×{options.share})": sorted_numpy}, options.rounds)
        report(f"k* of {options.images} images of width {options.width}, {options.classes} classes, blocks of {block}, "
               f"{options.threads} threads, {os.cpu_count()} processors", times, "Parallax")
        ours.close()
        table = load_file(files[1])
        sorts = found["PyTorch, argsort"]
        found = {"Parallax": table["kstar"][shared], "Parallax, kNN and silhouettes": table["all"][shared], "PyTorch, argsort": sorts}
        picked = torch.arange(0, len(shared), max(1, len(shared) // 500))
        rows = shared[picked]
        wide = features.double()
        d = torch.cdist(wide[rows], wide, compute_mode="donot_use_mm_for_euclid_dist")
        same = classes[rows][:, None] == classes
        least = d.masked_fill(same, torch.inf).amin(1, keepdim=True)
        d[torch.arange(len(rows)), rows] = torch.inf
        right = 1 + (same & (d < least)).sum(1)
        print(f"  k* from {right.min()} to {right.max()}, median {right.median()}; {table['kstar-recomputed'].item()} images were computed again in float64")
        for name, ranks in found.items():
            print(f"  {name:30} is float64's for {(ranks[picked] == right).float().mean():.2%} of {len(rows)} images")
        print(f"  Parallax and PyTorch's sort agree for {(found['Parallax'] == sorts).float().mean():.3%} of {len(shared)} images")


if __name__ == "__main__":
    main()
