"""Exports a PyTorch vision model to a .pt2 archive that `parallax` runs: any model, its preprocessing beside it.

    python3 Scripts/export.py timm vit_base_patch16_224.augreg2_in21k_ft_in1k
    python3 Scripts/export.py torchvision resnet50 --weights DEFAULT
    python3 Scripts/export.py transformers google/vit-base-patch16-224
    python3 Scripts/export.py my_module:make_model --preprocessing prep.json

It runs in your own Python, with the torch that you have (2.8 or newer). Without the script it is one line:

    torch.export.save(torch.export.export(model.eval(), (torch.zeros(2, 3, 224, 224),),
        dynamic_shapes=({0: torch.export.Dim("batch")},)), "model.pt2",
        extra_files={"preprocessing.json": json.dumps(timm.data.resolve_model_data_config(model))})
"""

import argparse
import importlib
import json
import sys

import torch


def export(model, path, size=224, preprocessing=None, dynamic_size=None, dtype=torch.float32):
    """Writes `model` to `path`.

    model          takes images [batch, 3, height, width]; it is put into evaluation mode
    size           the side of the images, or (height, width)
    preprocessing  timm's keys (input_size, mean, std, crop_pct, interpolation) or a processor's, as a dictionary
    dynamic_size   (smallest, largest, multiple): the graph takes other sizes of images, too
    dtype          of the weights and the computation
    """
    height, width = (size, size) if isinstance(size, int) else size
    model = model.eval().to(dtype)
    images = torch.zeros(2, 3, height, width, dtype=dtype)
    dims = {0: torch.export.Dim("batch")}
    if dynamic_size:
        low, high, multiple = dynamic_size
        side = lambda name: multiple * torch.export.Dim(name, min=low // multiple, max=high // multiple)
        dims |= {2: side("rows"), 3: side("columns")}
    with torch.no_grad():
        program = torch.export.export(model, (images,), dynamic_shapes=(dims,))
    extra = {"preprocessing.json": json.dumps(preprocessing)} if preprocessing else None
    torch.export.save(program, path, extra_files=extra)
    return program


def of_timm(name, pretrained):
    import timm

    model = timm.create_model(name, pretrained=pretrained)
    config = timm.data.resolve_model_data_config(model)
    return model, config["input_size"][1:], config


def of_torchvision(name, weights):
    import torchvision

    model = torchvision.models.get_model(name, weights=weights or None)
    if weights is None:
        return model, (224, 224), None
    transform = torchvision.models.get_model_weights(name)[weights].transforms()
    crop, resize = transform.crop_size[0], transform.resize_size[0]
    config = {
        "input_size": [3, crop, crop], "crop_pct": crop / resize, "interpolation": transform.interpolation.value,
        "mean": list(transform.mean), "std": list(transform.std),
    }
    return model, (crop, crop), config


class Images(torch.nn.Module):
    """A model of transformers that takes images alone: an image tower, where there is a text tower, too."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        output = self.model(pixel_values=images)
        for name in ("logits", "image_embeds", "pooler_output", "last_hidden_state"):
            if getattr(output, name, None) is not None:
                return output[name]
        raise SystemExit(f"no output of {type(self.model).__name__} is known here")


def of_transformers(name):
    import transformers

    config = transformers.AutoConfig.from_pretrained(name)
    kinds = {"clip": "CLIPVisionModelWithProjection", "siglip": "SiglipVisionModel"}
    architecture = kinds.get(config.model_type) or (config.architectures or [None])[0]
    loader = getattr(transformers, architecture or "", transformers.AutoModel)
    processor = transformers.AutoImageProcessor.from_pretrained(name).to_dict()
    crop = processor.get("crop_size") or processor["size"]
    side = crop.get("height") or crop.get("shortest_edge")
    return Images(loader.from_pretrained(name)), (side, crop.get("width") or side), processor


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="timm, torchvision, transformers, or MODULE:FUNCTION of your own")
    parser.add_argument("name", nargs="?", help="the model's name there")
    parser.add_argument("-o", "--output", help="the archive; NAME.pt2 without it")
    parser.add_argument("--weights", help="torchvision: DEFAULT, IMAGENET1K_V1, …")
    parser.add_argument("--random-weights", action="store_true", help="timm: made-up weights instead of trained ones")
    parser.add_argument("--preprocessing", help="a JSON file with timm's keys or a processor's")
    parser.add_argument("--size", type=int, help="the images' side in pixels")
    parser.add_argument("--dynamic-size", type=int, nargs=3, metavar=("MIN", "MAX", "MULTIPLE"))
    parser.add_argument("--dtype", default="float32", choices=["float32", "float16", "bfloat16"])
    options = parser.parse_args()
    own = ":" in options.source
    if not own and not options.name:
        parser.error("which model? give its name after timm, torchvision or transformers")
    if options.source == "timm":
        model, size, config = of_timm(options.name, not options.random_weights)
    elif options.source == "torchvision":
        model, size, config = of_torchvision(options.name, options.weights)
    elif options.source == "transformers":
        model, size, config = of_transformers(options.name)
    elif own:
        sys.path.insert(0, ".")
        module, function = options.source.split(":", 1)
        model, size, config = getattr(importlib.import_module(module), function)(), (224, 224), None
    else:
        parser.error(f"'{options.source}' is none of timm, torchvision, transformers, MODULE:FUNCTION")
    if options.preprocessing:
        with open(options.preprocessing) as file:
            config = json.load(file)
    if config is None:
        print("no preprocessing is known: give it with --preprocessing, or ImageNet's is assumed", file=sys.stderr)
    name = options.name or options.source.split(":")[1]
    output = options.output or name.split("/")[-1] + ".pt2"
    export(model, output, options.size or tuple(size), config, options.dynamic_size, getattr(torch, options.dtype))
    print(output)


if __name__ == "__main__":
    main()
