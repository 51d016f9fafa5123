"""Losses and recipes of input generation: class images, features, dreams.

Everything runs in float64 by PyTorch's autograd on a small convolutional network whose weights lie in the fixture, with given starts
and given offsets of crops; blurs are torchvision's, resizing is `interpolate`. The loops follow the author's published programs: one run of the loop for each octave,
the gradient applied to the crop alone, the blur after the step to the whole picture.
"""

import torch
from oracle import save, versions
from torch.nn.functional import conv2d, interpolate, pad
from torchvision.transforms.functional import gaussian_blur

torch.set_default_dtype(torch.float64)


def schedule(ends, i, n):
    return ends[0] * (n - i) / n + ends[1] * i / n


def drawn(seed, step, side, crop):
    own = (seed * 1_000_003 + step + 0x9E3779B97F4A7C15) % 2**64
    places = torch.rand(2, generator=torch.Generator().manual_seed(own), dtype=torch.float32)
    return tuple(min(side - crop, int(float(p) * (side - crop + 1))) for p in places)


class Net:
    """conv, ReLU, conv, ReLU, mean over positions, linear."""

    def __init__(self, g, classes=6):
        self.weights = {
            "conv1": 0.4 * torch.randn(5, 3, 3, 3, generator=g), "conv2": 0.3 * torch.randn(4, 5, 3, 3, generator=g),
            "fc": torch.randn(classes, 4, generator=g), "bias": torch.randn(classes, generator=g),
        }

    def features(self, x):
        w = self.weights
        return torch.relu(conv2d(torch.relu(conv2d(x, w["conv1"], stride=2, padding=1)), w["conv2"], padding=1))

    def logits(self, x):
        return self.features(x).mean((2, 3)) @ self.weights["fc"].T + self.weights["bias"]


def descend(loss, a, octaves, sign=False, clip=False):
    """octaves: (side, steps, ε, blur or None, offsets or None, crop, padding); offsets: (row, column) for each step."""
    first = True
    for side, steps, rate, blur, offsets, crop, padding in octaves:
        h, w = a.shape[2:]
        if side and side != min(h, w):
            f = side / min(h, w)
            a = interpolate(a, size=(round(h * f), round(w * f)), mode="bilinear", align_corners=False)
        for i in range(steps):
            y, x = offsets[i] if offsets else (0, 0)
            seen = a[:, :, y : y + crop, x : x + crop] if offsets else a
            seen = seen.clone().requires_grad_(True)
            (g,) = torch.autograd.grad(loss(seen).sum(), seen)
            if clip:
                flat = g.flatten(1)
                mean, sd = flat.mean(1), flat.std(1)
                g = torch.stack([r.clamp(m - s, m + s) for r, m, s in zip(g, mean, sd)])
            if sign:
                g = g.sign()
            a = a.clone()
            if offsets:
                a[:, :, y : y + crop, x : x + crop] -= schedule(rate, i, steps) * g
            else:
                a -= schedule(rate, i, steps) * g
            if blur:
                k, s = blur
                a = gaussian_blur(a, [k, k], [schedule(s, i, steps)] * 2)
            if padding:
                a = pad(a, (padding,) * 4, value=0.7)
    return a


