"""A case of one ONNX operator, and how ours are made: ONNX Runtime says what comes out."""

import warnings
import zlib

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

#: What a tensor here can hold.
TYPES = {"float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"}


def array(value):
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


def tensor(value):
    value = np.array(value)
    if value.dtype.name == "bfloat16":
        return torch.from_numpy(value.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(value)


class Case:
    def __init__(self, name, model, inputs, outputs, rtol, atol):
        self.name, self.model, self.inputs, self.outputs, self.rtol, self.atol = name, model, inputs, outputs, rtol, atol

    @property
    def node(self):
        """The operator that the case is of: the last of the graph."""
        return self.model.graph.node[-1]

    def entry(self):
        opset = next(o.version for o in self.model.opset_import if o.domain in ("", "ai.onnx"))
        return {"op": self.node.op_type, "domain": self.node.domain, "opset": opset, "inputs": [i.name for i in self.model.graph.input],
                "outputs": [o.name for o in self.model.graph.output], "rtol": self.rtol, "atol": self.atol}

    def tensors(self):
        found = {"model": torch.frombuffer(bytearray(self.model.SerializeToString(deterministic=True)), dtype=torch.uint8)}
        found |= {f"in/{i}": tensor(v) for i, v in enumerate(self.inputs)}
        found |= {f"out/{i}": tensor(v) for i, v in enumerate(self.outputs)}
        return {f"{self.name}/{k}": v for k, v in found.items()}


# Ours.

class Fixed:
    """An input that the file holds as a weight, as exporters write shapes and axes."""

    def __init__(self, values, dtype=np.int64):
        self.array = np.asarray(values, dtype)


OWN, UNCONFIRMED = [], {}


def values(name, inputs):
    """Shapes become seeded values; arrays stay."""
    r = np.random.default_rng(zlib.crc32(name.encode()))
    return [r.normal(size=v).astype(np.float32) if isinstance(v, tuple) else v for v in inputs]


def session(model):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])


def element(value):
    return helper.np_dtype_to_tensor_dtype(value.dtype)


def ours(name, nodes, inputs, outputs, opset, fixed=None, tolerance=(1e-4, 1e-5), open_sizes=False):
    """A case from its nodes; ONNX Runtime says what comes out. `inputs` name values, `fixed` those in the file."""
    name = f"own-{name}"
    shape = lambda v: [f"n{i}" for i in range(v.ndim)] if open_sizes else v.shape
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info(k, element(v), shape(v)) for k, v in inputs.items()],
        [onnx.ValueInfoProto(name=o) for o in outputs], [numpy_helper.from_array(v, k) for k, v in (fixed or {}).items()])
    imports = [helper.make_opsetid("", opset)]
    if any(n.domain for n in nodes):
        imports.append(helper.make_opsetid("com.microsoft", 1))
    model = helper.make_model(graph, opset_imports=imports, ir_version=7 if opset < 15 else 8 if opset < 19 else 10, producer_name="parallax")
    run = session(model)
    kinds = {o.name: o.type for o in run.get_outputs()}
    results = run.run(None, inputs)
    for o, value in zip(graph.output, results):
        assert value.dtype.name in TYPES, (name, kinds[o.name])
        o.CopyFrom(helper.make_tensor_value_info(o.name, element(value), None))
    model.graph.ClearField("output")
    model.graph.output.extend(helper.make_tensor_value_info(o, element(v), v.shape) for o, v in zip(outputs, results))
    # The first form of GroupNormalization is deprecated, and still in files.
    if not any(n.domain or n.op_type == "GroupNormalization" for n in nodes):
        onnx.checker.check_model(model)
    case = Case(name, model, list(inputs.values()), results, *(tolerance if results[0].dtype.kind == "f" else (0, 0)))
    confirm(case, inputs)
    OWN.append(case)


def confirm(case, inputs):
    """Whether the onnx package computes the same."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = ReferenceEvaluator(case.model).run(None, inputs)
    except Exception as error:
        UNCONFIRMED[case.name] = f"the reference evaluator does not run it: {type(error).__name__}"
        return
    for a, b in zip(results, case.outputs):
        a = np.asarray(a)
        if a.shape != b.shape or not np.allclose(a.astype(np.float64), b.astype(np.float64), rtol=case.rtol, atol=case.atol, equal_nan=True):
            UNCONFIRMED[case.name] = f"the reference evaluator has other {'values' if a.shape == b.shape else 'shapes'}"
            return


def own(name, op, inputs, opset, outputs=1, domain="", tolerance=(1e-4, 1e-5), **attributes):
    """A case of one node. An input is a shape (seeded values), an array, `Fixed` or None for one left out."""
    inputs = values(name, inputs)
    while inputs and inputs[-1] is None:
        inputs.pop()
    names = ["" if v is None else "xyzuvwrst"[i] for i, v in enumerate(inputs)]
    results = [f"out{i}" for i in range(outputs)]
    node = helper.make_node(op, names, results, domain=domain, **attributes)
    given = {n: v for n, v in zip(names, inputs) if isinstance(v, np.ndarray)}
    fixed = {n: v.array for n, v in zip(names, inputs) if isinstance(v, Fixed)}
    ours(name, [node], given, results, opset, fixed, tolerance)


def f32(*v):
    return np.array(v, np.float32)


def i64(*v):
    return np.array(v, np.int64)


def floats(*v):
    return Fixed(v, np.float32)
