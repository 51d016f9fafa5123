"""timm's ResNet in miniature: one network of BasicBlocks, one of Bottlenecks, one with groups and one wide, on images of even height and odd width."""

import torch
from oracle import images, model_fixture, randomise
from timm.models.resnet import BasicBlock, Bottleneck, ResNet, make_blocks

PACKAGES = ("timm",)


def build(block, layers, channels, stem, classes, **groups):
    """timm's network with a narrower stem, which its constructor has no argument for."""
    model = ResNet(block, layers, num_classes=classes, channels=channels, **groups)
    model.conv1 = torch.nn.Conv2d(3, stem, 7, stride=2, padding=3, bias=False)
    model.bn1 = torch.nn.BatchNorm2d(stem)
    stages, _ = make_blocks((block,) * 4, channels, layers, stem, **groups)
    for name, stage in stages:
        setattr(model, name, stage)
    return model


def main():
    for name, block, layers, channels, seed, size, groups in (
        ("resnet-basic", BasicBlock, (1, 2, 1, 1), (8, 10, 12, 14), 201, (30, 23), {}),
        ("resnet-bottleneck", Bottleneck, (1, 2, 1, 1), (4, 5, 6, 7), 211, (26, 19), {}),
        ("resnext-timm", Bottleneck, (1, 2, 1, 1), (4, 4, 8, 8), 221, (26, 19), {"cardinality": 2, "base_width": 16}),
        ("resnet-wide-timm", Bottleneck, (1, 2, 1, 1), (2, 3, 4, 5), 231, (26, 19), {"base_width": 128}),
    ):
        model = randomise(build(block, layers, channels, 8, 10, **groups), seed, gain=1.4)
        config = {"block": block.__name__, "layers": layers, "channels": channels, "stem": 8, "num_classes": 10,
                  "expansion": block.expansion, "bn_eps": model.bn1.eps, **groups}
        model_fixture(
            f"models/{name}.safetensors", "Oracles/cnn_resnet.py", model, images(seed + 1, 2, 3, *size), config, seed,
            PACKAGES, optional=("global_pool.pool", "global_pool.flatten"),
            notes="act1 and act2 (act3) are modules of their own and run once; the stride is on conv2 in Bottleneck; "
            "act2 of a BasicBlock and act3 of a Bottleneck come after the sum and equal the block's output",
        )


if __name__ == "__main__":
    main()
