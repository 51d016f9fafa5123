import ParallaxTensors

extension ONNXOperators {
  /// Pools, and samples of images.
  static let pooling: [String: Make] = [
    "MaxPool": { node in
      let window = try ONNXWindow(node)
      let isByColumn = node.flag("storage_order")
      return { values in
        let x = try values[0]
        try window.check(x, channels: x.rank > 1 ? x.shape[1] : 1)
        // Whole numbers have no −∞; these are bytes of quantised networks.
        let image = try x.dtype.isFloatingPoint ? x : toDType(x, .float32)
        let (padded, pads) = try evenedForMaximum(window, image)
        if node.outputCount < 2 {
          var y = try maxPools[window.rank - 1](
            padded, window.kernel, window.strides, pads, window.dilations, window.roundsUp)
          if window.roundsUp, padded.shape != image.shape {
            // A window that begins behind the image is none.
            for (axis, steps) in try window.steps(over: Array(x.shape.dropFirst(2))).enumerated() {
              y = try slice(y, axis + 2, 0, steps, 1)
            }
          }
          return [.tensor(try toDType(y, x.dtype))]
        }
        guard padded.shape == image.shape, x.count > 0 else {
          throw GraphProblem(text: "places of maxima with uneven pads are not known here")
        }
        let both = try maxPoolPlaces(padded, window, pads)
        var places = both[1]
        if isByColumn, window.rank == 2 {
          let (height, width) = (x.shape[2], x.shape[3])
          let rows = try divideNumberMode(places, width, "floor")
          places = try add(
            multiplyNumber(subtract(places, multiplyNumber(rows, width)), height), rows)
        }
        // ONNX counts through all images, libtorch through one channel.
        let planes = x.shape[0] * x.shape[1]
        let first = try reshape(
          multiplyNumber(
            ONNXShape.value(Array(0..<planes)).to(x.device),
            x.shape.dropFirst(2).reduce(1, *)),
          [x.shape[0], x.shape[1]] + [Int](repeating: 1, count: window.rank))
        return [.tensor(try toDType(both[0], x.dtype)), .tensor(try add(places, first))]
      }
    },
    "AveragePool": one { node in
      let window = try ONNXWindow(node)
      let countsPads = node.flag("count_include_pad")
      return { values in
        let x = try values[0]
        try window.check(x, channels: x.rank > 1 ? x.shape[1] : 1)
        let sizes = Array(x.shape.dropFirst(2))
        let (before, after) = try window.padding(for: sizes)
        let isPlain = window.dilations.allSatisfy { $0 == 1 } && before == after
        let fits = zip(before, window.kernel).allSatisfy { $0 * 2 <= $1 }
        if isPlain, fits, window.rank == 2 {
          return try averagePool(
            x, window.kernel, window.strides, before, window.roundsUp, countsPads)
        }
        let ones = Tensor.ones(
          countsPads ? zip(sizes, zip(before, after)).map { $0 + $1.0 + $1.1 } : sizes, x.dtype
        ).to(x.device)
        let grid = try reshape(ones, [1, 1] + ones.shape)
        let none = before.map { _ in 0 }
        let counts = try summed(
          grid, window, countsPads ? none : before, countsPads ? none : after, over: sizes)
        return try divide(summed(x, window, before, after, over: sizes), counts)
      }
    },
    "LpPool": one { node in
      let (window, p) = (try ONNXWindow(node), node.float("p", 2))
      return { values in
        let x = try values[0]
        try window.check(x, channels: x.rank > 1 ? x.shape[1] : 1)
        let (before, after) = try window.padding(for: Array(x.shape.dropFirst(2)))
        return try powNumber(
          summed(powNumber(abs(x), p), window, before, after, over: Array(x.shape.dropFirst(2))),
          1 / p)
      }
    },
    "GlobalAveragePool": plain { try mean($0[0], spatial($0[0]), true) },
    "GlobalMaxPool": plain { try amax($0[0], spatial($0[0]), true) },
    "GlobalLpPool": one { node in
      let p = node.float("p", 2)
      return { try norm($0[0], p, spatial($0[0]), true) }
    },
    "GridSample": one { node in
      let modes = ["bilinear": 0, "linear": 0, "nearest": 1, "bicubic": 2, "cubic": 2]
      let edges = ["zeros": 0, "border": 1, "reflection": 2]
      guard let mode = modes[node.text("mode", "bilinear")],
        let edge = edges[node.text("padding_mode", "zeros")]
      else { throw GraphProblem(text: "its mode is not known here") }
      let isAligned = node.flag("align_corners")
      return { values in
        let x = try values[0]
        let grid = try values[1].shape
        try ONNXShape.check([x.rank > 1 ? x.shape[1] : 1] + grid, x.dtype)
        return try (x.rank == 5 ? gridSampler3D : gridSampler2D)(
          x, values[1], mode, edge, isAligned)
      }
    },
  ]

