"""transformers' CLIP image tower and DINOv2 in miniature: weights under the names of their files, sites under timm's."""

import tempfile
from pathlib import Path

import torch
from oracle import gradient, images, randomise, record, save, versions
from safetensors.torch import load_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection, Dinov2Config, Dinov2Model
from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel, ViTConfig, ViTForImageClassification

CLIP = {
    "vision_model.embeddings.patch_embedding": "patch_embed.proj",
    "vision_model.embeddings": "pos_drop",
    "vision_model.pre_layrnorm": "norm_pre",
    "visual_projection": "head",
}
CLIP_BLOCK = ("vision_model.encoder.layers.{}", {
    "layer_norm1": "norm1", "self_attn.q_proj": "q", "self_attn.k_proj": "k", "self_attn.v_proj": "v",
    "self_attn.out_proj": "attn.proj", "self_attn": "attn", "layer_norm2": "norm2", "mlp.fc1": "mlp.fc1",
    "mlp.activation_fn": "mlp.act", "mlp.fc2": "mlp.fc2", "mlp": "mlp", "": "",
})
DINO = {"embeddings.patch_embeddings.projection": "patch_embed.proj", "embeddings.patch_embeddings": "patch_embed",
        "embeddings": "pos_drop", "layernorm": "norm"}
DINO_BLOCK = ("encoder.layer.{}", {
    "norm1": "norm1", "attention.q_proj": "q", "attention.k_proj": "k", "attention.v_proj": "v",
    "attention.o_proj": "attn.proj", "attention": "attn", "layer_scale1": "ls1", "norm2": "norm2", "mlp.fc1": "mlp.fc1",
    "mlp.activation_fn": "mlp.act", "mlp.fc2": "mlp.fc2", "mlp": "mlp", "layer_scale2": "ls2", "": "",
})


def saved_weights(model):
    """The weights as `save_pretrained` names them in model.safetensors, and its config.json."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return load_file(Path(folder) / "model.safetensors"), (Path(folder) / "config.json").read_text()


def renamed(sites, plain, block, depth, patterns):
    """Sites under timm's names in execution order; queries, keys and values joined to `attn.qkv`; and the names they had."""
    table = dict(plain)
    for i in range(depth):
        prefix = block[0].format(i)
        table |= {f"{prefix}.{k}" if k else prefix: f"blocks.{i}.{v}" if v else f"blocks.{i}" for k, v in block[1].items()}
    result, upstream = {}, {}
    for name, value in sites.items():
        if name not in table:
            continue
        result[table[name]] = value
        upstream[table[name]] = name
    order = {}
    for name, value in result.items():
        if name.split(".")[-1] in ("q", "k", "v"):
            stem = name.rsplit(".", 1)[0]
            if f"{stem}.attn.qkv" not in order:
                order[f"{stem}.attn.qkv"] = torch.cat([result[f"{stem}.{s}"] for s in "qkv"], -1)
                order[f"{stem}.attn.pattern"] = patterns[int(stem.split(".")[1])]
            upstream[f"{stem}.attn.qkv"] = "q, k, v of " + upstream.pop(name).rsplit(".", 1)[0]
        else:
            order[name] = value
    return order, upstream


def fixture(path, model, x, seed, plain, block, output_name, notes, more=lambda r: {}, meta={}, **call):
    with torch.no_grad():
        sites, result = record(model, lambda: model(x, output_attentions=True, output_hidden_states=True, **call))
    depth = model.config.num_hidden_layers
    sites, upstream = renamed(sites, plain, block, depth, result.attentions)
    for i in range(depth):
        assert torch.equal(result.hidden_states[i + 1], sites[f"blocks.{i}"])
    output = result[output_name]
    weights, config = saved_weights(model)
    tensors = {"input": x, "output": output, "hidden_states.0": result.hidden_states[0],
               "grad/input": gradient(model, x, lambda r: r[output_name]), **more(result)}
    tensors |= {f"site/{k}": v for k, v in sites.items()}
    tensors |= {f"weights/{k}": v.half() for k, v in weights.items()}
    save(path, tensors, {
        "script": "Oracles/hf.py", "versions": versions("transformers"), "seed": str(seed), "config": config,
        "order": list(sites), "optional": ["pos_drop"], "upstream": upstream, "weights_dtype": "float16",
        "output_is": output_name, "loss": "mean of squares of output", "notes": notes, **meta,
    })


