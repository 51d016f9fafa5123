"""timm's EVA-02 and DINOv3 in miniature: rotary positions, gated MLPs, registers."""

from functools import partial

import torch
from oracle import attention_calls, images, model_fixture, probabilities, randomise
from timm.layers import LayerNorm
from timm.models.eva import Eva

PACKAGES = ("timm",)


def with_attention(model, calls):
    """Adds `attn.pattern`, and `attn.qkv` where timm computes it without its module; flattens `patch_embed`."""

    def add(sites, _):
        result = {}
        for name, value in sites.items():
            if name == "patch_embed" and value.ndim == 4:
                value = value.flatten(1, 2)
            if name.endswith(".attn.norm") or name.endswith(".attn.proj"):
                index = int(name.split(".")[1])
                attn, stem = model.blocks[index].attn, name.rsplit(".", 1)[0]
                if attn.qkv is not None and f"{stem}.qkv" not in sites:
                    bias = torch.cat((attn.q_bias, attn.k_bias, attn.v_bias))
                    result[f"{stem}.qkv"] = torch.nn.functional.linear(sites[f"blocks.{index}.norm1"], attn.qkv.weight, bias).detach()
                result.setdefault(f"{stem}.pattern", probabilities(calls[index]))
            result[name] = value
        return result

    return add


def main():
    base = dict(patch_size=7, embed_dim=24, depth=2, num_heads=3, use_rot_pos_emb=True, dynamic_img_size=True)
    eva = base | dict(img_size=21, mlp_ratio=4 * 2 / 3, swiglu_mlp=True, ref_feat_shape=(2, 2), num_classes=10)
    dino = base | dict(img_size=21, num_classes=0, qkv_bias=False, init_values=1e-5, rope_type="dinov3", rope_temperature=100,
                       rope_rotate_half=True, use_abs_pos_emb=False, num_reg_tokens=2, use_fc_norm=False)
    forms = (
        ("eva02-timm", eva, (21, 21), 251, 1e-6),
        ("eva02-split-timm", eva | dict(qkv_fused=False, scale_mlp=True), (14, 21), 261, 1e-6),
        ("dinov3-timm", dino, (14, 21), 271, 1e-5),
        ("dinov3-swiglu-timm", dino | dict(qkv_bias=True, swiglu_mlp=True, swiglu_align_to=8, mlp_ratio=2.9), (21, 21), 281, 1e-5),
    )
    for path, config, size, seed, eps in forms:
        model = randomise(Eva(**config, norm_layer=partial(LayerNorm, eps=eps)), seed)
        with attention_calls() as calls:
            model_fixture(
                f"models/{path}.safetensors", "Oracles/eva.py", model, images(seed + 1, 2, 3, *size),
                config | {"norm_eps": eps, "pool": "avg"}, seed, PACKAGES, optional=("pos_drop", "rope"),
                extra=with_attention(model, calls),
                notes="attn.pattern is recomputed from rotated queries and keys; output is the mean of the patch tokens, through "
                "fc_norm and head where there are any",
            )


if __name__ == "__main__":
    main()
