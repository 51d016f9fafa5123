"""ConvNeXt in miniature: timm's first and second version, with linear and with convolutional MLPs, and torchvision's
and transformers'."""

import torch
from oracle import images, model_fixture, randomise
from timm.models.convnext import ConvNeXt
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.convnext import ConvNeXt as TorchvisionConvNeXt
from transformers import ConvNextConfig, ConvNextForImageClassification, ConvNextV2Config, ConvNextV2ForImageClassification

DEPTHS, WIDTHS = (1, 2, 1, 1), (4, 6, 7, 8)
OPTIONAL = ("stages", *(f"stages.{i}.blocks" for i in range(4)), "head.global_pool.pool", "head.flatten", "head")


def as_maps(sites, _):
    """Puts channels before positions where timm keeps them last: inside blocks with linear MLPs."""
    last = lambda k: k.endswith(".norm") and k.startswith("stages") or ".mlp" in k
    return {k: v.permute(0, 3, 1, 2) if last(k) else v for k, v in sites.items()}


def main():
    v2 = dict(use_grn=True, ls_init_value=None)
    for name, kwargs, seed in (
        ("convnext-timm", {}, 401), ("convnextv2-timm", v2, 411), ("convnextv2-timm-conv", dict(v2, conv_mlp=True), 421),
    ):
        model = randomise(ConvNeXt(num_classes=10, depths=DEPTHS, dims=WIDTHS, **kwargs), seed, gain=1.4)
        config = {"depths": DEPTHS, "dims": WIDTHS, "num_classes": 10, "norm_eps": model.stem[1].eps, **kwargs}
        model_fixture(
            f"models/{name}.safetensors", "Oracles/cnn_convnext.py", model, images(seed + 1, 2, 3, 35, 40), config, seed, ("timm",),
            optional=OPTIONAL, extra=None if kwargs.get("conv_mlp") else as_maps,
            notes="sites inside blocks are stored [batch, channels, height, width], where timm without conv_mlp has channels last; "
            "head.global_pool and head.norm are [batch, channels, 1, 1]",
        )
    seed = 431
    settings = [CNBlockConfig(w, n, d) for w, n, d in zip(WIDTHS, (*WIDTHS[1:], None), DEPTHS)]
    model = randomise(TorchvisionConvNeXt(settings, num_classes=10), seed, gain=1.4)
    with torch.no_grad():
        g = torch.Generator().manual_seed(seed)
        for k, p in model.named_parameters():
            if k.endswith("layer_scale"):
                p.copy_((0.3 + 0.7 * torch.rand(p.shape, generator=g)).half().float())
    model_fixture(
        "models/convnext-torchvision.safetensors", "Oracles/cnn_convnext.py", model, images(seed + 1, 2, 3, 35, 40),
        {"depths": DEPTHS, "dims": WIDTHS, "num_classes": 10}, seed, ("torchvision",),
        notes="features.N.M is a block, its branch a sequence block.{0,2,3,4,5}; layer_scale is [width, 1, 1]",
    )


    for name, kind, config_kind, prefix, seed in (
        ("convnext-hf", ConvNextForImageClassification, ConvNextConfig, "convnext.", 441),
        ("convnextv2-hf", ConvNextV2ForImageClassification, ConvNextV2Config, "convnextv2.", 451),
    ):
        model = randomise(kind(config_kind(hidden_sizes=list(WIDTHS), depths=list(DEPTHS), num_labels=10)), seed, gain=1.4)
        with torch.no_grad():
            for k, p in model.named_parameters():
                # Not the small numbers that a branch begins with.
                if k.endswith("layer_scale_parameter"):
                    p.copy_((0.3 + 0.7 * torch.rand(p.shape, generator=torch.Generator().manual_seed(seed))).half().float())
        blocks = lambda k: "layers" not in k or k.rsplit(".", 2)[1] == "layers"
        model_fixture(
            f"models/{name}.safetensors", "Oracles/cnn_convnext.py", model, images(seed + 1, 2, 3, 35, 40),
            {"hidden_sizes": WIDTHS, "depths": DEPTHS, "num_labels": 10}, seed, ("transformers",), output_of=lambda y: y.logits,
            extra=lambda sites, _: {k.removeprefix(prefix): v for k, v in sites.items() if blocks(k)},
            notes="sites without the prefix of the weights' names; inside blocks none are stored",
        )


if __name__ == "__main__":
    main()
