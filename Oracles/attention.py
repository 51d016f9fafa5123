"""Attention distance, entropy and rollout in NumPy, of patterns that timm's miniature transformers gave.

The patterns are those of `vit.py` and `swin.py` (hooks on timm's modules, or its own queries and keys). Distances follow
sayakpaul/probing-vits, derived again here: D_ij is the patch's side times the Euclidean distance of two grid positions, class
and register tokens are dropped as queries and keys, and what remains is not renormalised. Where Swin's tokens lie is asked
of timm: a map of positions goes through its own roll, padding and windows, and its own mask says who sees whom.
"""

import json

import numpy as np
import torch
from oracle import FIXTURES, save, versions
from safetensors import safe_open
from timm.models.swin_transformer import SwinTransformer
from timm.models.swin_transformer_v2 import SwinTransformerV2

PACKAGES = ("timm",)


def patterns(name):
    with safe_open(FIXTURES / "models" / f"{name}.safetensors", "pt") as file:
        order = json.loads(file.metadata()["order"])
        return {s: file.get_tensor(f"site/{s}").double().numpy() for s in order
                if s.endswith(".attn.pattern") and f"site/{s}" in file.keys()}


def in_a_row(prefix, rows, columns):
    return [[None] * prefix + [(r, c) for r in range(rows) for c in range(columns)]], None


class Seen(torch.nn.Module):
    """Stands for a block's attention: keeps the windows that come in, and hands them on."""

    def forward(self, x, mask=None):
        self.windows, self.mask = x.detach(), mask
        return x


def in_windows(block, side):
    """Of each window its tokens' positions and which pairs see each other, by timm's own code."""
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    block.attn = Seen()
    block._attn(torch.stack([row + 1.0, column + 1.0], -1).unsqueeze(0))
    windows = [[None if r == 0 else (int(r) - 1, int(c) - 1) for r, c in w] for w in block.attn.windows.tolist()]
    return windows, None if block.attn.mask is None else (block.attn.mask == 0).numpy()


def numbers(pattern, windows, visible, step, renormalise):
    """`[batch, heads]` distances and entropies by plain loops over windows and queries."""
    per = len(windows)
    a = pattern.reshape(-1, per, *pattern.shape[1:])
    distance, entropy, queries = 0.0, 0.0, 0
    for w, places in enumerate(windows):
        for i, here in enumerate(places):
            if here is None:
                continue
            row = a[:, w, :, i, :]
            d = np.array([0.0 if p is None or (visible is not None and not visible[w, i, j]) else
                          step * np.sqrt((here[0] - p[0]) ** 2 + (here[1] - p[1]) ** 2) for j, p in enumerate(places)])
            kept = np.array([p is not None for p in places])
            mass = row[..., kept].sum(-1) if renormalise else 1.0
            distance = distance + (row * d).sum(-1) / mass
            entropy = entropy - (row * np.log(np.where(row > 0, row, 1.0))).sum(-1)
            queries += 1
    return distance / queries, entropy / queries


def uniform(windows, visible, step):
    count = len(windows[0])
    rows = np.ones((len(windows), count, count)) if visible is None else visible.astype(float)
    return numbers((rows / rows.sum(-1, keepdims=True))[:, None], windows, visible, step, False)


def probing_vits(pattern, prefix, patch, length):
    """As the notebook has it, for square grids."""
    count = length * length
    matrix = np.zeros((count, count))
    for i in range(count):
        for j in range(count):
            if i != j:
                xi, yi, xj, yj = i // length, i % length, j // length, j % length
                matrix[i, j] = patch * np.linalg.norm([xi - xj, yi - yj])
    return (pattern[..., prefix:, prefix:] * matrix).sum(-1).mean(-1)


def rollout(each):
    product = None
    for pattern in each:
        mixed = 0.5 * (pattern.mean(1) + np.eye(pattern.shape[-1]))
        product = mixed if product is None else mixed @ product
    return product


def main():
    tensors, cases = {}, {}

    def add(name, site, pattern, windows, visible, step):
        for how, renormalise in (("drop", False), ("renorm", True)):
            distance, entropy = numbers(pattern, windows, visible, step, renormalise)
            tensors[f"{name}/{site}/{how}"] = torch.from_numpy(distance)
        tensors[f"{name}/{site}/entropy"] = torch.from_numpy(entropy)
        level = uniform(windows, visible, step)
        tensors[f"{name}/{site}/uniform"] = torch.tensor([float(x.mean()) for x in level], dtype=torch.float64)
        cases.setdefault(name, []).append(site)

    for name, prefix, patch, rows, columns in (
        ("vit-timm", 1, 8, 3, 3), ("vit-registers-timm", 3, 7, 2, 3), ("deit-distilled-timm", 2, 8, 3, 3),
        ("dinov3-timm", 3, 7, 2, 3), ("dinov3-swiglu-timm", 3, 7, 3, 3),
    ):
        found = patterns(name)
        for site, pattern in found.items():
            add(name, site, pattern, *in_a_row(prefix, rows, columns), patch)
            if rows == columns:
                theirs = probing_vits(pattern, prefix, patch, rows)
                assert np.allclose(theirs, tensors[f"{name}/{site}/drop"].numpy(), rtol=1e-12)
        tensors[f"{name}/rollout"] = torch.from_numpy(rollout(list(found.values())))

    for name, build in (("swin-timm", SwinTransformer), ("swinv2-timm", SwinTransformerV2)):
        config = dict(img_size=28, patch_size=4, embed_dim=4, depths=(2, 2, 1), num_heads=(1, 2, 2), window_size=3,
                      mlp_ratio=1.5, num_classes=10)
        if build is SwinTransformerV2:
            config |= dict(depths=(2, 1, 1), pretrained_window_sizes=(0, 2, 0))
        model = build(**config).eval()
        for site, pattern in patterns(name).items():
            _, stage, _, number, *_ = site.split(".")
            block = model.layers[int(stage)].blocks[int(number)]
            add(name, site, pattern, *in_windows(block, (7, 4, 2)[int(stage)]), 4 * 2 ** int(stage))

    save("attention/attention.safetensors", tensors, {
        "script": "Oracles/attention.py", "versions": versions(*PACKAGES), "cases": cases,
        "notes": "MODEL/SITE/{drop,renorm,entropy} [batch, heads] in pixels and nats; MODEL/SITE/uniform: distance and entropy of "
        "uniform attention over visible keys; MODEL/rollout [batch, tokens, tokens]",
    })


if __name__ == "__main__":
    main()
