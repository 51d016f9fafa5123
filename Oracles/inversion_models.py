"""Descents through timm's ResNet, ViT and Mixer in miniature, in float64, from a given a_0.

The weights are those of `models/resnet-basic`, `models/vit-timm` and `models/mixer-timm`, so `cnn_resnet.py`, `vit.py` and `mixer.py` come
first. Of each site: the activation of the target, the gradient of the summed L2 loss at a_0, and the pictures after 1, 10 and 100 steps;
of each first site one step of L1 too.
"""

import torch
from cnn_resnet import build as resnet
from oracle import FIXTURES, halved, save, versions
from safetensors.torch import load_file
from timm.models.mlp_mixer import MlpMixer
from timm.models.resnet import BasicBlock
from timm.models.vision_transformer import VisionTransformer

torch.set_default_dtype(torch.float64)


def loaded(model, name):
    held = load_file(FIXTURES / "models" / f"{name}.safetensors")
    model.load_state_dict({k[8:]: v for k, v in held.items() if k.startswith("weights/")}, strict=False)
    return model.eval().double().requires_grad_(False)


def embedding(model, site):
    found = []
    dict(model.named_modules())[site].register_forward_hook(lambda _, __, out: found.append(out.clone()))

    def forward(x):
        found.clear()
        model(x)
        return found[0].flatten(1)

    return forward


def descend(forward, wanted, start, rate, n, l1=False):
    a = start.clone()
    for i in range(n):
        leaf = a.clone().requires_grad_(True)
        gap = wanted - forward(leaf)
        (g,) = torch.autograd.grad((gap.abs().sum(1) if l1 else gap.norm(dim=1)).sum(), leaf)
        a = a - (rate * (n_all - i) / n_all + 0.1 * rate * i / n_all) * g
    return a


n_all = 100


def main():
    g = torch.Generator().manual_seed(31)
    tensors = {}
    size = dict(img_size=24, patch_size=8, embed_dim=24, num_classes=10)
    for name, model, (h, w), sites in (
        ("resnet-basic", resnet(BasicBlock, (1, 2, 1, 1), (8, 10, 12, 14), 8, 10), (30, 23), ("conv1", "maxpool")),
        ("vit-timm", VisionTransformer(**size, depth=2, num_heads=3), (24, 24), ("blocks.0", "blocks.1")),
        ("mixer-timm", MlpMixer(**size, num_blocks=2), (24, 24), ("blocks.0", "blocks.1")),
    ):
        model = loaded(model, name)
        target = halved(torch.rand(1, 3, h, w, generator=g)).double()
        start = halved(0.7 + torch.randn(1, 3, h, w, generator=g) / 20).double()
        tensors |= {f"{name}/target": target, f"{name}/start": start}
        for site in sites:
            forward = embedding(model, site)
            wanted = forward(target)
            leaf = start.clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad((wanted - forward(leaf)).norm(), leaf)
            rate = 0.05 / gradient.norm().item() * 5
            key = f"{name}/{site}"
            if wanted.numel() <= 1200:
                tensors[f"{key}/activation"] = wanted
            tensors |= {f"{key}/gradient": gradient, f"{key}/rate": torch.tensor([rate])}
            for n in (1, 10, 100):
                tensors[f"{key}/{n}"] = descend(forward, wanted, start, rate, n)
            if site == sites[0]:
                tensors[f"{key}/l1"] = descend(forward, wanted, start, 1e-4, 1, l1=True)
            print(key, (forward(tensors[f"{key}/100"]) - wanted).norm().item(), (forward(start) - wanted).norm().item())
    # Digits beyond float32's are not looked at; rates must be exact.
    tensors = {k: v if k.endswith("/rate") else v.float() for k, v in tensors.items()}
    save("inversion/models.safetensors", tensors,
         {"script": "Oracles/inversion_models.py", "versions": versions("timm"), "seed": "31"}, 260_000)


if __name__ == "__main__":
    main()
