"""Parameter counts and block arguments of the full-size architectures, as timm and torchvision build them."""

import json

import oracle
import timm
import torch
import torchvision
from timm.models._efficientnet_blocks import DepthwiseSeparableConv

NAMES = (
    [f"resnet{d}" for d in (18, 34, 50, 101, 152)]
    + [f"tf_efficientnet_lite{i}" for i in range(5)]
    + ["mobilenetv2_100", "mobilenetv3_large_100", "mobilenetv3_small_100"]
    + [f"convnext_{s}" for s in ("atto", "femto", "pico", "nano", "tiny", "small", "base", "large", "xlarge")]
    + [f"convnextv2_{s}" for s in ("atto", "femto", "pico", "nano", "tiny", "small", "base", "large", "huge")]
    + [f"vgg{d}{b}" for d in (11, 13, 16, 19) for b in ("", "_bn")]
    + ["inception_v3"]
    + [f"densenet{d}" for d in (121, 161, 169, 201)]
    + [f"{tf}efficientnet_b{i}" for tf in ("", "tf_") for i in range(8)]
    + [f"regnet{k}_{n}" for k in "xy" for n in ("002", "004", "006", "008", "016", "032", "040", "064", "080", "120", "160", "320")]
    + ["resnext50_32x4d", "resnext101_32x8d", "wide_resnet50_2", "wide_resnet101_2"]
    + [f"vit_{s}_patch16_224" for s in ("tiny", "small", "base", "large")]
    + ["vit_small_patch32_224", "vit_base_patch32_224", "vit_base_patch8_224", "vit_large_patch32_224"]
    + ["vit_base_patch16_clip_quickgelu_224", "vit_base_patch32_clip_quickgelu_224", "vit_large_patch14_clip_quickgelu_224"]
    + [f"vit_{s}_patch14_{r}dinov2" for r in ("", "reg4_") for s in ("small", "base", "large")]
    + [f"deit_{s}{d}_patch16_224" for d in ("", "_distilled") for s in ("tiny", "small", "base")]
    + ["deit_base_patch16_384", "deit_base_distilled_patch16_384"]
    + ["vit_small_patch16_224.dino", "vit_small_patch8_224.dino", "vit_base_patch16_224.dino", "vit_base_patch8_224.dino"]
    + ["vit_base_patch16_224.mae", "vit_large_patch16_224.mae", "vit_huge_patch14_224.mae"]
    + [f"vit_base_patch16_siglip_{n}" for n in (224, 256, 384, 512)] + ["vit_base_patch32_siglip_256"]
    + [f"vit_large_patch16_siglip_{n}" for n in (256, 384, 512)]
    + ["vit_so400m_patch14_siglip_224", "vit_so400m_patch14_siglip_378"]
    + [f"vit_so400m_patch16_siglip_{n}" for n in (256, 384, 512)]
    + ["beit_base_patch16_224", "beit_base_patch16_384"] + [f"beit_large_patch16_{n}" for n in (224, 384, 512)]
    + ["beitv2_base_patch16_224", "beitv2_large_patch16_224"]
    + [f"swin_{s}_patch4_window7_224" for s in ("tiny", "small", "base", "large")]
    + ["swin_base_patch4_window12_384", "swin_large_patch4_window12_384"]
    + [f"swinv2_{s}_window{w}_256" for s in ("tiny", "small", "base") for w in (8, 16)]
    + ["swinv2_base_window12to16_192to256", "swinv2_base_window12to24_192to384"]
    + ["swinv2_large_window12to16_192to256", "swinv2_large_window12to24_192to384"]
    + [f"mixer_{s}_224" for s in ("s32", "s16", "b32", "b16", "l32", "l16")]
    + [f"eva02_{s}_patch14_224" for s in ("tiny", "small", "base", "large")]
    + ["eva02_tiny_patch14_336", "eva02_small_patch14_336", "eva02_base_patch14_448", "eva02_large_patch14_448"]
    + [f"vit_{s}_patch16_dinov3" for s in ("small", "small_plus", "base", "large")]
)


def same(conv):
    return "same" in type(conv).__name__.lower()


