"""CKA of every token with every patch of the input, and R² of ridge regressions from a token to every patch, of miniature networks
by hooks in PyTorch: plain loops over the unbiased HSIC in NumPy, and scikit-learn's Ridge with images left out one by one.

Networks and weights are those of the fixtures that vit.py, cnn_resnet.py and swin.py have made. Some images do not fill their grid
evenly, and one grid is not square.
"""

import numpy as np
import torch
from cnn_resnet import build as resnet
from oracle import images, save, versions
from residual import held, hsic
from sklearn.linear_model import Ridge
from timm.models.resnet import Bottleneck
from timm.models.swin_transformer import SwinTransformer
from timm.models.vision_transformer import VisionTransformer

PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10)
FOLDS = 5


def activation(model, site, x):
    found = {}
    handle = model.get_submodule(site).register_forward_hook(lambda _, __, out: found.__setitem__("x", out))
    with torch.no_grad():
        model(x)
    handle.remove()
    return found["x"].double().numpy()


def cells(side, count):
    return [(i * side // count, max(i * side // count + 1, (i + 1) * side // count)) for i in range(count)]


def patches(x, rows, columns):
    """A list of [images, 3 · height · width], row by row."""
    x = x.double().numpy()
    return [x[:, :, a:b, c:d].reshape(len(x), -1) for a, b in cells(x.shape[2], rows) for c, d in cells(x.shape[3], columns)]


def cka(tokens, targets, block):
    """[tokens, patches], three sums over blocks of images first."""
    sums = np.zeros((len(tokens), len(targets)))
    own, other = np.zeros(len(tokens)), np.zeros(len(targets))
    for start in range(0, len(tokens[0]), block):
        a = [t[start:start + block] @ t[start:start + block].T for t in tokens]
        b = [t[start:start + block] @ t[start:start + block].T for t in targets]
        sums += [[hsic(k, l) for l in b] for k in a]
        own += [hsic(k, k) for k in a]
        other += [hsic(k, k) for k in b]
    return sums / np.sqrt(np.outer(own, other))


def penalty(rho, x):
    return rho * ((x - x.mean(0)) ** 2).sum()


def left_out(x, y, rho, bounds):
    """Squared errors of each image predicted by a regression on the others, with the penalty of all of them, a number a patch."""
    errors, alpha = np.zeros(len(bounds)), penalty(rho, x)
    for i in range(len(x)):
        rest = np.arange(len(x)) != i
        miss = (y[i] - Ridge(alpha=alpha, solver="cholesky").fit(x[rest], y[rest]).predict(x[i:i + 1])[0]) ** 2
        errors += [miss[a:b].sum() for a, b in bounds]
    return errors


def decoded(token, targets, seed):
    """R² of each patch over the predictions of all folds, and without each fold. All patches are targets of one regression, which
    changes none of them; each has the penalty that is its own best."""
    n = len(token)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).tolist()
    sizes = [n // FOLDS + (fold < n % FOLDS) for fold in range(FOLDS)]
    starts = np.cumsum([0, *sizes])
    ends = np.cumsum([0, *(t.shape[1] for t in targets)])
    bounds = list(zip(ends, ends[1:]))
    y = np.concatenate(targets, 1)
    errors, totals = [], []
    for start, end in zip(starts, starts[1:]):
        held_out = order[start:end]
        fitted = sorted(set(range(n)) - set(held_out))
        x, t = token[fitted], y[fitted]
        best = np.argmin([left_out(x, t, rho, bounds) for rho in PENALTIES], 0)
        misses = []
        for rho in PENALTIES:
            fit = Ridge(alpha=penalty(rho, x), solver="cholesky").fit(x, t)
            misses.append((y[held_out] - fit.predict(token[held_out])) ** 2)
        errors.append([misses[k][:, a:b].sum() for k, (a, b) in zip(best, bounds)])
        spread = (y[held_out] - y.mean(0)) ** 2
        totals.append([spread[:, a:b].sum() for a, b in bounds])
    errors, totals = np.array(errors), np.array(totals)
    left = [1 - (errors.sum(0) - e) / (totals.sum(0) - t) for e, t in zip(errors, totals)]
    return np.array([1 - errors.sum(0) / totals.sum(0), *left])


def main():
    tensors = {}
    seed = 81

    def case(name, value, x, rows, columns, chosen):
        """`value` is [images, tokens, width] of a grid of that many rows and columns."""
        tokens = [value[:, i] for i in range(value.shape[1])]
        targets = patches(x, rows, columns)
        assert len(tokens) == len(targets)
        tensors[f"{name}/cka"] = torch.from_numpy(cka(tokens, targets, 6))
        tensors[f"{name}/decoded"] = torch.from_numpy(np.stack([decoded(tokens[i], targets, seed) for i in chosen]))

    def pictures(name, seed, side, width):
        """Smooth images, so that neighbours are alike and something can be read off."""
        x = images(seed, 18, 3, side, width)
        x = torch.nn.functional.avg_pool2d(x, 5, 1, 2, count_include_pad=False) * 3
        x = x.half()
        tensors[f"{name}/images"] = x
        return x.float()

    weights, _, config = held("vit-timm")
    kwargs = {k: config[k] for k in ("img_size", "patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio", "num_classes")}
    model = VisionTransformer(**kwargs).eval()
    model.load_state_dict(weights)
    x = pictures("vit", 82, 24, 24)
    for site in ("blocks.0", "blocks.1"):
        case(f"vit/{site}", activation(model, site, x)[:, 1:], x, 3, 3, (0, 3, 4))

    weights, _, config = held("resnet-bottleneck")
    network = resnet(Bottleneck, config["layers"], config["channels"], config["stem"], config["num_classes"]).eval()
    network.load_state_dict(weights)
    x = pictures("resnet", 83, 35, 44)
    value = activation(network, "layer2.1", x)
    case("resnet/layer2.1", value.reshape(*value.shape[:2], -1).transpose(0, 2, 1), x, *value.shape[2:], (0, 8))

    weights, _, config = held("swin-timm")
    swin = SwinTransformer(**{k: v for k, v in config.items() if k != "norm_eps"}).eval()
    swin.load_state_dict(weights, strict=False)
    x = pictures("swin", 84, 28, 28)
    value = activation(swin, "layers.1.blocks.1", x)
    case("swin/layers.1.blocks.1", value.reshape(len(x), -1, value.shape[-1]), x, *value.shape[1:3], (0, 5))

    save(
        "localize/localize.safetensors", tensors,
        {"script": "Oracles/localize.py", "versions": versions("timm", "scikit-learn"), "seed": str(seed),
         "notes": "MODEL/SITE/cka [tokens, patches], blocks of 6 images; decoded [chosen tokens, 1 + folds, patches]: R², then without "
         "each fold"}, limit=400_000,
    )


if __name__ == "__main__":
    main()
