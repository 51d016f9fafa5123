"""What every oracle shares: seeded weights, hooks on every module, and one way of writing a fixture."""

import json
import platform
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import save_file

# torchvision beside the CPU build of torch lacks its compiled operators; declaring these two lets it import.
_library = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _library.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

FIXTURES = Path(__file__).resolve().parent.parent / "Tests" / "Fixtures"
LIMIT = 200_000

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


def versions(*packages):
    return {"python": platform.python_version(), **{p: version(p) for p in ("torch", "numpy", *packages)}}


def halved(tensor):
    """The tensor rounded through float16, so that a fixture may store it in half the space."""
    return tensor.half().float()


def randomise(model, seed, gain=1.0, norm_gain=1.0):
    """Seeded weights; batch-norm statistics that are neither 0 nor 1; all exact in float16."""
    g = torch.Generator().manual_seed(seed)
    rn = lambda t: torch.randn(t.shape, generator=g)
    ru = lambda t, lo, hi: lo + (hi - lo) * torch.rand(t.shape, generator=g)
    with torch.no_grad():
        for name, p in model.named_parameters():
            leaf = name.split(".")[-1]
            if leaf.startswith("gamma") or leaf == "lambda1":
                value = ru(p, 0.3, 1.0)
            elif "pos" in name and "embed" in name or leaf in ("cls_token", "class_embedding", "mask_token"):
                value = 0.5 * rn(p)
            elif p.ndim >= 2:
                value = gain * rn(p) / p[0].numel() ** 0.5
            elif leaf == "weight":
                value = norm_gain * ru(p, 0.5, 1.5)
            else:
                value = 0.3 * rn(p)
            p.copy_(halved(value))
        for name, b in model.named_buffers():
            if name.endswith("running_mean"):
                b.copy_(halved(0.2**0.5 * rn(b)))
            elif name.endswith("running_var"):
                b.copy_(halved(ru(b, 0.5, 1.5)))
    return model.eval()


SKIPPED = (torch.nn.Identity, torch.nn.Dropout, torch.nn.Dropout2d)


def record(model, run, optional=()):
    """Runs the model once with a hook on every module; the outputs in execution order.

    A module that runs again gets `_1`, `_2`. Identity, dropout and drop-path modules are left out, except those in
    `optional`. Outputs are cloned, for an in-place activation would overwrite them.
    """
    sites, counts, handles = {}, {}, []

    def hook(name):
        def inner(_, __, output):
            output = output[0] if isinstance(output, tuple) else output
            if not isinstance(output, torch.Tensor):
                return
            k = counts.get(name, 0)
            counts[name] = k + 1
            sites[name if k == 0 else f"{name}_{k}"] = output.detach().clone()

        return inner

    for name, module in model.named_modules():
        skipped = isinstance(module, SKIPPED) or type(module).__name__ in ("DropPath", "Dinov2DropPath")
        if name and (name in optional or not skipped):
            handles.append(module.register_forward_hook(hook(name)))
    result = run()
    for h in handles:
        h.remove()
    return sites, result


@contextmanager
def attention_calls():
    """Collects (queries, keys, mask) of every call of the fused attention, which no hook sees."""
    calls, fused = [], torch.nn.functional.scaled_dot_product_attention

    def seen(q, k, v, attn_mask=None, **more):
        calls.append((q.detach(), k.detach(), None if attn_mask is None else attn_mask.detach()))
        return fused(q, k, v, attn_mask=attn_mask, **more)

    torch.nn.functional.scaled_dot_product_attention = seen
    try:
        yield calls
    finally:
        torch.nn.functional.scaled_dot_product_attention = fused


def probabilities(call):
    """The attention weights that a fused call does not hand out."""
    q, k, mask = call
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    return (scores if mask is None else scores + mask).softmax(-1)


def images(seed, *shape):
    g = torch.Generator().manual_seed(seed)
    smooth = torch.nn.functional.interpolate(torch.randn((*shape[:2], 4, 4), generator=g), size=shape[2:], mode="bilinear")
    return halved(smooth + 0.5 * torch.randn(shape, generator=g))


def gradient(model, x, output_of=lambda y: y):
    """The gradient at the images of the mean square of the output."""
    x = x.clone().requires_grad_(True)
    output_of(model(x)).square().mean().backward()
    return x.grad.detach()


def settle(path):
    """Puts the metadata in order, which the library's hash table does not keep, so that the same run gives the same bytes."""
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[end:])


def save(path, tensors, metadata, limit=LIMIT):
    path = FIXTURES / path
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {k: v if isinstance(v, str) else json.dumps(v, sort_keys=False) for k, v in metadata.items()}
    tensors = {k: v.contiguous().clone() for k, v in tensors.items()}
    save_file(tensors, path, metadata)
    settle(path)
    size = path.stat().st_size
    print(f"{path.relative_to(FIXTURES.parent.parent)}: {size} bytes, {len(tensors)} tensors")
    assert size <= limit, f"{path} has {size} bytes"


def model_fixture(path, script, model, x, config, seed, packages, output_of=lambda y: y, optional=(), extra=None, notes=""):
    """Writes `weights/…`, `input`, `site/…`, `output` and `grad/input`; weights in float32 where they fit, else float16."""
    with torch.no_grad():
        sites, result = record(model, lambda: model(x), optional)
    output = output_of(result).detach()
    if extra:
        sites = extra(sites, result)
    state = model.state_dict()
    tensors = {"input": x, "output": output, "grad/input": gradient(model, x, output_of)}
    tensors |= {f"site/{k}": v for k, v in sites.items()}
    for t in tensors.values():
        assert torch.isfinite(t).all()
    spent = sum(t.numel() * 4 for t in [*tensors.values(), *state.values()]) + 150 * (len(tensors) + len(state)) + 4000
    dtype = torch.float32 if spent < LIMIT else torch.float16
    tensors |= {f"weights/{k}": v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}
    save(
        path,
        tensors,
        {
            "script": script,
            "versions": versions(*packages),
            "seed": str(seed),
            "config": config,
            "order": list(sites),
            "optional": [s for s in optional if s in sites],
            "weights_dtype": str(dtype).removeprefix("torch."),
            "parameters": str(sum(p.numel() for p in model.parameters())),
            "loss": "mean of squares of output",
            "notes": notes,
        },
    )
    return sites
