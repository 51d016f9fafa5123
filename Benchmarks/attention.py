"""What attention distances cost over the bare forward pass.

    swift build -c release --product ParallaxBenchmark
    python3 Benchmarks/attention.py [--models vit_base_patch16_224 …] [--batch 16] [--threads 2] [--rounds 7]

One process with seeded weights. In each round every contestant runs once, in turn: `off` is the model with nobody looking,
`blocks` with a tap that ends where the last pattern is seen, `patterns` hands out every pattern (so attention is not fused),
`distance` makes distances of them, `entropy` distances and entropies, as `parallax attention` does. A row gives the smallest and
the median time and the ratio of the medians to `off`. The aim is at most 1.15 for `entropy`.
"""

import argparse
import statistics
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODES = ("off", "blocks", "patterns", "distance", "entropy")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["vit_base_patch16_224", "vit_small_patch16_224"])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--build", default="release")
    options = parser.parse_args()
    binary = ROOT / ".build" / options.build / "ParallaxBenchmark"
    for model in options.models:
        process = subprocess.Popen([binary, "attention", model, str(options.batch), str(options.threads)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        times = {mode: [] for mode in MODES}
        for round in range(options.rounds + 1):
            for mode in MODES:
                process.stdin.write(mode + "\n")
                process.stdin.flush()
                seconds = float(process.stdout.readline())
                if round > 0:
                    times[mode].append(seconds)
        process.stdin.close()
        process.wait()
        bare = statistics.median(times["off"])
        print(f"{model}, batch {options.batch}, {options.threads} threads")
        for mode in MODES:
            middle = statistics.median(times[mode])
            print(f"  {mode:9} min {min(times[mode]):.3f} s  median {middle:.3f} s  × {middle / bare:.3f}")


if __name__ == "__main__":
    main()
