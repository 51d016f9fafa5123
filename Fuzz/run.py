"""Runs the fuzz targets: libFuzzer, each on a copy of its seeds, and a line about each at the end.

    python3 Fuzz/run.py [--minutes 10] [TARGET …]

Builds first (a build folder of its own, .build-fuzz). What makes a parser trap, hang or grow is kept in .build-fuzz/crashes/TARGET.
Ends with 1 where there is any.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "Fuzz" / "Corpus"
BINARY = ROOT / ".build-fuzz" / "release" / "FuzzTargets"


def build():
    command = ["swift", "build", "-c", "release", "--scratch-path", ".build-fuzz", "--sanitize", "fuzzer",
               "-Xswiftc", "-enable-testing", "--product", "FuzzTargets"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PARALLAX_FUZZ": "1"}, check=True)


def run(target, minutes):
    crashes = ROOT / ".build-fuzz" / "crashes" / target
    shutil.rmtree(crashes, ignore_errors=True)
    crashes.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as work:
        shutil.copytree(CORPUS / target, work, dirs_exist_ok=True)
        command = [str(BINARY), work, f"-max_total_time={int(60 * minutes)}", "-timeout=20", "-rss_limit_mb=3000",
                   "-max_len=65536", "-print_final_stats=1", f"-artifact_prefix={crashes}/"]
        environment = {**os.environ, "PARALLAX_FUZZ_TARGET": target, "OMP_NUM_THREADS": "1", "SWIFT_BACKTRACE": "enable=no"}
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment)
    log = result.stderr + result.stdout
    (crashes.parent / f"{target}.log").write_text(log)
    runs = re.findall(r"number_of_executed_units:\s*(\d+)", log)
    coverage = re.findall(r"cov: (\d+)", log)
    found = sorted(p.name for p in crashes.iterdir())
    line = f"{target:14} {runs[-1] if runs else '?':>9} runs in {minutes:g} min, {coverage[-1] if coverage else '?':>6} edges, "
    fine = not found and result.returncode == 0
    print(line + ("no fault" if fine else f"FAULT: {', '.join(found) or f'ended with {result.returncode}, see {target}.log'}"), flush=True)
    return fine


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", default=sorted(p.name for p in CORPUS.iterdir()))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--no-build", action="store_true")
    options = parser.parse_args()
    if not options.no_build:
        build()
    sys.exit(0 if all([run(t, options.minutes) for t in options.targets]) else 1)


if __name__ == "__main__":
    main()
