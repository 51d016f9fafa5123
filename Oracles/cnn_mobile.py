"""Inverted-residual networks in miniature: timm's EfficientNet, EfficientNet-Lite and MobileNetV2,
and torchvision's EfficientNet and MobileNetV2."""

from functools import partial

import torch
from oracle import images, model_fixture, randomise
from timm.models._efficientnet_builder import decode_arch_def, round_channels
from timm.models.efficientnet import EfficientNet
from torchvision.models.efficientnet import EfficientNet as TorchvisionEfficientNet
from torchvision.models.efficientnet import MBConvConfig
from torchvision.models.mobilenetv2 import MobileNetV2
from torchvision.ops.misc import Conv2dNormActivation

LITE = [["ds_r1_k3_s1_e1_c6"], ["ir_r2_k3_s2_e2_c8"], ["ir_r1_k5_s2_e3_c10"], ["ir_r1_k3_s1_e2_c12"]]
# torchvision's setting: expansion, channels, repeats, stride
FULL = [["ds_r2_k3_s1_e1_c8_se0.25"], ["ir_r1_k3_s2_e2_c8_se0.25"], ["ir_r1_k5_s2_e3_c10_se0.25"]]
MOBILE = [[1, 16, 1, 1], [2, 24, 2, 2], [3, 32, 1, 2], [2, 40, 1, 1]]


def builder(arch, head, stem, classes, pad, eps, act=torch.nn.ReLU6):
    return EfficientNet(
        decode_arch_def(arch), num_classes=classes, num_features=head, stem_size=stem, fix_stem=True, pad_type=pad,
        round_chs_fn=partial(round_channels, divisor=1), act_layer=act,
        norm_layer=partial(torch.nn.BatchNorm2d, eps=eps),
    )


def without_acts(sites, _):
    """Leaves out bnK.act, which is bnK once more."""
    for name in [s for s in sites if s.endswith(".act")]:
        assert torch.equal(sites[name], sites[name.removesuffix(".act")])
        del sites[name]
    return sites


def clipped(sites):
    """How often ReLU6 stops a value at 6: a fixture in which it never does would not test it."""
    hits = [(v == 6).float().mean().item() for k, v in sites.items() if k.split(".")[-1] in ("bn1", "bn2", "2")]
    print(f"  share of values at 6: {sum(hits) / len(hits):.3f}")


def torchvision_efficientnet(optional):
    """torchvision's EfficientNet with the epsilon of its B5 to B7."""
    seed = 351
    settings = [MBConvConfig(*s) for s in ((1, 3, 1, 8, 8, 1), (2, 3, 2, 8, 8, 2))]
    model = TorchvisionEfficientNet(settings, 0.2, num_classes=10, last_channel=16, norm_layer=partial(torch.nn.BatchNorm2d, eps=1e-3))
    model = randomise(model, seed, gain=1.4, norm_gain=1.3)
    with torch.no_grad():
        for name, b in model.named_buffers():
            # Small variances, so that an epsilon of 1e-3 is seen.
            if name.endswith("running_var"):
                b.copy_((b * 0.01).half().float())
    kept = lambda k: k.split(".")[-1] not in ("act1", "activation", "scale_activation", "1") or k.count(".") < 3 or k.endswith("block.1")
    model_fixture(
        "models/efficientnet-torchvision.safetensors", "Oracles/cnn_mobile.py", model, images(seed + 1, 2, 3, 15, 12),
        {"stages": "1 3 1 8 1; 2 3 2 8 2", "settings_key": "expansion kernel stride channels repeats", "stem": 8, "head": 16,
         "num_classes": 10, "bn_eps": 1e-3}, seed, ("torchvision",), optional=optional, extra=lambda sites, _: {k: v for k, v in sites.items() if kept(k)},
        notes="torchvision's blocks are sequences of [expansion,] depthwise, squeeze-and-excitation and projection",
    )


def main():
    optional = ("blocks", "global_pool.pool", "global_pool.flatten", "features")
    timm_note = (
        "timm's batch norm carries its activation: bn1 is after the ReLU6 and equals bn1.act (not stored), and there is no site before it; "
        "the norm that ends a block (bn2 of ds, bn3 of ir) has no activation"
    )
    for name, arch, pad, eps, seed in (
        ("efficientnet-lite-timm", LITE, "same", 1e-3, 301),
        ("mobilenetv2-timm", [["ds_r1_k3_s1_c6"], *LITE[1:2], ["ir_r1_k3_s2_e3_c10"], LITE[3]], "", 1e-5, 311),
    ):
        model = randomise(builder(arch, 16, 8, 10, pad, eps), seed, gain=1.4, norm_gain=1.3)
        config = {"arch": arch, "arch_key": "type _ repeats _ kernel _ stride _ expansion _ channels", "stem": 8, "head": 16,
                  "num_classes": 10, "bn_eps": eps, "act": "relu6", "padding": pad or "symmetric, k // 2"}
        note = timm_note
        if pad:
            note += ("; padding SAME: in all max((ceil(n/s)-1)*s + k - n, 0) a side pair, the smaller half first, "
                     "in every convolution of stride 2; those of stride 1 pad k // 2")
        clipped(model_fixture(f"models/{name}.safetensors", "Oracles/cnn_mobile.py", model, images(seed + 1, 2, 3, 22, 17), config,
                              seed, ("timm",), optional=optional, notes=note, extra=without_acts))

    for name, pad, eps, seed in (("efficientnet-timm", "", 1e-5, 331), ("tf-efficientnet-timm", "same", 1e-3, 341)):
        model = randomise(builder(FULL, 16, 8, 10, pad, eps, torch.nn.SiLU), seed, gain=1.4, norm_gain=1.3)
        config = {"arch": FULL, "stem": 8, "head": 16, "num_classes": 10, "bn_eps": eps, "act": "silu", "padding": pad or "symmetric, k // 2"}
        model_fixture(f"models/{name}.safetensors", "Oracles/cnn_mobile.py", model, images(seed + 1, 2, 3, 19, 14), config, seed,
                      ("timm",), optional=optional, notes=timm_note.replace("ReLU6", "SiLU"), extra=without_acts)
    torchvision_efficientnet(optional)

    seed = 321
    model = MobileNetV2(num_classes=10, inverted_residual_setting=MOBILE, width_mult=0.25, round_nearest=1)
    # The arguments cannot make the ends small enough.
    model.features[-1] = Conv2dNormActivation(model.features[-1][0].in_channels, 16, kernel_size=1,
                                              norm_layer=torch.nn.BatchNorm2d, activation_layer=torch.nn.ReLU6)
    model.classifier[1] = torch.nn.Linear(16, 10)
    model = randomise(model, seed, gain=1.4, norm_gain=1.3)
    config = {"inverted_residual_setting": MOBILE, "setting_key": ["expansion", "channels", "repeats", "stride"],
              "width_mult": 0.25, "round_nearest": 1, "channels": [m.out_channels for m in list(model.features)[:-1] if hasattr(m, "out_channels")],
              "stem": model.features[0][0].out_channels, "head": 16, "num_classes": 10, "bn_eps": 1e-5, "act": "relu6"}

    clipped(model_fixture(
        "models/mobilenetv2-torchvision.safetensors", "Oracles/cnn_mobile.py", model, images(seed + 1, 2, 3, 18, 15), config, seed,
        ("torchvision",), optional=optional,
        notes="batch norm and ReLU6 are modules of their own: features.N.conv.K.0 convolution, .1 norm, .2 ReLU6; the last two "
        "of conv are the projection and its norm; the pool is a function and no site",
    ))


if __name__ == "__main__":
    main()
