"""Miniature ONNX files as exporters, converters and quantisers write them, and what ONNX Runtime computes at every node.

    python3 Oracles/onnx_graphs.py [NAME …]

Writes Tests/Fixtures/onnx/NAME.{onnx,safetensors}. Networks, weights and images are those of `exports.py`, so an archive, an ONNX
file and PyTorch's network are one and the same model. Explanations, stack traces and shapes of inner values are taken out of the
files; what says which module a node is of stays.
"""

import collections
import logging
import os
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime
import oracle
import torch
from exported import NETWORKS
from exports import SIZES, first, sample
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from torch import nn
from torch.nn import functional as F

FOLDER = oracle.FIXTURES / "onnx"
PACKAGES = ("timm", "torchvision", "transformers", "onnx", "onnxruntime", "onnxscript")
LIMIT = 300_000
#: Of what a node's metadata says, that which tells modules.
KEPT = ("pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy")

#: name -> (network, exporter, operator set)
EXPORTS = {
    "vit-timm": ("vit-timm", "dynamo", 25),
    "vit-timm-torchscript": ("vit-timm", "torchscript", 17),
    "deit-distilled-timm": ("deit-distilled-timm", "torchscript", 13),
    "vit-hf": ("vit-hf", "dynamo", 18),
    "clip-hf": ("clip-hf", "torchscript", 14),
    "swin-timm": ("swin-timm", "dynamo", 18),
    "swin-timm-torchscript": ("swin-timm", "torchscript", 17),
    "resnet-timm": ("resnet-timm", "torchscript", 11),
    "convnext-timm": ("convnext-timm", "dynamo", 18),
    "efficientnet-timm": ("efficientnet-timm", "torchscript", 17),
    "mobilenetv3-timm": ("mobilenetv3-timm", "dynamo", 20),
    "densenet-torchvision": ("densenet-torchvision", "torchscript", 13),
    "mixer-timm": ("mixer-timm", "dynamo", 18),
    "own": ("own", "dynamo", 18),
    "own-torchscript": ("own", "torchscript", 17),
}


def network(name):
    """A network of `exports.py` with its seeded weights, its images and the seed."""
    seed = list(NETWORKS).index(name)
    make, side = NETWORKS[name]
    torch.manual_seed(seed)
    return oracle.randomise(make(), seed), oracle.images(seed, 2, 3, side, side), seed


def exported(model, images, exporter, opset, sizes, path):
    """Writes an ONNX file; the number of images is open, and the size where `sizes` says so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "dynamo":
            shape = {0: torch.export.Dim("batch")}
            if sizes:
                shape |= {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
            torch.onnx.export(model, (images,), path, dynamo=True, opset_version=opset, dynamic_shapes=(shape,), external_data=False,
                              input_names=["images"], verbose=False)
        else:
            # Sets below 14 have no words for the fused attention.
            for module in model.modules() if opset < 14 else ():
                if hasattr(module, "fused_attn"):
                    module.fused_attn = False
            axes = {0: "batch"} | ({2: "height", 3: "width"} if sizes else {})
            torch.onnx.export(model, (images,), path, dynamo=False, opset_version=opset, dynamic_axes={"images": axes}, input_names=["images"])
    return onnx.load(path)


def thinned(model):
    """Takes out what no reader needs."""
    for part in (model, model.graph, *model.functions):
        part.doc_string = ""
        del part.metadata_props[:]
    del model.graph.value_info[:]
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.doc_string = ""
        del value.metadata_props[:]

    def settle(nodes):
        for node in nodes:
            node.doc_string = ""
            kept = sorted((p.key, p.value) for p in node.metadata_props if p.key in KEPT)
            del node.metadata_props[:]
            for key, value in kept:
                node.metadata_props.add(key=key, value=value)
            for attribute in node.attribute:
                attribute.doc_string = ""
                settle(attribute.g.node)

    settle(model.graph.node)
    for function in model.functions:
        settle(function.node)
    return model


def renamed(model, names):
    """Other names for values: `names` says which, old to new."""
    for node in model.graph.node:
        node.input[:] = [names.get(i, i) for i in node.input]
        node.output[:] = [names.get(o, o) for o in node.output]
    for value in (*model.graph.output, *model.graph.initializer):
        value.name = names.get(value.name, value.name)
    return model


def session(model):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    data = model if isinstance(model, str) else model.SerializeToString()
    return onnxruntime.InferenceSession(data, options, ["CPUExecutionProvider"])


def every_node(model):
    """The model with the outputs of every node but constants as outputs of the graph, and their names."""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    outputs = [o.name for o in model.graph.output]
    names = [o for node in model.graph.node if node.op_type != "Constant" for o in node.output if o]
    opened.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in outputs)
    return opened, names


def of_nodes(model, images):
    """The first output, and every node's in order, as ONNX Runtime has them."""
    opened, names = every_node(model)
    run = session(opened)
    found = dict(zip([o.name for o in run.get_outputs()], run.run(None, {run.get_inputs()[0].name: images.numpy()})))
    tensor = {k: torch.from_numpy(np.array(v)) for k, v in found.items()}
    return tensor[model.graph.output[0].name], {k: tensor[k] for k in names}


