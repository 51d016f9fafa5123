"""The miniature networks that graphs are exported from: five kinds, from timm, torchvision, transformers and of our own.

An entry makes a network (seeded weights are put in later) and gives the side of its images; `exports.py` uses them.
"""

from functools import partial

import oracle  # noqa: F401, declares what torchvision needs
import torch
import torchvision
import transformers
from timm.models import beit, convnext, deit, efficientnet, eva, mlp_mixer, mobilenetv3, regnet, resnet, swin_transformer, swin_transformer_v2, vision_transformer
from torch import nn
from torch.nn import functional as F

ViT = partial(vision_transformer.VisionTransformer, img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3, num_classes=5)


class Mean(nn.Module):
    """A model of transformers with images alone; the mean of what it gives last."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        output = self.model(pixel_values=images)
        return output.logits if "logits" in output else output.last_hidden_state.flatten(2).mean(-1)


class Twice(nn.Module):
    """Runs again, hands on two values, writes in place."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(8, 8)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.act(self.lin(x)), x * 2


class Own(nn.Module):
    """What graphs can hold besides layers: tied weights, buffers that are not saved, constants, modules that run twice,
    arguments that are left out, writes into views, infinite numbers, modes, and several outputs."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.relu = nn.ReLU(inplace=True)
        self.twice = Twice()
        self.tied = nn.Linear(8, 8)
        self.tied.weight = self.twice.lin.weight
        self.register_buffer("scale", torch.linspace(0.5, 1.5, 8), persistent=False)
        self.shift = torch.arange(8.0) / 8

    def forward(self, x, mask=None):
        x = self.relu(self.conv(x))
        x = self.relu(x - 0.5)
        rows = x.shape[2]
        x = F.interpolate(x, size=(rows // 2, rows // 2), mode="bilinear", align_corners=False)
        x = x.flatten(2).mean(2)
        x, double = self.twice(x)
        x, _ = self.twice(x)
        part = torch.zeros(8)
        part[1:3] = 1
        with torch.no_grad():
            steps = torch.arange(8, device=x.device).float() * 0.1
        with torch.autocast("cpu", enabled=False):
            steps = steps + 1
        x = self.tied(x) * self.scale + self.shift + part + steps
        return {"logits": x.masked_fill(x > 100, float("-inf")), "double": double, "nothing": mask}


def inverted(network, arch, **keys):
    """An EfficientNet or MobileNetV3 of timm with few channels."""
    from timm.models._efficientnet_builder import decode_arch_def, round_channels

    return network(decode_arch_def(arch), num_classes=5, stem_size=8, num_features=16, fix_stem=True,
                   round_chs_fn=partial(round_channels, divisor=1), **keys)


def wide(model, **layers):
    """A network with some layers exchanged for smaller ones."""
    for name, layer in layers.items():
        setattr(model, name, layer)
    return model


def hub(kind, **keys):
    """A model of transformers from its configuration."""
    model = getattr(transformers, kind)
    config = model.config_class(**keys)
    config._attn_implementation = "sdpa" if kind not in ("SwinModel", "ConvNextModel", "ResNetModel") else "eager"
    return Mean(model(config))


ViTKeys = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=48, image_size=32, patch_size=8)

#: name -> (network, side of the images)
NETWORKS = {
    # Vision transformers.
    "vit-timm": (lambda: ViT(), 32),
    "deit-distilled-timm": (lambda: deit.VisionTransformerDistilled(img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3, num_classes=5), 32),
    "siglip-timm": (lambda: ViT(class_token=False, global_pool="map"), 32),
    "beit-timm": (lambda: beit.Beit(img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3, num_classes=5, use_abs_pos_emb=False, use_rel_pos_bias=True, init_values=0.1), 32),
    "eva02-timm": (lambda: eva.Eva(img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3, num_classes=5, qkv_fused=False, mlp_ratio=8 / 3, swiglu_mlp=True, scale_mlp=True, use_rot_pos_emb=True, ref_feat_shape=(4, 4)), 32),
    "vit-torchvision": (lambda: torchvision.models.VisionTransformer(32, 8, 2, 3, 24, 48, num_classes=5), 32),
    "vit-hf": (lambda: hub("ViTForImageClassification", **ViTKeys, num_labels=5), 32),
    "dinov2-hf": (lambda: hub("Dinov2Model", **{k: v for k, v in ViTKeys.items() if k != "intermediate_size"}, mlp_ratio=2), 32),
    "clip-hf": (lambda: hub("CLIPVisionModel", **ViTKeys), 32),
    # Hierarchical ones.
    "swin-timm": (lambda: swin_transformer.SwinTransformer(img_size=32, patch_size=2, embed_dim=8, depths=(2, 1), num_heads=(2, 2), window_size=4, num_classes=5), 32),
    "swinv2-timm": (lambda: swin_transformer_v2.SwinTransformerV2(img_size=32, patch_size=2, embed_dim=8, depths=(2, 1), num_heads=(2, 2), window_size=4, num_classes=5), 32),
    "swin-torchvision": (lambda: torchvision.models.SwinTransformer([2, 2], 8, [2, 1], [2, 2], [4, 4], num_classes=5), 32),
    "swin-hf": (lambda: hub("SwinModel", embed_dim=8, depths=[2, 1], num_heads=[2, 2], window_size=4, image_size=32, patch_size=2), 32),
    # Convolutional networks.
    "resnet-timm": (lambda: resnet.ResNet(resnet.Bottleneck, [1, 1, 1, 1], num_classes=5, stem_width=4, channels=(2, 3, 4, 4)), 64),
    "resnet-torchvision": (lambda: wide(torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1], width_per_group=64), layer2=nn.Identity(), layer3=nn.Identity(), layer4=nn.Identity(), conv1=nn.Conv2d(3, 64, 7, 4, 3, bias=False), fc=nn.Linear(64, 5)), 32),
    "convnext-timm": (lambda: convnext.ConvNeXt(depths=(1, 1, 2, 1), dims=(8, 12, 16, 20), num_classes=5), 64),
    "convnextv2-timm": (lambda: convnext.ConvNeXt(depths=(1, 1, 1, 1), dims=(8, 12, 16, 20), num_classes=5, use_grn=True, ls_init_value=None), 64),
    "efficientnet-timm": (lambda: inverted(efficientnet.EfficientNet, [["ds_r1_k3_s1_e1_c6_se0.25"], ["ir_r2_k5_s2_e2_c8_se0.25"]], act_layer=nn.SiLU), 32),
    "mobilenetv3-timm": (lambda: inverted(mobilenetv3.MobileNetV3, [["ds_r1_k3_s2_e1_c8_se0.25_nre"], ["ir_r1_k3_s2_e3_c12_nre"], ["ir_r1_k5_s1_e2_c12_se0.25"]], act_layer=nn.Hardswish), 32),
    "regnet-timm": (lambda: regnet.RegNet(regnet.RegNetCfg(w0=8, wa=8.0, wm=1.3, group_size=4, depth=4, se_ratio=0.25, stem_width=8), num_classes=5), 32),
    "densenet-torchvision": (lambda: torchvision.models.DenseNet(4, (2, 2), 8, 2, num_classes=5), 32),
    "vgg-torchvision": (lambda: wide(torchvision.models.VGG(torchvision.models.vgg.make_layers([8, "M", 12, "M"], batch_norm=True), num_classes=5), avgpool=nn.AdaptiveAvgPool2d(2), classifier=nn.Sequential(nn.Linear(48, 16), nn.ReLU(True), nn.Dropout(), nn.Linear(16, 5))), 32),
    # Perceptrons, and what users write.
    "mixer-timm": (lambda: mlp_mixer.MlpMixer(img_size=32, patch_size=8, num_blocks=2, embed_dim=24, num_classes=5), 32),
    "own": (Own, 16),
}
