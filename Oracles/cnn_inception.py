"""Inception-v3 (timm's and torchvision's) and GoogLeNet (torchvision's) in miniature: widths divided by 16, fewer modules."""

from importlib import import_module

import torch
from oracle import images, model_fixture, randomise
from timm.layers import ConvNormAct

DIVISOR = 16
# Functions of the same names hide these modules.
timm_inception, inception, googlenet = (
    import_module(n) for n in ("timm.models.inception_v3", "torchvision.models.inception", "torchvision.models.googlenet"))


class Narrow(ConvNormAct):
    """timm's convolution with a sixteenth of the channels."""

    def __init__(self, inputs, outputs, **kwargs):
        super().__init__(inputs if inputs == 3 else inputs // DIVISOR, outputs // DIVISOR, **kwargs)


def narrow_torchvision(block):
    class NarrowConv(block):
        def __init__(self, inputs, outputs, **kwargs):
            super().__init__(inputs if inputs == 3 else inputs // DIVISOR, outputs // DIVISOR, **kwargs)

    return NarrowConv


def timm_model(modules):
    """timm's network with some of its modules; the rest pass their input on."""
    plain, timm_inception.ConvNormAct = timm_inception.ConvNormAct, Narrow
    try:
        model = timm_inception.InceptionV3(num_classes=10)
        for name in [n for n, _ in model.named_children() if n.startswith("Mixed")]:
            setattr(model, name, modules.get(name, lambda **_: torch.nn.Identity())(
                conv_block=lambda i, o, **k: Narrow(i, o, **{"padding": 0, "norm_kwargs": {"eps": 1e-3}, **k})))
        model.fc = torch.nn.Linear(modules["width"] // DIVISOR, 10)
        return model
    finally:
        timm_inception.ConvNormAct = plain


def without_norms(sites, _):
    """Leaves out bn, which here is the module that it ends once more, and bn.act, which is bn."""
    for name in [s for s in sites if s.endswith((".bn", ".act"))]:
        assert torch.equal(sites[name], sites[name.removesuffix(".act").removesuffix(".bn")])
        del sites[name]
    return sites


def main():
    m, part = timm_inception, lambda cls, *args: lambda **k: cls(*args, **k)
    for name, modules, size, seed in (
        ("inception-timm-35", {"Mixed_5b": part(m.InceptionA, 192, 32), "Mixed_5c": part(m.InceptionA, 256, 64),
                               "Mixed_6a": part(m.InceptionB, 288), "width": 768}, (45, 51), 601),
        ("inception-timm-17", {"Mixed_6b": part(m.InceptionC, 192, 128), "Mixed_7a": part(m.InceptionD, 768),
                               "Mixed_7b": part(m.InceptionE, 1280), "width": 2048}, (43, 43), 611),
    ):
        model = randomise(timm_model(modules), seed, gain=1.4)
        model_fixture(
            f"models/{name}.safetensors", "Oracles/cnn_inception.py", model, images(seed + 1, 1, 3, *size),
            {"modules": [k for k in modules if k != "width"], "divisor": DIVISOR, "num_classes": 10, "bn_eps": 1e-3}, seed, ("timm",),
            optional=("global_pool.pool", "global_pool.flatten"), extra=without_norms,
            notes="bn carries its ReLU and equals the module (Conv2d_1a_3x3) that it ends (not stored); the pools of branches are functions and no sites",
        )

    seed = 621
    names = ("InceptionA", "InceptionB", "InceptionC", "InceptionD", "InceptionE", "InceptionAux")
    conv = narrow_torchvision(inception.BasicConv2d)
    classes = [getattr(inception, n) for n in names]
    narrowed = [lambda *a, cls=cls, **k: cls(*a, conv_block=conv, **k) for cls in classes]
    model = inception.Inception3(num_classes=10, aux_logits=False, init_weights=False, inception_blocks=[conv, *narrowed])
    for gone in ("Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7a", "Mixed_7b", "Mixed_7c"):
        setattr(model, gone, torch.nn.Identity())
    # An auxiliary classifier hangs on in the checkpoint, as in torchvision's own.
    model.AuxLogits = inception.InceptionAux(256 // DIVISOR * DIVISOR, 10, conv_block=conv)
    model.AuxLogits.fc = torch.nn.Linear(768 // DIVISOR, 10)
    model.fc = torch.nn.Linear(256 // DIVISOR, 10)
    randomise(model, seed, gain=1.4)
    model_fixture(
        "models/inception-torchvision.safetensors", "Oracles/cnn_inception.py", model, images(seed + 1, 1, 3, 43, 47),
        {"modules": ["Mixed_5b"], "divisor": DIVISOR, "num_classes": 10, "bn_eps": 1e-3}, seed, ("torchvision",),
        notes="bn is before the ReLU here, and the module after it; AuxLogits is in the checkpoint and does not run",
    )

    # A seed with which none of the narrow branches is dead: ReLU lets something of each through.
    seed = 632
    conv = narrow_torchvision(googlenet.BasicConv2d)
    model = googlenet.GoogLeNet(num_classes=10, aux_logits=True, init_weights=False, blocks=[
        conv, lambda *a: googlenet.Inception(*a, conv_block=conv), lambda *a, **k: googlenet.InceptionAux(*a, conv_block=conv, **k)])
    for gone in ("inception4b", "inception4c", "inception4e"):
        setattr(model, gone, torch.nn.Identity())
    # 4d's 528 go to 5a, which has 832 inputs in the whole network.
    model.inception5a = googlenet.Inception(528, 256, 160, 320, 32, 128, 128, conv_block=conv)
    for aux in (model.aux1, model.aux2):
        aux.fc1, aux.fc2 = torch.nn.Linear(8, 4), torch.nn.Linear(4, 10)
    model.inception5b, model.fc = torch.nn.Identity(), torch.nn.Linear(832 // DIVISOR, 10)
    randomise(model, seed, gain=1.4)
    model_fixture(
        "models/googlenet-torchvision.safetensors", "Oracles/cnn_inception.py", model, images(seed + 1, 1, 3, 37, 42),
        {"modules": ["3a", "3b", "4a", "4d", "5a"], "divisor": DIVISOR, "num_classes": 10, "bn_eps": 1e-3}, seed, ("torchvision",),
        notes="aux1 and aux2 are in the checkpoint and do not run; torchvision has 3×3 where the paper has 5×5",
    )


if __name__ == "__main__":
    main()
