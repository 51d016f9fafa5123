"""Small checkpoints in every format that Parallax reads, with the values that torch and ONNX Runtime see in them.

Run as `python checkpoints.py`; writes Tests/Fixtures/checkpoints.
"""

import io
import json
import os
import pickle
import shutil
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file

from oracle import FIXTURES, versions

FOLDER = FIXTURES / "checkpoints"
SEED = 7


def meta(*packages):
    return {"script": "checkpoints.py", "seed": str(SEED), "versions": json.dumps(versions("safetensors", *packages))}


def expected(name, tensors, *packages):
    save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, FOLDER / name, meta(*packages))


def state():
    """Every element type, views of shared storages, strides, a scalar and an empty tensor."""
    g = torch.Generator().manual_seed(SEED)
    base = torch.randn(4, 6, generator=g)
    return OrderedDict(
        {
            "conv.weight": torch.randn(3, 2, 2, 2, generator=g).to(memory_format=torch.channels_last),
            "fc.weight": base,
            "fc.transposed": base.t(),
            "fc.part": base[1:3, 2::2],
            "fc.last": base.flatten()[-1],
            "expanded": torch.tensor([[1.5], [2.5]]).expand(2, 5),
            "half": torch.randn(5, generator=g).half(),
            "bfloat16": torch.randn(5, generator=g).bfloat16(),
            "double": torch.randn(3, generator=g).double(),
            "int64": torch.tensor([2**40, -3]),
            "int32": torch.tensor([70000, -3], dtype=torch.int32),
            "int16": torch.tensor([300, -3], dtype=torch.int16),
            "int8": torch.tensor([3, -3], dtype=torch.int8),
            "uint8": torch.tensor([3, 250], dtype=torch.uint8),
            "bool": torch.tensor([True, False, True]),
            "scalar": torch.tensor(3.25),
            "empty": torch.zeros(0, 3),
            "parameter": torch.nn.Parameter(torch.randn(2, 2, generator=g)),
        }
    )


def torch_files():
    tensors = state()
    expected("torch.expected.safetensors", tensors)
    torch.save(tensors, FOLDER / "zip.pt")
    torch.save(tensors, FOLDER / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(tensors, FOLDER / "zip-protocol4.pt", pickle_protocol=4)
    # As a training run leaves it: parameters below other things, with the prefix of data parallelism.
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    g = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=g))
    wrapped = OrderedDict((f"module.{k}", v) for k, v in model.state_dict().items())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    run = {
        "epoch": 3,
        "best": np.float64(0.5),
        "arch": "tiny",
        "size": torch.Size([3, 2]),
        "device": torch.device("cpu"),
        "dtype": torch.float32,
        "optimizer": optimizer.state_dict(),
        "state_dict": wrapped,
        "model_ema": {k: v + 1 for k, v in model.state_dict().items()},
    }
    torch.save(run, FOLDER / "training.pt")
    torch.save(run, FOLDER / "training-legacy.pt", _use_new_zipfile_serialization=False)
    expected("training.expected.safetensors", model.state_dict())
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), FOLDER / "torchscript.pt")
    program = torch.export.export(torch.nn.Linear(1, 1), (torch.zeros(1, 1),))
    exported = io.BytesIO()
    torch.export.save(program, exported)
    # Only the archive's layout is of interest; its graph names the writer's folders.
    with zipfile.ZipFile(exported) as source, zipfile.ZipFile(FOLDER / "exported.pt2", "w") as z:
        for name in source.namelist():
            z.writestr(zipfile.ZipInfo(name), b"" if name.endswith(".json") else source.read(name))


class Attack:
    def __reduce__(self):
        return (os.system, ("touch /tmp/parallax-was-attacked",))


def with_pickle(name, data):
    """A torch zip whose pickle is made by hand."""
    with zipfile.ZipFile(FOLDER / name, "w", zipfile.ZIP_STORED) as z:
        z.writestr(zipfile.ZipInfo("a/data.pkl"), data)
        z.writestr(zipfile.ZipInfo("a/data/0"), struct.pack("<4f", 1, 2, 3, 4))


