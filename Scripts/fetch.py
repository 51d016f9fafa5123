"""Fetching by package name with pip and apt-get, to a temporary name, checked, then renamed."""

import os
import shutil
import subprocess
import sys

from cache import Damaged, sha256


class Unavailable(Exception):
    """A package that cannot be had here and now."""


def run(command, folder):
    """Runs a command in a folder; its exit status and what it wrote."""
    try:
        done = subprocess.run(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, text=True, errors="replace",
        )
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout


def reason(output):
    """The line of a package client's output that says why it failed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    blamed = [line for line in lines if line.startswith(("ERROR:", "E:"))]
    return (blamed or lines or ["no output"])[-1]


class Fetcher:
    """Keeps checked archives in the cache until what lies in them has been unpacked."""

    def __init__(self, cache, say, run=run):
        self.cache, self.say, self.run = cache, say, run
        self.updated = False

    def wheel(self, pin):
        """The path of a wheel whose sha256 is the pinned one."""
        requirement, platform, expected = pin
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
            "--no-deps", "--only-binary=:all:", "--dest", ".",
        ]
        if platform:
            command += [
                "--python-version", "3.11", "--implementation", "cp",
                "--abi", "cp311", "--abi", "abi3", "--abi", "none", "--platform", platform,
            ]
        return self._checked(requirement, expected, ".whl", lambda at: self._pip(command, pin, at))

    def _pip(self, command, pin, at):
        status, output = self.run(command + [pin[0]], at)
        if status != 0:
            if "No module named pip" in output:
                raise Unavailable("pip is missing; `apt-get install python3-pip` installs it")
            raise Unavailable(f"{pin[0]}: {reason(output)}")

    def deb(self, package, version, expected):
        """The path of a Debian package whose sha256 is the pinned one."""

        def download(at):
            command = ["apt-get", "download", "-q", f"{package}={version}"]
            status, output = self.run(command, at)
            if status != 0 and self.update():
                status, output = self.run(command, at)
            if status != 0:
                raise Unavailable(f"{package}={version}: {reason(output)}")

        return self._checked(f"{package}={version}", expected, ".deb", download)

    def install(self, packages):
        """Installs Debian packages; None if that worked, else why not."""
        if os.geteuid() != 0:
            return "not root"
        command = [
            "env", "DEBIAN_FRONTEND=noninteractive",
            "apt-get", "install", "-y", "-q", "--no-install-recommends", *packages,
        ]
        status, output = self.run(command, "/")
        if status != 0 and self.update():
            status, output = self.run(command, "/")
        return None if status == 0 else reason(output)

    def update(self):
        """Refreshes apt's lists, at most once and only as root; whether it did."""
        if self.updated or os.geteuid() != 0 or not shutil.which("apt-get"):
            return False
        self.updated = True
        status, _ = self.run(["apt-get", "update", "-q"], "/")
        return status == 0

    def _checked(self, name, expected, suffix, download):
        kept = self.cache.downloads / (expected[:16] + suffix)
        if kept.is_file() and sha256(kept) == expected:
            return kept
        self.say(f"fetching {name}")
        with self.cache.scratch() as scratch:
            download(scratch)
            files = [path for path in scratch.iterdir() if path.suffix == suffix]
            if len(files) != 1:
                raise Unavailable(f"{name}: the download left {len(files)} files, expected 1")
            found = sha256(files[0])
            if found != expected:
                raise Damaged(f"{name}: sha256 is {found}, expected {expected}; it is not used")
            self.cache.downloads.mkdir(parents=True, exist_ok=True)
            os.replace(files[0], kept)
        return kept
