"""Pillow's resizing, and the uint8 crops of timm's, torchvision's and transformers' preprocessing."""

import numpy as np
import torch
from image_files import scene
from oracle import save, versions
from PIL import Image
from timm.data import create_transform
from torchvision import transforms
from transformers import BitImageProcessorPil, CLIPImageProcessor, CLIPImageProcessorPil, ConvNextImageProcessorPil

SEED = 411
FILTERS = {f.name.lower(): f for f in (Image.Resampling.NEAREST, Image.Resampling.BOX, Image.Resampling.BILINEAR,
                                       Image.Resampling.HAMMING, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)}


def source(width, height, seed):
    """A scene with strong noise, so that overshoot at 0 and 255 is seen."""
    rng = np.random.default_rng(seed)
    return np.clip(scene(width, height, seed) + rng.normal(0, 40, (height, width, 3)), 0, 255).astype(np.uint8)


def resizes():
    sizes = {  # [width, height] of source and target
        "a": ((37, 53), [(16, 24), (37, 20), (20, 53), (7, 5)]),
        "b": ((11, 9), [(32, 40), (11, 30), (64, 4)]),
        "c": ((60, 45), [(40, 30), (59, 46), (1, 1)]),
    }
    tensors = {}
    for k, (name, (size, targets)) in enumerate(sizes.items()):
        pixels = source(*size, SEED + k)
        tensors[f"source/{name}"] = torch.from_numpy(pixels)
        for target in targets:
            for label, which in FILTERS.items():
                key = f"resized/{name}/{label}/{target[0]}x{target[1]}"
                tensors[key] = torch.from_numpy(np.asarray(Image.fromarray(pixels).resize(target, which)).copy())
    save("images/resized.safetensors", tensors, {
        "script": "Oracles/resizing.py", "seed": str(SEED), "versions": versions("pillow"),
        "notes": "uint8 [height, width, 3]; resized/SOURCE/FILTER/WIDTHxHEIGHT is Image.resize((width, height), FILTER): support "
        "widened by the scale when shrinking (antialiasing), horizontal pass first, each pass rounded to uint8, bicubic a = -0.5",
    })


def timm_crop(image, size, width=None, **options):
    pipeline = create_transform((3, size, width or size), **options)
    keep = [t for t in pipeline.transforms if type(t).__name__ not in ("MaybeToTensor", "ToTensor", "Normalize", "MaybePILToTensor")]
    out = transforms.Compose(keep)(image)
    full = pipeline(image)
    mean, std = (torch.tensor(options.get(k, d)).view(3, 1, 1) for k, d in
                 (("mean", (0.485, 0.456, 0.406)), ("std", (0.229, 0.224, 0.225))))
    pixels = np.asarray(out).copy()
    assert torch.allclose(full, (torch.from_numpy(pixels).permute(2, 0, 1) / 255 - mean) / std, atol=1e-6)
    return pixels, str(transforms.Compose(keep)).replace("\n", "")