def scale(tensor):
    finite = tensor.double()[tensor.double().isfinite()]
    return finite.abs().max().item() if finite.numel() else 0.0


def gap(a, b):
    return ((a.double() - b.double()).abs().max() / b.double().abs().max()).item()


def write(name, model, images, about, torch_output=None, sites=None, gradient=None, tolerance=1e-4, feed=lambda x: x):
    """The file beside what ONNX Runtime and PyTorch make of the images, `[n, 3, h, w]`; `feed` makes of them what the file takes."""
    onnx.checker.check_model(model)
    output, nodes = of_nodes(model, feed(images))
    tensors = {"input": images.half(), "output": output} | {f"node/{k}": sample(v, 64) for k, v in nodes.items()}
    open_sizes = all(d.dim_param for d in model.graph.input[0].type.tensor_type.shape.dim[2:])
    if open_sizes:
        # Another number of images and another size: the first, without its left quarter.
        tensors["output/crop"], _ = of_nodes(model, crop(images))
    if sites is not None:
        tensors |= {f"site/{k}": sample(v, 64) for k, v in sites.items()}
    if gradient is not None:
        tensors["grad/input"] = sample(gradient, 4096)
    apart = None
    if torch_output is not None:
        apart = gap(output, torch_output)
        assert apart < tolerance, (name, apart)
    sites = sites or {}
    imports = {o.domain: o.version for o in model.opset_import}
    oracle.save(f"onnx/{name}.safetensors", tensors, {
        "script": "Oracles/onnx_graphs.py", **about, "opsets": imports, "open_sizes": open_sizes,
        "operators": dict(sorted(collections.Counter(f"{n.domain}:{n.op_type}" if n.domain else n.op_type for n in model.graph.node).items())),
        "node_order": list(nodes), "node_shapes": {k: list(v.shape) for k, v in nodes.items()}, "node_scales": {k: scale(v) for k, v in nodes.items()},
        "order": list(sites), "shapes": {k: list(v.shape) for k, v in sites.items()}, "scales": {k: scale(v) for k, v in sites.items()},
        "versions": oracle.versions(*PACKAGES)}, LIMIT)
    external = any(t.data_location == TensorProto.EXTERNAL for t in model.graph.initializer)
    path = FOLDER / f"{name}.onnx"
    if about.get("external"):
        (FOLDER / f"{name}.onnx.data").unlink(missing_ok=True)
        onnx.save(model, path, save_as_external_data=True, location=f"{name}.onnx.data", size_threshold=64)
        check = session(str(path)).run(None, {model.graph.input[0].name: feed(images).numpy()})[0]
        assert np.array_equal(check, output.numpy())
    else:
        assert not external
        path.write_bytes(model.SerializeToString(deterministic=True))
    size = path.stat().st_size
    assert size <= LIMIT, (name, size)
    print(f"   {name}.onnx: {size} bytes, {len(model.graph.node)} nodes, {len(sites)} sites" + ("" if apart is None else f", PyTorch within {apart:.0e}"))


