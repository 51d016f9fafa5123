"""transformers' DeiT, ViTMAE, BEiT, SigLIP, Swin, Swin v2 and DINOv3 in miniature: weights under the names of their files."""

import torch
from hf import plain
from oracle import images, randomise
from transformers import (
    BeitConfig, BeitForImageClassification, DeiTConfig, DeiTForImageClassification, DeiTForImageClassificationWithTeacher,
    DINOv3ViTConfig, DINOv3ViTModel, SiglipVisionConfig, SiglipVisionModel, Swinv2Config, Swinv2ForImageClassification, SwinConfig,
    SwinForImageClassification, ViTMAEConfig, ViTMAEForPreTraining,
)

SMALL = dict(hidden_size=24, intermediate_size=96, num_hidden_layers=2, num_attention_heads=3, image_size=24, patch_size=8,
             attn_implementation="eager")


class Encoder(torch.nn.Module):
    """MAE's encoder on every patch in order, for its own shuffles them and drops most."""

    def __init__(self, model):
        super().__init__()
        self.whole, self.config = model, model.config

    def forward(self, x, **more):
        count = self.config.image_size // self.config.patch_size
        noise = torch.arange(count * count).float().expand(len(x), -1)
        return self.whole.vit(x, noise=noise, **more)

    def save_pretrained(self, folder):
        self.whole.save_pretrained(folder)


def main():
    x = images(301, 2, 3, 24, 24)
    logits = lambda r: r.logits
    forms = (
        ("deit-hf", DeiTForImageClassificationWithTeacher(DeiTConfig(**SMALL, num_labels=10)), logits, "output is logits"),
        ("deit-student-hf", DeiTForImageClassification(DeiTConfig(**SMALL, num_labels=10)), logits,
         "output is logits: its head reads the class token alone"),
        ("mae-hf", Encoder(ViTMAEForPreTraining(ViTMAEConfig(**SMALL, mask_ratio=0.0, decoder_hidden_size=12, decoder_num_hidden_layers=1,
                                                             decoder_num_attention_heads=2, decoder_intermediate_size=24))),
         lambda r: r.last_hidden_state[:, 0], "output is the class token after layernorm, nothing masked, patches in order"),
        ("beit-hf", BeitForImageClassification(BeitConfig(**SMALL, num_labels=10, use_relative_position_bias=True,
                                                          use_absolute_position_embeddings=False)), logits, "output is logits"),
        ("siglip-hf", SiglipVisionModel(SiglipVisionConfig(**SMALL)), lambda r: r.pooler_output, "output is pooler_output"),
        ("dinov3-hf", DINOv3ViTModel(DINOv3ViTConfig(**SMALL, num_register_tokens=2)), lambda r: r.last_hidden_state[:, 3:].mean(1),
         "output is the mean of the patches after norm"),
        ("dinov3-gated-hf", DINOv3ViTModel(DINOv3ViTConfig(**SMALL | dict(intermediate_size=72), num_register_tokens=2, use_gated_mlp=True,
                                                           hidden_act="silu")),
         lambda r: r.last_hidden_state[:, 3:].mean(1), "output is the mean of the patches after norm"),
    )
    for seed, (name, model, output_of, notes) in enumerate(forms, 311):
        plain(f"models/{name}.safetensors", randomise(model, seed), x, seed, output_of, notes)
    # Every grid is at least a window, for transformers' first version has a table of the window's size whatever the grid.
    swin = dict(image_size=24, patch_size=4, embed_dim=8, depths=[2, 2], num_heads=[1, 2], window_size=3, num_labels=10)
    for seed, (name, model) in enumerate((("swin-hf", SwinForImageClassification(SwinConfig(**swin))),
                                          ("swinv2-hf", Swinv2ForImageClassification(Swinv2Config(**swin)))), 331):
        plain(f"models/{name}.safetensors", randomise(model, seed), images(302, 2, 3, 24, 24), seed, logits, "output is logits")


if __name__ == "__main__":
    main()
