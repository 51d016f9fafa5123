"""timm's BEiT in miniature: relative position bias, queries' and values' biases, mean pooling."""

import torch
from oracle import attention_calls, images, model_fixture, probabilities, randomise
from timm.models.beit import Beit

PACKAGES = ("timm",)


def with_attention(model, calls):
    """Adds `attn.qkv`, which timm computes without its module for the sake of the biases, and `attn.pattern`."""

    def add(sites, _):
        result = {}
        for name, value in sites.items():
            if name.endswith(".attn.proj"):
                index = int(name.split(".")[1])
                attn = model.blocks[index].attn
                bias = torch.cat((attn.q_bias, attn.k_bias, attn.v_bias))
                stem = name.removesuffix("proj")
                result[stem + "qkv"] = torch.nn.functional.linear(sites[f"blocks.{index}.norm1"], attn.qkv.weight, bias).detach()
                result[stem + "pattern"] = probabilities(calls[index])
            result[name] = value
        return result

    return add


def main():
    seed = 211
    config = dict(img_size=24, patch_size=8, embed_dim=24, depth=2, num_heads=3, mlp_ratio=4.0, num_classes=10,
                  use_abs_pos_emb=False, use_rel_pos_bias=True, init_values=0.1)
    model = randomise(Beit(**config), seed)
    with attention_calls() as calls:
        model_fixture(
            "models/beit-timm.safetensors", "Oracles/beit.py", model, images(seed + 1, 2, 3, 24, 24),
            config | {"norm_eps": 1e-6, "pool": "avg"}, seed, PACKAGES, optional=("pos_drop",),
            extra=with_attention(model, calls),
            notes="fc_norm on the mean of the patch tokens; attn.qkv and attn.pattern are recomputed",
        )


if __name__ == "__main__":
    main()
