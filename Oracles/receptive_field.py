"""Effective receptive fields of miniature networks by PyTorch's autograd, one channel after the other, and the sizes of some
made-up fields by NumPy and SciPy.

Networks, weights and images are those of the fixtures that vit.py and cnn_resnet.py have made.
"""

import json

import numpy as np
import torch
from cnn_resnet import build as resnet
from oracle import FIXTURES, save, versions
from safetensors import safe_open
from scipy.signal import convolve2d
from timm.models.resnet import Bottleneck
from vit import build as vit

SHARES = (0.2, 0.3, 0.5, 0.99)


def held(name):
    """Weights, images and configuration of a model's fixture."""
    with safe_open(FIXTURES / "models" / f"{name}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}
        config = json.loads(file.metadata()["config"])
    weights = {k.removeprefix("weights/"): v for k, v in tensors.items() if k.startswith("weights/")}
    return {k: v.float() if v.is_floating_point() else v for k, v in weights.items()}, tensors["input"].float(), config


def centre(value, prefix, rows, columns):
    """The features [batch, channels] of the centre location."""
    if value.ndim == 4:
        return value[:, :, value.shape[2] // 2, value.shape[3] // 2]
    grid = value[:, prefix:].reshape(len(value), rows, columns, -1)
    return grid[:, rows // 2, columns // 2]


def fields(model, x, sites, prefix=0, rows=0, columns=0):
    """For each site the field of each image [batch, height, width], channel by channel and summed.

    Outputs are cloned, for a ResNet adds the shortcut to its last norm's output in place.
    """
    found = {}
    modules = dict(model.named_modules())
    handles = [
        modules[site].register_forward_hook(lambda _, __, out, site=site: found.__setitem__(site, out.clone())) for site in sites
    ]
    x = x.clone().requires_grad_(True)
    model(x)
    for handle in handles:
        handle.remove()
    result = {}
    for site in sites:
        features = centre(found[site], prefix, rows, columns)
        total = torch.zeros(x.shape[0], *x.shape[2:], dtype=torch.float64)
        for channel in range(features.shape[1]):
            (gradient,) = torch.autograd.grad(features[:, channel].sum(), x, retain_graph=True)
            total += gradient.abs().double().mean(1)
        (gradient,) = torch.autograd.grad(features.sum(), x, retain_graph=True)
        result[f"{site}/per-channel"] = (total / features.shape[1]).float()
        result[f"{site}/summed"] = gradient.abs().mean(1)
    return result


def sizes(field, row, column, rows, columns):
    """Radius, spread, Luo's size, squares, share of the centre cell; plain loops over definitions."""
    field = np.asarray(field, dtype=np.float64)
    height, width = field.shape
    y, x = np.mgrid[:height, :width]
    mass = field / field.sum()
    cy, cx = (mass * y).sum(), (mass * x).sum()
    radius = (mass * np.hypot(y - cy, x - cx)).sum()
    spread = np.sqrt(((mass * (y - cy) ** 2).sum() + (mass * (x - cx) ** 2).sum()) / 2)
    luo = np.sqrt((field > (1 - 0.9545) * field.max()).sum())
    y0 = (row + 0.5) * height / rows - 0.5
    x0 = (column + 0.5) * width / columns - 0.5
    distance = np.maximum(abs(y - y0), abs(x - x0))
    squares = []
    for share in SHARES:
        reach = next(d for d in np.unique(np.floor(distance)) if mass[np.floor(distance) <= d].sum() >= share - 1e-12)
        squares.append(2 * distance[np.floor(distance) == reach].max() + 1)
    top, left = row * height // rows, column * width // columns
    bottom, right = -(-(row + 1) * height // rows), -(-(column + 1) * width // columns)
    return np.array([radius, spread, luo, *squares, mass[top:bottom, left:right].sum()])


def main():
    tensors = {}
    weights, x, config = held("vit-timm")
    names = ("img_size", "patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio", "num_classes")
    model = vit({k: config[k] for k in names}).eval()
    model.load_state_dict(weights)
    sites = [f"blocks.{i}{part}" for i in range(2) for part in (".attn", ".mlp", "")]
    tensors |= {f"vit/{k}": v for k, v in fields(model, x, sites, 1, 3, 3).items()}

    weights, x, config = held("resnet-bottleneck")
    model = resnet(Bottleneck, config["layers"], config["channels"], config["stem"], config["num_classes"]).eval()
    model.load_state_dict(weights)
    sites = ["layer1.0.bn3", "layer1.0", "layer2.1.bn3", "layer2.1", "layer3.0", "layer4.0"]
    tensors |= {f"resnet/{k}": v for k, v in fields(model, x, sites).items()}

    kernel = np.ones((1, 1))
    for _ in range(10):
        kernel = convolve2d(kernel, np.ones((3, 3)) / 9)
    composed = np.zeros((41, 41))
    composed[10:31, 10:31] = kernel
    generator = np.random.default_rng(7)
    cases = {
        "composed": (composed, 20, 20, 41, 41),
        "patches": (generator.random((24, 40)) ** 6, 3, 2, 6, 5),
        "uneven": (generator.random((26, 19)) ** 3, 2, 1, 4, 3),
    }
    for name, (field, *place) in cases.items():
        tensors[f"sizes/{name}/field"] = torch.from_numpy(field)
        tensors[f"sizes/{name}/values"] = torch.from_numpy(sizes(field, *place))
    save(
        "receptive-field/fields.safetensors", tensors,
        {"script": "Oracles/receptive_field.py", "versions": versions("timm", "scipy"), "seed": "7",
         "places": {name: list(place) for name, (_, *place) in cases.items()},
         "notes": "values: radius, spread, Luo, squares of 20, 30, 50 and 99 %, centre cell"},
    )
    values = tensors["sizes/composed/values"]
    print("spread", values[1].item(), "Luo", values[2].item())


if __name__ == "__main__":
    main()
