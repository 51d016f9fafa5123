import ParallaxTensors

extension ONNXOperators {
  /// Normalisations.
  static let normalisations: [String: Make] = [
    "BatchNormalization": one { node in
      let epsilon = node.float("epsilon", 1e-5)
      guard !node.flag("training_mode") else {
        throw GraphProblem(text: "the graph was exported in training mode; call model.eval() first")
      }
      return { values in
        try batchNorm(
          values[0], values[1], values[2], values[3], values[4], false, 0.0, epsilon, false)
      }
    },
    "InstanceNormalization": one { node in
      let epsilon = node.float("epsilon", 1e-5)
      return { values in
        try instanceNorm(
          values[0], values[1], values[2], Tensor?.none, Tensor?.none, true, 0.0, epsilon, false)
      }
    },
    "LayerNormalization": { node in
      let (axis, epsilon) = (node.int("axis", -1), node.float("epsilon", 1e-5))
      return { values in
        let x = try values[0]
        let axis = try ONNXShape.axis(axis, rank: x.rank)
        let shape = Array(x.shape[axis...])
        func fitted(_ index: Int) throws -> Tensor? {
          guard let found = values.optional(index) else { return nil }
          return try found.shape == shape ? found : expand(found, shape)
        }
        if node.outputCount == 1 {
          return [.tensor(try layerNorm(x, shape, fitted(1), fitted(2), epsilon))]
        }
        return try layerNormParts.all(x, shape, fitted(1), fitted(2), epsilon)
          .map { .tensor($0) }
      }
    },
    "com.microsoft.SkipLayerNormalization": { node in
      let epsilon = node.float("epsilon", 1e-12)
      return { values in
        let sum = try add(values[0], values[1])
        let x = try values.optional(4).map { try add(sum, $0) } ?? sum
        let shape = [x.shape.last ?? 1]
        let y = try layerNorm(x, shape, values[2], values.optional(3), epsilon)
        return [.tensor(y), .none, .none, .tensor(x)]
      }
    },
    "RMSNormalization": one { node in
      let (axis, epsilon) = (node.int("axis", -1), node.float("epsilon", 1e-5))
      return { values in
        let x = try values[0]
        let axis = try ONNXShape.axis(axis, rank: x.rank)
        let wide = try toDType(x, x.dtype == .float64 ? .float64 : .float32)
        let square = try mean(multiply(wide, wide), Array(axis..<x.rank), true)
        let scaled = try multiply(wide, rsqrt(addNumber(square, epsilon, 1.0)))
        return try multiply(toDType(scaled, x.dtype), values[1])
      }
    },
    "GroupNormalization": one { node in
      let (groups, epsilon) = (node.int("num_groups", 1), node.float("epsilon", 1e-5))
      return { values in
        let x = try values[0]
        let channels = x.rank > 1 ? x.shape[1] : 0
        guard groups > 0, channels % groups == 0 else {
          throw GraphProblem(text: "\(channels) channels in \(groups) groups")
        }
        // Before opset 21 there was a factor a group.
        func fitted(_ given: Tensor) throws -> Tensor {
          guard given.count != channels else { return given }
          guard given.count == groups else {
            throw GraphProblem(text: "\(given.shape) fits neither channels nor groups")
          }
          return try repeated(given, channels / groups, 0)
        }
        return try groupNorm(x, groups, fitted(values[1]), fitted(values[2]), epsilon, false)
      }
    },
    "LpNormalization": one { node in
      let (axis, p) = (node.int("axis", -1), node.float("p", 2))
      return { values in
        let length = try norm(values[0], p, [axis], true)
        // A row of zeros stays one.
        let one = Tensor.ones([], length.dtype).to(length.device)
        return try divide(values[0], whereTensor(equalNumber(length, 0), one, length))
      }
    },
    "MeanVarianceNormalization": one { node in
      let axes = node.ints("axes") ?? [0, 2, 3]
      return { values in
        let x = try values[0]
        let places = try ONNXShape.axes(axes, rank: x.rank)
        let center = try mean(x, places, true)
        let square = try mean(multiply(x, x), places, true)
        let spread = try sqrt(subtract(square, multiply(center, center)))
        return try divide(subtract(x, center), addNumber(spread, 1e-9, 1.0))
      }
    },
    "LRN": one { node in
      let (size, bias) = (node.int("size", 1), node.float("bias", 1))
      let (alpha, beta) = (node.float("alpha", 1e-4), node.float("beta", 0.75))
      guard (1...1 << 12).contains(size) else { throw GraphProblem(text: "its size is \(size)") }
      return { values in
        let x = try values[0]
        guard x.rank > 1 else { throw GraphProblem(text: "expected channels, found \(x.shape)") }
        let (before, channels) = ((size - 1) / 2, x.shape[1])
        var sides = [Int](repeating: 0, count: 2 * (x.rank - 2))
        sides += [before, size - 1 - before]
        let square = try pad(multiply(x, x), sides, 0.0)
        var total = square.sliced(1, 0, channels)
        for place in 1..<max(1, size) where place < size {
          total = try add(total, square.sliced(1, place, place + channels))
        }
        let factor = try powNumber(
          addNumber(multiplyNumber(total, alpha / Double(size)), bias, 1.0), beta)
        return try divide(x, factor)
      }
    },
  ]

  static let sqrt = Aten("sqrt")
  static let equalNumber = Aten("eq.Scalar")
  private static let rsqrt = Aten("rsqrt")
  private static let batchNorm = Aten("batch_norm")
  private static let instanceNorm = Aten("instance_norm")
  private static let layerNorm = Aten("layer_norm")
  private static let layerNormParts = Aten("native_layer_norm")
  private static let groupNorm = Aten("group_norm")
}
