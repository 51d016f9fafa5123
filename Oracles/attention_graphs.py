"""Attention weights inside exported graphs, as PyTorch has them, and a small graph with every form of fused attention.

    python3 Oracles/attention_graphs.py

The networks, weights and images are those of `exports.py`, the weights as the archives have them. Every call of the fused attention is caught, with the module that
it ran in, and given to PyTorch's own reference form, which hands out its weights (`aten::_scaled_dot_product_attention_math`).
`NAME/patched` is the output where the first call's weights are turned round over the keys. Writes
Tests/Fixtures/attention/graphs.safetensors and forms.pt2.
"""

import io
import json
import sys
import zipfile

import oracle
import torch
from attention import in_a_row, numbers
from exported import NETWORKS
from exports import first, thinned
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(oracle.FIXTURES.parent.parent / "Scripts"))
from export import export  # noqa: E402

PACKAGES = ("timm", "torchvision", "transformers")
#: name -> tokens before the patches.
MODELS = {"vit-timm": 1, "deit-distilled-timm": 2, "siglip-timm": 0, "beit-timm": 1, "eva02-timm": 1, "vit-torchvision": 1,
          "vit-hf": 1, "dinov2-hf": 1, "clip-hf": 1, "forms": 0}
FUSED = F.scaled_dot_product_attention


def reference(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
    """PyTorch's output and weights, written out; truth values become 0 and -inf, as the public function makes them."""
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        attn_mask = torch.zeros(attn_mask.shape).masked_fill(~attn_mask, -torch.inf)
    return torch.ops.aten._scaled_dot_product_attention_math(
        q, k, v, attn_mask, 0.0, is_causal, None, scale=scale, enable_gqa=enable_gqa)


def with_weights(model, path):
    """The weights of a thinned archive, which torch itself no longer loads, put into the network that it came from."""
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("archive/data/weights/model_weights_config.json"))["config"]
        state = dict(model.named_parameters()) | dict(model.named_buffers())
        with torch.no_grad():
            for name, entry in config.items():
                data = archive.read("archive/data/weights/" + entry["path_name"])
                target = state[name]
                target.copy_(torch.frombuffer(bytearray(data), dtype=target.dtype)[: target.numel()].view(target.shape))
    return model.eval()


class Attend(nn.Module):
    """One form of attention, a module of its own."""

    def __init__(self, form):
        super().__init__()
        self.form = form
        self.drop = nn.Dropout(0.1)

    def forward(self, q, k, v):
        n = q.shape[2]
        if self.form == "eager":
            return self.drop((q @ k.transpose(-1, -2) * 0.4).softmax(-1)) @ v
        if self.form == "flash":
            return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, False, scale=0.3)[0]
        keys = {
            "plain": {}, "causal": {"is_causal": True}, "scaled": {"scale": 0.7}, "grouped": {"enable_gqa": True},
            # The third query may look at nothing.
            "masked": {"attn_mask": (torch.arange(n)[:, None] >= torch.arange(n) - 4) & (torch.arange(n) != 2)[:, None]},
            "biased": {"attn_mask": -0.2 * (torch.arange(n)[:, None] - torch.arange(n)).abs().float(), "scale": 1.3},
        }[self.form]
        if self.form == "grouped":
            k, v = k[:, :2], v[:, :2]
        return F.scaled_dot_product_attention(q, k, v, **keys)


class Forms(nn.Module):
    """Patches that go through every form in turn."""

    def __init__(self):
        super().__init__()
        self.proj = nn.Conv2d(3, 16, 8, 8)
        self.pos_embed = nn.Parameter(torch.zeros(1, 16, 16))
        self.qkv = nn.ModuleList(nn.Linear(16, 48) for _ in FORMS)
        self.attend = nn.ModuleDict({form: Attend(form) for form in FORMS})

    def forward(self, images):
        x = self.proj(images).flatten(2).transpose(1, 2) + self.pos_embed
        for qkv, attend in zip(self.qkv, self.attend.values()):
            q, k, v = qkv(x).unflatten(2, (3, 4, 4)).permute(2, 0, 3, 1, 4).unbind(0)
            x = x + attend(q, k, v).transpose(1, 2).flatten(2)
        return x.mean(1)