def tensor_call(count, shape, strides, offset=0):
    """The instructions that describe one tensor of storage 0."""
    def number(n):
        return b"\x8a\x08" + struct.pack("<q", n)

    def numbers(ns):
        return b"(" + b"".join(number(n) for n in ns) + b"t"

    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000"
        b"X\x03\x00\x00\x00cpu" + number(count) + b"tQ" + number(offset) + numbers(shape) + numbers(strides)
        + b"\x89ccollections\nOrderedDict\n)RtR"
    )


def named(call):
    return b"\x80\x02}X\x01\x00\x00\x00w" + call + b"s."


def hostile_torch():
    torch.save({"w": torch.ones(2), "x": Attack()}, FOLDER / "attack.pt")
    torch.save({"w": torch.ones(2), "x": Attack()}, FOLDER / "attack-legacy.pt", _use_new_zipfile_serialization=False)
    with_pickle("good-by-hand.pt", named(tensor_call(4, [2, 2], [2, 1])))
    with_pickle("hostile-count.pt", named(tensor_call(2**60, [2**60], [1])))
    with_pickle("hostile-shape.pt", named(tensor_call(4, [2**31, 2**31, 4], [0, 0, 1])))
    with_pickle("hostile-repeat.pt", named(tensor_call(4, [2**50], [0])))
    with_pickle("hostile-offset.pt", named(tensor_call(4, [2], [1], 2**62)))
    with_pickle("hostile-stride.pt", named(tensor_call(4, [2, 2], [2**62, 2**62])))
    with_pickle("hostile-empty.pt", named(tensor_call(4, [0, 2**62, 8], [1, 1, 1])))
    # A dict that holds itself; lists nested a million deep; each list twice inside the next.
    with_pickle("hostile-cycle.pt", b"\x80\x02}q\x00X\x01\x00\x00\x00wh\x00s.")
    with_pickle("hostile-laughs.pt", b"\x80\x02]q\x00" + b"]h\x00ah\x00aq\x00" * 200 + b"}X\x01\x00\x00\x00wh\x00s.")
    with_pickle("hostile-memo.pt", b"\x80\x02}r\xff\xff\xff\xffj\xfe\xff\xff\xff.")
    with_pickle("hostile-build.pt", b"\x80\x02ctorch\nFloatStorage\n}b.")
    with zipfile.ZipFile(FOLDER / "deflated.pt", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("a/data.pkl", named(tensor_call(4, [2, 2], [2, 1])))
        z.writestr("a/data/0", struct.pack("<4f", 1, 2, 3, 4))
    with zipfile.ZipFile(FOLDER / "big-endian.pt", "w") as z:
        z.writestr("a/data.pkl", named(tensor_call(4, [2, 2], [2, 1])))
        z.writestr("a/byteorder", "big")
        z.writestr("a/data/0", struct.pack(">4f", 1, 2, 3, 4))
    # Streamed: sizes stand behind the data, in a descriptor.
    stream = io.BytesIO()

    class Pipe(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            return stream.write(data)

    with zipfile.ZipFile(Pipe(), "w") as z:
        for name, data in [("a/data.pkl", named(tensor_call(4, [2, 2], [2, 1]))), ("a/data/0", struct.pack("<4f", 1, 2, 3, 4))]:
            with z.open(name, "w", force_zip64=True) as entry:
                entry.write(data)
    (FOLDER / "streamed.pt").write_bytes(stream.getvalue())


def shards():
    folder = FOLDER / "sharded"
    folder.mkdir()
    g = torch.Generator().manual_seed(SEED)
    a = {"a.weight": torch.randn(2, 3, generator=g), "a.bias": torch.randn(2, generator=g).half()}
    b = {"b.weight": torch.randn(3, 2, generator=g)}
    save_file(a, folder / "model-00001-of-00002.safetensors", meta())
    save_file(b, folder / "model-00002-of-00002.safetensors", meta())
    index = {
        "metadata": {"total_size": 52},
        "weight_map": {k: f"model-0000{i}-of-00002.safetensors" for i, part in ((1, a), (2, b)) for k in part},
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    expected("sharded.expected.safetensors", a | b)


def onnx_model(nodes, initializers, inputs, outputs, **options):
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="parallax")


def onnx_files():
    r = np.random.default_rng(SEED)
    tensors = {}

    def raw(name, array):
        return numpy_helper.from_array(array, name)

    def normal(*shape):
        return r.normal(size=shape).astype(np.float32)

    conv, bias, q, fc, head = normal(4, 3, 2, 2), normal(4), normal(4, 6), normal(2, 6), normal(2, 2)
    nodes = [
        helper.make_node("Conv", ["x", "embed.weight", "embed.bias"], ["c"], "/embed/Conv"),
        helper.make_node("GlobalAveragePool", ["c"], ["p"], "/pool/GlobalAveragePool"),
        helper.make_node("Flatten", ["p"], ["f"], "/Flatten"),
        helper.make_node("MatMul", ["f", "onnx::MatMul_17"], ["m"], "/layers.0/attn/q_proj/MatMul"),
        helper.make_node("Gemm", ["m", "onnx::Gemm_18", "onnx::Gemm_19"], ["g"], "/fc/Gemm", transB=1),
        helper.make_node("MatMul", ["g", "onnx::MatMul_20"], ["y"], "/fc/MatMul"),
    ]
    extra = {
        "int64": np.array([2**40, -3]),
        "int32": np.array([70000, -3], np.int32),
        "int8": np.array([3, -3], np.int8),
        "uint8": np.array([3, 250], np.uint8),
        "bool": np.array([True, False]),
        "double": r.normal(size=3),
        "half": r.normal(size=3).astype(np.float16),
        "empty": np.zeros((0, 3), np.float32),
    }
    plain = {
        "embed.weight": conv, "embed.bias": bias, "onnx::MatMul_17": q, "onnx::Gemm_18": fc, "onnx::Gemm_19": fc[:, 0].copy(),
        "onnx::MatMul_20": head,
    }
    typed = [
        helper.make_tensor(f"typed/{k}", helper.np_dtype_to_tensor_dtype(v.dtype), v.shape, v.flatten().tolist())
        for k, v in extra.items()
    ]
    initializers = [raw(k, v) for k, v in (plain | extra).items()] + typed
    model = onnx_model(nodes, initializers, [("x", [1, 3, 4, 4])], [("y", [1, 2])])
    onnx.checker.check_model(model)
    onnx.save(model, FOLDER / "float32.onnx")
    tensors = plain | extra | {f"typed/{k}": v for k, v in extra.items()}
    tensors |= {
        "/layers.0/attn/q_proj.weight": q, "/fc.weight": fc, "/fc.bias": fc[:, 0].copy(), "/fc/MatMul.weight": head,
        "/embed.weight": conv, "/embed.bias": bias,
    }
    expected("float32.onnx.expected.safetensors", {k: torch.from_numpy(np.array(v)) for k, v in tensors.items()}, "onnx")

    halves = {k: v.astype(np.float16) for k, v in plain.items()}
    model = onnx_model(nodes, [raw(k, v) for k, v in halves.items()], [("x", [1, 3, 4, 4])], [("y", [1, 2])])
    onnx.save(model, FOLDER / "float16.onnx")
    expected("float16.onnx.expected.safetensors", {k: torch.from_numpy(v) for k, v in halves.items()}, "onnx")

    external = FOLDER / "external"
    external.mkdir()
    model = onnx_model(nodes, [raw(k, v) for k, v in plain.items()], [("x", [1, 3, 4, 4])], [("y", [1, 2])])
    onnx.save(model, external / "model.onnx", save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    for place, name in (("../sharded/x", "up"), ("/etc/passwd", "absolute"), ("absent.data", "absent")):
        model = onnx.load(external / "model.onnx", load_external_data=False)
        for t in model.graph.initializer:
            for entry in t.external_data:
                if entry.key == "location":
                    entry.value = place
        (external / f"{name}.onnx").write_bytes(model.SerializeToString())


def quantised():
    """By ONNX Runtime's own quantiser: dynamic, per column, int8 and uint8; and by DequantizeLinear nodes."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    r = np.random.default_rng(SEED)
    weights = {f"onnx::MatMul_{n}": r.normal(size=s).astype(np.float32) for n, s in ((21, (6, 4)), (22, (4, 3)))}
    nodes = [
        helper.make_node("MatMul", ["x", "onnx::MatMul_21"], ["h"], "/layers.0/mlp/fc1/MatMul"),
        helper.make_node("Relu", ["h"], ["a"], "/layers.0/mlp/act/Relu"),
        helper.make_node("MatMul", ["a", "onnx::MatMul_22"], ["y"], "/layers.0/mlp/fc2/MatMul"),
    ]
    source = FOLDER / "source.onnx"
    onnx.save(onnx_model(nodes, [numpy_helper.from_array(v, k) for k, v in weights.items()], [("x", [1, 6])], [("y", [1, 3])]), source)
    for name, kind, per_channel in (("int8", QuantType.QInt8, True), ("uint8", QuantType.QUInt8, False)):
        path = FOLDER / f"{name}.onnx"
        quantize_dynamic(source, path, per_channel=per_channel, weight_type=kind)
        found = {i.name: numpy_helper.to_array(i) for i in onnx.load(path).graph.initializer}
        tensors = {}
        for key, module in (("onnx::MatMul_21", "fc1"), ("onnx::MatMul_22", "fc2")):
            stored, scale, zero = (found[f"{key}_{part}"] for part in ("quantized", "scale", "zero_point"))
            value = (stored.astype(np.float32) - zero.astype(np.float32)) * scale
            assert np.abs(value - weights[key]).max() < 0.03, np.abs(value - weights[key]).max()
            tensors[f"/layers.0/mlp/{module}.weight"] = value
            tensors[f"{key}_quantized"] = stored
        expected(f"{name}.onnx.expected.safetensors", {k: torch.from_numpy(v.copy()) for k, v in tensors.items()}, "onnx", "onnxruntime")
    source.unlink()
    stored = r.integers(-128, 127, (4, 3, 2, 2)).astype(np.int8)
    scale, zero = r.uniform(0.01, 0.02, 4).astype(np.float32), np.array([1, -2, 3, 0], np.int8)
    nodes = [
        helper.make_node("DequantizeLinear", ["w_quantized", "w_scale", "w_zero_point"], ["w"], "w_dq", axis=0),
        helper.make_node("Conv", ["x", "w"], ["y"], "/features/features.0/Conv"),
    ]
    arrays = {"w_quantized": stored, "w_scale": scale, "w_zero_point": zero}
    onnx.save(onnx_model(nodes, [numpy_helper.from_array(v, k) for k, v in arrays.items()], [("x", [1, 3, 4, 4])], [("y", [1, 4, 3, 3])]), FOLDER / "dequantize.onnx")
    column = lambda v: v.astype(np.float32).reshape(4, 1, 1, 1)
    value = (stored.astype(np.float32) - column(zero)) * column(scale)
    expected("dequantize.onnx.expected.safetensors", {"/features/features.0.weight": torch.from_numpy(value)}, "onnx")


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    torch_files()
    hostile_torch()
    shards()
    onnx_files()
    quantised()
    for path in sorted(p for p in FOLDER.rglob("*") if p.is_file()):
        size = path.stat().st_size
        print(f"{path.relative_to(FIXTURES)}: {size} bytes")
        assert size <= 50_000, path
