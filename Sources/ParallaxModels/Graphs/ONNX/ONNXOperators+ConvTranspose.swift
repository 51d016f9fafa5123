import ParallaxTensors

extension ONNXWindow {
  /// The size that an axis grows to when the window is laid down at each of its values.
  fileprivate func spread(_ size: Int, _ axis: Int) -> Int {
    let steps = strides[axis] * (size - 1)
    let reach = (kernel[axis] - 1) * dilations[axis] + 1
    return max(0, steps + reach)
  }
}

extension ONNXOperators {
  /// The transpose of a convolution: all of it, then what is not wanted is cut off.
  static let transposedConvolution: Make = one { node in
    let groups = node.int("group", 1)
    return { values in
      let (x, weight, bias) = (try values[0], try values[1], values.optional(2))
      let window = try ONNXWindow(node, kernel: Array(weight.shape.dropFirst(2)))
      let rank = window.rank
      guard x.rank == rank + 2, weight.rank == rank + 2, groups > 0, groups < 1 << 24 else {
        throw GraphProblem(text: "weight \(weight.shape) does not fit \(x.shape)")
      }
      let cut = try cuts(node, window, Array(x.shape.dropFirst(2)))
      let whole = (0..<rank).map { window.spread(x.shape[$0 + 2], $0) + cut.more[$0] }
      try ONNXShape.check([x.shape[0], weight.shape[1], groups] + whole, x.dtype)
      let zeros = [Int](repeating: 0, count: rank)
      var y = try convolution(
        x, weight, bias, window.strides, zeros, window.dilations, true, zeros, groups)
      if cut.more.contains(where: { $0 > 0 }) {
        y = try extended(y, cut.more, bias)
      }
      for axis in 0..<rank where cut.before[axis] > 0 || cut.after[axis] > 0 {
        let end = max(cut.before[axis], y.shape[axis + 2] - cut.after[axis])
        y = try slice(y, axis + 2, cut.before[axis], end, 1)
      }
      return y
    }
  }

  /// What is cut off before and after each axis, and what is put behind it.
  private static func cuts(
    _ node: ONNXNode, _ window: ONNXWindow, _ sizes: [Int]
  ) throws -> (before: [Int], after: [Int], more: [Int]) {
    let rank = window.rank
    var more = try node.ints("output_padding", count: rank, 0)
    let wanted = node.ints("output_shape").map { Array($0.suffix(rank)) }
    let isSane = (more + (wanted ?? [])).allSatisfy { (0...1 << 24).contains($0) }
    guard isSane, wanted == nil || wanted?.count == rank else {
      throw GraphProblem(text: "its output_padding or output_shape makes no sense")
    }
    var (before, after) = (Array(window.pads[..<rank]), Array(window.pads[rank...]))
    let isSame = window.auto.hasPrefix("SAME")
    for axis in 0..<rank where wanted != nil || isSame {
      let full = window.spread(sizes[axis], axis) + more[axis]
      let size = wanted?[axis] ?? sizes[axis] * window.strides[axis]
      more[axis] += max(0, size - full)
      let total = max(0, full - size)
      let half = total / 2
      before[axis] = window.auto == "SAME_UPPER" ? half : total - half
      after[axis] = total - before[axis]
    }
    return (before, after, more)
  }

  /// More rows than the window reaches hold the bias alone.
  private static func extended(_ y: Tensor, _ more: [Int], _ bias: Tensor?) throws -> Tensor {
    let amounts = more.reversed().flatMap { [0, $0] }
    let wider = try pad(y, amounts, 0.0)
    guard let bias else { return wider }
    let mask = try pad(Tensor.zeros(y.shape, y.dtype).to(y.device), amounts, 1.0)
    let row = try reshape(bias, [1, -1] + [Int](repeating: 1, count: more.count))
    return try add(wider, multiply(mask, row))
  }
}
