"""MobileNetV3 in miniature: timm's and torchvision's."""

from functools import partial

import torch
from oracle import images, model_fixture, randomise
from timm.models._efficientnet_blocks import SqueezeExcite
from timm.models._efficientnet_builder import decode_arch_def, round_channels
from timm.models.mobilenetv3 import MobileNetV3
from torchvision.models.mobilenetv3 import InvertedResidualConfig
from torchvision.models.mobilenetv3 import MobileNetV3 as TorchvisionMobileNetV3

ARCH = [["ds_r1_k3_s1_e1_c8_se0.25_nre"], ["ir_r1_k5_s2_e2_c8_se0.25", "ir_r1_k3_s1_e3_c8_nre"], ["cn_r1_k1_s1_c12"]]


def without_acts(sites, _):
    """Leaves out bnK.act, which is bnK once more."""
    for name in [s for s in sites if s.endswith(".act")]:
        assert torch.equal(sites[name], sites[name.removesuffix(".act")])
        del sites[name]
    return sites


def main():
    seed = 901
    model = MobileNetV3(
        decode_arch_def(ARCH), num_classes=10, num_features=16, stem_size=8, fix_stem=True, act_layer=torch.nn.Hardswish,
        round_chs_fn=partial(round_channels, divisor=1), norm_layer=partial(torch.nn.BatchNorm2d, eps=1e-5),
        se_layer=partial(SqueezeExcite, gate_layer="hard_sigmoid", force_act_layer=torch.nn.ReLU, rd_round_fn=partial(round_channels, divisor=1)))
    model = randomise(model, seed, gain=1.4, norm_gain=1.3)
    model_fixture(
        "models/mobilenetv3-timm.safetensors", "Oracles/cnn_mobilenetv3.py", model, images(seed + 1, 2, 3, 19, 14),
        {"arch": ARCH, "stem": 8, "head": 16, "num_classes": 10, "bn_eps": 1e-5}, seed, ("timm",),
        optional=("blocks", "global_pool.pool", "flatten"), extra=without_acts,
        notes="bnK is after its nonlinearity; global_pool, conv_head and act2 are [batch, width, 1, 1]")
    seed = 911
    rows = [(8, 3, 8, 8, True, "RE", 1, 1), (8, 5, 16, 8, True, "HS", 2, 1), (8, 3, 24, 8, False, "RE", 1, 1)]
    model = TorchvisionMobileNetV3([InvertedResidualConfig(*r, 1.0) for r in rows], last_channel=16, num_classes=10)
    model = randomise(model, seed, gain=1.4, norm_gain=1.3)
    with torch.no_grad():
        for name, b in model.named_buffers():
            # Small variances, so that torchvision's epsilon of 1e-3 is seen.
            if name.endswith("running_var"):
                b.copy_((b * 0.03).half().float())
    kept = lambda s: s.count(".") <= 3 or "fc" in s
    model_fixture(
        "models/mobilenetv3-torchvision.safetensors", "Oracles/cnn_mobilenetv3.py", model, images(seed + 1, 2, 3, 14, 12),
        {"rows": rows, "stem": 8, "head": 16, "num_classes": 10, "bn_eps": 1e-3}, seed, ("torchvision",),
        extra=lambda sites, _: {k: v for k, v in sites.items() if kept(k)},
        notes="blocks are sequences of [expansion,] depthwise, [squeeze-and-excitation,] and projection")


if __name__ == "__main__":
    main()
