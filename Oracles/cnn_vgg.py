"""VGG in miniature: timm's with and without batch norm, torchvision's with linear layers."""

import torch
from oracle import images, model_fixture, randomise
from timm.models.vgg import ConvMlp, VGG
from timm.layers import ClassifierHead
from torchvision.models.vgg import VGG as TorchvisionVGG
from torchvision.models.vgg import make_layers

LAYOUT = [5, "M", 6, 7, "M", 8, "M"]


def timm_vgg(norm):
    """timm's network with a narrow head over a map of 3×3, which its constructor has no argument for."""
    model = VGG(LAYOUT, num_classes=10, norm_layer=norm)
    model.pre_logits = ConvMlp(8, 12, 3)
    model.head = ClassifierHead(12, 10, pool_type="avg")
    return model


def main():
    for name, norm, size, seed in (
        ("vgg-timm", None, (26, 35), 501), ("vgg-bn-timm", torch.nn.BatchNorm2d, (19, 25), 511),
    ):
        model = randomise(timm_vgg(norm), seed, gain=1.4)
        config = {"layout": LAYOUT, "batch_norm": norm is not None, "hidden": 12, "side": 3, "num_classes": 10, "bn_eps": 1e-5}
        model_fixture(
            f"models/{name}.safetensors", "Oracles/cnn_vgg.py", model, images(seed + 1, 2, 3, *size), config, seed, ("timm",),
            optional=("features", "pre_logits", "head.global_pool.pool", "head.global_pool.flatten", "head"),
            notes="the last map is 3×4 in vgg-timm and 2×3 in vgg-bn-timm, which is spread over 3×3 before pre_logits.fc1",
        )
    seed = 521
    model = TorchvisionVGG(make_layers(LAYOUT, batch_norm=True), num_classes=10)
    model.avgpool = torch.nn.AdaptiveAvgPool2d((3, 3))
    model.classifier[0], model.classifier[3], model.classifier[6] = (
        torch.nn.Linear(72, 12), torch.nn.Linear(12, 12), torch.nn.Linear(12, 10))
    randomise(model, seed, gain=1.4)
    model_fixture(
        "models/vgg-torchvision.safetensors", "Oracles/cnn_vgg.py", model, images(seed + 1, 2, 3, 24, 24),
        {"layout": LAYOUT, "batch_norm": True, "hidden": 12, "side": 3, "num_classes": 10}, seed, ("torchvision",),
        notes="the last map is 3×3, where torchvision's network and timm's are the same",
    )


if __name__ == "__main__":
    main()
