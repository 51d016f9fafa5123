"""CKA between all sub-layers of a miniature ViT and ResNet by PyTorch with hooks and NumPy, and the numbers of structure by plain
loops over their definitions.

Weights are those of the fixtures that vit.py and cnn_resnet.py have made.
"""

import numpy as np
import torch
from cnn_resnet import build as resnet
from oracle import halved, save, versions
from receptive_field import held
from timm.models.resnet import Bottleneck
from vit import build as vit

BLOCKS, IMAGES, SIDE, WINDOW = 3, 8, 24, 6


def seen(model, x, outputs, inputs):
    """Activations of modules (cloned: a ReLU may work in place) and of what goes into some."""
    found = {}
    modules = dict(model.named_modules())
    handles = [modules[n].register_forward_hook(lambda _, __, o, n=n: found.__setitem__(n, o.clone())) for n in outputs]
    handles += [
        modules[n].register_forward_pre_hook(lambda _, i, key=key: found.__setitem__(key, i[0].clone())) for key, n in inputs.items()
    ]
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return found


def gram(x):
    """U-centred Gram matrix of one block, by the sums of its definition."""
    x = x.reshape(len(x), -1).astype(np.float64)
    k = x @ x.T
    np.fill_diagonal(k, 0)
    n = len(k)
    rows = k.sum(1)
    centred = k - rows[:, None] / (n - 2) - rows[None] / (n - 2) + k.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0)
    return centred


def cka(blocks, names):
    """Three sums over blocks, then one ratio."""
    total = np.zeros((len(names), len(names)))
    for activations in blocks:
        grams = [gram(activations[n].numpy()) for n in names]
        n = len(grams[0])
        total += np.array([[(a * b).sum() / (n * (n - 3)) for b in grams] for a in grams])
    scale = np.sqrt(np.diag(total))
    return total / np.outer(scale, scale)


def numbers(values, kinds, units, stages):
    count = len(values)
    depth = np.arange(count) / (count - 1)
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    uniformity = np.mean([values[i, j] for i, j in pairs])
    low = np.mean([values[i, j] for i, j in pairs if depth[i] <= 1 / 3 and depth[j] >= 2 / 3])
    gaps = []
    for lag in range(1, max(units) + 1):
        at = [(i, j) for i, j in pairs if units[i] >= 0 and units[j] - units[i] == lag]
        same = [values[i, j] for i, j in at if kinds[i] == kinds[j]]
        other = [values[i, j] for i, j in at if kinds[i] != kinds[j]]
        if same and other:
            gaps.append(np.mean(same) - np.mean(other))

    def contrast(first, second):
        within = [values[i, j] for side in (first, second) for i in side for j in side if i < j]
        return np.mean(within) - np.mean([values[i, j] for i in first for j in second])

    least = max(2, count // 10)
    cuts = {p: contrast(range(p), range(p, count)) for p in range(least, count - least + 1)}
    best = max(cuts, key=cuts.get)
    edges = [
        contrast(range(p - WINDOW, p), range(p, p + WINDOW)) if WINDOW <= p <= count - WINDOW else np.nan for p in range(1, count)
    ]
    begins = [e for p, e in enumerate(edges) if stages[p] != stages[p + 1] and not np.isnan(e)]
    others = [e for p, e in enumerate(edges) if stages[p] == stages[p + 1] and not np.isnan(e)]
    stage = np.mean(begins) - np.mean(others) if begins and others else np.nan
    return np.array([uniformity, low, np.mean(gaps), cuts[best], best, stage]), np.array(edges)


def main():
    tensors, metadata = {}, {}
    generator = torch.Generator().manual_seed(11)

    weights, _, config = held("vit-timm")
    names = ("img_size", "patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio", "num_classes")
    model = vit({k: config[k] for k in names}).eval()
    model.load_state_dict(weights)
    stem = ["patch_embed.proj", "patch_embed", "pos_drop"]
    order = [(n, "stem", -1, "stem") for n in stem]
    inputs = {}
    for unit in range(config["depth"]):
        block = f"blocks.{unit}"
        inputs[f"{block}.residual1"] = f"{block}.norm2"
        parts = [("norm1", "norm"), ("attn", "attention"), ("residual1", "sum"), ("norm2", "norm"), ("mlp.act", "hidden")]
        order += [(f"{block}.{part}", kind, unit, "blocks") for part, kind in parts] + [(block, "block", unit, "blocks")]
    cases = {"vit": (model, order, inputs)}

    weights, _, config = held("resnet-bottleneck")
    model = resnet(Bottleneck, config["layers"], config["channels"], config["stem"], config["num_classes"]).eval()
    model.load_state_dict(weights)
    order = [(n, "stem", -1, "stem") for n in ("conv1", "bn1", "act1", "maxpool")]
    inputs, unit = {}, 0
    for stage, depth in enumerate(config["layers"], 1):
        for place in range(depth):
            block = f"layer{stage}.{place}"
            inputs[f"{block}.residual1"] = f"{block}.act3"
            parts = [(f"{kind}{i}", name) for i in (1, 2, 3) for kind, name in (("conv", "convolution"), ("bn", "norm"))]
            order += [(f"{block}.{part}", kind, unit, f"layer{stage}") for part, kind in [*parts, ("residual1", "sum")]]
            order += [(block, "block", unit, f"layer{stage}")]
            unit += 1
    cases["resnet"] = (model, order, inputs)

    for name, (model, order, inputs) in cases.items():
        images = halved(torch.randn(BLOCKS * IMAGES, 3, SIDE, SIDE, generator=generator))
        outputs = [n for n, *_ in order if n not in inputs]
        found = seen(model, images, outputs, inputs)
        layers = [n for n, *_ in order]
        blocks = [{n: found[n][b * IMAGES : (b + 1) * IMAGES] for n in layers} for b in range(BLOCKS)]
        values = cka(blocks, layers)
        result, edges = numbers(values, [k for _, k, _, _ in order], [u for _, _, u, _ in order], [s for *_, s in order])
        tensors |= {
            f"{name}/images": images.half(), f"{name}/cka": torch.from_numpy(values),
            f"{name}/numbers": torch.from_numpy(result), f"{name}/edges": torch.from_numpy(edges),
        }
        metadata[name] = [[n, k, u, s] for n, k, u, s in order]
        print(name, len(order), result)
    save(
        "structure/structure.safetensors", tensors,
        {"script": "Oracles/structure.py", "versions": versions("timm"), "seed": "11", "order": metadata,
         "notes": "numbers: uniformity, first and last third, grid, best cut, its place, edges of stages"},
    )


if __name__ == "__main__":
    main()
