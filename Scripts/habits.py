#!/usr/bin/env python3
"""A few habits of this project that a formatter does not see: small files, nothing forced, nothing forgotten."""

import pathlib
import re
import subprocess
import sys

BANNED = {
    r"\btry!": "try! traps on the world's failures",
    r"\bas!": "as! traps",
    r"fatalError\(\)": "say what is wrong",
    r"\b(TODO|FIXME|HACK)\b": "finish it or file it",
}


def main():
    listed = subprocess.run(["git", "ls-files"], check=True, text=True, capture_output=True).stdout
    files = [pathlib.Path(name) for name in listed.splitlines()]
    complaints = []
    unchecked = []
    for path in files:
        if not path.is_file():
            continue
        if path.stat().st_size > 512 * 1024:
            complaints.append(f"{path}: {path.stat().st_size} bytes; fixtures stay under 200 KB")
        if path.suffix != ".swift":
            continue
        lines = path.read_text().splitlines()
        if len(lines) > 400:
            complaints.append(f"{path}: {len(lines)} lines; at most 400")
        for number, line in enumerate(lines, 1):
            if path.parts[0] == "Sources":
                for pattern, why in BANNED.items():
                    if re.search(pattern, line):
                        complaints.append(f"{path}:{number}: {why}")
            if "@unchecked Sendable" in line and path.parts[0] == "Sources":
                unchecked.append(f"{path}:{number}")
    if len(unchecked) > 1:
        complaints.append("@unchecked Sendable is the tensor storage's alone: " + ", ".join(unchecked))
    print("\n".join(complaints), file=sys.stderr, end="\n" if complaints else "")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
