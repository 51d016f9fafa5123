"""One operator at a time: the onnx package's own node tests, and cases of ours at older forms with ONNX Runtime as the oracle.

    python3 Oracles/onnx_operators.py

Writes Tests/Fixtures/onnx/operators-GROUP.safetensors. A case is `CASE/model` (the file's bytes), `CASE/in/INDEX` in the order of
the graph's inputs, and `CASE/out/INDEX`; what it is of and how near one must come stands in the metadata. Official cases are
at the newest operator set; ours begin with `own-` and show what changed since set 11, and what exporters write. The package's
reference evaluator confirms ours where it can run them; where it does not, `unconfirmed` says so.
"""

import json
import warnings

import oracle
from onnx.backend.test.case.node import collect_testcases
from onnx_case import OWN, TYPES, UNCONFIRMED, Case, array
from onnx_operator_cases import make_all

GROUPS = {
    "arithmetic": "Abs Add BitShift Ceil Clip CumSum Div Erf Exp Floor Log Max Mean Min Mod Mul Neg Pow Reciprocal Round Sign Sqrt Sub Sum",
    "functions": "Acos Acosh Asin Asinh Atan Atanh BiasGelu Celu Cos Cosh Elu FastGelu Gelu HardSigmoid HardSwish LeakyRelu Mish PRelu QuickGelu "
                 "Relu Selu Shrink Sigmoid Sin Sinh Softplus Softsign Swish Tan Tanh ThresholdedRelu",
    "logic": "And Cast CastLike Equal Greater GreaterOrEqual If IsInf IsNaN Less LessOrEqual Not Or Where Xor",
    "reductions": "ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare TopK",
    "shapes": "Concat Constant ConstantOfShape DepthToSpace Dropout Expand EyeLike Flatten Identity Pad Range Reshape Shape Size SpaceToDepth Split "
              "Squeeze Tile Transpose Trilu Unsqueeze",
    "indices": "Gather GatherElements GatherND NonZero OneHot ScatterElements ScatterND Slice",
    "products": "Einsum FusedMatMul Gemm MatMul",
    "convolutions": "Conv ConvTranspose FusedConv",
    "pools": "AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool",
    "norms": "BatchNormalization GroupNormalization Hardmax InstanceNormalization LRN LayerNormalization LogSoftmax LpNormalization "
             "MeanVarianceNormalization RMSNormalization SkipLayerNormalization Softmax",
    "attention": "Attention RotaryEmbedding",
    "quantised": "ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul QuantizeLinear",
    "resizing": "GridSample Resize Upsample",
}
GROUP = {op: group for group, ops in GROUPS.items() for op in ops.split()}
MOST = 6000
LIMIT = 400_000


# The official ones.

#: Cases that ONNX Runtime and PyTorch both contradict.
CONTRADICTED = {f"test_resize_downsample_scales_{mode}_align_corners" for mode in ("cubic", "linear")}


def reason(case):
    """Why a case is left out."""
    node, values = case.model.graph.node[-1], [*case.data_sets[0][0], *case.data_sets[0][1]]
    if "_expanded" in case.name:
        return "a function written out in other operators"
    if any(isinstance(v, list) or v is None for v in values):
        return "sequence or optional"
    values = [array(v) for v in values]
    for v in values:
        if v.dtype.name not in TYPES:
            return f"element type {'string' if v.dtype.name == 'object' else v.dtype.name}"
    if "training_mode" in {a.name for a in node.attribute if a.i} or case.name.startswith("test_training_"):
        return "training"
    if next(o.version for o in case.model.opset_import if o.domain == "") < 7:
        return "before operator set 7"
    if case.name in CONTRADICTED:
        return "takes size × scale, not rounded, for the length; ONNX Runtime and PyTorch take the whole number"
    if sum(v.size for v in values) > MOST:
        return f"more than {MOST} values"


def official():
    cases, skipped = [], {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = collect_testcases(None)
    for case in sorted(found, key=lambda c: c.name):
        name, node = case.name.removeprefix("test_"), case.model.graph.node[-1]
        written_out = "_expanded" in name
        if node.domain or not any(o.domain == "" for o in case.model.opset_import):
            continue
        if written_out:
            # The function's name is that of its case without the ending.
            plain = case.name.split("_expanded")[0]
            op = next((c.model.graph.node[-1].op_type for c in found if c.name == plain), None)
        else:
            op = node.op_type
        if op not in GROUP:
            continue
        why = reason(case)
        if why:
            skipped[name] = (GROUP[op], why)
        else:
            inputs, outputs = ([array(v) for v in part] for part in case.data_sets[0])
            # Sums in another order show in half precision, and near nothing.
            halves = [(4e-3, 1e-3) for v in outputs if v.dtype.name == "float16"] + [(2e-2, 1e-2) for v in outputs if v.dtype.name == "bfloat16"]
            cases.append(Case(name, case.model, inputs, outputs, *max([(case.rtol, max(case.atol, 1e-6)), *halves])))
    return cases, skipped


def write(group, cases, skipped):
    tensors, about = {}, {}
    for case in cases:
        tensors |= case.tensors()
        about[case.name] = case.entry()
    names = {c.name for c in cases}
    oracle.save(f"onnx/operators-{group}.safetensors", tensors, {
        "script": "Oracles/onnx_operators.py", "cases": about, "skipped": skipped,
        "unconfirmed": {k: v for k, v in UNCONFIRMED.items() if k in names},
        "versions": oracle.versions("onnx", "onnxruntime")}, LIMIT)


def size(case):
    return sum(t.nbytes + 100 for t in case.tensors().values()) + len(json.dumps(case.entry())) + len(case.name)


def main():
    cases, skipped = official()
    make_all()
    everything = cases + OWN
    assert len({c.name for c in everything}) == len(everything)
    for group in GROUPS:
        mine = [c for c in everything if GROUP[c.node.op_type] == group]
        left_out = {k: why for k, (g, why) in skipped.items() if g == group}
        parts = -(-sum(size(c) for c in mine) // 370_000)
        for part in range(parts):
            # What is left out stands in the first file of a group.
            write(group if parts == 1 else f"{group}-{part + 1}", mine[part::parts], {} if part else left_out)
    print(f"   {len(cases)} official cases, {len(skipped)} left out; {len(OWN)} of our own, of which {len(UNCONFIRMED)} unconfirmed")


if __name__ == "__main__":
    main()
