"""Miniature export archives (.pt2), and what PyTorch computes for them with hooks on every module.

    python3 Oracles/exports.py [NAME …]

Writes Tests/Fixtures/exports/NAME.{pt2,safetensors}. Archives are thinned out: Python's stack traces, the sample images and
the shapes of inner values, most of an archive and all unused, go; nodes and weights stay. `vit-timm-whole.pt2` is as torch wrote it.
"""

import io
import json
import sys
import zipfile
from pathlib import Path

import oracle
import torch
from exported import NETWORKS

sys.path.insert(0, str(oracle.FIXTURES.parent.parent / "Scripts"))
from export import export  # noqa: E402

PACKAGES = ("timm", "torchvision", "transformers")
#: Exported in half precision, and with sizes left open.
HALVES = {"vit-timm": (torch.float16, torch.bfloat16), "resnet-timm": (torch.bfloat16,)}
SIZES = {"resnet-timm": (64, 256, 32), "convnext-timm": (64, 256, 32), "own": (8, 64, 2)}


def thinned(source, target):
    """Copies an archive without stack traces and samples; tensors stay at multiples of 64 bytes."""
    with zipfile.ZipFile(source) as old, open(target, "wb") as file, zipfile.ZipFile(file, "w") as new:
        for info in old.infolist():
            if "/sample_inputs/" in info.filename:
                continue
            data = old.read(info)
            if info.filename.endswith("/models/model.json"):
                program = json.loads(data)
                strip(program["graph_module"]["graph"])
                data = json.dumps(program, separators=(",", ":")).encode()
            plain = zipfile.ZipInfo(info.filename, (1980, 1, 1, 0, 0, 0))
            # An extra field of zeros, as torch pads.
            start = file.tell() + 30 + len(info.filename.encode()) + 4
            pad = -start % 64
            plain.extra = b"FB" + pad.to_bytes(2, "little") + bytes(pad)
            new.writestr(plain, data)


def sample(tensor, most=256):
    """At most so many values of a tensor: every n-th, row by row."""
    step = -(-tensor.numel() // most)
    return tensor.reshape(-1)[::step]


def strip(graph):
    inputs = {i["as_tensor"]["name"] for i in graph["inputs"] if "as_tensor" in i}
    graph["tensor_values"] = {k: v for k, v in graph["tensor_values"].items() if k in inputs}
    for node in graph["nodes"]:
        node["metadata"] = {k: v for k, v in node["metadata"].items() if k == "nn_module_stack"}
        for item in node["inputs"]:
            if "as_graph" in item["arg"]:
                strip(item["arg"]["as_graph"]["graph"])


def first(output):
    if isinstance(output, dict):
        return output["logits"]
    return output[0] if isinstance(output, tuple) else output


def main():
    folder = oracle.FIXTURES / "exports"
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, (make, side)) in enumerate(NETWORKS.items()):
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        torch.manual_seed(seed)
        model = oracle.randomise(make(), seed)
        config = {"input_size": [3, side, side], "mean": [0.5] * 3, "std": [0.25] * 3, "crop_pct": 1.0, "interpolation": "bicubic"}
        whole = io.BytesIO()
        export(model, whole, side, config, SIZES.get(name))
        if name == "vit-timm":
            (folder / "vit-timm-whole.pt2").write_bytes(whole.getvalue())
        whole.seek(0)
        thinned(whole, folder / f"{name}.pt2")
        x = oracle.images(seed, 2, 3, side, side)
        with torch.no_grad():
            sites, result = oracle.record(model, lambda: model(x.clone()))
        # Images are exact in half precision.
        tensors = {"input": x.half(), "output": first(result).detach(), "grad/input": sample(oracle.gradient(model, x, first), 4096)}
        # Modules that do nothing in evaluation are no part of a graph.
        idle = {k for k, m in model.named_modules() if "DropPath" in type(m).__name__ or "StochasticDepth" in type(m).__name__}
        sites = {k: v for k, v in sites.items() if v.is_floating_point() and k.split("_1")[0] not in idle and k not in idle}
        tensors |= {f"site/{k}": sample(v) for k, v in sites.items()}
        for dtype in HALVES.get(name, ()):
            half = oracle.randomise(make(), seed).to(dtype)
            path = io.BytesIO()
            export(half, path, side, config, None, dtype)
            path.seek(0)
            suffix = str(dtype).split(".")[-1]
            thinned(path, folder / f"{name}-{suffix}.pt2")
            with torch.no_grad():
                tensors[f"output/{suffix}"] = first(half(x.to(dtype))).float()
        oracle.save(
            f"exports/{name}.safetensors", tensors,
            {"script": "Oracles/exports.py", "seed": seed, "order": list(sites), "shapes": {k: list(v.shape) for k, v in sites.items()},
             "scales": {k: v.abs().max().item() for k, v in sites.items()}, "versions": oracle.versions(*PACKAGES)})
        print(f"   {name}.pt2: {(folder / f'{name}.pt2').stat().st_size} bytes, {len(sites)} sites")


if __name__ == "__main__":
    main()
