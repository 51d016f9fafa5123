"""What goes past each branch of miniature networks and what the branch adds, by hooks in PyTorch, norms and cosines in NumPy; and
CKA of all layers of a ViT and a ResNet whose block has lost its skip connections, by forward passes written without them.

Networks, weights and images are those of the fixtures that vit.py, beit.py, swin.py, cnn_convnext.py and cnn_resnet.py have
made; the ViT of four blocks is made here. CKA is the plain formula of the unbiased HSIC, summed over blocks of images.
"""

import json

import numpy as np
import torch
from cnn_resnet import build as resnet
from oracle import FIXTURES, images, randomise, save, versions
from safetensors import safe_open
from timm.models.beit import Beit
from timm.models.convnext import ConvNeXt
from timm.models.resnet import Bottleneck
from timm.models.swin_transformer import SwinTransformer
from timm.models.swin_transformer_v2 import SwinTransformerV2
from timm.models.vision_transformer import VisionTransformer


def held(name):
    """Weights, images and configuration of a model's fixture."""
    with safe_open(FIXTURES / "models" / f"{name}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}
        config = json.loads(file.metadata()["config"])
    weights = {k.removeprefix("weights/"): v for k, v in tensors.items() if k.startswith("weights/")}
    return {k: v.float() if v.is_floating_point() else v for k, v in weights.items()}, tensors["input"].float(), config


def summands(model, x):
    """Of each sum z and f(z), by the block's name and the number of the sum in it."""
    found, handles = {}, []

    def keep(name, part, value):
        found.setdefault(name, {})[part] = value.detach().clone()

    for name, module in model.named_modules():
        kind = type(module).__name__
        if hasattr(module, "drop_path1") and hasattr(module, "norm1"):
            for number in (1, 2):
                if "V2" in kind:
                    # x + drop_path(norm(branch(x))): what goes past is what comes into the branch.
                    before = module if number == 1 else module.mlp
                else:
                    before = getattr(module, f"norm{number}")
                key = f"{name}.residual{number}"
                handles.append(before.register_forward_pre_hook(lambda _, args, key=key: keep(key, "z", args[0])))
                handles.append(getattr(module, f"drop_path{number}").register_forward_hook(
                    lambda _, __, out, key=key: keep(key, "f", out)))
        elif kind == "ConvNeXtBlock":
            key = f"{name}.residual1"
            handles.append(module.register_forward_pre_hook(lambda _, args, key=key: keep(key, "z", args[0])))
            handles.append(module.drop_path.register_forward_hook(lambda _, __, out, key=key: keep(key, "f", out)))
        elif kind == "Bottleneck":
            key = f"{name}.residual1"
            if module.downsample is None:
                handles.append(module.register_forward_pre_hook(lambda _, args, key=key: keep(key, "z", args[0])))
            else:
                handles.append(module.downsample.register_forward_hook(lambda _, __, out, key=key: keep(key, "z", out)))
            handles.append(module.bn3.register_forward_hook(lambda _, __, out, key=key: keep(key, "f", out)))
    with torch.no_grad():
        output = model(x)
    for handle in handles:
        handle.remove()
    return found, output


def numbers(z, f, is_map):
    """‖z‖/‖f‖, ‖z‖, ‖f‖, cos(z, z + f), cos(z, f) of each token: [batch, 5 · tokens]."""
    z, f = (t.double().numpy() for t in (z, f))
    axis = 1 if is_map else -1
    z, f = (np.moveaxis(t, axis, -1).reshape(len(t), -1, t.shape[axis]) for t in (z, f))
    norm = lambda t: np.sqrt((t * t).sum(-1))
    cosine = lambda a, b: (a * b).sum(-1) / (norm(a) * norm(b))
    return np.concatenate([norm(z) / norm(f), norm(z), norm(f), cosine(z, z + f), cosine(z, f)], 1)


def hsic(k, l):
    """Song et al., 2012, equation 5."""
    n = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))
    return (np.trace(k @ l) + k.sum() * l.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * k.sum(0) @ l.sum(0)) / (n * (n - 3))


