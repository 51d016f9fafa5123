"""Cases of our own: forms of operators since set 7, and what exporters write. `onnx_operators.py` writes them down."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx_case import Fixed, f32, floats, i64, ours, own, values


def shapes():
    own("squeeze-11", "Squeeze", [(1, 3, 1, 2)], 11, axes=[0, 2])
    own("squeeze-11-negative", "Squeeze", [(2, 1, 3, 1)], 11, axes=[-1])
    own("squeeze-11-all", "Squeeze", [(1, 3, 1, 2)], 11)
    own("squeeze-13", "Squeeze", [(1, 3, 1, 2), Fixed([0, -2])], 13)
    own("unsqueeze-11", "Unsqueeze", [(3, 2)], 11, axes=[0, 2])
    own("unsqueeze-11-negative", "Unsqueeze", [(3, 2)], 11, axes=[-1, 1])
    own("unsqueeze-13", "Unsqueeze", [(3, 2), Fixed([-1, 0])], 13)
    own("unsqueeze-13-scalar", "Unsqueeze", [np.array(5, np.int64), Fixed([0])], 13)
    own("split-11", "Split", [(2, 6, 2)], 11, outputs=3, axis=1, split=[1, 3, 2])
    own("split-11-equal", "Split", [(4, 3)], 11, outputs=2)
    own("split-13", "Split", [(2, 6), Fixed([4, 2])], 13, outputs=2, axis=-1)
    own("split-13-equal", "Split", [(2, 6)], 13, outputs=3, axis=1)
    own("split-18-uneven", "Split", [(7, 2)], 18, outputs=3, num_outputs=3, axis=0)
    own("pad-11", "Pad", [(1, 2, 3, 4), Fixed([0, 0, 1, 2, 0, 0, 0, 1]), floats(1.5)], 11)
    own("pad-11-zero", "Pad", [(2, 3), Fixed([1, 0, 0, 2])], 11, mode="constant")
    own("pad-11-reflect", "Pad", [(1, 2, 3, 4), Fixed([0, 0, 2, 1, 0, 0, 1, 3])], 11, mode="reflect")
    own("pad-11-edge", "Pad", [(1, 2, 3, 4), Fixed([0, 0, 2, 1, 0, 0, 1, 3])], 11, mode="edge")
    own("pad-11-crop", "Pad", [(1, 2, 4, 4), Fixed([0, 0, -1, 1, 0, 0, 1, -2])], 11)
    own("pad-18-axes", "Pad", [(1, 2, 3, 4), Fixed([1, 2, 0, 1]), floats(-1), Fixed([2, -1])], 18)
    own("pad-19-wrap", "Pad", [(3, 4), Fixed([1, 2, 2, 1])], 19, mode="wrap")
    own("pad-13-integers", "Pad", [np.arange(6).reshape(2, 3), Fixed([0, 1, 1, 0]), Fixed(7)], 13)
    own("dropout-11", "Dropout", [(2, 3)], 11, ratio=0.7)
    own("dropout-12", "Dropout", [(2, 3), Fixed(0.7, np.float32), Fixed(False, bool)], 12)
    own("reshape-11-zero", "Reshape", [(2, 3, 4), Fixed([0, -1])], 11)
    own("reshape-11-middle", "Reshape", [(2, 3, 4), Fixed([-1, 0, 2, 2])], 11)
    own("reshape-14-allowzero", "Reshape", [np.zeros((0, 3), np.float32), Fixed([3, 0])], 14, allowzero=1)
    own("reshape-13-scalar", "Reshape", [(1,), Fixed(np.zeros(0))], 13)
    own("reshape-13-at-run-time", "Reshape", [(2, 3, 4), i64(4, -1)], 13)
    own("expand-11", "Expand", [(3, 1), Fixed([2, 1, 4])], 11)
    own("expand-13-smaller", "Expand", [(2, 3, 4), Fixed([3, 1])], 13)
    own("expand-13-one", "Expand", [(2, 3), Fixed([1])], 13)
    own("flatten-11-negative", "Flatten", [(2, 3, 4)], 11, axis=-1)
    own("flatten-11-zero", "Flatten", [(2, 3, 4)], 11, axis=0)
    own("concat-11-negative", "Concat", [(2, 1, 3), (2, 2, 3), (2, 1, 3)], 11, axis=-2)
    own("concat-13-integers", "Concat", [i64(1, 2), Fixed([-1]), i64(5)], 13, axis=0)
    own("shape-13", "Shape", [(2, 3, 4)], 13)
    own("shape-15-part", "Shape", [(2, 3, 4)], 15, start=-2)
    own("shape-15-both", "Shape", [(2, 3, 4, 5)], 15, start=1, end=-1)
    own("transpose-11-default", "Transpose", [(2, 3, 4)], 11)
    own("transpose-13", "Transpose", [(2, 3, 4, 5)], 13, perm=[0, 3, 1, 2])
    own("tile-11", "Tile", [(2, 3), Fixed([2, 2])], 11)
    own("constant-of-shape-11", "ConstantOfShape", [i64(2, 3)], 11)
    own("constant-of-shape-11-value", "ConstantOfShape", [i64(2, 3)], 11, value=numpy_helper.from_array(i64(-2)))
    own("range-11-down", "Range", [np.array(7, np.int64), np.array(0, np.int64), np.array(-2, np.int64)], 11)
    own("range-11-fractions", "Range", [np.array(0.5, np.float32), np.array(2.2, np.float32), np.array(0.4, np.float32)], 11)
    own("depth-to-space-11-crd", "DepthToSpace", [(1, 8, 2, 3)], 11, blocksize=2, mode="CRD")
    own("depth-to-space-11-dcr", "DepthToSpace", [(1, 8, 2, 3)], 11, blocksize=2)
    own("trilu-14-above", "Trilu", [(2, 4, 3), Fixed(1)], 14, upper=1)
    own("trilu-14-below", "Trilu", [(4, 4), Fixed(-1)], 14, upper=0)
    own("eye-like-11", "EyeLike", [np.zeros((3, 4), np.int32)], 11, k=1, dtype=1)
    for name, attribute in (("float", {"value_float": 2.5}), ("int", {"value_int": 7}), ("floats", {"value_floats": [1.0, 2.5]}),
                            ("ints", {"value_ints": [3, -4]}), ("tensor", {"value": numpy_helper.from_array(f32(1, 2, 3))})):
        own(f"constant-13-{name}", "Constant", [], 13, **attribute)


def reductions():
    for op in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"):
        own(f"{op}-11", op, [(2, 3, 4)], 11, axes=[1, -1], keepdims=0)
    own("ReduceLogSum-11", "ReduceLogSum", [np.abs(values("ReduceLogSum-11", [(2, 3, 4)])[0])], 11, axes=[0])
    own("ReduceSum-11-all", "ReduceSum", [(2, 3)], 11, keepdims=0)
    own("ReduceMean-11-kept", "ReduceMean", [(2, 3, 4)], 11, axes=[-2, -1])
    own("ReduceMean-13", "ReduceMean", [(2, 3, 4)], 13, axes=[-1])
    own("ReduceMax-13", "ReduceMax", [(2, 3, 4)], 13, axes=[0, 2], keepdims=0)
    own("ReduceSum-13", "ReduceSum", [(2, 3, 4), Fixed([1])], 13, keepdims=0)
    own("ReduceSum-13-none", "ReduceSum", [(2, 3)], 13)
    own("ReduceSum-13-nothing", "ReduceSum", [(2, 3), Fixed(np.zeros(0))], 13, noop_with_empty_axes=1)
    own("ReduceSum-13-integers", "ReduceSum", [np.arange(6).reshape(2, 3), Fixed([-1])], 13, keepdims=0)
    own("ReduceMean-18", "ReduceMean", [(2, 3, 4), Fixed([-1, 0])], 18)
    own("ReduceMean-18-nothing", "ReduceMean", [(2, 3)], 18, noop_with_empty_axes=1)
    own("ReduceL2-18", "ReduceL2", [(2, 3, 4), Fixed([1])], 18, keepdims=0)
    own("ReduceProd-13-integers", "ReduceProd", [i64(2, 3, 4)], 13, axes=[0], keepdims=0)
    ties = f32(1, 5, 5, 2, 5, 0).reshape(2, 3)
    for op in ("ArgMax", "ArgMin"):
        own(f"{op}-11", op, [(2, 3, 4)], 11, axis=1, keepdims=0)
        own(f"{op}-12-last", op, [-ties if op == "ArgMin" else ties], 12, axis=-1, select_last_index=1)
        own(f"{op}-12-first", op, [-ties if op == "ArgMin" else ties], 12, axis=-1, select_last_index=0)
    own("TopK-11", "TopK", [(3, 5), Fixed([2])], 11, outputs=2)
    own("TopK-11-smallest", "TopK", [(3, 5, 2), Fixed([3])], 11, outputs=2, axis=1, largest=0)
    own("CumSum-11", "CumSum", [(2, 3), Fixed(1)], 11, exclusive=1, reverse=1)


def arithmetic():
    own("Clip-11", "Clip", [(2, 5), np.array(-0.5, np.float32), np.array(0.5, np.float32)], 11)
    own("Clip-11-below", "Clip", [(2, 5), Fixed(0, np.float32)], 11)
    own("Clip-11-above", "Clip", [(2, 5), None, Fixed(0.25, np.float32)], 11)
    own("Clip-11-neither", "Clip", [(2, 5)], 11)
    own("Clip-6", "Clip", [(2, 5)], 10, min=-0.5, max=0.5)
    own("Clip-6-below", "Clip", [(2, 5)], 10, min=0.0)
    own("Clip-13-integers", "Clip", [i64(-3, 0, 9), Fixed(-1), Fixed(4)], 13)
    own("Div-13-integers", "Div", [i64(7, -7, 7, -7), i64(2, 2, -2, -2)], 13)
    own("Div-13-broadcast", "Div", [(2, 3, 1), (4,)], 13)
    own("Mod-13-negative", "Mod", [i64(7, -7, 7, -7), i64(3, 3, -3, -3)], 13)
    own("Mod-13-fmod", "Mod", [f32(7.5, -7.5, 7.5, -7.5), f32(2, 2, -2, -2)], 13, fmod=1)
    own("Pow-13-integer-exponent", "Pow", [(2, 3), Fixed(3)], 13)
    own("Pow-13-integers", "Pow", [i64(2, -3, 4), i64(3, 3, 0)], 13)
    own("Pow-13-half", "Pow", [f32(0.25, 4, 9), Fixed(0.5, np.float32)], 13)
    own("Add-11-broadcast", "Add", [(3, 1), (2, 1, 4)], 11)
    own("Sub-13-integers", "Sub", [i64(5, 6), Fixed(8)], 13)
    own("Mul-13-scalar", "Mul", [(2, 3), Fixed(0.125, np.float32)], 13)
    own("Max-13-broadcast", "Max", [(3, 1), (4,), Fixed(0, np.float32)], 13)
    own("Min-13-one", "Min", [(3,)], 13)
    own("Not-13", "Not", [np.array([[True, False], [False, True]])], 13)
    own("Mish-18", "Mish", [f32(-40, -2, -0.5, 0, 0.5, 2, 40)], 18)
    own("Sum-13-broadcast", "Sum", [(3, 1), (4,), (2, 1, 1)], 13)
    own("Mean-13-broadcast", "Mean", [(3, 1), (4,)], 13)
    own("Round-11", "Round", [f32(0.5, 1.5, 2.5, -0.5, -1.5, 2.4, -2.6)], 11)
    own("Sign-13-integers", "Sign", [i64(-3, 0, 4)], 13)
    own("Abs-13-integers", "Abs", [i64(-3, 0, 4)], 13)
    own("Erf-13", "Erf", [(3, 4)], 13)


def functions():
    ms = {"domain": "com.microsoft"}
    own("microsoft-Gelu", "Gelu", [(3, 4)], 13, **ms)
    own("microsoft-FastGelu", "FastGelu", [(3, 4)], 13, **ms)
    own("microsoft-FastGelu-bias", "FastGelu", [(3, 4), (4,)], 13, **ms)
    own("microsoft-BiasGelu", "BiasGelu", [(3, 4), (4,)], 13, **ms)
    own("microsoft-QuickGelu", "QuickGelu", [(3, 4)], 13, alpha=1.702, **ms)
    own("microsoft-QuickGelu-default", "QuickGelu", [(3, 4)], 13, **ms)
    own("Gelu-20", "Gelu", [(3, 4)], 20)
    own("Gelu-20-tanh", "Gelu", [(3, 4)], 20, approximate="tanh")
    own("PRelu-11-channels", "PRelu", [(2, 3, 2, 2), (3, 1, 1)], 11)
    own("HardSigmoid-11", "HardSigmoid", [(3, 4)], 11, alpha=1 / 6, beta=0.5)
    own("HardSwish-14", "HardSwish", [(3, 4)], 14)
    own("Softplus-11-large", "Softplus", [f32(-100, -1, 0, 1, 100)], 11)
    own("Elu-11", "Elu", [(3, 4)], 11, alpha=0.5)
    own("LeakyRelu-11-default", "LeakyRelu", [(3, 4)], 11)
    own("Sigmoid-13-large", "Sigmoid", [f32(-100, -1, 0, 1, 100)], 13)
    own("Tanh-13-large", "Tanh", [f32(-100, -1, 0, 1, 100)], 13)


def logic():
    fractions = f32(-2.7, -0.5, -0.0, 0.5, 1.0, 2.9)
    for to in ("int64", "int32", "int8", "bool", "float16", "float64"):
        own(f"Cast-13-{to}", "Cast", [fractions], 13, to=helper.np_dtype_to_tensor_dtype(np.dtype(to)))
    own("Cast-13-bool-float", "Cast", [np.array([True, False])], 13, to=1)
    own("Cast-11-int64-float", "Cast", [i64(3, -4, 2**24 + 1)], 11, to=1)
    own("Cast-13-uint8", "Cast", [f32(0.5, 1.0, 200.9)], 13, to=2)
    own("Cast-13-nan-bool", "Cast", [f32(np.nan, 0, -np.inf)], 13, to=9)
    own("Where-11", "Where", [np.array([[True], [False]]), (2, 3), (3,)], 11)
    own("Where-16-scalar", "Where", [np.array([[True, False, True]]), Fixed(-np.inf, np.float32), (2, 1)], 16)
    own("Where-16-integers", "Where", [np.array([True, False]), i64(1, 2), Fixed(-1)], 16)
    own("Equal-13-integers", "Equal", [i64(1, -1, 3), Fixed(-1)], 13)
    own("Equal-13-bool", "Equal", [np.array([True, False]), np.array([True, True])], 13)
    own("Less-13", "Less", [(2, 3), (3,)], 13)
    own("And-7", "And", [np.array([[True], [False]]), np.array([True, False, True])], 11)
    own("IsNaN-13", "IsNaN", [f32(np.nan, 1, np.inf)], 13)

    def branch(name, nodes, output, *inner):
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)], list(inner))

    weight = f32(0.5, -1, 2)
    double = branch("yes", [helper.make_node("Mul", ["x", "w"], ["a"]), helper.make_node("Add", ["a", "x"], ["b"])], "b")
    # Names inside a branch hide those outside it; an outer one may go straight out.
    own_weight = branch("no", [helper.make_node("Sub", ["x", "v"], ["c"])], "c", numpy_helper.from_array(f32(9, 8, 7), "v"))
    decide = [helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0), helper.make_node("Greater", ["total", "zero"], ["positive"])]
    fixed = {"w": weight, "zero": np.array(0, np.float32)}
    for name, x in (("yes", f32(1, 2, 3)), ("no", f32(-1, -2, -3))):
        node = helper.make_node("If", ["positive"], ["y"], then_branch=double, else_branch=own_weight)
        ours(f"If-13-{name}", [*decide, node], {"x": x}, ["y"], 13, fixed)
        inner = helper.make_node("If", ["small"], ["d"], then_branch=double, else_branch=own_weight)
        largest = [helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0), helper.make_node("Less", ["most", "two"], ["small"]), inner]
        nested = branch("nested", largest, "d", numpy_helper.from_array(np.array(2, np.float32), "two"))
        node = helper.make_node("If", ["positive"], ["y"], then_branch=nested, else_branch=branch("same", [helper.make_node("Identity", ["x"], ["e"])], "e"))
        ours(f"If-13-nested-{name}", [*decide, node], {"x": x}, ["y"], 13, fixed)
    # As the exporter writes `squeeze` of an axis that may not be 1: the branches give different ranks.
    for name, x in (("one", (2, 1, 3)), ("more", (2, 2, 3))):
        x = values(f"If-13-squeeze-{name}", [x])[0]
        nodes = [helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Gather", ["s", "one"], ["n"], axis=0),
                 helper.make_node("Equal", ["n", "unit"], ["is"]),
                 helper.make_node("If", ["is"], ["y"], then_branch=branch("squeezed", [helper.make_node("Squeeze", ["x", "axes"], ["f"])], "f"),
                                  else_branch=branch("kept", [helper.make_node("Identity", ["x"], ["g"])], "g"))]
        ours(f"If-13-squeeze-{name}", nodes, {"x": x}, ["y"], 13, {"one": np.array(1), "unit": np.array(1), "axes": i64(1)}, open_sizes=True)


def indices():
    own("Gather-11-negative", "Gather", [(3, 4), Fixed([[-1, 0], [1, -3]])], 11, axis=0)
    own("Gather-13-scalar", "Gather", [(2, 3, 4), Fixed(-1)], 13, axis=1)
    own("Gather-13-int32", "Gather", [(2, 3), np.array([2, 0], np.int32)], 13, axis=-1)
    own("GatherElements-13-negative", "GatherElements", [(2, 3), Fixed([[-1, 0, 1], [-2, -3, 2]])], 13, axis=1)
    own("GatherND-13-batch", "GatherND", [(2, 3, 4), Fixed([[[1], [0]], [[2], [-1]]])], 13, batch_dims=1)
    own("Slice-11", "Slice", [(4, 5), Fixed([1, 0]), Fixed([3, 4])], 11)
    own("Slice-11-backwards", "Slice", [(4, 5), Fixed([-1]), Fixed([-(2**63)]), Fixed([1]), Fixed([-1])], 11)
    own("Slice-13-backwards-2", "Slice", [(4, 5), Fixed([4]), Fixed([0]), Fixed([-1]), Fixed([-2])], 13)
    own("Slice-13-end", "Slice", [(4, 5), Fixed([1]), Fixed([2**63 - 1]), Fixed([1])], 13)
    own("Slice-13-end-32", "Slice", [(4, 5), Fixed([-3], np.int32), Fixed([2**31 - 1], np.int32), Fixed([0], np.int32), Fixed([2], np.int32)], 13)
    own("Slice-13-beyond", "Slice", [(4, 5), Fixed([-100, 2]), Fixed([100, -1]), Fixed([0, 1]), Fixed([3, 1])], 13)
    own("Slice-13-empty", "Slice", [(4, 5), Fixed([3]), Fixed([1]), Fixed([0])], 13)
    own("Slice-13-at-run-time", "Slice", [(4, 5), i64(1), i64(3), i64(-1)], 13)
    own("ScatterND-11", "ScatterND", [(4, 3), Fixed([[0], [-1]]), (2, 3)], 11)
    own("ScatterND-16-add", "ScatterND", [(4,), Fixed([[0], [0], [2]]), (3,)], 16, reduction="add")
    own("ScatterElements-11", "ScatterElements", [(3, 3), Fixed([[1, 0, -1]]), (1, 3)], 11, axis=0)
    own("OneHot-11", "OneHot", [Fixed([0, 2, -1]), Fixed(3), floats(-0.5, 2)], 11, axis=0)


def products():
    own("MatMul-13-vector", "MatMul", [(3,), (3, 2)], 13)
    own("MatMul-13-vectors", "MatMul", [(3,), (3,)], 13)
    own("MatMul-13-broadcast", "MatMul", [(2, 1, 3, 4), (5, 4, 2)], 13)
    own("Gemm-11", "Gemm", [(3, 4), (2, 4), (2,)], 11, alpha=0.5, beta=2.0, transB=1)
    own("Gemm-11-transposed", "Gemm", [(4, 3), (4, 2)], 11, transA=1)
    own("Gemm-13-scalar", "Gemm", [(3, 4), (4, 2), np.array(1.5, np.float32)], 13, beta=-1.0)
    for formula, inputs in (("bhid,bhjd->bhij", [(2, 2, 3, 4), (2, 2, 5, 4)]), ("bhij,bhjd->bhid", [(2, 2, 3, 5), (2, 2, 5, 4)]),
                            ("bnhd,bmhd->bhnm", [(2, 3, 2, 4), (2, 5, 2, 4)]), ("...ij,...jk->...ik", [(2, 3, 4), (2, 4, 2)]),
                            ("bhwc,hkc->bhwk", [(1, 2, 3, 4), (2, 5, 4)]), ("ij->ji", [(2, 3)]), ("ij,j", [(2, 3), (3,)]), ("i,j,k->ijk", [(2,), (3,), (2,)]),
                            ("bij->b", [(2, 2, 3)]), ("b i d , b j d -> b i j", [(2, 2, 3), (2, 4, 3)])):
        own(f"Einsum-12-{formula.replace(' ', '_')}", "Einsum", inputs, 12, equation=formula)
    ms = {"domain": "com.microsoft"}
    own("microsoft-FusedMatMul", "FusedMatMul", [(2, 3, 4), (2, 5, 4)], 13, alpha=0.125, transB=1, **ms)
    own("microsoft-FusedMatMul-transA", "FusedMatMul", [(4, 3), (4, 5)], 13, transA=1, **ms)
    own("microsoft-FusedMatMul-batch", "FusedMatMul", [(3, 2, 4), (2, 4, 5)], 13, transBatchA=1, **ms)


def convolutions():
    own("Conv-11-groups", "Conv", [(2, 4, 5, 6), (6, 2, 3, 3), (6,)], 11, group=2, pads=[1, 1, 1, 1])
    own("Conv-11-depthwise", "Conv", [(1, 3, 6, 5), (3, 1, 3, 3)], 11, group=3, strides=[2, 2], pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    own("Conv-11-dilated", "Conv", [(1, 2, 7, 7), (2, 2, 3, 2), (2,)], 11, dilations=[2, 3], pads=[2, 1, 0, 3])
    own("Conv-11-1d", "Conv", [(2, 3, 8), (4, 3, 3), (4,)], 11, strides=[2], pads=[1, 0])
    own("Conv-11-3d", "Conv", [(1, 2, 3, 4, 5), (2, 2, 2, 2, 2)], 11, pads=[1, 0, 0, 0, 1, 1], strides=[1, 2, 1])
    own("Conv-11-valid", "Conv", [(1, 2, 5, 5), (2, 2, 3, 3)], 11, auto_pad="VALID", strides=[2, 2])
    for way in ("UPPER", "LOWER"):
        for side, kernel, stride in ((5, 3, 1), (6, 3, 1), (5, 3, 2), (6, 3, 2), (6, 2, 1), (5, 2, 2), (7, 5, 2), (8, 5, 2), (5, 1, 2)):
            both = dict(auto_pad=f"SAME_{way}", strides=[stride, stride], kernel_shape=[kernel, kernel])
            own(f"Conv-11-{way}-{side}-{kernel}-{stride}", "Conv", [(1, 2, side, side + 1), (2, 2, kernel, kernel)], 11, **both)
            if kernel in (2, 3):
                own(f"MaxPool-11-{way}-{side}-{kernel}-{stride}", "MaxPool", [(1, 2, side, side + 1)], 11, **both)
                own(f"AveragePool-11-{way}-{side}-{kernel}-{stride}", "AveragePool", [(1, 2, side, side + 1)], 11, **both)
    own("ConvTranspose-11", "ConvTranspose", [(1, 3, 4, 3), (3, 2, 3, 3), (2,)], 11, strides=[2, 2], pads=[1, 1, 1, 1])
    own("ConvTranspose-11-output-padding", "ConvTranspose", [(1, 3, 4, 3), (3, 2, 3, 3)], 11, strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])
    own("ConvTranspose-11-output-shape", "ConvTranspose", [(1, 3, 4, 3), (3, 2, 3, 3)], 11, strides=[2, 2], output_shape=[8, 6])
    own("ConvTranspose-11-output-shape-lower", "ConvTranspose", [(1, 3, 4, 3), (3, 2, 3, 3)], 11, strides=[2, 2], output_shape=[8, 6], auto_pad="SAME_LOWER")
    own("ConvTranspose-11-SAME_UPPER", "ConvTranspose", [(1, 3, 4, 3), (3, 2, 3, 3)], 11, strides=[2, 2], auto_pad="SAME_UPPER")
    own("ConvTranspose-11-groups", "ConvTranspose", [(1, 4, 3, 3), (4, 2, 2, 2), (4,)], 11, strides=[2, 2], group=2)
    own("ConvTranspose-11-dilated", "ConvTranspose", [(1, 2, 4, 4), (2, 2, 2, 2)], 11, dilations=[2, 2], pads=[1, 0, 1, 0])
    own("ConvTranspose-11-uneven", "ConvTranspose", [(1, 2, 4, 4), (2, 2, 3, 3)], 11, pads=[1, 0, 0, 2])
    own("ConvTranspose-11-1d", "ConvTranspose", [(2, 3, 5), (3, 2, 4)], 11, strides=[2], pads=[1, 1])
    ms = {"domain": "com.microsoft"}
    own("microsoft-FusedConv-Relu", "FusedConv", [(1, 2, 5, 5), (3, 2, 3, 3), (3,)], 13, activation="Relu", pads=[1, 1, 1, 1], **ms)
    own("microsoft-FusedConv-sum", "FusedConv", [(1, 2, 5, 5), (3, 2, 3, 3), (3,), (1, 3, 5, 5)], 13, activation="Relu", pads=[1, 1, 1, 1], **ms)
    for activation, parameters in (("LeakyRelu", [0.1]), ("Clip", [0.0, 1.0]), ("HardSigmoid", [0.2, 0.5]), ("Sigmoid", None), ("Tanh", None)):
        more = {"activation_params": parameters} if parameters else {}
        own(f"microsoft-FusedConv-{activation}", "FusedConv", [(1, 2, 4, 4), (2, 2, 3, 3)], 13, activation=activation, **more, **ms)


def pools():
    for op, versions in (("MaxPool", (11, 12)), ("AveragePool", (11, 19))):
        for opset in versions:
            own(f"{op}-{opset}-ceil", op, [(1, 2, 6, 7)], opset, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
            own(f"{op}-{opset}-ceil-pads", op, [(1, 2, 6, 8)], opset, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1)
            own(f"{op}-{opset}-uneven", op, [(1, 2, 6, 5)], opset, kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 0, 1])
        own(f"{op}-11-1d", op, [(2, 3, 8)], 11, kernel_shape=[3], strides=[2], pads=[1, 1])
        own(f"{op}-11-3d", op, [(1, 2, 4, 4, 5)], 11, kernel_shape=[2, 2, 3], strides=[2, 1, 2])
    own("MaxPool-11-dilated", "MaxPool", [(1, 2, 7, 7)], 11, kernel_shape=[3, 3], dilations=[2, 2], pads=[1, 1, 1, 1])
    own("MaxPool-12-indices", "MaxPool", [(2, 2, 5, 5)], 12, outputs=2, kernel_shape=[2, 2], strides=[2, 2])
    # A window that would begin in the padding at the end is none, but only where sizes are rounded up.
    own("MaxPool-11-ceil-last", "MaxPool", [(1, 1, 5, 5)], 11, kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1)
    own("AveragePool-11-included", "AveragePool", [(1, 2, 5, 6)], 11, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    own("AveragePool-11-included-uneven", "AveragePool", [(1, 2, 5, 6)], 11, kernel_shape=[3, 3], pads=[0, 0, 1, 2], count_include_pad=1)
    own("AveragePool-19-included-ceil", "AveragePool", [(1, 2, 6, 6)], 19, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1, ceil_mode=1)
    own("AveragePool-19-dilated", "AveragePool", [(1, 2, 7, 7)], 19, kernel_shape=[2, 2], dilations=[2, 3])
    own("GlobalAveragePool-11-1d", "GlobalAveragePool", [(2, 3, 4)], 11)
    own("GlobalLpPool-11", "GlobalLpPool", [(2, 3, 4, 3)], 11, p=2)
    own("GlobalLpPool-11-3", "GlobalLpPool", [(2, 3, 4)], 11, p=3)
    own("LpPool-11-3", "LpPool", [(1, 2, 5, 5)], 11, kernel_shape=[2, 2], strides=[2, 2], p=3)


def norms():
    for op in ("Softmax", "LogSoftmax", "Hardmax"):
        for opset in (11, 13):
            own(f"{op}-{opset}", op, [(2, 3, 4)], opset)
            for axis in (0, 1, 2, -1, -2):
                own(f"{op}-{opset}-{axis}", op, [(2, 3, 4)], opset, axis=axis)
    own("Softmax-13-masked", "Softmax", [f32(0, -np.inf, 1, -np.inf)], 13, axis=-1)
    scale, shift, mean, variance = f32(1.5, 0.5, 1), f32(0.1, -0.2, 0.3), f32(0.2, 0, -0.1), f32(0.5, 1, 1.5)
    for opset in (11, 14, 15):
        own(f"BatchNormalization-{opset}", "BatchNormalization", [(2, 3, 2, 2), scale, shift, mean, variance], opset, epsilon=1e-3)
    own("BatchNormalization-15-2d", "BatchNormalization", [(4, 3), scale, shift, mean, variance], 15)
    own("GroupNormalization-18", "GroupNormalization", [(2, 4, 3, 2), (2,), (2,)], 18, num_groups=2, epsilon=1e-3)
    own("GroupNormalization-21", "GroupNormalization", [(2, 4, 3, 2), (4,), (4,)], 21, num_groups=2)
    own("LayerNormalization-17", "LayerNormalization", [(2, 3, 4), (4,), (4,)], 17, axis=-1, epsilon=1e-6)
    own("LayerNormalization-17-no-bias", "LayerNormalization", [(2, 3, 4), (3, 4)], 17, axis=1)
    own("LayerNormalization-17-outputs", "LayerNormalization", [(2, 3, 4), (4,), (4,)], 17, outputs=3)
    own("InstanceNormalization-11", "InstanceNormalization", [(2, 3, 4), (3,), (3,)], 11)
    own("LRN-11", "LRN", [(1, 5, 2, 2)], 11, size=3, alpha=0.5, beta=0.75, bias=2.0)
    own("LpNormalization-11", "LpNormalization", [(2, 3, 4)], 11, axis=1, p=1)
    own("LpNormalization-11-default", "LpNormalization", [(2, 3)], 11)
    own("MeanVarianceNormalization-13", "MeanVarianceNormalization", [(2, 3, 2, 2)], 13)
    ms = {"domain": "com.microsoft"}
    own("microsoft-SkipLayerNormalization", "SkipLayerNormalization", [(2, 3, 4), (2, 3, 4), (4,), (4,)], 13, epsilon=1e-6, **ms)
    own("microsoft-SkipLayerNormalization-bias", "SkipLayerNormalization", [(2, 3, 4), (2, 3, 4), (4,), (4,), (4,)], 13, epsilon=1e-6, **ms)
    name = "microsoft-SkipLayerNormalization-sum"
    x, skip, gamma, beta = values(name, [(2, 3, 4), (2, 3, 4), (4,), (4,)])
    node = helper.make_node("SkipLayerNormalization", ["x", "skip", "gamma", "beta"], ["y", "", "", "sum"], epsilon=1e-6, **ms)
    ours(name, [node], {"x": x, "skip": skip}, ["y", "sum"], 13, {"gamma": gamma, "beta": beta})


def quantised():
    r = np.random.default_rng(7)
    bytes_ = lambda *s: r.integers(0, 256, s).astype(np.uint8)
    signed = lambda *s: r.integers(-128, 128, s).astype(np.int8)
    own("MatMulInteger-11", "MatMulInteger", [bytes_(3, 4), signed(4, 2), np.array(12, np.uint8), np.array(3, np.int8)], 11)
    own("MatMulInteger-11-columns", "MatMulInteger", [bytes_(2, 3, 4), bytes_(4, 2), np.array(12, np.uint8), np.array([3, 200], np.uint8)], 11)
    own("MatMulInteger-11-signed-columns", "MatMulInteger", [bytes_(3, 4), signed(4, 2), np.array(128, np.uint8), np.array([3, -7], np.int8)], 11)
    own("MatMulInteger-11-none", "MatMulInteger", [bytes_(3, 4), signed(4, 2)], 11)
    own("ConvInteger-11", "ConvInteger", [bytes_(1, 2, 4, 4), bytes_(3, 2, 3, 3), np.array(100, np.uint8), np.array(128, np.uint8)], 11, pads=[1, 1, 1, 1])
    own("DynamicQuantizeLinear-11", "DynamicQuantizeLinear", [(3, 4)], 11, outputs=3)
    own("DynamicQuantizeLinear-11-positive", "DynamicQuantizeLinear", [f32(0.5, 2, 3.7)], 11, outputs=3)
    own("DequantizeLinear-11", "DequantizeLinear", [bytes_(2, 3), np.array(0.1, np.float32), np.array(100, np.uint8)], 11)
    own("DequantizeLinear-13-axis", "DequantizeLinear", [signed(2, 3, 2), f32(0.1, 0.2, 0.3), np.array([1, -2, 3], np.int8)], 13)
    own("DequantizeLinear-13-axis-0", "DequantizeLinear", [signed(2, 3), f32(0.1, 0.2)], 13, axis=0)
    own("DequantizeLinear-13-int32", "DequantizeLinear", [np.array([1000, -70000, 3], np.int32), f32(0.1, 0.2, 0.3)], 13, axis=0)
    own("DequantizeLinear-21-blocked", "DequantizeLinear", [signed(4, 3), np.abs(values("b", [(2, 3)])[0]), signed(2, 3)], 21, axis=0, block_size=2)
    own("DequantizeLinear-21-blocked-last", "DequantizeLinear", [bytes_(2, 6), np.abs(values("b", [(2, 2)])[0]), bytes_(2, 2)], 21, axis=-1, block_size=3)
    own("QuantizeLinear-11", "QuantizeLinear", [f32(-2, -0.05, 0, 0.05, 0.15, 3, 100), np.array(0.1, np.float32), np.array(100, np.uint8)], 11)
    own("QuantizeLinear-11-ties", "QuantizeLinear", [f32(0.25, 0.75, 1.25, -0.25, -0.75), np.array(0.5, np.float32), np.array(0, np.int8)], 11)
    own("QuantizeLinear-11-default", "QuantizeLinear", [f32(-2, 0.3, 300), np.array(0.5, np.float32)], 11)
    own("QuantizeLinear-13-axis", "QuantizeLinear", [(2, 3, 2), f32(0.01, 0.02, 0.03), np.array([1, -2, 3], np.int8)], 13)
    own("QuantizeLinear-13-axis-0", "QuantizeLinear", [(2, 3), f32(0.01, 0.02), np.array([100, 128], np.uint8)], 13, axis=0)
    own("QuantizeLinear-21-blocked", "QuantizeLinear", [(4, 3), np.full((2, 3), 0.01, np.float32), signed(2, 3)], 21, axis=0, block_size=2)
    scalar = lambda v, t=np.float32: np.array(v, t)
    own("QLinearConv-11", "QLinearConv", [bytes_(1, 2, 4, 4), scalar(0.02), scalar(120, np.uint8), signed(3, 2, 3, 3), f32(0.01, 0.02, 0.015),
                                          np.zeros(3, np.int8), scalar(0.1), scalar(110, np.uint8), np.array([100, -50, 7], np.int32)], 11, pads=[1, 1, 1, 1])
    own("QLinearMatMul-11", "QLinearMatMul", [bytes_(3, 4), scalar(0.02), scalar(120, np.uint8), bytes_(4, 2), scalar(0.01), scalar(130, np.uint8),
                                              scalar(0.05), scalar(110, np.uint8)], 11)


def resizing():
    image = (1, 2, 4, 5)
    none = floats()

    def resize(name, opset, x, scales=None, sizes=None, **more):
        inputs = [x, none if opset == 11 else None, floats(*scales) if scales else (none if opset == 11 else None), Fixed(sizes) if sizes else None]
        own(f"Resize-{opset}-{name}", "Resize", inputs, opset, **more)

    up, down, odd = (1, 1, 2, 2), (1, 1, 0.55, 0.7), (1, 1, 1.7, 1.3)
    for opset in (11, 13):
        for way in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"):
            resize(f"linear-{way}-up", opset, image, up, mode="linear", coordinate_transformation_mode=way)
            resize(f"linear-{way}-down", opset, image, down, mode="linear", coordinate_transformation_mode=way)
            resize(f"linear-{way}-sizes", opset, image, sizes=(1, 2, 7, 3), mode="linear", coordinate_transformation_mode=way)
            for rounding in ("floor", "round_prefer_floor", "ceil", "round_prefer_ceil"):
                if opset == 11 and rounding == "round_prefer_ceil":
                    continue
                resize(f"nearest-{way}-{rounding}", opset, image, odd if opset == 13 else down, mode="nearest", coordinate_transformation_mode=way, nearest_mode=rounding)
        for a in (-0.75, -0.5):
            resize(f"cubic-half_pixel-{a}", opset, image, odd, mode="cubic", coordinate_transformation_mode="half_pixel", cubic_coeff_a=a)
            resize(f"cubic-pytorch_half_pixel-{a}-sizes", opset, image, sizes=(1, 2, 3, 8), mode="cubic", coordinate_transformation_mode="pytorch_half_pixel", cubic_coeff_a=a)
            resize(f"cubic-align_corners-{a}", opset, image, sizes=(1, 2, 7, 4), mode="cubic", coordinate_transformation_mode="align_corners", cubic_coeff_a=a)
        resize("cubic-asymmetric", opset, image, up, mode="cubic", coordinate_transformation_mode="asymmetric")
        resize("cubic-exclude", opset, image, odd, mode="cubic", exclude_outside=1)
        resize("nearest-sizes", opset, image, sizes=(1, 2, 8, 10), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
        resize("nearest-default", opset, image, up)
        resize("linear-default", opset, image, up, mode="linear")
        resize("linear-one", opset, image, sizes=(1, 2, 1, 1), mode="linear", coordinate_transformation_mode="pytorch_half_pixel")
    resize("nearest-tf", 11, image, up, mode="nearest", coordinate_transformation_mode="tf_half_pixel_for_nn", nearest_mode="floor")
    resize("linear-3d", 13, (1, 1, 2, 3, 2), (1, 1, 2, 1.5, 2), mode="linear", coordinate_transformation_mode="half_pixel")
    resize("linear-1d", 13, (1, 2, 5), (1, 1, 1.6), mode="linear")
    resize("linear-antialias", 18, image, down, mode="linear", antialias=1)
    resize("cubic-antialias", 18, (1, 1, 8, 9), (1, 1, 0.4, 0.5), mode="cubic", antialias=1, cubic_coeff_a=-0.5)
    resize("linear-axes", 18, image, sizes=(6, 4), mode="linear", axes=[2, 3])
    resize("linear-symmetric", 19, image, odd, mode="linear", coordinate_transformation_mode="half_pixel_symmetric")
    resize("linear-larger", 18, image, sizes=(8, 9), mode="linear", axes=[2, 3], keep_aspect_ratio_policy="not_larger")
    own("Resize-10-nearest", "Resize", [image, floats(1, 1, 2, 1.5)], 10, mode="nearest")
    own("Upsample-9-nearest", "Upsample", [image, floats(1, 1, 2, 3)], 9, mode="nearest")
    own("Upsample-9-linear", "Upsample", [image, floats(1, 1, 2, 2)], 9, mode="linear")
    grid = np.random.default_rng(3).uniform(-1.3, 1.3, (1, 3, 4, 2)).astype(np.float32)
    for mode in ("bilinear", "nearest", "bicubic"):
        for edge in ("zeros", "border", "reflection"):
            for corners in (0, 1):
                own(f"GridSample-16-{mode}-{edge}-{corners}", "GridSample", [image, grid], 16, mode=mode, padding_mode=edge, align_corners=corners)


def edges():
    """Where implementations have gone wrong."""
    for scale in (1.3, 0.7, 1.4, 0.9):
        own(f"Resize-13-float-{scale}", "Resize", [(1, 1, 2, 10), None, floats(1, 1, 1, scale)], 13, mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric")
    for scale in (0.6, 1.7):
        own(f"Resize-10-nearest-{scale}", "Resize", [(1, 1, 2, 10), floats(1, 1, 1, scale)], 10, mode="nearest")
    uneven = dict(kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 1, 1], ceil_mode=1)
    own("MaxPool-12-uneven-ceil", "MaxPool", [(1, 2, 4, 4)], 12, **uneven)
    own("AveragePool-19-uneven-ceil", "AveragePool", [(1, 2, 4, 4)], 19, count_include_pad=1, **uneven)
    own("AveragePool-19-uneven-ceil-inside", "AveragePool", [(1, 2, 4, 5)], 19, **uneven)
    for op in ("ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceLogSumExp"):
        own(f"{op}-18-nothing", op, [(2, 3)], 18, noop_with_empty_axes=1)
    own("Slice-13-before-the-first", "Slice", [(5,), Fixed([-9]), Fixed([-99]), Fixed([0]), Fixed([-1])], 13)
    own("GatherND-13-batch-of-two", "GatherND", [(2, 3, 4), Fixed([[[0], [2]], [[1], [-1]]])], 13, batch_dims=1)



def make_all():
    for make in (shapes, reductions, arithmetic, functions, logic, indices, products, convolutions, pools, norms, quantised, resizing, edges):
        make()
