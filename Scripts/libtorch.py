"""libtorch: what is kept of torch's wheel, and whether a folder holds one that the build can use."""

import fnmatch
import platform
import re
import shutil
import zipfile
from pathlib import Path

# Libraries of the wheel that serve Python, torch's own tests, or a GPU.
LEFT_OUT = (
    "libtorch_python.*", "*_test.*", "libbackend_with_compiler.*", "libaoti_custom_ops.*",
    "libshm*", "libtorch_cuda*", "libc10_cuda*", "libcaffe2_nvrtc*", "libtorch_nvshmem*",
)
# ELF's number of each machine.
MACHINES = {"x86_64": 62, "aarch64": 183}


def unpack(wheels, folder):
    """Unpacks torch's headers and libraries, and the libraries of the wheels beside it.

    The ordinary wheel's `libtorch.so` asks for the GPU's libraries, which are left out; a linker
    script that names the CPU's takes its place.
    """
    torch, *beside = wheels
    with zipfile.ZipFile(torch) as archive:
        for entry in archive.infolist():
            place = kept(entry.filename)
            if place is not None and not entry.is_dir():
                extract(archive, entry, folder / place)
    for wheel in beside:
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.infolist():
                if fnmatch.fnmatch(Path(entry.filename).name, "*.so.[0-9]*"):
                    extract(archive, entry, folder / "lib" / Path(entry.filename).name)
    if beside:
        script = folder / "lib" / "libtorch.so"
        script.unlink()
        script.write_text("INPUT ( libtorch_cpu.so libc10.so )\n")


def kept(name):
    """Where a file of torch's wheel goes; None for one that the build does not need."""
    if name.startswith("torch/include/"):
        return name[len("torch/"):]
    for prefix in ("torch/lib/", "torch.libs/"):
        rest = name[len(prefix):]
        if name.startswith(prefix) and not any(fnmatch.fnmatch(rest, left) for left in LEFT_OUT):
            return "lib/" + rest
    return None


def extract(archive, entry, path):
    """Writes one file of an archive."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as inside, open(path, "wb") as out:
        shutil.copyfileobj(inside, out, 1 << 20)


def problem(folder):
    """Why the build cannot use the folder's libtorch, in one sentence; None if it can."""
    suffix = "dylib" if platform.system() == "Darwin" else "so"
    needed = [
        "include/ATen/core/dispatch/Dispatcher.h",
        "include/torch/csrc/api/include/torch/torch.h",
        *(f"lib/{name}.{suffix}" for name in ("libtorch", "libtorch_cpu", "libc10")),
    ]
    if not folder.is_dir():
        return "there is no such folder; expected one with include/ and lib/ of libtorch"
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        return f"no libtorch: {missing[0]} is missing"
    found = version(folder)
    if found is None or found.split(".")[0] != "2":
        return f"libtorch {found or 'of an unknown version'}, expected 2.x"
    with open(folder / f"lib/libtorch_cpu.{suffix}", "rb") as file:
        head = file.read(20)
    expected = MACHINES.get(platform.machine())
    machine = int.from_bytes(head[18:20], "little")
    if suffix == "so" and expected is not None and (head[:4], machine) != (b"\x7fELF", expected):
        return f"lib/libtorch_cpu.so is no library for {platform.machine()}"
    return None


def version(folder):
    """libtorch's version as its headers give it; None where they do not."""
    for place in ("torch/headeronly/version.h", "torch/csrc/api/include/torch/version.h"):
        try:
            text = (folder / "include" / place).read_text(errors="replace")
        except OSError:
            continue
        names = ("MAJOR", "MINOR", "PATCH")
        parts = [re.search(rf"#define TORCH_VERSION_{name} (\d+)", text) for name in names]
        if all(parts):
            return ".".join(part.group(1) for part in parts)
    return None


def package_description(place, found):
    """The `libtorch.pc` by which pkg-config finds the libtorch linked in a folder."""
    return f"""prefix={place}
includedir=${{prefix}}/include
libdir=${{prefix}}/lib

Name: libtorch
Description: PyTorch's C++ library
Version: {found}
Cflags: -I${{includedir}} -I${{includedir}}/torch/csrc/api/include
Libs: -L${{libdir}} -ltorch -ltorch_cpu -lc10
"""
