"""timm's Swin Transformers in miniature, first and second version, on grids that windows and mergings do not divide."""

import torch
from oracle import halved, images, model_fixture, randomise
from timm.models.swin_transformer import SwinTransformer
from timm.models.swin_transformer_v2 import SwinTransformerV2

PACKAGES = ("timm",)


def with_patterns(model):
    """`attn.softmax` is called `attn.pattern`, as elsewhere; `attn.qkv` of the second version is recomputed with its biases."""

    def add(sites, _):
        result, inputs = {}, {}
        attentions = {name: m for name, m in model.named_modules() if name.endswith(".attn")}
        handles = [m.register_forward_pre_hook(lambda _, args, name=name: inputs.__setitem__(name, args[0]))
                   for name, m in attentions.items()]
        model(add.images)
        for h in handles:
            h.remove()
        for name, value in sites.items():
            if name == "layers" or name.endswith(".blocks") or ".cpb_mlp" in name or name.startswith("head.global_pool."):
                continue
            if name.endswith(".attn.softmax"):
                stem = name.removesuffix(".softmax")
                attn = attentions[stem]
                if f"{stem}.qkv" not in sites:
                    bias = torch.cat((attn.q_bias, attn.k_bias, attn.v_bias))
                    result[f"{stem}.qkv"] = torch.nn.functional.linear(inputs[stem], attn.qkv.weight, bias)
                result[f"{stem}.pattern"] = value
            else:
                result[name] = value
        return result

    return add


def main():
    # Grids 7x7, 4x4, 2x2: padded windows, odd mergings, and a stage smaller than a window.
    for path, build, seed in (("swin-timm", SwinTransformer, 221), ("swinv2-timm", SwinTransformerV2, 231)):
        config = dict(img_size=28, patch_size=4, embed_dim=4, depths=(2, 2, 1), num_heads=(1, 2, 2), window_size=3,
                      mlp_ratio=1.5, num_classes=10)
        if build is SwinTransformerV2:
            config |= dict(depths=(2, 1, 1), pretrained_window_sizes=(0, 2, 0))
        model = randomise(build(**config), seed)
        if build is SwinTransformerV2:
            # One temperature beyond the largest that is let through, the others as trained ones are.
            with torch.no_grad():
                for name, p in model.named_parameters():
                    if name.endswith("logit_scale"):
                        p.copy_(halved(p + 2))
                model.layers[1].blocks[0].attn.logit_scale[0] = 5.0
        add = with_patterns(model)
        x = images(seed + 1, 2, 3, 28, 28)
        add.images = x
        model_fixture(
            f"models/{path}.safetensors", "Oracles/swin.py", model, x, config | {"norm_eps": 1e-5}, seed, PACKAGES,
            optional=(), extra=add,
            notes="maps are [batch, height, width, channels]; inside attention [batch * windows, tokens, width]; attn.pattern "
            "is timm's attn.softmax",
        )


if __name__ == "__main__":
    main()