def crop(images):
    return images[:1, :, :, images.shape[3] // 4:].contiguous()


def folded(model, file):
    """Convolutions that exporters have folded the batch norm after them into: none of the file's weights is theirs, and what PyTorch's
    give is nowhere in the graph."""
    weights = {t.name: numpy_helper.to_array(t) for t in file.graph.initializer}
    convs = {k: m.weight.detach().numpy() for k, m in model.named_modules() if isinstance(m, nn.Conv2d)}
    return sorted(k for k, w in convs.items() if not any(np.array_equal(w, v) for v in weights.values()))


def recorded(model, images, file):
    """PyTorch's sites, output and gradient."""
    with torch.no_grad():
        sites, result = oracle.record(model, lambda: model(images.clone()))
    idle = {k for k, m in model.named_modules() if "DropPath" in type(m).__name__ or "StochasticDepth" in type(m).__name__}
    sites = {k: v for k, v in sites.items() if v.is_floating_point() and k.split("_1")[0] not in idle and k not in idle}
    for name in folded(model, file):
        del sites[name]
    return {"torch_output": first(result).detach(), "sites": sites, "gradient": oracle.gradient(model, images, first)}


# What is done to exported files.

def numbered(model):
    """Names as PyTorch wrote them before 1.13: nodes by kind and position, values by number."""
    outputs = {o.name for o in model.graph.output}
    names = {}
    for position, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{position}"
        names |= {o: str(1000 + position) for o in node.output if o not in outputs}
    return renamed(model, names)


def nameless(model):
    """No node has a name, as other tools leave them."""
    for node in numbered(model).graph.node:
        node.name = ""
    return model


class Images(CalibrationDataReader):
    def __init__(self, images):
        self.left = [{"images": i[None].numpy()} for i in images]

    def get_next(self):
        return self.left.pop(0) if self.left else None


def quantised(model, images, how):
    """By ONNX Runtime's quantisers: `static`, by pairs of nodes and per channel; `dynamic`, to products of integers."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        source, target = os.path.join(folder, "source.onnx"), os.path.join(folder, "target.onnx")
        onnx.save(model, source)
        if how == "static":
            quantize_static(source, target, Images(images), quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
        else:
            # Seven bits: without them some processors' products saturate.
            quantize_dynamic(source, target, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)
        logging.disable(logging.NOTSET)
        return onnx.load(target)


class Blocks(nn.Module):
    """A network as Keras has them: SAME padding, ReLU6, depthwise convolutions, a mean, softmax."""

    def __init__(self):
        super().__init__()
        self.stem, self.depth, self.point = nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 1)
        self.predictions = nn.Linear(8, 5)

    def forward(self, x):
        x = F.relu6(self.stem(F.pad(x, (0, 1, 0, 1))))
        x = x + self.point(F.relu6(self.depth(F.pad(x, (1, 1, 1, 1)))))
        return self.predictions(x.mean((2, 3))).softmax(-1)


def channels_last():
    """The file that tf2onnx makes of such a network: channels last outside and first inside, TensorFlow's names.

    The fixture's images and their gradient are `[n, 3, h, w]` nevertheless.
    """
    seed = 40
    model = oracle.randomise(Blocks(), seed)
    images = oracle.images(seed, 2, 3, 24, 24)
    weights = {k: v.detach().numpy() for k, v in model.state_dict().items()}
    fixed = {"const_min": np.array(0, np.float32), "const_max": np.array(6, np.float32), "axes": np.array([2, 3])}
    nodes = []

    def node(op, name, *inputs, **attributes):
        nodes.append(helper.make_node(op, list(inputs), [f"{name}:0"], name, **attributes))
        return f"{name}:0"

    def conv(name, kind, layer, x, **attributes):
        fixed[f"{name}_weights_fused_bn"], fixed[f"{name}_bias_fused_bn"] = weights[f"{layer}.weight"], weights[f"{layer}.bias"]
        return node("Conv", f"{name}/{kind}", x, f"{name}_weights_fused_bn", f"{name}_bias_fused_bn", **attributes)

    def relu6(name, x):
        return node("Clip", f"{name}/Relu6", x, "const_min", "const_max")

    x = node("Transpose", "model/Conv1/Conv2D__6", "input_1", perm=[0, 3, 1, 2])
    x = conv("model/Conv1", "Conv2D", "stem", x, strides=[2, 2], pads=[0, 0, 1, 1], dilations=[1, 1], kernel_shape=[3, 3])
    x = relu6("model/Conv1_relu", x)
    y = conv("model/block_1/depthwise", "depthwise", "depth", x, group=8, auto_pad="SAME_UPPER", kernel_shape=[3, 3])
    y = relu6("model/block_1/depthwise_relu", y)
    y = conv("model/block_1/project", "Conv2D", "point", y, auto_pad="VALID", kernel_shape=[1, 1])
    x = node("Add", "model/block_1/add/add", x, y)
    x = node("GlobalAveragePool", "model/global_average_pooling2d/Mean", x)
    x = node("Squeeze", "model/global_average_pooling2d/Mean_Squeeze__64", x, "axes")
    fixed["model/predictions/MatMul/ReadVariableOp:0"] = weights["predictions.weight"].T.copy()
    fixed["model/predictions/BiasAdd/ReadVariableOp:0"] = weights["predictions.bias"]
    x = node("MatMul", "model/predictions/MatMul", x, "model/predictions/MatMul/ReadVariableOp:0")
    x = node("Add", "model/predictions/BiasAdd", x, "model/predictions/BiasAdd/ReadVariableOp:0")
    nodes.append(helper.make_node("Softmax", [x], ["predictions"], "model/predictions/Softmax", axis=-1))
    graph = helper.make_graph(
        nodes, "tf2onnx", [helper.make_tensor_value_info("input_1", TensorProto.FLOAT, ["unk__1", 24, 24, 3])],
        [helper.make_tensor_value_info("predictions", TensorProto.FLOAT, ["unk__2", 5])], [numpy_helper.from_array(v, k) for k, v in fixed.items()])
    file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7, producer_name="tf2onnx")
    with torch.no_grad():
        output = model(images)
    write("nhwc", file, images, {"network": "nhwc", "seed": seed, "exporter": "as tf2onnx"}, output, None, oracle.gradient(model, images),
          feed=lambda x: x.permute(0, 2, 3, 1).contiguous())


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = lambda name: not sys.argv[1:] or name in sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")

        def make(name, exporter, opset, sizes=None):
            model, images, seed = network(name)
            file = thinned(exported(model, images, exporter, opset, name in SIZES if sizes is None else sizes, path))
            about = {"network": name, "seed": seed, "exporter": exporter, "folded": folded(model, file)}
            return file, images, about, recorded(model, images, file)

        for name, entry in EXPORTS.items():
            if wanted(name):
                file, images, about, seen = make(*entry)
                write(name, file, images, about, **seen)
        for name, source, opset, change in (
                ("efficientnet-timm-numbered", "efficientnet-timm", 11, numbered), ("mixer-timm-nameless", "mixer-timm", 13, nameless),
                ("mobilenetv3-timm-external", "mobilenetv3-timm", 13, lambda f: f)):
            if wanted(name):
                file, images, about, seen = make(source, "torchscript", opset)
                about |= {"external": "yes"} if name.endswith("external") else {}
                write(name, change(file), images, about, **seen)
        for name, source, how in (("resnet-timm-qdq", "resnet-timm", "static"), ("vit-timm-integers", "vit-timm", "dynamic")):
            if wanted(name):
                file, images, about, seen = make(source, "torchscript", 13)
                file = thinned(quantised(file, images, how))
                # Steps have no gradient, and the sites are not those of the network in full precision.
                write(name, file, images, about | {"quantised": how}, seen["torch_output"], tolerance=0.2)
    if wanted("nhwc"):
        channels_last()


if __name__ == "__main__":
    main()
