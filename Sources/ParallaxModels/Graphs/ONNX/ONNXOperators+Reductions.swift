import ParallaxTensors

extension ONNXOperators {
  /// Sums, means and extrema over axes.
  static let reductions: [String: Make] = [
    "ReduceMean": reduction { x, axes, keeps in
      try x.dtype.isFloatingPoint
        ? mean(x, axes, keeps) : toDType(mean(toDType(x, .float64), axes, keeps), x.dtype)
    },
    "ReduceSum": reduction { try sum($0, $1, $2, $0.dtype) },
    "ReduceMax": reduction { x, axes, keeps in
      try extremum(x, axes, keeps, amax, -Double.infinity)
    },
    "ReduceMin": reduction { x, axes, keeps in
      try extremum(x, axes, keeps, amin, Double.infinity)
    },
    "ReduceProd": reduction { x, axes, keeps in
      var result = x
      for axis in axes.sorted(by: >) { result = try prod(result, axis, keeps, x.dtype) }
      return result
    },
    "ReduceL1": reduction { try sum(abs($0), $1, $2, $0.dtype) },
    "ReduceL2": reduction { x, axes, keeps in
      try x.dtype.isFloatingPoint
        ? norm(x, 2.0, axes, keeps) : toDType(norm(toDType(x, .float64), 2.0, axes, keeps), x.dtype)
    },
    "ReduceLogSum": reduction { try log(sum($0, $1, $2, $0.dtype)) },
    "ReduceLogSumExp": reduction { try logsumexp($0, $1, $2) },
    "ReduceSumSquare": reduction { try sum(multiply($0, $0), $1, $2, $0.dtype) },
  ]

  private static func reduction(
    _ body: @escaping @Sendable (Tensor, [Int], Bool) throws -> Tensor
  ) -> Make {
    one { node in
      let (fixed, keeps, isNothing) = (
        node.ints("axes"), node.flag("keepdims", true), node.flag("noop_with_empty_axes")
      )
      return { values in
        let x = try values[0]
        let given = try values.optionalInts(1) ?? fixed ?? []
        // Over no axis: each number by itself.
        if given.isEmpty, isNothing { return try body(unsqueeze(x, -1), [x.rank], false) }
        let axes = given.isEmpty ? Array(0..<x.rank) : try ONNXShape.axes(given, rank: x.rank)
        if axes.isEmpty { return try body(reshape(x, [1]), [0], false) }
        return try body(x, axes, keeps)
      }
    }
  }

  private static func extremum(
    _ x: Tensor, _ axes: [Int], _ keeps: Bool, _ call: Aten, _ empty: Double
  ) throws -> Tensor {
    guard axes.contains(where: { x.shape[$0] == 0 }) else { return try call(x, axes, keeps) }
    // Of nothing: the neutral number.
    var shape: [Int] = []
    for (axis, size) in x.shape.enumerated() {
      if !axes.contains(axis) { shape.append(size) } else if keeps { shape.append(1) }
    }
    let ones = Tensor.ones(shape, x.dtype.isFloatingPoint ? x.dtype : .float64)
    let least = x.dtype == .bool ? (empty > 0 ? 1.0 : 0.0) : empty
    return try toDType(multiplyNumber(ones, least), x.dtype).to(x.device)
  }

  private static let sum = Aten("sum.dim_IntList")
  private static let amin = Aten("amin")
  private static let prod = Aten("prod.dim_int")
  private static let log = Aten("log")
  private static let logsumexp = Aten("logsumexp")
}