def cka(layers, block):
    """Of all pairs, by sums over blocks of images."""
    sums = np.zeros((len(layers), len(layers)))
    for start in range(0, len(layers[0]), block):
        grams = [t[start:start + block] @ t[start:start + block].T for t in layers]
        sums += [[hsic(a, b) for b in grams] for a in grams]
    return sums / np.sqrt(np.outer(np.diag(sums), np.diag(sums)))


def flat(found):
    """Of each sum its branch and the sum, as rows of float64."""
    rows = []
    for parts in found.values():
        for value in (parts["f"], parts["z"] + parts["f"]):
            rows.append(value.double().flatten(1).numpy())
    return rows


class Bare(torch.nn.Module):
    """Stands for what is added to a branch: nothing."""

    def __init__(self, block, forward):
        super().__init__()
        self.block, self.run = block, forward

    def forward(self, x):
        return self.run(self.block, x)


def bare_vit(block, x):
    return block.drop_path2(block.mlp(block.norm2(block.drop_path1(block.attn(block.norm1(x))))))


def bare_bottleneck(block, x):
    x = block.act1(block.bn1(block.conv1(x)))
    x = block.act2(block.bn2(block.conv2(x)))
    return block.act3(block.bn3(block.conv3(x)))


def bare_layers(model, path, forward, x, count):
    """The layers of a network whose block runs without its skips, z of that block being 0."""
    parent = model.get_submodule(path.rsplit(".", 1)[0])
    place, block = path.rsplit(".", 1)[1], model.get_submodule(path)
    parent[int(place)] = Bare(block, forward)
    found, output = summands(model, x)
    parent[int(place)] = block
    rows = {}
    for key, parts in found.items():
        if ".block.residual" in key or key.startswith(f"{path}.block"):
            key = key.replace(".block", "")
            parts = {"f": parts["f"], "z": torch.zeros_like(parts["f"])}
        rows[key] = parts
    assert len(rows) == count
    return rows, output


class Perceptron(torch.nn.Module):
    """With a GELU written out, which adds a value to its own cube."""

    def __init__(self, width):
        super().__init__()
        self.fc1, self.fc2 = torch.nn.Linear(width, width), torch.nn.Linear(width, width)

    def forward(self, x):
        x = self.fc1(x)
        return self.fc2(0.5 * x * (1 + torch.tanh(0.8 * (x + 0.044715 * x * x * x))))