FORMS = ("plain", "causal", "scaled", "masked", "biased", "grouped", "flash", "eager")


def caught(model, images, turn=None):
    """The model's output, and of every attention its module, weights and heads' outputs; `turn` turns that call's weights round."""
    stack, calls, handles = [""], [], []

    def seen(q, k, v, *more, **keys):
        keys |= dict(zip(("attn_mask", "dropout_p", "is_causal"), more))
        _, weights = reference(q, k, v, **keys)
        values = v.repeat_interleave(q.shape[1] // v.shape[1], 1)
        if turn == len(calls):
            weights = weights.flip(-1)
        out = weights @ values
        if turn is None:
            assert torch.allclose(out, FUSED(q, k, v, **keys), atol=1e-5)
        calls.append((stack[-1], weights.detach(), out.detach()))
        return out

    def eager(module, args):
        if isinstance(module, Attend) and module.form in ("eager", "flash"):
            # The product by which these two differ from the others is the scale.
            seen(*args, scale=0.4 if module.form == "eager" else 0.3)

    def left(*_):
        stack.pop()

    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(lambda m, a, name=name: stack.append(name)))
        handles.append(module.register_forward_pre_hook(eager))
        handles.append(module.register_forward_hook(left))
    F.scaled_dot_product_attention = seen
    try:
        result = first(model(images))
    finally:
        F.scaled_dot_product_attention = FUSED
    for handle in handles:
        handle.remove()
    return result.detach(), calls


def main():
    tensors, sites = {}, {}
    for name, prefix in MODELS.items():
        if name == "forms":
            make, side, seed = Forms, 32, 77
        else:
            (make, side), seed = NETWORKS[name], list(NETWORKS).index(name)
        torch.manual_seed(seed)
        model = oracle.randomise(make(), seed)
        if name != "forms":
            model = with_weights(model, oracle.FIXTURES / "exports" / f"{name}.pt2")
        else:
            whole = io.BytesIO()
            export(model, whole, side, {"input_size": [3, side, side], "mean": [0.5] * 3, "std": [0.25] * 3, "crop_pct": 1.0,
                                        "interpolation": "bicubic"})
            whole.seek(0)
            thinned(whole, oracle.FIXTURES / "attention" / "forms.pt2")
        x = oracle.images(seed, 2, 3, side, side)
        output, calls = caught(model, x.clone())
        assert (output - first(model(x.clone()))).abs().max() < 3e-6 * output.abs().max()
        if name == "forms":
            tensors["forms/input"], tensors["forms/output"] = x.half(), output
        tensors[f"{name}/patched"] = caught(model, x.clone(), turn=0)[0]
        for module, weights, out in calls:
            tensors[f"{name}/{module}/pattern"], tensors[f"{name}/{module}/heads"] = weights, out
            if weights.shape[-1] == weights.shape[-2] == prefix + (side // 8) ** 2:
                windows, visible = in_a_row(prefix, side // 8, side // 8)
                distance, entropy = numbers(weights.double().numpy(), windows, visible, 8, False)
                tensors[f"{name}/{module}/distance"] = torch.from_numpy(distance)
                tensors[f"{name}/{module}/entropy"] = torch.from_numpy(entropy)
        sites[name] = [module for module, *_ in calls]
        print(name, sites[name])
    oracle.save("attention/graphs.safetensors", tensors, {
        "script": "Oracles/attention_graphs.py", "sites": sites, "versions": oracle.versions(*PACKAGES),
        "notes": "MODEL/MODULE/{pattern,heads}: weights and weights·V; distance and entropy as in attention.py, dropped without "
        "renormalisation; MODEL/patched: the output with the first attention's weights turned round over the keys"}, limit=400_000)


if __name__ == "__main__":
    main()
