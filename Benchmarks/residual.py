"""What norm ratios and localisation cost over the pass that they join.

    swift build -c release --product parallax
    python3 Benchmarks/residual.py [--model vit_base_patch16_224] [--images 256] [--threads 2] [--rounds 3]

Needs NumPy and Pillow. Each row is the whole command on images of noise with made-up weights, from reading files to the report:
`extract` of the last block alone, which is the bare pass; `residual`, which looks at every sum; `localize` at its four layers, with
and without its regressions. What an analysis adds is its row less the first.
"""

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="vit_base_patch16_224")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--program", default=str(Path(__file__).resolve().parent.parent / ".build/release/parallax"))
    a = parser.parse_args()
    commands = {
        "pass (extract)": ["extract", f"{a.model}@blocks.-1"],
        "residual": ["residual", a.model],
        "localize, no regressions": ["localize", a.model, "--decode-images", "0"],
        "localize": ["localize", a.model],
    }
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(a.images):
            pixels = generator.integers(0, 256, (224, 224, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(f"{folder}/{number:03}.png")
        seconds = {name: [] for name in commands}
        for _ in range(a.rounds):
            # In turn, so that whatever else the machine does hits all of them.
            for name, words in commands.items():
                with tempfile.TemporaryDirectory() as run:
                    start = time.perf_counter()
                    subprocess.run(
                        [a.program, *words, "--random-weights", "1", "--images", folder, "--quiet", "--no-resume", "--output",
                         f"{run}/run"],
                        check=True, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": str(a.threads)})
                    seconds[name].append(time.perf_counter() - start)
    bare = min(seconds["pass (extract)"])
    print(f"{a.model}, {a.images} images, {a.threads} threads, best of {a.rounds}")
    for name, times in seconds.items():
        print(f"{name:26} {min(times):7.1f} s   {min(times) / bare:.2f} passes")


if __name__ == "__main__":
    main()
