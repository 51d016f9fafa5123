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
    + ["mobilenetv2_100"]
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
        "expansion": middle / first.in_channels, "residual": bool(block.has_skip),
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
                  "bn_eps": model.bn1.eps, "stages": [[inverted(b) for b in stage] for stage in model.blocks]}
    elif name.startswith("resnet"):
        stages = [getattr(model, f"layer{i}") for i in range(1, 5)]
        entry |= {"block": type(stages[0][0]).__name__, "layers": [len(s) for s in stages],
                  "channels": [s[0].conv1.out_channels for s in stages], "bn_eps": model.bn1.eps}
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
    else:
        entry |= {"width": model.embed_dim, "depth": len(model.blocks), "heads": model.blocks[0].attn.num_heads,
                  "patch": model.patch_embed.patch_size[0], "grid": model.patch_embed.grid_size, "norm_eps": model.blocks[0].norm1.eps,
                  "pre_norm": "norm_pre.weight" in model.state_dict(), "act": type(model.blocks[0].mlp.act).__name__,
                  "layer_scale": "blocks.0.ls1.gamma" in model.state_dict(), "mlp": model.blocks[0].mlp.fc1.out_features, "pool": model.global_pool}
    return entry


def main():
    result = {"script": "Oracles/architectures.py", "versions": oracle.versions("timm", "torchvision")}
    result["timm"] = {name: describe(name) for name in NAMES}
    with torch.device("meta"):
        models = {n: torchvision.models.get_model(n, weights=None) for n in ("mobilenet_v2", "resnet18", "resnet34", "resnet50",
                                                                              "resnet101", "resnet152", "vit_b_16")}
    result["torchvision"] = {n: {"parameters": sum(p.numel() for p in m.parameters())} for n, m in models.items()}
    path = oracle.FIXTURES / "models" / "architectures.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(path, path.stat().st_size)
    for n, e in result["timm"].items():
        print(n, e["parameters"], e["input_size"], e["crop_pct"], e["interpolation"], e["crop_mode"], e["mean"])


if __name__ == "__main__":
    main()