def main():
    seed = 151
    config = CLIPVisionConfig(hidden_size=24, intermediate_size=96, projection_dim=12, num_hidden_layers=2,
                              num_attention_heads=3, image_size=24, patch_size=8, attn_implementation="eager")
    model = randomise(CLIPVisionModelWithProjection(config), seed)
    fixture(
        "models/clip-hf.safetensors", model, images(seed + 1, 2, 3, 24, 24), seed, CLIP, CLIP_BLOCK, "image_embeds",
        "hidden_states.0 is norm_pre; last_hidden_state is blocks.1 before post_layernorm; post_layernorm sees the class "
        "token alone, its output is the tensor `pooled` (timm's norm at token 0); output is image_embeds, not normalised",
        more=lambda r: {"pooled": pooled(model, r)},
    )
    for name, size in (("", (14, 21)), ("-square", (21, 21))):
        seed = 161
        config = Dinov2Config(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, image_size=35, patch_size=7,
                              mlp_ratio=4, attn_implementation="eager")
        model = randomise(Dinov2Model(config), seed)
        x = images(seed + 1, 2, 3, *size)
        fixture(
            f"models/dinov2-hf{name}.safetensors", model, x, seed, DINO, DINO_BLOCK, "last_hidden_state",
            "hidden_states.0 is the embeddings (pos_drop); last_hidden_state is after layernorm, all tokens; pooler_output "
            "is its token 0; pos_embed.resized is the positions after resizing to the grid of the input",
            more=lambda r: {
                "pooled": r.pooler_output,
                "pos_embed.resized": model.embeddings.interpolate_pos_encoding(
                    r.hidden_states[0], x.shape[2], x.shape[3]).detach(),
            },
            meta={"grid": [5, 5], "input_grid": [size[0] // 7, size[1] // 7],
                  "pos_resize": {"mode": "bicubic", "antialias": False, "align_corners": False, "by": "size"}},
        )

    seed = 171
    config = Dinov2WithRegistersConfig(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, image_size=35, patch_size=7,
                                       mlp_ratio=4, num_register_tokens=2, attn_implementation="eager")
    plain(
        "models/dinov2-registers-hf.safetensors", randomise(Dinov2WithRegistersModel(config), seed), images(seed + 1, 2, 3, 14, 21),
        seed, lambda r: r.pooler_output, "output is pooler_output, the class token after layernorm")
    seed = 181
    config = ViTConfig(hidden_size=24, intermediate_size=96, num_hidden_layers=2, num_attention_heads=3, image_size=24, patch_size=8,
                       num_labels=10, attn_implementation="eager")
    plain(
        "models/vit-hf.safetensors", randomise(ViTForImageClassification(config), seed), images(seed + 1, 2, 3, 24, 24), seed,
        lambda r: r.logits, "output is logits")


def plain(path, model, x, seed, output_of, notes):
    """Weights, blocks' outputs (hidden_states.i, the first before any block) and the output."""
    with torch.no_grad():
        result = model(x, output_hidden_states=True)
    weights, config = saved_weights(model)
    tensors = {"input": x, "output": output_of(result)}
    tensors |= {f"hidden_states.{i}": v for i, v in enumerate(result.hidden_states)}
    tensors |= {f"weights/{k}": v.half() for k, v in weights.items()}
    save(path, tensors, {
        "script": "Oracles/hf.py", "versions": versions("transformers"), "seed": str(seed), "config": config, "order": [],
        "weights_dtype": "float16", "notes": notes,
    })


def pooled(model, result):
    with torch.no_grad():
        return model.vision_model.post_layernorm(result.last_hidden_state[:, 0])


if __name__ == "__main__":
    main()
