"""Information imbalance, mutual kNN and neighbours of made-up representations, beside dadapy, NumPy and bare products.

    swift build -c release --product ParallaxBenchmark
    python3 Benchmarks/neighbours.py [--sites 24] [--images 2000] [--width 768] [--large 50000] [--threads 2] [--rounds 3]

Needs torch and safetensors, and dadapy==0.3.4 (which pins NumPy 1.26: an environment of its own). All see the same float32 features,
which lie in memory. In each round every contestant runs once, and the next round begins with the next one.

- Information imbalance, k = 1, all ordered pairs. dadapy's public call makes the neighbours of both sides again for every pair; it
  is timed on a few pairs and multiplied. The row `dadapy, tables once` gives it the neighbours of every site once (its own function for
  them and its own `_return_imbalance` for the pairs), which is the faster way to use it. `NumPy` makes ranks once a site by argsort.
- Mutual kNN, k = 10, all pairs: neighbours once a site, and once more for every pair (Parallax both times).
- Neighbours alone, k = 10, Euclidean: a large N in blocks, beside the bare matrix products of the same blocks in PyTorch.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).resolve().parent.parent


class Ours:
    """Our program, which does what each line that it reads says."""

    def __init__(self, arguments):
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, kind):
        self.process.stdin.write(kind + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("ParallaxBenchmark ended early")
        return float(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def timed(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def rounds(contestants, count):
    times = {k: [] for k in contestants}
    for turn in range(count + 1):
        first = turn % len(contestants)
        for k in [*contestants][first:] + [*contestants][:first]:
            seconds = contestants[k]()
            if turn > 0:  # The first is for warming up.
                times[k].append(seconds)
    return times


def report(title, times, base):
    print(title)
    own = statistics.median(times[base])
    for k, v in times.items():
        print(f"  {k:28} min {min(v):8.3f} s  median {statistics.median(v):8.3f} s  {statistics.median(v) / own:7.2f}× {base}")


def features(sites, images, width):
    """Sites that share less and less with the first."""
    rng = np.random.default_rng(7)
    latent = rng.normal(size=(images, 24))
    return [(latent @ rng.normal(size=(24, width)) + (0.5 + 0.1 * s) * rng.normal(size=(images, width))).astype(np.float32)
            for s in range(sites)]


def ranks(x):
    """NumPy's way: squared distances by a product in float64, argsort twice."""
    x = x.astype(np.float64)
    x = x - x.mean(0)
    norms = (x**2).sum(1)
    d = norms[:, None] + norms - 2 * x @ x.T
    np.fill_diagonal(d, np.inf)
    order = d.argsort(1)
    r = np.empty_like(order)
    np.put_along_axis(r, order, np.arange(1, len(x) + 1)[None], 1)
    return order[:, 0], r


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=24)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--large", type=int, default=50000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--binary", default=str(ROOT / ".build" / "release" / "ParallaxBenchmark"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    sites = features(options.sites, options.images, options.width)
    found = {}

    def numpy_imbalance():
        tables = [ranks(x) for x in sites]
        n = np.arange(options.images)
        found["NumPy"] = np.array([[0 if i == j else 2 * b[n, a].mean() / len(n) for j, (_, b) in enumerate(tables)]
                                   for i, (a, _) in enumerate(tables)])

    contestants = {"NumPy, ranks once": lambda: timed(numpy_imbalance)}
    try:
        from dadapy import MetricComparisons
        from dadapy._utils.metric_comparisons import _return_imbalance

        def dadapy_public(pairs=2):
            start = time.perf_counter()
            for j in range(1, 1 + min(pairs, options.sites - 1)):
                data = MetricComparisons(sites[0], maxk=options.images - 1, n_jobs=options.threads)
                data.return_information_imbalace(sites[j])
            return (time.perf_counter() - start) / min(pairs, options.sites - 1) * options.sites * (options.sites - 1) / 2

        def dadapy_once():
            rng = np.random.default_rng(0)
            tables = []
            for x in sites:
                data = MetricComparisons(x, maxk=options.images - 1, n_jobs=options.threads)
                data.compute_distances()
                tables.append(data.dist_indices)
            found["dadapy"] = np.array([[0 if i == j else _return_imbalance(a, b, rng) for j, b in enumerate(tables)]
                                        for i, a in enumerate(tables)])

        contestants |= {"dadapy, public call (scaled)": dadapy_public, "dadapy, tables once": lambda: timed(dadapy_once)}
    except ImportError:
        print("without dadapy")

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        files = [str(folder / f) for f in ("sites.safetensors", "found.safetensors", "large.safetensors", "knn.safetensors")]
        save_file({"features": torch.from_numpy(np.stack(sites))}, files[0])
        ours = Ours([options.binary, "neighbours", files[0], files[1], str(options.threads)])
        contestants |= {"Parallax": lambda: ours("imbalance")}
        times = rounds(contestants, options.rounds)
        report(f"information imbalance, {options.sites} sites of {options.images}×{options.width}, all ordered pairs, "
               f"{options.threads} threads, {os.cpu_count()} processors", times, "Parallax")
        mutual = rounds({"once a site": lambda: ours("mutual"), "once a pair": lambda: ours("again")}, options.rounds)
        report("mutual kNN, k = 10, all pairs", mutual, "once a site")
        ours.close()
        table = load_file(files[1])
        for name, values in found.items():
            print(f"  imbalance differs from {name} by at most {np.abs(table['imbalance'].numpy() - values).max():.1e}")
        print(f"  mutual kNN once a site and once a pair differ by {(table['mutual'] - table['again']).abs().max():.1e}")

        if options.large:
            x = torch.from_numpy(features(1, options.large, options.width)[0])
            save_file({"features": x[None]}, files[2])
            block = max(1, (1 << 24) // (4 * options.large))
            out = torch.empty(block, options.large)

            def products():
                for some in x.split(block):
                    torch.mm(some, x.T, out=out[: len(some)])

            ours = Ours([options.binary, "neighbours", files[2], files[3], str(options.threads)])
            times = rounds({"bare products": lambda: timed(products), "Parallax": lambda: ours("knn")}, options.rounds)
            report(f"{options.large} images of width {options.width}, k = 10, blocks of {block}", times, "bare products")
            ours.close()
            rows = torch.arange(0, options.large, max(1, options.large // 200))
            wide = x.double()
            d = torch.cdist(wide[rows], wide, compute_mode="donot_use_mm_for_euclid_dist")
            d[torch.arange(len(rows)), rows] = torch.inf
            right = d.topk(10, largest=False).indices
            same = (load_file(files[3])["knn"][rows].long() == right).all(1).float().mean()
            print(f"  neighbours and their order are float64's for {same:.1%} of {len(rows)} images")


if __name__ == "__main__":
    main()