def inverted(block):
    """in, out, kernel, stride, middle channels, expansion, residual of one block of an EfficientNet."""
    separable = isinstance(block, DepthwiseSeparableConv)
    first, last = (block.conv_dw, block.conv_pw) if separable else (block.conv_pw, block.conv_pwl)
    middle = block.conv_dw.out_channels
    return {
        "type": "ds" if separable else "ir", "in": first.in_channels, "out": last.out_channels,
        "kernel": block.conv_dw.kernel_size[0], "stride": block.conv_dw.stride[0], "middle": middle,
        "expansion": middle / first.in_channels, "residual": bool(block.has_skip), "act": type(block.bn1.act).__name__,
        "squeeze": getattr(block.se, "conv_reduce", None) and block.se.conv_reduce.out_channels,
    }


def describe(name):
    with torch.device("meta"):
        model = timm.create_model(name)
    cfg = model.pretrained_cfg
    entry = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "parameters_and_statistics": sum(v.numel() for k, v in model.state_dict().items() if "tracked" not in k),
        "keys": len([k for k in model.state_dict() if "tracked" not in k]),
        "input_size": cfg["input_size"], "mean": cfg["mean"], "std": cfg["std"], "crop_pct": cfg["crop_pct"],
        "interpolation": cfg["interpolation"], "crop_mode": cfg["crop_mode"], "num_classes": model.num_classes,
    }
    if "efficientnet" in name or "mobilenet" in name:
        entry |= {"stem": model.conv_stem.out_channels, "stem_same": same(model.conv_stem), "head": model.conv_head.out_channels,
                  "bn_eps": model.bn1.eps,
                  "act": type(model.bn1.act).__name__, "stages": [[inverted(b) for b in stage if hasattr(b, "conv_dw")] for stage in model.blocks]}
    elif name.startswith(("resnet", "resnext", "wide_resnet")):
        stages = [getattr(model, f"layer{i}") for i in range(1, 5)]
        entry |= {"block": type(stages[0][0]).__name__, "layers": [len(s) for s in stages],
                  "channels": [s[0].conv1.out_channels for s in stages], "bn_eps": model.bn1.eps,
                  "groups": stages[0][0].conv2.groups, "strides": [b.conv2.stride[0] for s in stages for b in s],
                  "outputs": [s[0].bn2.num_features if not hasattr(s[0], "bn3") else s[0].bn3.num_features for s in stages]}
    elif name.startswith("swin"):
        blocks = [s.blocks[0] for s in model.layers]
        entry |= {"width": model.embed_dim, "depths": [len(s.blocks) for s in model.layers],
                  "stage_heads": [b.attn.num_heads for b in blocks], "windows": [b.window_size[0] for b in blocks],
                  "patch": model.patch_embed.patch_size[0], "grid": model.patch_embed.grid_size, "norm_eps": model.norm.eps,
                  "mlp": blocks[0].mlp.fc1.out_features,
                  "pretrained_windows": [getattr(b.attn, "pretrained_window_size", (0, 0))[0] for b in blocks]}
    elif name.startswith("mixer"):
        entry |= {"width": model.embed_dim, "depth": len(model.blocks), "patch": model.stem.patch_size[0], "grid": model.stem.grid_size,
                  "norm_eps": model.norm.eps, "mlp": model.blocks[0].mlp_channels.fc1.out_features,
                  "token_mlp": model.blocks[0].mlp_tokens.fc1.out_features}
    elif name.startswith(("beit", "eva02")) or "dinov3" in name:
        block = model.blocks[0]
        entry |= {"width": model.embed_dim, "depth": len(model.blocks), "heads": block.attn.num_heads,
                  "patch": model.patch_embed.patch_size[0], "grid": model.patch_embed.grid_size, "norm_eps": block.norm1.eps,
                  "mlp": block.mlp.fc2.in_features, "layer_scale": block.gamma_1 is not None, "pool": model.global_pool,
                  "rope_temperature": getattr(getattr(model, "rope", None), "temperature", None),
                  "rope_grid": getattr(getattr(model, "rope", None), "ref_feat_shape", None)}
    elif name.startswith("convnext"):
        mlp = model.stages[0].blocks[0].mlp
        entry |= {"layers": [len(s.blocks) for s in model.stages], "channels": [s.blocks[0].conv_dw.out_channels for s in model.stages],
                  "norm_eps": model.stem[1].eps, "mlp": mlp.fc1.out_channels if hasattr(mlp.fc1, "out_channels") else mlp.fc1.out_features,
                  "act": type(mlp.act).__name__}
    elif name.startswith("vgg"):
        entry |= {"channels": [m.out_channels for m in model.features if isinstance(m, torch.nn.Conv2d)],
                  "pools": [i for i, m in enumerate(model.features) if isinstance(m, torch.nn.MaxPool2d)], "head": model.head.in_features}
    elif name.startswith("regnet"):
        stages = [list(getattr(model, f"s{i}").children()) for i in range(1, 5)]
        entry |= {"layers": [len(s) for s in stages], "channels": [s[0].conv3.conv.out_channels for s in stages],
                  "group_widths": [s[0].conv2.conv.out_channels // s[0].conv2.conv.groups for s in stages],
                  "strides": [b.conv2.conv.stride[0] for s in stages for b in s], "stem": model.stem.conv.out_channels,
                  "bn_eps": model.stem.bn.eps}
    elif name == "inception_v3":
        entry |= {"bn_eps": model.Conv2d_1a_3x3.bn.eps, "stage_names": [n for n, _ in model.named_children() if n.startswith("Mixed")]}
    elif name.startswith("densenet"):
        blocks = [m for n, m in model.features.named_children() if n.startswith("denseblock")]
        layer = blocks[0].denselayer1
        entry |= {"layers": [len(b) for b in blocks], "growth": layer.conv2.out_channels, "bn_eps": layer.norm1.eps,
                  "middle": layer.conv1.out_channels}
    else:
        entry |= {"width": model.embed_dim, "depth": len(model.blocks), "heads": model.blocks[0].attn.num_heads,
                  "patch": model.patch_embed.patch_size[0], "grid": model.patch_embed.grid_size, "norm_eps": model.blocks[0].norm1.eps,
                  "pre_norm": "norm_pre.weight" in model.state_dict(), "act": type(model.blocks[0].mlp.act).__name__,
                  "layer_scale": "blocks.0.ls1.gamma" in model.state_dict(), "mlp": model.blocks[0].mlp.fc1.out_features, "pool": model.global_pool}
    return entry


def googlenet():
    """torchvision's GoogLeNet, which timm does not have, with the preprocessing of its weights and `transform_input` in one."""
    transforms = torchvision.models.GoogLeNet_Weights.IMAGENET1K_V1.transforms()
    model = torchvision.models.GoogLeNet(aux_logits=False, init_weights=False, transform_input=True)
    pixels = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    column = lambda v: torch.tensor(v).reshape(3, 1, 1)
    assert torch.allclose(model._transform_input((pixels - column(transforms.mean)) / column(transforms.std)), (pixels - 0.5) / 0.5, atol=1e-6)
    side, = transforms.crop_size
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "parameters_and_statistics": sum(v.numel() for k, v in model.state_dict().items() if "tracked" not in k),
        "keys": len([k for k in model.state_dict() if "tracked" not in k]),
        "input_size": [3, side, side], "mean": [0.5] * 3, "std": [0.5] * 3, "crop_pct": side / transforms.resize_size[0],
        "interpolation": transforms.interpolation.value, "crop_mode": "center", "num_classes": model.fc.out_features,
        "bn_eps": model.conv1.bn.eps, "stage_names": [n for n, _ in model.named_children() if n.startswith("inception")],
    }


def main():
    result = {"script": "Oracles/architectures.py", "versions": oracle.versions("timm", "torchvision")}
    result["timm"] = {name: describe(name) for name in NAMES}
    result["torchvision_alone"] = {"googlenet": googlenet()}
    with torch.device("meta"):
        models = {n: torchvision.models.get_model(n, weights=None) for n in ("mobilenet_v2", "resnet18", "resnet34", "resnet50",
                                                                              "resnet101", "resnet152", "vit_b_16")}
    result["torchvision"] = {n: {"parameters": sum(p.numel() for p in m.parameters())} for n, m in models.items()}
    path = oracle.FIXTURES / "models" / "architectures.json"
    # An architecture a line.
    lines = lambda v: "{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(e)}" for k, e in v.items()) + "\n}"
    path.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v) if k == 'script' else lines(v)}" for k, v in result.items()) + "\n}\n")
    print(path, path.stat().st_size)
    for n, e in result["timm"].items():
        print(n, e["parameters"], e["input_size"], e["crop_pct"], e["interpolation"], e["crop_mode"], e["mean"])


if __name__ == "__main__":
    main()
