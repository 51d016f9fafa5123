#!/usr/bin/env python3
"""Makes a fresh checkout ready to build: C libraries, libtorch, the figures' JavaScript, sample models
and images. Everything is checked against its sha256 and kept in a cache outside the checkout:
$PARALLAX_CACHE, else $XDG_CACHE_HOME/parallax, else ~/.cache/parallax. A second run fetches nothing.

LIBTORCH=DIR uses the libtorch in DIR (with include/ and lib/) instead of fetching one.
"""

import argparse
import os
import sys
from pathlib import Path

import cache as store
import pins
import stages
from cache import Damaged
from fetch import Fetcher, Unavailable

CHECKOUT = Path(__file__).resolve().parent.parent


def say(line):
    print(f"setup: {line}", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--tests", action="store_true", help="also what only the tests need (a headless browser)"
    )
    parser.add_argument(
        "--verify", action="store_true", help="read every cached file again and check its sha256"
    )
    options = parser.parse_args()
    cache = store.Cache(store.root(), verify=options.verify)
    try:
        with cache.locked(say):
            prepare(cache, Fetcher(cache, say), CHECKOUT, options.tests)
    except (stages.Stop, Damaged) as error:
        print(f"error: {error}", file=sys.stderr)
        return 69
    except OSError as error:
        print(f"error: {error.filename or cache.path}: {error.strerror or error}", file=sys.stderr)
        return 73
    except KeyboardInterrupt:
        return 130
    return 0


def prepare(cache, fetcher, checkout, tests):
    """Runs the stages: the set-up ends where the build lacks something, and warns where the rest does."""
    stages.libraries(fetcher)
    stages.torch(cache, fetcher, checkout, os.environ.get("LIBTORCH"))
    optional = [("no report can be drawn", lambda: stages.vega(cache, fetcher, checkout))]
    for name in pins.SAMPLES:
        optional.append((f"no {name}", lambda name=name: stages.sample(cache, fetcher, name)))
    optional.append(("no images/stamps", lambda: stages.stamps(cache, fetcher)))
    for consequence, stage in optional:
        try:
            stage()
        except (Unavailable, Damaged) as error:
            warn(f"{error} ({consequence}; tests that need it are skipped)")
    if tests:
        stages.browser(fetcher, warn)


def warn(line):
    print(f"setup: warning: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