def main():
    g = torch.Generator().manual_seed(31)
    one, two = Net(g), Net(g)
    x = torch.rand(2, 3, 10, 12, generator=g)
    tensors = {f"one/{k}": v for k, v in one.weights.items()} | {f"two/{k}": v for k, v in two.weights.items()}
    tensors["input"] = x
    direction = torch.randn(4, generator=g)
    tensors["direction"] = direction

    def class_loss(i, c=200):
        return lambda x: (c - one.logits(x)[:, i]).abs()

    def juxtapose(i, j):
        def loss(x):
            o = one.logits(x)
            # the author's way: whichever is less active now
            return torch.stack([(200 - (r[i] if r[i] < r[j] else r[j])).abs() for r in o])

        return loss

    losses = {
        "class": class_loss(2), "opposite": lambda x: one.logits(x)[:, 2],
        "sum": lambda x: 2 * 200 - one.logits(x)[:, 1] - one.logits(x)[:, 4], "juxtaposition": juxtapose(1, 4),
        "interpolation": lambda x: 3 / 4 * (200 - one.logits(x)[:, 1]).abs() + 1 / 4 * (200 - one.logits(x)[:, 4]).abs(),
        "joint": lambda x: ((200 - one.logits(x)[:, 3]) + (400 - two.logits(x)[:, 3])) / 2,
        "channel": lambda x: (200 - one.features(x)[:, 1]).sum((1, 2)),
        "neuron": lambda x: 200 - one.features(x)[:, 3, 2, 5],
        "middle": lambda x: 200 - one.features(x)[:, 3, 2, 3],
        "layer": lambda x: (200 - one.features(x)).sum((1, 2, 3)) / one.features(x).shape[1],  # "the inverse of the number of features": of channels, as deep-dream.md has it
    }
    for name, loss in losses.items():
        leaf = x.clone().requires_grad_(True)
        values = loss(leaf)
        (gradient,) = torch.autograd.grad(values.sum(), leaf)
        tensors[f"loss/{name}"], tensors[f"gradient/{name}"] = values, gradient

    # a small copy of every recipe's kind of octave: sizes shrunk, schedules as they are
    start = 0.7 + torch.randn(2, 3, 11, 11, generator=g) / 20
    picture = torch.rand(2, 3, 12, 15, generator=g)
    tensors["start"], tensors["picture"] = start, picture
    # Crops of 15 in 18 pixels in steps 4 to 7, as Parallax draws them of seed 9: given, not drawn, as far as this script goes.
    offsets = [drawn(9, step, 18, 15) for step in range(4, 8)]
    tensors["offsets"] = torch.tensor(offsets)
    recipes = {
        "classes": (class_loss(2), start, [(11, 4, (1.5, 1), (3, (2.4, 0.8)), None, 0, 0), (18, 4, (1.3, 0.45), (3, (1.5, 0.4)), offsets, 15, 0)], {}),
        "padded": (class_loss(2), start, [(11, 4, (6, 5), (3, (2.4, 0.8)), None, 0, 1)], {}),
        "aux": (class_loss(2), start, [(11, 3, (0.1, 0.1), (11, (2.2, 2.2 - 3 / 80)), None, 0, 0), (13, 3, (0.11, 0.11), (5, (1.8, 1.8 - 3 / 100)), None, 0, 0)], {}),
        "plain": (class_loss(2), start, [(s, 1, (0.15, 0.15), (3, (0.8, 0.8)) if i < 3 else None, None, 0, 0) for i, s in enumerate((11, 9, 7, 8))], {}),
        "dream": (class_loss(2), picture, [(12, 2, (0.5, 0.4), (3, (2.4, 0.8)), None, 0, 0), (14, 2, (0.4, 0.3), (3, (1.5, 0.4)), None, 0, 0)], {}),
        "layer": (losses["layer"], picture, [(12, 3, (0.5, 0.4), None, None, 0, 0), (14, 3, (0.4, 0.3), None, None, 0, 0)], {}),
        "sign": (class_loss(2), picture, [(None, 5, (0.01, 0.01), None, None, 0, 0)], {"sign": True}),
        "clipped": (class_loss(2), start, [(11, 4, (1.5, 1), None, None, 0, 0)], {"clip": True}),
    }
    for name, (loss, a, octaves, options) in recipes.items():
        tensors[f"recipe/{name}"] = descend(loss, a, octaves, **options)
    save(
        "inversion/generation.safetensors", tensors,
        {"script": "Oracles/generation.py", "versions": versions("torchvision"), "seed": "31",
         "notes": "loss/*, gradient/*: of input; recipe/*: after the steps that the script lists"},
    )


if __name__ == "__main__":
    main()
