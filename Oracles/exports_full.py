"""Full-size networks as export archives: Parallax beside PyTorch at every module, as a table of the worst errors.

    make exports            (or: python3 Oracles/exports_full.py [NAME …])

Builds each network with made-up weights, exports it as `Scripts/export.py` does, runs both sides on the same two images and
prints a row: modules compared, the worst difference at a module over the module's largest value and where, that of the output and
of the gradient at the pixels, and how far PyTorch's own gradient moves when it keeps channels side by side. Ends with 1 where a
difference exceeds 1e-4 (gradients: 1e-3, or three times what PyTorch differs from itself). Needs Oracles/requirements.txt.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import oracle
import timm
import torch
import torchvision
import transformers
from exported import Mean
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Scripts"))
from export import export  # noqa: E402


def hub(model, config, **keys):
    return Mean(getattr(transformers, model)(getattr(transformers, config)(**keys)))


NETWORKS = {
    **{f"timm:{n}": (lambda n=n: timm.create_model(n)) for n in (
        "vit_base_patch16_224", "deit_small_distilled_patch16_224", "vit_base_patch16_siglip_224", "beit_base_patch16_224",
        "eva02_tiny_patch14_224", "vit_small_patch16_dinov3", "swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256", "convnext_tiny",
        "convnextv2_nano", "resnet50", "efficientnet_b0", "mobilenetv3_large_100", "mobilenetv4_conv_small", "regnety_016",
        "densenet121", "inception_v3", "mixer_b16_224")},
    **{f"torchvision:{n}": (lambda n=n: torchvision.models.get_model(n, weights=None)) for n in (
        "vit_b_16", "swin_t", "swin_v2_t", "maxvit_t", "convnext_tiny", "resnet50", "googlenet", "vgg16", "efficientnet_b0", "shufflenet_v2_x1_0")},
    "transformers:ViT": lambda: hub("ViTForImageClassification", "ViTConfig"),
    "transformers:Dinov2": lambda: hub("Dinov2Model", "Dinov2Config", image_size=224),
    "transformers:CLIPVision": lambda: hub("CLIPVisionModel", "CLIPVisionConfig", hidden_size=768, patch_size=16),
    "transformers:SiglipVision": lambda: hub("SiglipVisionModel", "SiglipVisionConfig"),
    "transformers:Swin": lambda: hub("SwinForImageClassification", "SwinConfig"),
    "transformers:ConvNext": lambda: hub("ConvNextForImageClassification", "ConvNextConfig"),
}


def side(model):
    return getattr(model, "pretrained_cfg", {}).get("input_size", (3, 224, 224))[1]


def first(output):
    if isinstance(output, dict):
        return next(iter(output.values()))
    return output[0] if isinstance(output, tuple) else output


def row(name, make, folder):
    torch.manual_seed(0)
    model = oracle.randomise(make(), 1)
    size = 299 if "inception" in name else side(model)
    archive, pixels, output = (str(folder / f) for f in ("model.pt2", "images.safetensors", "output.safetensors"))
    export(model, archive, size, {"input_size": [3, size, size]})
    images = oracle.images(2, 2, 3, size, size)
    save_file({"images": images}, pixels)
    with torch.no_grad():
        sites, result = oracle.record(model, lambda: model(images))
    gradient = oracle.gradient(model, images, first)
    # PyTorch with the channels side by side adds in another order, which flips a ReLU here and there: so far it is from itself.
    other = oracle.gradient(model.to(memory_format=torch.channels_last), images.contiguous(memory_format=torch.channels_last), first)
    command = [str(ROOT / ".build/release/ParallaxBenchmark"), "sites", archive, pixels, output]
    # The same number of threads: sums in another order flip a ReLU here and there, which a gradient shows.
    found = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if found.returncode:
        print(f"{name:46} FAILED: {found.stderr.strip()[:200]}", flush=True)
        return False
    ours = load_file(output)
    gap = lambda a, b: ((a.double() - b.double()).abs().max() / b.double().abs().max().clamp(min=1e-30)).item()
    gaps = {k: gap(ours[f"site/{k}"], v) for k, v in sites.items() if f"site/{k}" in ours and ours[f"site/{k}"].shape == v.shape}
    worst = max(gaps, key=gaps.get)
    absent = [k for k, v in sites.items() if k not in gaps and v.dim() > 1 and v.shape[0] == 2]
    last, grad, itself = gap(ours["output"], first(result)), gap(ours["grad/input"], gradient), gap(other, gradient)
    print(f"{name:46} {len(gaps):5} {found.stdout.split()[1]:>6} {gaps[worst]:9.1e} {last:9.1e} {grad:9.1e} {itself:9.1e}  {worst if gaps[worst] else ''}"
          + (f"  without a site: {len(absent)}, such as {absent[0]}" if absent else ""), flush=True)
    return max(gaps[worst], last) < 1e-4 and grad < max(1e-3, 3 * itself)


def main():
    print("network                                        modules blocks    worst    output  gradient   PyTorch  worst module")
    fine = True
    for name, make in NETWORKS.items():
        if sys.argv[1:] and not any(a in name for a in sys.argv[1:]):
            continue
        with tempfile.TemporaryDirectory() as folder:
            fine = row(name, make, Path(folder)) and fine
    raise SystemExit(0 if fine else 1)


if __name__ == "__main__":
    main()
