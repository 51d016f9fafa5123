"""Miniature networks without one of their parts, and with one module's parameters drawn anew, by hooks in PyTorch.

Networks, weights and images are those of the fixtures that vit.py, mixer.py and cnn_resnet.py have made. Hooks hand on what comes into a
module that is taken out, or zeros for a branch; a block without its skips has a forward pass of its own. Drawn parameters are those of
`RandomWeights`: torch's generator, seeded by the seed and the parameter's name.
"""

import torch
from cnn_resnet import build as resnet
from oracle import save, versions
from receptive_field import held
from timm.models.mlp_mixer import MlpMixer
from timm.models.resnet import Bottleneck
from vit import build as vit

PACKAGES = ("timm",)
SEED = 7


def through(module):
    """What comes in goes out."""
    return module.register_forward_hook(lambda _, args, out: args[0])


def nothing(module):
    return module.register_forward_hook(lambda _, args, out: torch.zeros_like(out))


def without(model, parts):
    """Takes parts out; returns what puts them back."""
    handles, undo = [], []
    gone = [p for p in ("attention", "mlp") if p in parts]
    for name, module in model.named_modules():
        kind = type(module).__name__
        if "norm" in parts and (isinstance(module, (torch.nn.LayerNorm, torch.nn.BatchNorm2d))):
            handles.append(through(module))
        last = name.split(".")[-1]
        if ("attention" in parts and last in ("attn", "mlp_tokens")) or ("mlp" in parts and last in ("mlp", "mlp_channels")):
            handles.append(nothing(module))
        if "residual" not in parts:
            continue
        if kind == "Block":
            def forward(x, block=module, **_):
                if "attention" not in gone:
                    x = block.attn(block.norm1(x))
                return x if "mlp" in gone else block.mlp(block.norm2(x))
        elif kind == "MixerBlock":
            def forward(x, block=module):
                if "attention" not in gone:
                    x = block.mlp_tokens(block.norm1(x).transpose(1, 2)).transpose(1, 2)
                return x if "mlp" in gone else block.mlp_channels(block.norm2(x))
        elif kind == "Bottleneck":
            def forward(x, block=module):
                x = block.act1(block.bn1(block.conv1(x)))
                x = block.act2(block.bn2(block.conv2(x)))
                return block.act3(block.bn3(block.conv3(x)))
        else:
            continue
        own = module.forward
        module.forward = forward
        undo.append((module, own))
    if "depth" in parts:
        first = {}
        for block in model.blocks:
            handles.append(block.register_forward_pre_hook(lambda _, args: (first.setdefault("x", args[0]), *args[1:])))
        handles.append(model.register_forward_hook(lambda *_: first.clear()))
    if "pooling" in parts:
        pool = model.maxpool
        model.maxpool = torch.nn.Identity()
        undo.append((model, pool))

    def back():
        for handle in handles:
            handle.remove()
        for module, own in undo:
            if module is model:
                model.maxpool = own
            else:
                module.forward = own

    return back


def drawn(name, shape, seed=SEED):
    """A parameter of RandomWeights."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    generator = torch.Generator().manual_seed(((seed ^ value) + 2**63) % 2**64 - 2**63)
    last = name.split(".")[-1]
    if last == "weight" and len(shape) == 1 or last == "running_var":
        return torch.ones(shape)
    if last == "weight" and len(shape) == 4:
        return torch.randn(shape, generator=generator) * (2 / (shape[0] * shape[2] * shape[3])) ** 0.5
    if last in ("weight", "cls_token", "pos_embed"):
        return torch.randn(shape, generator=generator) * 0.02
    return torch.zeros(shape)


def run(model, x, sites):
    found, handles = {}, []
    for site in sites:
        handles.append(model.get_submodule(site).register_forward_hook(
            lambda _, __, out, site=site: found.__setitem__(site, out.detach().clone())))
    with torch.no_grad():
        found["output"] = model(x)
    for handle in handles:
        handle.remove()
    return found


def main():
    tensors, facts = {}, {}
    cases = {
        "vit-timm": (["norm", "mlp", "attention", "residual", "mlp+residual", "attention+norm", "depth", "norm+depth"], ["blocks.0", "blocks.1"],
                     {"stem": ["patch_embed"], "first-norm": ["blocks.0.norm1"], "positions": ["pos_embed"], "blocks.1.attn": ["blocks.1.attn"]}),
        "mixer-timm": (["norm", "mlp", "attention", "residual", "depth"], ["blocks.0", "blocks.1"], {"stem": ["stem"], "first-norm": ["blocks.0.norm1"]}),
        "resnet-bottleneck": (["norm", "residual", "pooling"], ["layer1.0", "layer2.0", "layer2.1", "layer4.0"],
                              {"stem": ["conv1", "bn1"], "layer2.0": ["layer2.0"]}),
    }
    for name, (parts, sites, swaps) in cases.items():
        parameters, x, config = held(name)
        if name == "vit-timm":
            keys = ("img_size", "patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio", "num_classes")
            model = vit({k: config[k] for k in keys})
        elif name == "mixer-timm":
            model = MlpMixer(**{k: config[k] for k in ("img_size", "patch_size", "num_blocks", "embed_dim", "num_classes")})
        else:
            model = resnet(Bottleneck, config["layers"], config["channels"], config["stem"], config["num_classes"])
        model.eval().load_state_dict(parameters)
        whole = run(model, x, sites)
        for part in parts:
            back = without(model, part.split("+"))
            found = run(model, x, sites)
            back()
            tensors |= {f"{name}/{part}/{site}": value for site, value in found.items()}
            changed = (found["output"] - whole["output"]).abs().max() if found["output"].shape == whole["output"].shape else None
            assert changed is None or changed > 1e-4, (name, part)
            print(name, part, changed)
        assert torch.equal(run(model, x, sites)["output"], whole["output"])
        state = {k: v.clone() for k, v in model.state_dict().items()}
        counted = [k for k in state if not k.endswith("num_batches_tracked")]
        for swap, modules in swaps.items():
            inside = [k for k in counted if any(k == m or k.startswith(m + ".") for m in modules)]
            for word, own in (("untrained", inside), ("trained", [k for k in counted if k not in inside])):
                model.load_state_dict(state | {k: drawn(k, state[k].shape) for k in own})
                found = run(model, x, sites)
                tensors |= {f"{name}/{word} {swap}/{site}": value for site, value in found.items()}
                print(name, word, swap, (found["output"] - whole["output"]).abs().max())
        facts[name] = {"parts": parts, "swaps": list(swaps), "sites": sites}
    save("inversion/surgery.safetensors", tensors, {
        "script": "Oracles/surgery.py", "versions": versions(*PACKAGES), "seed": str(SEED), "cases": facts,
        "notes": "MODEL/PART/SITE and MODEL/{untrained,trained} MODULE/SITE: activations, and `output`, of the images of models/MODEL"})


if __name__ == "__main__":
    main()