  /// The axes behind images and channels.
  private static func spatial(_ x: Tensor) -> [Int] { Array(2..<max(2, x.rank)) }

  private static func evenedForMaximum(
    _ window: ONNXWindow, _ x: Tensor
  ) throws -> (Tensor, [Int]) {
    let (before, after) = try window.padding(for: Array(x.shape.dropFirst(2)))
    // libtorch refuses more than half a window.
    let fits = zip(before, window.kernel).allSatisfy { $0 * 2 <= $1 }
    if before == after, fits { return (x, before) }
    let amounts = zip(before, after).reversed().flatMap { [$0, $1] }
    return (try pad(x, amounts, -Double.infinity), before.map { _ in 0 })
  }

  private static func maxPoolPlaces(
    _ x: Tensor, _ window: ONNXWindow, _ pads: [Int]
  ) throws -> [Tensor] {
    if window.rank == 3 {
      return try maxPoolPlaces3D.all(
        x, window.kernel, window.strides, pads, window.dilations, window.roundsUp)
    }
    if window.rank == 2 {
      return try maxPoolPlaces2D.all(
        x, window.kernel, window.strides, pads, window.dilations, window.roundsUp)
    }
    let both = try maxPoolPlaces2D.all(
      unsqueeze(x, 2), [1] + window.kernel, [1] + window.strides, [0] + pads,
      [1] + window.dilations, window.roundsUp)
    return try both.map { try reshape($0, [x.shape[0], x.shape[1], -1]) }
  }

  /// The sum over windows of each channel; where a window reaches over the edge, of what lies inside.
  private static func summed(
    _ x: Tensor, _ window: ONNXWindow, _ before: [Int], _ after: [Int], over sizes: [Int]
  ) throws -> Tensor {
    var after = after
    for (axis, steps) in try window.steps(over: sizes).enumerated() where window.roundsUp {
      // What a last window that begins inside needs.
      let reach = (window.kernel[axis] - 1) * window.dilations[axis] + 1
      let size = x.shape[axis + 2] + before[axis] + after[axis]
      after[axis] += (steps - 1) * window.strides[axis] + reach - size
    }
    let whole = window.kernel.indices.map { max(0, x.shape[$0 + 2] + before[$0] + after[$0]) }
    try ONNXShape.check(Array(x.shape.prefix(2)) + whole, x.dtype)
    try ONNXShape.check([x.shape[1], 1] + window.kernel, x.dtype)
    let padded = try pad(x, zip(before, after).reversed().flatMap { [$0, $1] }, 0.0)
    let channels = x.shape[1]
    let ones = Tensor.ones([channels, 1] + window.kernel, x.dtype).to(x.device)
    let zeros = [Int](repeating: 0, count: window.rank)
    return try convolution(
      padded, ones, Tensor?.none, window.strides, zeros, window.dilations, false, zeros, channels)
  }

  static let mean = Aten("mean.dim")
  private static let divideNumberMode = Aten("div.Scalar_mode")
  static let amax = Aten("amax")
  static let norm = Aten("linalg_vector_norm")
  private static let maxPools = [Aten("max_pool1d"), Aten("max_pool2d"), Aten("max_pool3d")]
  private static let maxPoolPlaces2D = Aten("max_pool2d_with_indices")
  private static let maxPoolPlaces3D = Aten("max_pool3d_with_indices")
  private static let averagePool = Aten("avg_pool2d")
  private static let gridSampler2D = Aten("grid_sampler_2d")
  private static let gridSampler3D = Aten("grid_sampler_3d")
}
