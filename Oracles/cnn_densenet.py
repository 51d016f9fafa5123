"""DenseNet in miniature: timm's, and torchvision's with the dotted names of its published checkpoints."""

import re

import torch
from oracle import images, model_fixture, randomise
from timm.models.densenet import DenseNet
from torchvision.models.densenet import DenseNet as TorchvisionDenseNet


def without_acts(sites, _):
    """Leaves out norm.act, which is the norm once more."""
    for name in [s for s in sites if s.endswith(".act")]:
        assert torch.equal(sites[name], sites[name.removesuffix(".act")])
        del sites[name]
    return sites


class Dotted(TorchvisionDenseNet):
    """torchvision's network, whose state dict is written as in its published files: `norm.1` for `norm1`."""

    def state_dict(self, *args, **kwargs):
        return {re.sub(r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2", k): v for k, v in super().state_dict(*args, **kwargs).items()}


def main():
    model = randomise(DenseNet(growth_rate=3, block_config=(2, 1, 2), bn_size=2, num_classes=10), 701, gain=1.4)
    config = {"growth": 3, "layers": (2, 1, 2), "bottleneck": 2, "num_classes": 10, "bn_eps": 1e-5}
    model_fixture(
        "models/densenet-timm.safetensors", "Oracles/cnn_densenet.py", model, images(702, 2, 3, 33, 26), config, 701, ("timm",),
        optional=("global_pool.pool", "global_pool.flatten"), extra=without_acts,
        notes="a norm carries its ReLU; a dense layer's output is the channels that it adds",
    )
    model = randomise(Dotted(growth_rate=3, block_config=(2, 1, 2), num_init_features=6, bn_size=2, num_classes=10), 711, gain=1.4)
    assert "features.denseblock1.denselayer1.norm.1.weight" in model.state_dict()
    model_fixture(
        "models/densenet-torchvision.safetensors", "Oracles/cnn_densenet.py", model, images(712, 2, 3, 33, 26), config, 711,
        ("torchvision",), notes="norm and ReLU are modules of their own; weights under the dotted names of the published files",
    )


if __name__ == "__main__":
    main()
