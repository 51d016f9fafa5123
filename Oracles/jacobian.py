"""Products with Jacobians and singular values of miniature networks in float64, by torch.func and NumPy; reverse Weibull
distributions by SciPy.

Networks, weights and images are those of the fixtures that vit.py, cnn_resnet.py, mixer.py and swin.py have made.
"""

import json

import numpy as np
import torch
from cnn_resnet import build as resnet
from oracle import FIXTURES, save, versions
from receptive_field import held
from scipy.stats import kstest, weibull_max
from timm.layers import set_fused_attn
from timm.models.mlp_mixer import MlpMixer
from timm.models.resnet import BasicBlock
from timm.models.swin_transformer import SwinTransformer
from vit import build as vit


def networks():
    """Name, network and the sites whose Jacobians are decomposed."""
    yield "vit-timm", vit(dict(img_size=24, patch_size=8, embed_dim=24, depth=2, num_heads=3, num_classes=10)), ("blocks.0", "blocks.1")
    yield "resnet-basic", resnet(BasicBlock, (1, 2, 1, 1), (8, 10, 12, 14), 8, 10), ("layer2.0", "layer4.0")
    yield "mixer-timm", MlpMixer(img_size=24, patch_size=8, num_blocks=2, embed_dim=24, num_classes=10), ("blocks.1",)
    yield "swin-timm", SwinTransformer(img_size=28, patch_size=4, embed_dim=4, depths=(2, 2, 1), num_heads=(1, 2, 2), window_size=3,
                                       mlp_ratio=1.5, num_classes=10), ("layers.2.blocks.0",)


def at(model, site):
    """The function from images to what a site holds of each."""

    def call(x):
        kept = []
        handle = model.get_submodule(site).register_forward_hook(lambda *args: kept.append(args[2]))
        model(x)
        handle.remove()
        return kept[0].flatten(1)

    return call


def weibull():
    """Draws of reverse Weibull distributions and SciPy's best fit of some starts: location, scale, shape, mean log-likelihood, the
    true location, scale and shape, Kolmogorov's distance and p of SciPy's fit."""
    tensors = {}
    for name, shape, location, scale, seed in (("steep", 4.0, 2.0, 0.5, 1), ("flat", 2.2, 10.0, 3.0, 2), ("wide", 8.0, 0.1, 0.02, 3)):
        draws = weibull_max.rvs(shape, location, scale, size=400, random_state=seed)
        fits = [weibull_max.fit(draws, c, loc=draws.max() + 0.1 * (draws.max() - draws.min()), scale=np.ptp(draws)) for c in (1.5, 3.0, 6.0, 12.0)]
        best = max(fits, key=lambda f: weibull_max.logpdf(draws, *f).mean())
        test = kstest(draws, weibull_max(*best).cdf)
        print(name, best, test.statistic, test.pvalue)
        tensors[f"{name}/draws"] = torch.from_numpy(draws)
        tensors[f"{name}/fit"] = torch.tensor(
            [best[1], best[2], best[0], weibull_max.logpdf(draws, *best).mean(), location, scale, shape, test.statistic, test.pvalue],
            dtype=torch.float64)
    save("jacobian/weibull.safetensors", tensors, {"script": "Oracles/jacobian.py", "seed": "1, 2, 3", "dtype": "float64", **versions("scipy")})


def wide():
    """Singular values of more than 1024 rows: a linear map with 1500 outputs of 1728 numbers, columns that fade, and the Jacobian of tanh of it at a
    point; matrix and point are drawn from seeds, as the test does."""
    draw = lambda seed, *shape: torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32).double()
    w = draw(41, 1500, 1728) * torch.arange(1, 1729, dtype=torch.float64) ** -0.6
    slope = 1 - torch.tanh(w @ draw(42, 1728)) ** 2
    tensors = {"linear": torch.linalg.svdvals(w), "tanh": torch.linalg.svdvals(slope[:, None] * w), "corner": w[:3, :3].clone()}
    print({k: v[:3] for k, v in tensors.items()})
    save("jacobian/wide.safetensors", tensors, {"script": "Oracles/jacobian.py", "seed": "41, 42", "dtype": "float64", **versions()})


def main():
    weibull()
    wide()
    set_fused_attn(False)  # the fused form has no forward derivative
    tensors, g = {}, torch.Generator().manual_seed(23)
    for name, model, sites in networks():
        weights, x, _ = held(name)
        model.load_state_dict(weights)
        model = model.double().eval().requires_grad_(False)
        x = x.double()
        v = torch.randn(x.shape, generator=g).double()
        y, product = torch.func.jvp(model, (x,), (v,))
        u = torch.randn(y.shape, generator=g).double()
        _, back = torch.func.vjp(model, x)
        tensors |= {f"{name}/direction": v, f"{name}/seed": u, f"{name}/value": y, f"{name}/jvp": product, f"{name}/vjp": back(u)[0]}
        _, again = torch.autograd.functional.jvp(model, x, v)  # the double-backward trick
        assert (again - product).abs().max() < 1e-12
        for site in sites:
            function = at(model, site)
            jacobian = torch.func.jacrev(lambda one: function(one[None])[0])(x[0]).flatten(1)
            values = np.linalg.svd(jacobian.detach().numpy(), compute_uv=False)
            print(name, site, tuple(jacobian.shape), values[0], values[-1])
            tensors[f"{name}/singular/{site}"] = torch.from_numpy(values)
            tensors[f"{name}/jvp/{site}"] = torch.func.jvp(function, (x,), (v,))[1]
    save("jacobian/jacobian.safetensors", tensors, {"script": "Oracles/jacobian.py", "seed": "23", "dtype": "float64", **versions("timm")}, 450_000)


if __name__ == "__main__":
    main()
