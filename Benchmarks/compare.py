"""Similarity of all blocks of a ViT-S/16 and a ResNet-50, beside the packages pytorch-cka and torch-cka.

    swift build -c release --product ParallaxBenchmark
    python3 Benchmarks/compare.py [--batch 256] [--threads 2] [--rounds 3]

Needs the packages of Oracles/requirements.txt, and pytorch-cka==1.1.3 and torch-cka==0.21. All see the same seeded weights and
the same images, which lie in memory: files are not decoded, and what is measured of Parallax is its models and its accumulator
(`MinibatchCKA`), not `parallax compare`. In each round every contestant runs once, and the next round begins with the next one.

Bare PyTorch (no hooks) runs in four ways: all images at once or 32 at a time, and the ResNet as it is or in channels_last. The
whole price of a contestant is told as a multiple of the fastest of the four. What similarity itself costs is the whole without
the contestant's own forward passes, nothing seen: for the packages PyTorch's on all images at once, which is how they run (their
value depends on the batch); for Parallax its own without taps, 32 at a time (no value depends on it).

The packages compare every number of an activation; so does the row `flat`, and the values are held against float64. A value
that is NaN is counted and left out; pytorch-cka cuts its values off below 0 and above 1, and so is float64 for it. Parallax'
own way is a block's class token or its mean over positions, and it gives the similarities within each model too.
"""

import argparse
import contextlib
import io
import statistics
import tempfile
import warnings
from pathlib import Path

import forward
import torch
from cka import CKA
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader, TensorDataset
from torch_cka import CKA as TorchCKA

MODELS = ("vit_small_patch16_224", "resnet50")
PART = 32  # Images a forward pass of Parallax.


def unbiased(k, l):
    """The U-statistic of HSIC (Song et al., 2012, equation 5) of two Gram matrices without diagonals."""
    n = len(k)
    return ((k * l).sum() + k.sum() * l.sum() / (n - 1) / (n - 2) - 2 * (k.sum(0) @ l.sum(0)) / (n - 2)) / n / (n - 3)


def exact(networks, layers, images):
    """Debiased CKA of all blocks in float64, from the features that hooks see: who is right where others differ."""
    grams = []
    for network, names in zip(networks, layers):
        modules, seen = forward.blocks(network), {}
        handles = [modules[k].register_forward_hook(lambda _, __, y, k=k: seen.__setitem__(k, y.flatten(1))) for k in names]
        network(images)
        for handle in handles:
            handle.remove()
        for k in names:
            x = seen[k].double()
            gram = x @ x.T
            grams.append(gram.fill_diagonal_(0))
    own = [unbiased(k, k) for k in grams]
    return torch.stack(
        [torch.stack([unbiased(k, l) / (own[i] * own[j]).sqrt() for j, l in enumerate(grams)]) for i, k in enumerate(grams)]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--binary", default=str(forward.ROOT / ".build" / "release" / "ParallaxBenchmark"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    networks = [forward.made(name, 1) for name in MODELS]
    layers = [list(forward.blocks(network)) for network in networks]
    torch.manual_seed(2)
    images = torch.randn(options.batch, 3, 224, 224)
    loader = DataLoader(TensorDataset(images), batch_size=options.batch)
    values = {}

    other = forward.made(MODELS[1], 1).to(memory_format=torch.channels_last)
    other_images = images.contiguous(memory_format=torch.channels_last)

    def bare(part, last):
        for network, pixels in zip((networks[0], other if last else networks[1]), (images, other_images if last else images)):
            for some in pixels.split(part):
                network(some)

    def pytorch_cka():
        with CKA(*networks, layers=layers[0], model2_layers=layers[1], device="cpu") as measure:
            values["pytorch-cka"] = measure._compare(loader, progress=False)

    def torch_cka():
        measure = TorchCKA(*networks, *MODELS, *layers, device="cpu")
        with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(AssertionError):
            measure.compare(loader)  # Its last step asserts that there is no NaN, when all work is done.
        values["torch-cka"] = measure.hsic_matrix
        for network in networks:  # It leaves its hooks behind.
            for module in network.modules():
                module._forward_hooks.clear()

    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        folder = Path(folder)
        for name, network in zip(MODELS, networks):
            save_file({k: v.contiguous() for k, v in network.state_dict().items()}, folder / f"{name}.safetensors")
        save_file({"images": images}, folder / "images.safetensors")
        files = [str(folder / f"{name}.safetensors") for name in (*MODELS, "images", "output")]
        ours = forward.Ours([options.binary, "compare", *files, str(options.threads)])
        contestants = {
            "PyTorch, bare": forward.timed(lambda: bare(options.batch, False)),
            "PyTorch, bare, last": forward.timed(lambda: bare(options.batch, True)),
            "PyTorch, bare, 32": forward.timed(lambda: bare(PART, False)),
            "PyTorch, bare, 32, last": forward.timed(lambda: bare(PART, True)),
            "pytorch-cka": forward.timed(pytorch_cka),
            "torch-cka": forward.timed(torch_cka),
            "Parallax, bare": lambda: ours("forward"),
            "Parallax": lambda: ours("compare"),
            "Parallax, flat": lambda: ours("flat"),
        }
        times = {k: [] for k in contestants}
        for turn in range(options.rounds + 1):
            first = turn % len(contestants)
            for k in [*contestants][first:] + [*contestants][:first]:
                seconds = contestants[k]()
                if turn > 0:  # The first is for warming up.
                    times[k].append(seconds)
        ours.close()
        found = load_file(files[3])
        reference = exact(networks, layers, images)

    median = {k: statistics.median(v) for k, v in times.items()}
    print(f"{' and '.join(MODELS)}, {sum(map(len, layers))} blocks, batch {options.batch}, {options.threads} threads, {options.rounds} rounds")
    fastest = min(v for k, v in median.items() if k.startswith("PyTorch"))
    for k, v in times.items():
        own = median["Parallax, bare" if k.startswith("Parallax") else "PyTorch, bare"]
        beyond = "" if "bare" in k else f"  similarity itself {median[k] - own:7.3f} s"
        print(f"  {k:23} min {min(v):7.3f} s  median {median[k]:7.3f} s  {median[k] / fastest:5.2f}× fastest bare{beyond}")
    between = reference[: len(layers[0]), len(layers[0]) :]
    for name in ("pytorch-cka", "torch-cka"):
        known = ~values[name].isnan()
        right = between.clamp(0, 1) if name == "pytorch-cka" else between
        gaps = (values[name].double() - right)[known].abs()
        line = f"at most {gaps.max():.1e}" if len(gaps) else "what cannot be said"
        print(f"  {name} differs from float64 by {line}; {known.numel() - len(gaps)} of {known.numel()} values are NaN, left out")
    print(f"  Parallax, flat differs from float64 by at most {(found['flat'].double() - reference).abs().max():.1e}")


if __name__ == "__main__":
    main()
