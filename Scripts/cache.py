"""The cache outside the checkout: folders that appear whole, and a record of what they should hold."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from pathlib import Path


class Damaged(Exception):
    """What was fetched is not what was pinned; it is not used."""


def root(environment=os.environ):
    """`$PARALLAX_CACHE`, else `$XDG_CACHE_HOME/parallax`, else `~/.cache/parallax`."""
    if environment.get("PARALLAX_CACHE"):
        return Path(environment["PARALLAX_CACHE"]).absolute()
    base = environment.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base).absolute() / "parallax"


def sha256(path):
    """SHA-256 of one file in hex, read in pieces."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            total.update(piece)
    return total.hexdigest()


class Cache:
    """Folders below a root; each holds `.sha256`, a record of its files that finds a damaged one."""

    def __init__(self, path, verify=False):
        self.path, self.verify = Path(path), verify
        self.downloads = self.path / "downloads"

    @contextlib.contextmanager
    def locked(self, say=lambda line: None):
        """Holds the cache for one set-up at a time, and clears what an interrupted one left."""
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.path / "setup.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"another set-up is filling {self.path}; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            for left in self.path.glob("partial-*"):
                shutil.rmtree(left, ignore_errors=True)
            yield self

    @contextlib.contextmanager
    def scratch(self):
        """A folder that goes away, on the cache's own disk so that a rename out of it is atomic."""
        folder = tempfile.mkdtemp(prefix="partial-", dir=self.path)
        os.chmod(folder, 0o755)  # apt-get downloads as a user of its own
        try:
            yield Path(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def intact(self, name, sources):
        """Whether the folder came from one of the sources and its files have the sizes (and, when
        verifying, the checksums) that were noted. A record that names no source is taken as it is.
        """
        folder = self.path / name
        try:
            lines = (folder / ".sha256").read_text().splitlines()
            entries = [line.split(" ", 2) for line in lines]
            for digest, size, file in entries:
                if os.stat(folder / file).st_size != int(size):
                    return False
                if self.verify and sha256(folder / file) != digest:
                    return False
            source = folder / ".source"
            return bool(entries) and (not source.exists() or source.read_text().strip() in sources)
        except (OSError, ValueError):
            return False

    def install(self, name, source, fill):
        """Fills a new folder, notes its files' checksums, and renames it into place."""
        target = self.path / name
        with self.scratch() as scratch:
            fresh = scratch / "fresh"
            fresh.mkdir()
            fill(fresh)
            files = sorted(path for path in fresh.rglob("*") if path.is_file())
            if not files:
                raise Damaged(f"{name}: the package holds none of the files that were expected")
            record = [f"{sha256(at)} {at.stat().st_size} {at.relative_to(fresh)}\n" for at in files]
            (fresh / ".sha256").write_text("".join(record))
            (fresh / ".source").write_text(source + "\n")
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                os.rename(target, scratch / "replaced")
            os.rename(fresh, target)
