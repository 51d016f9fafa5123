"""Peak resident memory of `parallax compare` on more and more images, and how long `parallax --help` takes.

    swift build -c release --product parallax
    python3 Benchmarks/memory.py [--images 64 256 1024] [--model efficientnet-lite0] [--route minibatch]

Needs Pillow, and what `make setup` fetches for the figures. Makes PNGs of 64×64 random pixels in a temporary folder and runs
`parallax compare MODEL --random-weights 1 --no-resume` on so many of them, each time as a process of its own, whose peak is what
the system says when it ends (`os.wait4`; a shell or a cache of files has no part in it). By minibatches the peak should not grow
with the number of images: no more than one block of them and what is decoded ahead is ever held. `--route exact` and `auto` show
what the other ways take.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SIDE = 64


def measured(arguments, **settings):
    """Runs a command: seconds, and MiB at its peak."""
    start = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, **settings)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, arguments))} ended with {process.returncode}")
    return seconds, usage.ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", nargs="+", type=int, default=(64, 256, 1024))
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--route", choices=("auto", "exact", "minibatch"), default="minibatch")
    parser.add_argument("--binary", type=Path, default=ROOT / ".build" / "release" / "parallax")
    options = parser.parse_args()
    binary = options.binary.resolve()
    if not binary.exists():
        raise SystemExit(f"{binary} is not there: swift build -c release --product parallax")
    source = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        print(f"parallax compare {options.model} --route {options.route}, images of {SIDE}×{SIDE} pixels")
        first = None
        for count in options.images:
            photos = Path(folder) / f"photos-{count}"
            photos.mkdir()
            for number in range(count):
                Image.frombytes("RGB", (SIDE, SIDE), source.randbytes(3 * SIDE * SIDE)).save(photos / f"{number:05}.png")
            arguments = [binary, "compare", options.model, "--random-weights", "1", "--images", photos, "--route", options.route]
            arguments += ["--no-resume", "--quiet", "--output", Path(folder) / f"run-{count}"]
            seconds, peak = measured(arguments, cwd=folder)
            first = first or peak
            print(f"  {count:6} images  peak {peak:7.1f} MiB  {peak / first:5.2f}×  {seconds:7.1f} s", flush=True)
    times = [measured([binary, "--help"])[0] for _ in range(5)]
    print(f"parallax --help  min {1000 * min(times):.1f} ms  median {1000 * statistics.median(times):.1f} ms")


if __name__ == "__main__":
    main()
