"""One forward pass of Parallax beside PyTorch's on the same weights, images and threads.

    swift build -c release --product ParallaxBenchmark
    python3 Benchmarks/forward.py [--models resnet50 convnext_tiny …] [--batch 32] [--threads 2] [--rounds 5] [--taps blocks|off]

Needs the packages of Oracles/requirements.txt. In each round every contestant runs once, in turn, so that whatever else the
machine does meets all of them: eager PyTorch in both memory layouts, TorchScript frozen and optimised for inference (without
hooks, as a mark of what is possible), and Parallax. With `--taps blocks` eager has a forward hook on every block, as Parallax
has a tap; neither keeps what it sees. A row gives the smallest and the median time, and the ratio of the medians to the faster
eager layout; then how far Parallax's output and block means are from PyTorch's.

Parallax keeps freed memory for the next layer (`HostMemory.keepForReuse`), PyTorch from Python hands large blocks back to the
system each time. To see what is left without that difference, give Python's process the same:

    MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=67108864 python3 Benchmarks/forward.py
"""

import argparse
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import torch

# torchvision beside the CPU build of torch lacks its compiled operators; declaring these two lets it import.
_library = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _library.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import timm  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
MODELS = ("vit_base_patch16_224", "resnet50", "tf_efficientnet_lite0", "mobilenetv2_100")


def made(name, seed):
    """timm's network with seeded weights, and batch-norm statistics that are neither 0 nor 1."""
    torch.manual_seed(seed)
    model = timm.create_model(name).eval()
    for key, value in model.named_buffers():
        if key.endswith("running_var"):
            value.copy_(0.5 + torch.rand(value.shape))
        elif key.endswith("running_mean"):
            value.copy_(0.1 * torch.randn(value.shape))
    return model


def blocks(model):
    """The modules that Parallax calls blocks."""
    kind, named = type(model).__name__, dict(model.named_modules())
    patterns = {
        "ConvNeXt": r"stages\.\d+\.blocks\.\d+", "InceptionV3": r"(Conv2d|Mixed)_\w+", "RegNet": r"s\d\.b\d+",
        "DenseNet": r"features\.denseblock\d+\.denselayer\d+",
    }
    if kind in patterns:
        return {n: m for n, m in named.items() if re.fullmatch(patterns[kind], n)}
    if kind == "VGG":
        return {n: m for n, m in named.items() if n.startswith("features.") and isinstance(m, torch.nn.ReLU)}
    stages = getattr(model, "blocks", None)
    if stages is None:
        return {f"layer{s}.{i}": b for s in range(1, 5) for i, b in enumerate(getattr(model, f"layer{s}"))}
    if all(isinstance(s, torch.nn.Sequential) for s in stages):
        return {f"blocks.{s}.{i}": b for s, stage in enumerate(stages) for i, b in enumerate(stage)}
    return {f"blocks.{i}": b for i, b in enumerate(stages)}


class Ours:
    """Our program, which runs a pass for each line that it reads; what the line says only `compare.py` needs."""

    def __init__(self, arguments):
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, kind=""):
        self.process.stdin.write(kind + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("ParallaxBenchmark ended early")
        return float(line.split()[0])

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def timed(run):
    def inner():
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    return inner


def compare(name, options, folder):
    model = made(name, options.seed)
    torch.manual_seed(options.seed + 1)
    size = timm.data.resolve_model_data_config(model)["input_size"]
    images = torch.randn(options.batch, *size)
    weights, pixels, output = (str(folder / f) for f in ("weights.safetensors", "images.safetensors", "output.safetensors"))
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, weights)
    save_file({"images": images}, pixels)
    ours = Ours([options.binary, name, weights, pixels, output, str(options.threads), options.taps])

    means = {}
    with torch.inference_mode():
        handles = [b.register_forward_hook(lambda _, __, y, k=k: means.__setitem__(k, y.mean().item())) for k, b in blocks(model).items()]
        reference = model(images)
        for handle in handles:
            handle.remove()
        script = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, images)))
        other = made(name, options.seed).to(memory_format=torch.channels_last)
        other_images = images.contiguous(memory_format=torch.channels_last)
        if options.taps == "blocks":
            for network in (model, other):
                for block in blocks(network).values():
                    block.register_forward_hook(lambda _, __, y: None)
        contestants = {
            "eager, contiguous": timed(lambda: model(images)),
            "eager, channels last": timed(lambda: other(other_images)),
            "TorchScript, optimised": timed(lambda: script(images)),
            "Parallax": ours,
        }
        for run in contestants.values():
            run(), run()
        times = {k: [] for k in contestants}
        for _ in range(options.rounds):
            for k, run in contestants.items():
                times[k].append(run())
    ours.close()

    median = {k: statistics.median(v) for k, v in times.items()}
    faster = min(median["eager, contiguous"], median["eager, channels last"])
    print(f"{name}, batch {options.batch}, {options.threads} threads, taps: {options.taps}, {options.rounds} rounds")
    for k, v in times.items():
        print(f"  {k:24} min {min(v):7.3f} s  median {median[k]:7.3f} s  {options.batch / median[k]:7.1f} images/s  {faster / median[k]:5.2f}×")
    found = load_file(output)
    gap = ((found["output"] - reference).abs().max() / reference.abs().max()).item()
    line = f"  Parallax's output differs by {gap:.1e} of its largest value"
    if options.taps == "blocks":
        assert {k.removeprefix("mean/") for k in found if k.startswith("mean/")} == set(means)
        worst = max(abs(found[f"mean/{k}"].item() - v) / max(abs(v), 1e-3) for k, v in means.items())
        line += f", {len(means)} block means by at most {worst:.1e}"
    print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=MODELS, help="timm's names of architectures in the catalog")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--taps", choices=("blocks", "off"), default="blocks")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--binary", default=str(ROOT / ".build" / "release" / "ParallaxBenchmark"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in options.models:
        with tempfile.TemporaryDirectory() as folder:
            compare(name, options, Path(folder))


if __name__ == "__main__":
    main()
