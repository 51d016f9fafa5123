"""Measures of many images from second moments: peak memory and time, beside gathering the features, by us and by NumPy.

    swift build -c release --product ParallaxBenchmark
    python3 Benchmarks/moments.py [--sites 24] [--images 20000] [--width 768] [--threads 2] [--rounds 1]
        [--measures cka,cka-biased,linear-regression,cca-squared,procrustes]

Needs torch and safetensors. Made-up float32 representations come in blocks of 64 images from the same seeds, so that all contestants
see the same numbers; making them is timed too (`nothing`). Each contestant runs as a process of its own, whose peak is what the system
says when it ends (`os.wait4`); libtorch itself is in it.

- Parallax, moments: `MomentSums`, then all pairs from them.
- Parallax, features: gathered, then all pairs; without CKA, whose Gram matrices would take 2·N² bytes a site.
- NumPy: gathered; each site centred in float64, its basis by a decomposition once; a product a pair. CKA in the space of the features.

The last lines say by how much the tables differ.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEER = "--peer"


def peer(sites, images, width, threads, measures, output):
    """The NumPy contestant, in this process."""
    import numpy as np
    import torch
    from safetensors.numpy import save_file

    torch.set_num_threads(threads)
    start = time.perf_counter()
    source = torch.Generator().manual_seed(7)
    maps = [torch.randn(24, width, generator=source) for _ in range(sites)]
    parts = [[] for _ in range(sites)]
    for block, first in enumerate(range(0, images, 64)):
        count = min(64, images - first)
        source = torch.Generator().manual_seed(100 + block)
        latent = torch.randn(count, 24, generator=source)
        for s in range(sites):
            noise = torch.randn(count, width, generator=source)
            parts[s].append((latent @ maps[s] + noise * (0.5 + 0.1 * s)).numpy())
    features = []
    for s in range(sites):
        features.append(np.concatenate(parts[s]))
        parts[s] = None
    made = time.perf_counter()

    wanted = set(measures.split(","))
    tables = {m: np.zeros((sites, sites)) for m in wanted}
    spans = wanted & {"linear-regression", "cca-squared"}

    def centred(s):
        x = features[s].astype(np.float64)
        return x - x.mean(0)

    basis, lengths, norms, own = [], [], [], []
    for s in range(sites):
        x = centred(s)
        lengths.append((x**2).sum(1))
        norms.append(np.sqrt(lengths[s].sum()))
        own.append(x.T @ x)
        if spans:
            values, vectors = np.linalg.eigh(own[s])
            kept = values > 1e-10 * values[-1]
            basis.append(vectors[:, kept] / np.sqrt(values[kept]))
    n = images

    def hsic(square, i, j):
        return square - n / (n - 2) * lengths[i] @ lengths[j] + (norms[i] * norms[j]) ** 2 / ((n - 1) * (n - 2))

    selfs = [hsic((own[s] ** 2).sum(), s, s) for s in range(sites)]
    for i in range(sites):
        x = centred(i)
        for j in range(i, sites):
            c = own[i] if i == j else x.T @ centred(j)
            square = (c**2).sum()
            values = {}
            if "cka" in wanted:
                values["cka"] = hsic(square, i, j) / np.sqrt(selfs[i] * selfs[j])
            if "cka-biased" in wanted:
                values["cka-biased"] = square / np.linalg.norm(own[i]) / np.linalg.norm(own[j])
            if "procrustes" in wanted:
                nuclear = np.linalg.svd(c / norms[i] / norms[j], compute_uv=False).sum()
                values["procrustes"] = np.sqrt(max(0, 2 - 2 * nuclear))
            if "cca-squared" in wanted:
                k = basis[i].T @ c @ basis[j]
                values["cca-squared"] = (k**2).sum() / min(k.shape)
            for name, value in values.items():
                tables[name][i, j] = tables[name][j, i] = value
            if "linear-regression" in wanted:
                tables["linear-regression"][i, j] = ((c @ basis[j]) ** 2).sum() / norms[i] ** 2
                tables["linear-regression"][j, i] = ((c.T @ basis[i]) ** 2).sum() / norms[j] ** 2
    print(made - start)
    print(time.perf_counter() - made)
    save_file(tables, output)


def measured(arguments):
    """Runs a command: what it prints, and MiB at its peak."""
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, arguments))} ended with {process.returncode}")
    return [float(line) for line in printed.split()], usage.ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10))


def main():
    if PEER in sys.argv:
        values = sys.argv[sys.argv.index(PEER) + 1 :]
        return peer(*map(int, values[:4]), *values[4:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=24)
    parser.add_argument("--images", type=int, default=20000)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--measures", default="cka,cka-biased,linear-regression,cca-squared,procrustes")
    parser.add_argument("--skip", nargs="*", default=(), help="contestants to leave out: features, numpy")
    parser.add_argument("--binary", default=str(ROOT / ".build" / "release" / "ParallaxBenchmark"))
    options = parser.parse_args()
    import numpy as np
    from safetensors.numpy import load_file

    with tempfile.TemporaryDirectory() as folder:
        sizes = [str(v) for v in (options.sites, options.images, options.width, options.threads)]

        def ours(route):
            names = [m for m in options.measures.split(",") if route != "features" or not m.startswith("cka")]
            return [options.binary, "moments", *sizes, route, ",".join(names), f"{folder}/{route}.safetensors"]

        contestants = {"nothing": ours("none"), "Parallax, moments": ours("moments")}
        if "features" not in options.skip:
            contestants["Parallax, features"] = ours("features")
        if "numpy" not in options.skip:
            contestants["NumPy, gathered"] = [sys.executable, __file__, PEER, *sizes, options.measures, f"{folder}/numpy.safetensors"]
        print(f"{options.measures}: {options.sites} sites of {options.images}×{options.width}, all pairs, {options.threads} threads, "
              f"{os.cpu_count()} processors")
        for name, arguments in contestants.items():
            runs = [measured(arguments) for _ in range(options.rounds)]
            seconds = [statistics.median(r[0][part] for r in runs) for part in (0, 1)]
            peak = max(r[1] for r in runs)
            print(f"  {name:20} pass {seconds[0]:8.1f} s  measures {seconds[1]:8.1f} s  peak {peak:8.0f} MiB", flush=True)
        base = load_file(f"{folder}/moments.safetensors")
        for other in ("features", "numpy"):
            path = Path(folder) / f"{other}.safetensors"
            if path.exists():
                for name, values in sorted(load_file(path).items()):
                    # Of a site with itself the formula of NumPy leaves rounding's square root.
                    gap = np.abs(values - base[name])[~np.eye(options.sites, dtype=bool)].max()
                    print(f"  {name} by moments differs from {other} by at most {gap:.1e}")


if __name__ == "__main__":
    main()
