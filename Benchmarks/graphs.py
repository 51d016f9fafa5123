"""An imported graph beside PyTorch's eager run of the network that it was exported from; and how long loading takes.

    swift build -c release --product ParallaxBenchmark
    python3 Benchmarks/graphs.py [--models resnet50 …] [--batch 16] [--threads 2] [--rounds 5] [--taps blocks|off]

Needs the packages of Oracles/requirements.txt. In each round every contestant runs once, in turn: eager PyTorch in both memory
layouts, the same archive in PyTorch (`torch.export.load(...).module()`), and Parallax. A row gives the smallest and the median
time, and the ratio of the medians to eager in the same layout (contiguous); then how far Parallax's output is from PyTorch's.
With --onnx the same network as an ONNX file runs too, in ONNX Runtime and in Parallax.
Loading is timed from the path to the model with its sites and its hash known, the file being in the system's cache, beside
`torch.export.load`; the smallest of three.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from forward import ROOT, Ours, made, timed

sys.path.insert(0, str(ROOT / "Scripts"))
import timm  # noqa: E402
from export import export  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

MODELS = ("vit_base_patch16_224", "resnet50", "convnext_tiny", "swin_tiny_patch4_window7_224", "efficientnet_b0")


def compare(name, options, folder):
    model = made(name, options.seed)
    config = timm.data.resolve_model_data_config(model)
    images = torch.randn(options.batch, *config["input_size"])
    archive, pixels, output = (str(folder / f) for f in ("model.pt2", "images.safetensors", "output.safetensors"))
    export(model, archive, config["input_size"][1:], config)
    save_file({"images": images}, pixels)
    # Written to the disk and read once, so that both sides find it in the cache.
    subprocess.run(["sync"], check=True)
    theirs, ours = [], []
    sites = [options.binary, "sites", archive, pixels, output, "--no-gradient"]
    for _ in range(3):
        start = time.perf_counter()
        loaded = torch.export.load(archive).module()
        theirs.append(time.perf_counter() - start)
        ours.append(float(subprocess.run(sites, capture_output=True, text=True, check=True).stdout.split()[0]))
    megabytes = Path(archive).stat().st_size / 1e6
    print(f"{name}: an archive of {megabytes:.0f} MB is loaded in {min(ours):.2f} s; by torch.export.load in {min(theirs):.2f} s")
    parallax = Ours([options.binary, "graph", archive, pixels, output, str(options.threads), options.taps])
    with torch.inference_mode():
        reference = model(images)
        other = made(name, options.seed).to(memory_format=torch.channels_last)
        other_images = images.contiguous(memory_format=torch.channels_last)
        contestants = {
            "eager, contiguous": timed(lambda: model(images)),
            "eager, channels last": timed(lambda: other(other_images)),
            "the archive in PyTorch": timed(lambda: loaded(images)),
            "Parallax": parallax,
        }
        if options.onnx:
            contestants |= onnx(model, images, folder, options)
        for run in contestants.values():
            run(), run()
        times = {k: [] for k in contestants}
        for _ in range(options.rounds):
            for k, run in contestants.items():
                times[k].append(run())
    for run in contestants.values():
        if isinstance(run, Ours):
            run.close()
    median = {k: statistics.median(v) for k, v in times.items()}
    print(f"  batch {options.batch}, {options.threads} threads, taps of ours: {options.taps}, {options.rounds} rounds")
    for k, v in times.items():
        ratio = median["eager, contiguous"] / median[k]
        print(f"  {k:24} min {min(v):7.3f} s  median {median[k]:7.3f} s  {options.batch / median[k]:7.1f} images/s  {ratio:5.2f}×")
    gap = ((load_file(output)["output"] - reference).abs().max() / reference.abs().max()).item()
    print(f"  Parallax's output differs by {gap:.1e} of its largest value", flush=True)
    return {"model": name, "load": min(ours), "median": median, "gap": gap}


def onnx(model, images, folder, options):
    """ONNX Runtime and Parallax on the same network as an ONNX file of PyTorch's newer exporter."""
    import onnxruntime

    path, output = str(folder / "model.onnx"), str(folder / "onnx.safetensors")
    batch = {0: torch.export.Dim("batch")}
    torch.onnx.export(model, (images[:2],), path, dynamo=True, external_data=False, dynamic_shapes=(batch,), verbose=False)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(path, settings)
    name = session.get_inputs()[0].name
    pixels = {name: images.numpy()}
    ours = Ours([options.binary, "graph", path, str(folder / "images.safetensors"), output, str(options.threads), options.taps])
    return {"ONNX Runtime": timed(lambda: session.run(None, pixels)), "Parallax, from ONNX": ours}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--taps", choices=("blocks", "off"), default="off")
    parser.add_argument("--onnx", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="the numbers once more, as one line of JSON each")
    parser.add_argument("--binary", default=str(ROOT / ".build" / "release" / "ParallaxBenchmark"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in options.models:
        with tempfile.TemporaryDirectory() as folder:
            result = compare(name, options, Path(folder))
            if options.json:
                print(json.dumps(result))


if __name__ == "__main__":
    main()
