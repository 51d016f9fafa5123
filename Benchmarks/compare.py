"""Similarity of all blocks of a ViT-S/16 and a ResNet-50, beside the packages pytorch-cka and torch-cka.

    swift build -c release --product ParallaxBenchmark
    python3 Benchmarks/compare.py [--batch 256] [--threads 2] [--rounds 3]

Needs the packages of Oracles/requirements.txt, and pytorch-cka==1.1.3 and torch-cka==0.21. All see the same seeded weights and
the same images in memory, as one batch. In each round every contestant runs once, in turn. Two prices are told: the whole, as a
multiple of PyTorch's bare forward passes (no hooks), and what the similarity costs beyond the contestant's own forward passes.
The packages compare every number of an activation; so does the row `flat`, and the values are held against theirs.
Parallax' own way is a block's class token or its mean over positions, and it gives the similarities within each model too.
"""

import argparse
import contextlib
import io
import statistics
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import forward
import torch
from cka import CKA
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader, TensorDataset
from torch_cka import CKA as TorchCKA

MODELS = ("vit_small_patch16_224", "resnet50")


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


class Ours:
    """Our program, which times what each line that it reads asks for."""

    def __init__(self, arguments):
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, kind):
        self.process.stdin.write(kind + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("ParallaxBenchmark ended early")
        return float(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


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

    def bare():
        for network in networks:
            network(images)

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
        ours = Ours([options.binary, "compare", *files, str(options.threads)])
        contestants = {
            "PyTorch, bare": forward.timed(bare),
            "pytorch-cka": forward.timed(pytorch_cka),
            "torch-cka": forward.timed(torch_cka),
            "Parallax, bare": lambda: ours("forward"),
            "Parallax": lambda: ours("compare"),
            "Parallax, flat": lambda: ours("flat"),
        }
        times = {k: [] for k in contestants}
        for turn in range(options.rounds + 1):
            for k, run in contestants.items():
                seconds = run()
                if turn > 0:  # The first is for warming up.
                    times[k].append(seconds)
        ours.close()
        found = load_file(files[3])
        reference = exact(networks, layers, images)

    median = {k: statistics.median(v) for k, v in times.items()}
    print(f"{' and '.join(MODELS)}, {sum(map(len, layers))} blocks, batch {options.batch}, {options.threads} threads, {options.rounds} rounds")
    for k, v in times.items():
        own = median["Parallax, bare" if k.startswith("Parallax") else "PyTorch, bare"]
        beyond = "" if "bare" in k else f"  similarity itself {median[k] - own:7.3f} s"
        print(f"  {k:16} min {min(v):7.3f} s  median {median[k]:7.3f} s  {median[k] / median['PyTorch, bare']:5.2f}× bare{beyond}")
    rows = len(layers[0])
    for name in ("pytorch-cka", "torch-cka"):
        if count := int(values[name].isnan().sum()):
            print(f"  {name}: {count} of {values[name].numel()} values are NaN")
        values[name] = values[name].nan_to_num()
        print(f"  {name} differs from float64 by at most {(values[name].double() - reference[:rows, rows:]).abs().max():.1e}")
    print(f"  Parallax, flat differs from float64 by at most {(found['flat'].double() - reference).abs().max():.1e}")


if __name__ == "__main__":
    main()
