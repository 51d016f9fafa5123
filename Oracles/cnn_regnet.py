"""RegNetX and RegNetY in miniature: timm's, and torchvision's RegNetY."""

import re
from functools import partial

import torch
from oracle import images, model_fixture, randomise
from timm.models.regnet import RegNet, RegNetCfg
from torchvision.models.regnet import BlockParams
from torchvision.models.regnet import RegNet as TorchvisionRegNet


def timm_regnet(squeeze):
    return RegNet(RegNetCfg(depth=5, w0=8, wa=8, wm=1.5, group_size=4, se_ratio=squeeze, stem_width=8), num_classes=10)


def without_acts(sites, _):
    """Leaves out bn.act, which is bn once more, and the modules that bn ends."""
    ends = {s.removesuffix(".bn") for s in sites if s.endswith(".bn") and ".conv" in s}
    for name in [s for s in sites if s.endswith(".bn.act") or s in ends]:
        twin = name.removesuffix(".act") if name.endswith(".act") else name + ".bn"
        assert torch.equal(sites[name], sites[twin])
    return {k: v for k, v in sites.items() if not k.endswith(".bn.act") and k not in ends}


def main():
    for name, squeeze, seed in (("regnetx-timm", 0.0, 801), ("regnety-timm", 0.25, 812)):
        model = randomise(timm_regnet(squeeze), seed, gain=1.4)
        stages = [list(getattr(model, f"s{i}").children()) for i in range(1, 5)]
        config = {"depths": [len(s) for s in stages], "widths": [s[0].conv3.conv.out_channels for s in stages], "group_width": 4,
                  "se_ratio": squeeze, "stem": 8, "num_classes": 10, "bn_eps": model.stem.bn.eps}
        print(config)
        model_fixture(
            f"models/{name}.safetensors", "Oracles/cnn_regnet.py", model, images(seed + 1, 2, 3, 17, 14), config, seed, ("timm",),
            optional=("head.global_pool.pool", "head.global_pool.flatten", "head"), extra=without_acts,
            notes="bn carries its ReLU and equals the module that it ends (conv1, conv2, conv3 are not stored)",
        )
    seed = 821
    params = BlockParams([1, 1, 2], [8, 12, 16], [4, 4, 4], [1.0] * 3, [2] * 3, 0.25)
    model = randomise(TorchvisionRegNet(params, num_classes=10, stem_width=8, norm_layer=partial(torch.nn.BatchNorm2d, eps=1e-5)), seed, gain=1.4)
    kept = lambda s: re.fullmatch(r"stem(\.0)?|trunk_output\.block\d(\.block\d-\d(\.proj|\.f\.[abc]|\.f\.se|\.f\.se\.fc\d|\.f\.b\.0)?)?|avgpool|fc", s)
    model_fixture(
        "models/regnet-torchvision.safetensors", "Oracles/cnn_regnet.py", model, images(seed + 1, 2, 3, 21, 26),
        {"depths": [1, 1, 2], "widths": [8, 12, 16], "group_width": 4, "se_ratio": 0.25, "stem": 8, "num_classes": 10, "bn_eps": 1e-5},
        seed, ("torchvision",), extra=lambda sites, _: {k: v for k, v in sites.items() if kept(k)},
        notes="the norm and the ReLU inside f.a, f.b and f.c are not stored",
    )


if __name__ == "__main__":
    main()