class Attention(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.qkv = torch.nn.Linear(width, 3 * width)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        return (q @ k.transpose(1, 2)).softmax(-1) @ v


class Odd(torch.nn.Module):
    """A block of one of several forms: `pre`, `post`, `joint` x + (a + m), `apart` (x + a) + m."""

    def __init__(self, form, width):
        super().__init__()
        self.form, self.norm1, self.norm2 = form, torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.attn, self.mlp = Attention(width), Perceptron(width)

    def forward(self, x):
        if self.form == "pre":
            x = x + self.attn(self.norm1(x))
            return x + self.mlp(self.norm2(x))
        if self.form == "post":
            x = self.norm1(self.attn(x) + x)
            return self.norm2(x + self.mlp(x))
        y = self.norm1(x)
        if self.form == "joint":
            return x + (self.attn(y) + self.mlp(y))
        return self.norm2((x + self.attn(y)) + self.mlp(y))


class OddNetwork(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.patch_embed = torch.nn.Conv2d(3, 6, 8, stride=8)
        self.pos_embed = torch.nn.Parameter(torch.randn(1, 4, 6))
        self.blocks = torch.nn.ModuleList(Odd(form, 6) for form in ("pre", "post", "joint", "apart"))

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return x.mean(1)


def export_odd():
    """Blocks of unusual forms as an archive, and what the first two add."""
    torch.manual_seed(74)
    model = OddNetwork().eval()
    x = images(75, 3, 3, 16, 16)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(model, (x,), dynamic_shapes=({0: batch},))
    torch.export.save(program, FIXTURES / "residual" / "odd.pt2")
    tensors, inputs = {"images": x}, {}
    for index, (z2, f2) in enumerate((("norm2", "mlp"), ("mlp", "mlp"))):
        block = model.blocks[index]
        for number, before, branch in ((1, block.norm1 if index == 0 else block.attn, block.attn),
                                       (2, getattr(block, z2), getattr(block, f2))):
            key = f"blocks.{index}.residual{number}"
            before.register_forward_pre_hook(lambda _, args, key=key: inputs.__setitem__(key, args[0]))
            branch.register_forward_hook(
                lambda _, __, out, key=key: tensors.__setitem__(key, torch.from_numpy(numbers(inputs[key], out, False))))
    with torch.no_grad():
        tensors["output"] = model(x)
    save("residual/odd.safetensors", tensors, {"script": "Oracles/residual.py", "seed": "74"})


def main():
    tensors = {}

    def add(name, model, x, is_map):
        found, output = summands(model, x)
        for key, parts in found.items():
            z, f = parts["z"], parts["f"]
            tensors[f"{name}/{key}"] = torch.from_numpy(numbers(z, f, is_map))
        return found, output

    weights, x, config = held("vit-timm")
    kwargs = {k: config[k] for k in ("img_size", "patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio", "num_classes")}
    model = VisionTransformer(**kwargs).eval()
    model.load_state_dict(weights)
    add("vit-timm", model, x, False)

    weights, x, config = held("beit-timm")
    config = {k: v for k, v in config.items() if k not in ("norm_eps", "pool")}
    model = Beit(**config).eval()
    model.load_state_dict(weights)
    add("beit-timm", model, x, False)

    for name, build in (("swin-timm", SwinTransformer), ("swinv2-timm", SwinTransformerV2)):
        weights, x, config = held(name)
        model = build(**{k: v for k, v in config.items() if k != "norm_eps"}).eval()
        model.load_state_dict(weights, strict=False)
        add(name, model, x, False)

    weights, x, config = held("convnext-timm")
    model = ConvNeXt(num_classes=10, depths=config["depths"], dims=config["dims"]).eval()
    model.load_state_dict(weights)
    add("convnext-timm", model, x, True)

    weights, x, config = held("resnet-bottleneck")
    network = resnet(Bottleneck, config["layers"], config["channels"], config["stem"], config["num_classes"]).eval()
    network.load_state_dict(weights)
    add("resnet-bottleneck", network, x, True)

    # CKA with and without the skips of a block, twelve images in blocks of six.
    config = dict(img_size=24, patch_size=8, embed_dim=16, depth=4, num_heads=2, mlp_ratio=2.0, num_classes=5)
    vit = randomise(VisionTransformer(**config), 71)
    for key, value in vit.state_dict().items():
        assert torch.equal(value, value.half().float())
        tensors[f"vit/weights/{key}"] = value.half()
    for name, model, x, path, forward in (
        ("vit", vit, images(72, 12, 3, 24, 24), "blocks.1", bare_vit),
        ("resnet", network, images(73, 12, 3, 32, 32), "layer2.0", bare_bottleneck),
    ):
        assert torch.equal(x, x.half().float())
        tensors[f"{name}/images"] = x.half()
        found, _ = summands(model, x)
        bare, output = bare_layers(model, path, forward, x, len(found))
        bare = {key: bare[key] for key in found}
        tensors[f"{name}/cka/intact"] = torch.from_numpy(cka(flat(found), 6))
        tensors[f"{name}/cka/ablated"] = torch.from_numpy(cka(flat(bare), 6))
        tensors[f"{name}/ablated/output"] = output
        for key, parts in found.items():
            tensors[f"{name}/sums/{key}"] = torch.from_numpy(numbers(parts["z"], parts["f"], name == "resnet"))
    save(
        "residual/residual.safetensors", tensors,
        {"script": "Oracles/residual.py", "versions": versions("timm"), "seed": "71",
         "notes": "MODEL/SUM: ‖z‖/‖f‖, ‖z‖, ‖f‖, cos(z, z + f), cos(z, f) of each token [batch, 5 · tokens]; cka: of each sum "
         "its branch and the sum"}, limit=400_000,
    )
    export_odd()


if __name__ == "__main__":
    main()
