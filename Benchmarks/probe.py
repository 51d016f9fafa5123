"""Few-shot probes of all sites and all penalties beside scikit-learn's ridge, fitted site by site and penalty by penalty.

    swift build -c release --product ParallaxBenchmark
    python3 Benchmarks/probe.py [--sites 24] [--width 768] [--classes 12] [--shots 1 5 10] [--test 350] [--threads 2] [--rounds 5]

Both read the same float32 features, standardise them with the training images' mean and deviation, put the constant 100 beside
them and compute in float64: one fit a site for us, `Ridge(alpha=λ, fit_intercept=False)` a site and λ for scikit-learn, to the same
targets, and then the arg-max classes of all test images. The second contestant is `RidgeClassifier`, as one would type it. Rounds
are interleaved; medians are compared; the classes found must be the same. The sizes are those of the built-in study; where many images are scored or fitted, the
products that both must do weigh more, and the ratio falls. The target: at least 10 times as fast.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import Ridge, RidgeClassifier
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).resolve().parent.parent


def data(sites, width, classes, shots, test):
    """Sites that know more and more of the classes, with noise that is correlated between features."""
    rng = np.random.default_rng(3)
    labels, others = np.repeat(np.arange(classes), shots), np.arange(test) % classes
    train, tested = [], []
    for site in range(sites):
        centres = rng.normal(size=(classes, width))
        mixing = rng.normal(size=(width, width)) / width**0.5
        draw = lambda own: ((0.1 + 0.4 * site / sites) * centres[own] + rng.normal(size=(len(own), width)) @ mixing).astype(np.float32)
        train.append(draw(labels))
        tested.append(draw(others))
    return np.stack(train), labels, np.stack(tested), others


def prepared(train, test):
    train, test = train.astype(np.float64), test.astype(np.float64)
    mean, scale = train.mean(0), train.std(0) + 1e-5
    beside = lambda x: np.hstack([(x - mean) / scale, np.full((len(x), 1), 100.0)])
    return beside(train), beside(test)


def ridge(train, labels, test, penalties):
    targets = 2.0 * np.eye(labels.max() + 1)[labels] - 1
    found = []
    for x, y in zip(train, test):
        a, b = prepared(x, y)
        found.append(np.stack([Ridge(alpha=p, fit_intercept=False).fit(a, targets).predict(b).argmax(1) for p in penalties], 1))
    return np.stack(found)


def classifier(train, labels, test, penalties):
    found = []
    for x, y in zip(train, test):
        a, b = prepared(x, y)
        found.append(np.stack([RidgeClassifier(alpha=p).fit(a[:, :-1], labels).predict(b[:, :-1]) for p in penalties], 1))
    return np.stack(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, default=24)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--classes", type=int, default=12)
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 5, 10])
    parser.add_argument("--test", type=int, default=350)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--build", default="release")
    options = parser.parse_args()
    penalties = [2.0**i for i in range(-10, 21, 2)]
    binary = ROOT / ".build" / options.build / "ParallaxBenchmark"
    print(f"{options.sites} sites of width {options.width}, {options.classes} classes, {len(penalties)} penalties, "
          f"{options.test} test images, {options.threads} threads, medians of {options.rounds}")
    total = {}
    for shots in options.shots:
        train, labels, test, truth = data(options.sites, options.width, options.classes, shots, options.test)
        with tempfile.TemporaryDirectory() as folder, threadpool_limits(options.threads):
            save_file({"train": torch.from_numpy(train), "test": torch.from_numpy(test), "labels": torch.from_numpy(labels),
                       "penalties": torch.tensor(penalties, dtype=torch.float64)}, f"{folder}/in.safetensors")
            process = subprocess.Popen([binary, "probe", f"{folder}/in.safetensors", f"{folder}/out.safetensors", str(options.threads)],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

            def ours():
                process.stdin.write("\n")
                process.stdin.flush()
                return float(process.stdout.readline())

            found = {}

            def timed(name, work):
                start = time.perf_counter()
                found[name] = work(train, labels, test, penalties)
                return time.perf_counter() - start

            times = {"parallax": [], "Ridge": [], "RidgeClassifier": []}
            ours()
            for _ in range(options.rounds):
                times["parallax"].append(ours())
                times["Ridge"].append(timed("Ridge", ridge))
                times["RidgeClassifier"].append(timed("RidgeClassifier", classifier))
            process.stdin.close()
            process.wait()
            own = load_file(f"{folder}/out.safetensors")["classes"].numpy()
        middle = {k: statistics.median(v) for k, v in times.items()}
        same = (own == found["Ridge"]).mean()
        accuracy = (own == truth[None, :, None]).mean()
        theirs = (found["Ridge"] == truth[None, :, None]).mean()
        print(f"{shots:3} shots: parallax {middle['parallax']:.3f} s; " + "; ".join(
            f"{k} {middle[k]:.3f} s, × {middle[k] / middle['parallax']:.1f}" for k in ("Ridge", "RidgeClassifier"))
            + f"; mean accuracy {accuracy:.4f} and {theirs:.4f}, {same:.4%} of the classes the same")
        for k, v in middle.items():
            total[k] = total.get(k, 0) + v
    print(f"all: × {total['Ridge'] / total['parallax']:.1f} Ridge, × {total['RidgeClassifier'] / total['parallax']:.1f} RidgeClassifier "
          "(target: at least 10)")


if __name__ == "__main__":
    main()