def pipelines():
    tensors, facts = {}, {}
    images = {"wide": (71, 47), "tall": (45, 64), "odd": (53, 53), "small": (19, 29)}
    for k, (name, size) in enumerate(images.items()):
        pixels = source(*size, SEED + 20 + k)
        image = Image.fromarray(pixels)
        tensors[f"source/{name}"] = torch.from_numpy(pixels)

        def put(key, value, **fact):
            tensors[f"crop/{name}/{key}"] = torch.from_numpy(np.array(value, order="C"))
            facts[key] = fact

        for interpolation in ("bilinear", "bicubic"):
            for pct in (0.875, 0.9, 0.95, 1.0):
                value, text = timm_crop(image, 24, interpolation=interpolation, crop_pct=pct)
                put(f"timm-{interpolation}-{pct}", value, library="timm", crop_mode="center", crop_pct=pct, size=24,
                    interpolation=interpolation, steps=text)
        for mode in ("squash", "border"):
            value, text = timm_crop(image, 24, interpolation="bicubic", crop_pct=0.9, crop_mode=mode)
            put(f"timm-{mode}", value, library="timm", crop_mode=mode, crop_pct=0.9, size=24, interpolation="bicubic", steps=text)
        for resize, crop in ((28, 24), (26, 23)):
            tv = transforms.Compose([transforms.Resize(resize), transforms.CenterCrop(crop)])
            put(f"torchvision-{resize}-{crop}", np.asarray(tv(image)), library="torchvision", resize=resize, size=crop,
                interpolation="bilinear")

        keep = dict(do_normalize=False, do_rescale=False)
        square = {"height": 24, "width": 24}
        for key, processor, shorter in (
            ("clip", CLIPImageProcessorPil, 24), ("clip-torchvision", CLIPImageProcessor, 24),
            ("dinov2", BitImageProcessorPil, 27),
        ):
            p = processor(size={"shortest_edge": shorter}, crop_size=square, resample=3, **keep)
            out = np.asarray(p(image, return_tensors="np")["pixel_values"][0]).transpose(1, 2, 0)
            put(f"hf-{key}", out, library="transformers", processor=processor.__name__, shortest_edge=shorter, size=24,
                resample=3)
        # keys of preprocessor_config.json: an int, a dict of both edges
        p = CLIPImageProcessorPil(size={"height": 24, "width": 30}, do_center_crop=False, resample=2, **keep)
        out = np.asarray(p(image, return_tensors="np")["pixel_values"][0]).transpose(1, 2, 0)
        put("hf-both-edges", out, library="transformers", processor="CLIPImageProcessorPil", size={"height": 24, "width": 30},
            resample=2)
    save("images/pipelines.safetensors", tensors, {
        "script": "Oracles/resizing.py", "seed": str(SEED), "versions": versions("pillow", "timm", "torchvision", "transformers"),
        "pipelines": facts, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
        "notes": "uint8 [height, width, 3] after resizing and cropping, before scaling by 1/255 and (x - mean)/std. hf-clip-torchvision "
        "resizes tensors and may differ from Pillow by a few units; the others are Pillow's",
    })
    for k, v in facts.items():
        print(k, v)
    for n in images:
        a, b = (tensors[f"crop/{n}/{k}"].int() for k in ("hf-clip", "hf-clip-torchvision"))
        print(n, "clip by Pillow against torchvision: at most", (a - b).abs().max().item())


def sized():
    """Keys made for 24 pixels, at other sizes of the input."""
    tensors, facts = {}, {}
    image = Image.fromarray(source(71, 47, SEED + 40))
    tensors["source"] = torch.from_numpy(np.asarray(image).copy())
    for pct, mode in ((0.9, "center"), (0.875, "center"), (0.9, "squash"), (0.9, "border")):
        for height, width in ((24, 24), (31, 31), (20, 33)):
            value, text = timm_crop(image, height, width, interpolation="bicubic", crop_pct=pct, crop_mode=mode)
            name = f"timm-{mode}-{pct}/{height}x{width}"
            tensors[name] = torch.from_numpy(value)
            facts[name] = {"library": "timm", "steps": text}
    # A processor has no part of the image that stays; its sizes grow in proportion.
    for shorter, crop in ((27, 24), (36, 32)):
        p = BitImageProcessorPil(size={"shortest_edge": shorter}, crop_size={"height": crop, "width": crop}, resample=3,
                                 do_normalize=False, do_rescale=False)
        out = np.asarray(p(image, return_tensors="np")["pixel_values"][0]).transpose(1, 2, 0)
        name = f"hf-dinov2/{crop}x{crop}"
        tensors[name] = torch.from_numpy(np.array(out, order="C"))
        facts[name] = {"library": "transformers", "shortest_edge": shorter, "crop_size": crop}
    for shortest in (24, 32, 384):
        p = ConvNextImageProcessorPil(size={"shortest_edge": shortest}, crop_pct=0.875, resample=3, do_normalize=False, do_rescale=False)
        out = np.asarray(p(image, return_tensors="np")["pixel_values"][0]).transpose(1, 2, 0)
        name = f"hf-convnext/{shortest}x{shortest}"
        # Of the large one a corner.
        tensors[name] = torch.from_numpy(np.array(out[:32, :32], order="C"))
        facts[name] = {"library": "transformers", "shortest_edge": shortest, "crop_pct": 0.875}
    save("images/sized.safetensors", tensors, {
        "script": "Oracles/resizing.py", "seed": str(SEED), "versions": versions("pillow", "timm", "torchvision", "transformers"),
        "pipelines": facts, "notes": "uint8 [height, width, 3] of source, PIPELINE/HEIGHTxWIDTH; keys say 24 pixels, the size of the input is another",
    })


if __name__ == "__main__":
    resizes()
    pipelines()
    sized()
