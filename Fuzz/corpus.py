"""Makes the seeds in Fuzz/Corpus: the smallest files that reach far into each parser. Needs Oracles/requirements.txt.

    python3 Fuzz/corpus.py
"""

import io
import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "Oracles"), str(ROOT / "Scripts")]

import exports  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
import torch  # noqa: E402
from export import export  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors import safe_open  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

CORPUS = Path(__file__).resolve().parent / "Corpus"


def folder(name):
    path = CORPUS / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def archives():
    """A convolution with an open batch; sizes that are computed; a write in place."""
    class Sizes(torch.nn.Module):
        def forward(self, x):
            y = x.flatten(2)[:, :, : x.shape[2] * 2].reshape(x.shape[0], -1)
            y = y.clone()
            y[:, 0] = 1
            return y

    for name, model in (("convolution", torch.nn.Sequential(torch.nn.Conv2d(3, 1, 1), torch.nn.ReLU(True))), ("sizes", Sizes())):
        whole = io.BytesIO()
        export(model, whole, 4, {"input_size": [3, 4, 4]})
        whole.seek(0)
        exports.thinned(whole, folder("export") / f"{name}.pt2")


def checkpoints():
    state = {"a.weight": torch.ones(2, 2), "a.bias": torch.zeros(2, dtype=torch.bfloat16), "n": torch.tensor(3)}
    torch.save(state, folder("torch") / "zip.pt")
    torch.save({"model": state, "epoch": 3}, folder("torch") / "legacy.pt", _use_new_zipfile_serialization=False)
    save_file(state, folder("safetensors") / "small.safetensors", {"format": "pt"})


def graphs():
    weight = numpy_helper.from_array(np.ones((3, 2), np.float32), "w")
    small = numpy_helper.from_array(np.ones((3, 2), np.int8), "q")
    typed = helper.make_tensor("t", TensorProto.FLOAT16, [2], [1, 2])
    scale = numpy_helper.from_array(np.float32(0.5), "s")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="/a/MatMul"),
             helper.make_node("DequantizeLinear", ["q", "s"], ["d"]), helper.make_node("MatMul", ["x", "d"], ["z"], name="/b/MatMul")]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 3])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", 2])], [weight, small, typed, scale])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, folder("onnx-weights") / "products.onnx")


def operators():
    """Every operator once, over what the file holds, so that it is computed when the graph is made ready; and three graphs."""
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["b", 3, 8, 8])
    result = helper.make_tensor_value_info("result", TensorProto.FLOAT, None)
    # Of each operator and number of inputs, the smallest case.
    found = {}
    for path in sorted((ROOT / "Tests/Fixtures/onnx").glob("operators-*.safetensors")):
        with safe_open(path, "pt") as file:
            cases = json.loads(file.metadata()["cases"])
            for name, case in sorted(cases.items()):
                key = (case["domain"], case["op"], len(case["inputs"]))
                model = onnx.ModelProto.FromString(file.get_tensor(f"{name}/model").numpy().tobytes())
                keys = set(file.keys())
                values = {n: file.get_tensor(f"{name}/in/{i}") for i, n in enumerate(case["inputs"]) if f"{name}/in/{i}" in keys}
                if any(v.dtype == torch.bfloat16 for v in values.values()):
                    continue
                model.graph.initializer.extend(numpy_helper.from_array(v.numpy(), n) for n, v in values.items())
                model.graph.node.append(helper.make_node("Relu", ["images"], ["result"], name="/a/Relu"))
                del model.graph.input[:], model.graph.output[:]
                model.graph.input.append(images)
                model.graph.output.append(result)
                if key not in found or model.ByteSize() < found[key].ByteSize():
                    found[key] = model
    for (domain, op, count), model in found.items():
        if model.ByteSize() < 4000:
            (folder("onnx") / f"{op}-{count}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    for name in ("nhwc", "own", "own-torchscript"):
        shutil.copy(ROOT / f"Tests/Fixtures/onnx/{name}.onnx", folder("onnx"))


def preparations():
    for name, keys in {
        "timm": {"input_size": [3, 8, 8], "crop_pct": 0.9, "interpolation": "bicubic", "mean": [0.5] * 3, "std": [0.5] * 3, "crop_mode": "border"},
        "processor": {"do_resize": True, "size": {"shortest_edge": 8}, "crop_size": {"height": 8, "width": 8}, "resample": 3,
                      "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "rescale_factor": 0.0039},
    }.items():
        (folder("preprocessing") / f"{name}.json").write_text(json.dumps(keys))


def configurations():
    for name, keys in {
        "timm": {"architecture": "vit_tiny_patch16_224", "num_classes": 5, "pretrained_cfg": {"input_size": [3, 224, 224], "mean": [0.5] * 3}, "model_args": {"img_size": 32}},
        "vit": {"model_type": "vit", "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 48, "image_size": 32, "patch_size": 8},
        "swin": {"model_type": "swin", "embed_dim": 8, "depths": [2, 1], "num_heads": [2, 2], "window_size": 4, "image_size": 32, "patch_size": 2},
        "convnext": {"model_type": "convnext", "hidden_sizes": [8, 12, 16, 20], "depths": [1, 1, 1, 1]},
        "open_clip": {"model_cfg": {"embed_dim": 16, "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8}, "text_cfg": {}},
                      "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}},
    }.items():
        (folder("configuration") / f"{name}.json").write_text(json.dumps(keys))
    (folder("index") / "small.json").write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": {"a": "model-00001-of-00002.safetensors"}}))


def pictures():
    picture = Image.fromarray((np.arange(5 * 4 * 3) * 4 % 256).astype(np.uint8).reshape(5, 4, 3))
    for kind in ("png", "jpeg", "webp", "bmp", "gif"):
        picture.save(folder("image") / f"small.{kind}")


if __name__ == "__main__":
    for make in (archives, checkpoints, graphs, operators, preparations, configurations, pictures):
        make()
    for path in sorted(CORPUS.rglob("*.*")):
        print(path.relative_to(CORPUS), path.stat().st_size)
