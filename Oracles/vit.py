"""timm's vision transformers in miniature: plain, CLIP's tower (pre-norm, QuickGELU), DINOv2's (LayerScale, resized positions),
DeiT's (distillation token), SigLIP's (no class token, attention pooling)."""

from functools import partial

from oracle import attention_calls, images, model_fixture, probabilities, randomise
from timm.layers import LayerNorm, resample_abs_pos_embed
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer

PACKAGES = ("timm",)


def with_patterns(model):
    """Adds `blocks.i.attn.pattern`, the attention probabilities, recomputed from the hooked queries and keys."""

    def add(sites, _):
        result = {}
        for name, value in sites.items():
            result[name] = value
            if name.endswith(".attn.qkv"):
                block = model.blocks[int(name.split(".")[1])]
                b, n, three_d = value.shape
                heads = block.attn.num_heads
                q, k, _ = value.reshape(b, n, 3, heads, three_d // 3 // heads).permute(2, 0, 3, 1, 4)
                scores = q @ k.transpose(-2, -1) / (three_d // 3 // heads) ** 0.5
                result[name.replace("qkv", "pattern")] = scores.softmax(-1)
        return result

    return add


def build(config, **more):
    return VisionTransformer(**config, **more)


def main():
    seed = 101
    config = dict(img_size=24, patch_size=8, embed_dim=24, depth=2, num_heads=3, mlp_ratio=4.0, num_classes=10)
    model = randomise(build(config), seed)
    model_fixture(
        "models/vit-timm.safetensors", "Oracles/vit.py", model, images(seed + 1, 2, 3, 24, 24),
        config | {"norm_eps": 1e-6, "act": "gelu (exact, erf)", "pool": "token", "pre_norm": False}, seed, PACKAGES,
        optional=("pos_drop", "blocks"), extra=with_patterns(model),
        notes="pos_drop is the sum of patches, class token and positions; attn.pattern is recomputed from attn.qkv",
    )

    seed = 111
    config = dict(img_size=24, patch_size=8, embed_dim=24, depth=2, num_heads=3, mlp_ratio=4.0, num_classes=12,
                  pre_norm=True, act_layer="quick_gelu")
    model = build(config, norm_layer=partial(LayerNorm, eps=1e-5))
    model = randomise(model, seed)
    assert model.patch_embed.proj.bias is None
    model_fixture(
        "models/vit-clip-timm.safetensors", "Oracles/vit.py", model, images(seed + 1, 2, 3, 24, 24),
        config | {"norm_eps": 1e-5, "pool": "token", "patch_bias": False}, seed, PACKAGES,
        optional=("pos_drop", "blocks"), extra=with_patterns(model),
        notes="as vit_base_patch16_clip_quickgelu_224: norm_pre after positions, patch_embed.proj without bias, "
        "norm over all tokens, head on the class token (with bias in timm's own class; CLIP's projection has none)",
    )

    # Positions of a 5x5 grid; images of 2x3 patches of 7x7.
    for name, size, antialias in (("", (14, 21), True), ("-square", (21, 21), True)):
        seed = 121
        config = dict(img_size=35, patch_size=7, embed_dim=24, depth=2, num_heads=3, mlp_ratio=4.0, num_classes=0,
                      init_values=1e-5, dynamic_img_size=True)
        model = randomise(build(config), seed)
        x = images(seed + 1, 2, 3, *size)
        patterns = with_patterns(model)

        def extra(sites, result, model=model, size=size):
            sites = patterns(sites, result)
            sites["patch_embed"] = sites["patch_embed"].flatten(1, 2)
            sites["pos_embed.resized"] = resample_abs_pos_embed(
                model.pos_embed, new_size=[size[0] // 7, size[1] // 7], num_prefix_tokens=1).detach()
            return sites

        model_fixture(
            f"models/vit-dinov2-timm{name}.safetensors", "Oracles/vit.py", model, x,
            config | {"norm_eps": 1e-6, "grid": [5, 5], "input_grid": [size[0] // 7, size[1] // 7],
                      "pos_resize": {"mode": "bicubic", "antialias": True, "align_corners": False, "by": "size"}},
            seed, PACKAGES, optional=("pos_drop", "blocks"), extra=extra,
            notes="init_values is only a starting value: ls1.gamma and ls2.gamma are in the weights. output is the class "
            "token of norm. site pos_embed.resized (last in order) is no module: the positions after resizing. patch_embed is flattened to [batch, "
            "patches, width], for timm keeps it as [batch, rows, columns, width] when dynamic_img_size is on",
        )

    # DINOv2 with registers: these and the class token have no position embedding.
    seed = 131
    config = dict(img_size=35, patch_size=7, embed_dim=24, depth=2, num_heads=3, mlp_ratio=4.0, num_classes=0,
                  init_values=1e-5, reg_tokens=2, no_embed_class=True, dynamic_img_size=True)
    model = randomise(build(config), seed)
    patterns = with_patterns(model)

    def flat(sites, result):
        sites = patterns(sites, result)
        sites["patch_embed"] = sites["patch_embed"].flatten(1, 2)
        return sites

    model_fixture(
        "models/vit-registers-timm.safetensors", "Oracles/vit.py", model, images(seed + 1, 2, 3, 14, 21),
        config | {"norm_eps": 1e-6}, seed, PACKAGES, optional=("pos_drop", "blocks"), extra=flat,
        notes="as vit_small_patch14_reg4_dinov2: class token, registers, patches; patch_embed is flattened to [batch, patches, width]",
    )

    # DeiT with its distillation token.
    seed = 191
    config = dict(img_size=24, patch_size=8, embed_dim=24, depth=2, num_heads=3, mlp_ratio=4.0, num_classes=10)
    model = randomise(VisionTransformerDistilled(**config), seed)
    model_fixture(
        "models/deit-distilled-timm.safetensors", "Oracles/vit.py", model, images(seed + 1, 2, 3, 24, 24),
        config | {"norm_eps": 1e-6}, seed, PACKAGES, optional=("pos_drop", "blocks"), extra=with_patterns(model),
        notes="output is the mean of head on the class token and head_dist on the distillation token",
    )

    # SigLIP: pooled by attention of a learned query; the head of open_clip's towers is none.
    for name, classes, act in (("", 0, None), ("-tanh", 10, "gelu_tanh")):
        seed = 201
        config = dict(img_size=24, patch_size=8, embed_dim=18, depth=2, num_heads=3, mlp_ratio=3.7362, num_classes=classes,
                      class_token=False, global_pool="map", act_layer=act)
        model = randomise(build(config), seed)
        patterns = with_patterns(model)
        with attention_calls() as calls:

            def pooled(sites, result, patterns=patterns, calls=calls):
                sites = patterns(sites, result)
                result = {}
                for key, value in sites.items():
                    if key == "attn_pool.proj":
                        result["attn_pool.pattern"] = probabilities(calls[2])
                    result[key] = value
                return result

            model_fixture(
                f"models/siglip-timm{name}.safetensors", "Oracles/vit.py", model, images(seed + 1, 2, 3, 24, 24),
                config | {"norm_eps": 1e-6}, seed, PACKAGES, optional=("pos_drop", "blocks", "attn_pool.q"), extra=pooled,
                notes="attn_pool.pattern is recomputed from the queries and keys that the pooling hands to the fused attention",
            )


if __name__ == "__main__":
    main()
