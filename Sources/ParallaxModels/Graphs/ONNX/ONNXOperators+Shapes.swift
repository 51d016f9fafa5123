import ParallaxTensors

extension ONNXOperators {
  /// Operators that ask for shapes, change them, or make values of a shape.
  static let shapes: [String: Make] = [
    "Shape": one { node in
      let (start, end) = (node.int("start", 0), node.int("end", .max))
      return { values in
        let shape = try values[0].shape
        func place(_ place: Int) -> Int {
          max(
            0,
            min(
              shape.count,
              place < 0 ? place.addingReportingOverflow(shape.count).partialValue : place))
        }
        let (from, to) = (place(start), place(end))
        return ONNXShape.value(from < to ? Array(shape[from..<to]) : [])
      }
    },
    "Size": plain { Tensor(Int64(try $0[0].count)) },
    "Reshape": one { node in
      let keepsZeros = node.flag("allowzero")
      return { values in
        let x = try values[0]
        var shape = try values.ints(1)
        if !keepsZeros {
          for (place, size) in shape.enumerated() where size == 0 {
            guard place < x.rank else {
              throw GraphProblem(text: "\(x.shape) has no dimension \(place) to keep")
            }
            shape[place] = x.shape[place]
          }
        }
        return try reshape(x, shape)
      }
    },
    "Flatten": one { node in
      let axis = node.int("axis", 1)
      return { values in
        let x = try values[0]
        let place = axis == x.rank ? axis : try ONNXShape.axis(axis, rank: x.rank)
        return try reshape(
          x, [x.shape[..<place].reduce(1, *), x.shape[place...].reduce(1, *)])
      }
    },
    "Transpose": one { node in
      let order = node.ints("perm")
      return { values in
        let x = try values[0]
        let order =
          try order.map { try ONNXShape.axes($0, rank: x.rank) } ?? (0..<x.rank).reversed()
        return try permute(x, order)
      }
    },
    "Squeeze": one { node in
      let fixed = node.ints("axes")
      return { values in
        let x = try values[0]
        let shape = x.shape
        let given = try values.optionalInts(1) ?? fixed
        let axes =
          try given.map { try ONNXShape.axes($0, rank: shape.count) }
          ?? shape.indices.filter { shape[$0] == 1 }
        for axis in axes where shape[axis] != 1 {
          throw GraphProblem(text: "dimension \(axis) of \(shape) is not of size 1")
        }
        return try reshape(x, shape.indices.filter { !axes.contains($0) }.map { shape[$0] })
      }
    },
    "Unsqueeze": one { node in
      let fixed = node.ints("axes")
      return { values in
        let x = try values[0]
        guard let given = try values.optionalInts(1) ?? fixed, given.count <= 64 else {
          throw GraphProblem(text: "it is told no axes")
        }
        let axes = try ONNXShape.axes(given, rank: x.rank + given.count).sorted()
        var shape = x.shape
        for axis in axes { shape.insert(1, at: axis) }
        return try reshape(x, shape)
      }
    },
    "Expand": plain { values in
      let x = try values[0]
      let shape = try ONNXShape.broadcast(x.shape, values.ints(1))
      return try expand(x, ONNXShape.check(shape, x.dtype))
    },
    "Tile": plain { values in
      let (x, repeats) = (try values[0], try values.ints(1))
      guard repeats.count == x.rank, repeats.allSatisfy({ $0 >= 0 }) else {
        throw GraphProblem(text: "cannot repeat \(x.shape) \(repeats) times")
      }
      var shape: [Int] = []
      for (size, times) in zip(x.shape, repeats) {
        shape.append(size.multipliedReportingOverflow(by: times).overflow ? .max : size * times)
      }
      try ONNXShape.check(shape, x.dtype)
      return try tile(x, repeats)
    },
    "Concat": one { node in
      let axis = node.int("axis", 1)
      return { values in
        var parts: [Tensor] = []
        for index in values.values.indices { parts.append(try values[index]) }
        if let device = parts.map(\.device).first(where: { $0 != .cpu }) {
          parts = parts.map { $0.to(device) }
        }
        let most = parts.reduce(0.0) { $0 + Double($1.count) * Double($1.dtype.byteCount) }
        guard most <= Double(GraphLimits.largest) else {
          throw GraphProblem(text: "its result would take \(Int(saturating: most)) bytes")
        }
        return try concatenate(parts, axis)
      }
    },
    "Split": { node in
      let (axis, fixed, count) = (
        node.int("axis", 0), node.ints("split"), node.int("num_outputs", node.outputCount)
      )
      guard count == node.outputCount else {
        throw GraphProblem(text: "num_outputs is \(count), and it has \(node.outputCount) results")
      }
      return { values in
        let x = try values[0]
        let axis = try ONNXShape.axis(axis, rank: x.rank)
        let size = x.shape[axis]
        let sizes: [Int]
        if let given = try values.optionalInts(1) ?? fixed {
          sizes = given
        } else {
          let part = (size + count - 1) / max(1, count)
          sizes = (0..<count).map { max(0, min(part, size - $0 * part)) }
        }
        guard sizes.count == count, sizes.allSatisfy({ $0 >= 0 && $0 <= size }),
          sizes.reduce(0, +) == size
        else { throw GraphProblem(text: "cannot split \(size) into \(sizes)") }
        return try split(x, sizes, axis).map { .tensor($0) }
      }
    },
    "ConstantOfShape": one { node in
      let value = try node.tensor("value") ?? Tensor(Float(0))
      guard value.count == 1 else { throw GraphProblem(text: "its value is no single number") }
      return { values in
        try expand(
          reshape(value, [Int]()), ONNXShape.check(values.ints(0), value.dtype))
      }
    },
    "Constant": one { node in
      let value: Tensor
      if let tensor = try node.tensor("value") {
        value = tensor
      } else if node.has("value_float") {
        value = Tensor(Float(node.float("value_float", 0)))
      } else if node.has("value_int") {
        value = Tensor(Int64(node.int("value_int", 0)))
      } else if let numbers = node.floats("value_floats"), !numbers.isEmpty {
        value = Tensor(numbers.map { Float($0) }, shape: [numbers.count])
      } else if let numbers = node.ints("value_ints") {
        value = ONNXShape.value(numbers)
      } else {
        throw GraphProblem(text: "a constant of a kind that is not known here")
      }
      return { _ in value }
    },
    "Range": plain { values in
      let (start, limit, step) = (try values[0], try values[1], try values[2])
      let (from, to, by) = (
        try values.double(0), try values.double(1), try values.double(2)
      )
      let count = ((to - from) / by).rounded(.up)
      guard count.isFinite, count <= 134_217_728 else {
        throw GraphProblem(text: "a range from \(from) to \(to) in steps of \(by)")
      }
      guard count > 0 else { return Tensor.zeros([0], start.dtype) }
      if start.dtype.isFloatingPoint { return try arange(from, to, by, start.dtype) }
      return try arangeInt(
        Int(start.item(Int64.self)), Int(limit.item(Int64.self)), Int(step.item(Int64.self)),
        start.dtype)
    },
    "EyeLike": one { node in
      let (dtype, offset) = (
        try node.int("dtype").map { try ONNXFile.dtype($0) }, node.int("k", 0)
      )
      return { values in
        let x = try values[0]
        guard x.rank == 2, offset.magnitude < 1 << 20 else {
          throw GraphProblem(text: "expected a matrix, found \(x.shape)")
        }
        let square = try eye(x.shape[0], x.shape[1] + Swift.abs(offset), DType.float32)
        let shifted =
          offset >= 0
          ? try pad(square, [offset, 0], 0.0).sliced(1, 0, x.shape[1])
          : square.sliced(1, -offset, x.shape[1] - offset)
        return try toDType(shifted, dtype ?? x.dtype)
      }
    },
    "Pad": one { node in
      let (mode, fixed, value) = (
        node.text("mode", "constant"), node.ints("pads"), node.float("value", 0)
      )
      return { values in
        let x = try values[0]
        let pads = try values.optionalInts(1) ?? fixed ?? []
        let axes =
          try values.optionalInts(3).map { try ONNXShape.axes($0, rank: x.rank) }
          ?? Array(0..<x.rank)
        guard pads.count == 2 * axes.count, pads.allSatisfy({ $0.magnitude < 1 << 24 }) else {
          throw GraphProblem(text: "pads are \(pads) for \(axes.count) axes")
        }
        var (before, after) = (x.shape.map { _ in 0 }, x.shape.map { _ in 0 })
        for (place, axis) in axes.enumerated() {
          (before[axis], after[axis]) = (pads[place], pads[place + axes.count])
        }
        let number = try values.optional(2) == nil ? value : values.double(2)
        return try padded(x, before, after, mode, number)
      }
    },
    "DepthToSpace": one { node in
      let (block, isColumns) = (node.int("blocksize", 0), node.text("mode", "DCR") == "DCR")
      return { values in
        let x = try values[0]
        guard x.rank == 4, block > 0, block < 1 << 10 else {
          throw GraphProblem(text: "cannot spread \(x.shape) over blocks of \(block)")
        }
        let (n, c, h, w) = (x.shape[0], x.shape[1] / (block * block), x.shape[2], x.shape[3])
        let parts = isColumns ? [n, block, block, c, h, w] : [n, c, block, block, h, w]
        let order = isColumns ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3]
        return try reshape(permute(reshape(x, parts), order), [n, c, h * block, w * block])
      }
    },
    "SpaceToDepth": one { node in
      let block = node.int("blocksize", 0)
      let order = node.text("mode", "DCR") == "DCR" ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4]
      return { values in
        let x = try values[0]
        guard x.rank == 4, block > 0, block < 1 << 10 else {
          throw GraphProblem(text: "cannot gather \(x.shape) in blocks of \(block)")
        }
        let (n, c, h, w) = (x.shape[0], x.shape[1], x.shape[2] / block, x.shape[3] / block)
        let parts = try reshape(x, [n, c, h, block, w, block])
        return try reshape(permute(parts, order), [n, c * block * block, h, w])
      }
    },
  ]

  /// A value with some of it, or a number, put around.
  static func padded(
    _ x: Tensor, _ before: [Int], _ after: [Int], _ mode: String, _ value: Double
  ) throws -> Tensor {
    let shape = zip(x.shape, zip(before, after)).map { $0 + $1.0 + $1.1 }
    guard shape.allSatisfy({ $0 >= 0 }) else {
      throw GraphProblem(text: "it would cut \(x.shape) to \(shape)")
    }
    // Axis by axis: what grows on the way must fit, too.
    try ONNXShape.check(zip(shape, x.shape).map { max($0, $1) }, x.dtype)
    if mode == "constant" {
      let amounts = zip(before, after).reversed().flatMap { [$0, $1] }
      if x.dtype == .bool {
        return try toDType(pad(toDType(x, .uint8), amounts, value), .bool)
      }
      return try pad(x, amounts, value)
    }
    var result = x
    for (axis, size) in x.shape.enumerated() where before[axis] != 0 || after[axis] != 0 {
      guard size > 0 else { throw GraphProblem(text: "there is nothing to repeat in \(x.shape)") }
      let places = try (-before[axis]..<max(-before[axis], size + after[axis])).map { place in
        switch mode {
        case "edge": return min(max(place, 0), size - 1)
        case "wrap": return ((place % size) + size) % size
        case "reflect":
          let period = max(1, 2 * (size - 1))
          let folded = ((place % period) + period) % period
          return min(folded, period - folded) % size
        default: throw GraphProblem(text: "the mode '\(mode)' is not known here")
        }
      }
      result = try indexSelect(result, axis, ONNXShape.value(places).to(x.device))
    }
    return result
  }

  static let reshape = Aten("reshape")
  static let permute = Aten("permute")
  static let expand = Aten("expand")
  static let tile = Aten("tile")
  static let concatenate = Aten("cat")
  static let pad = Aten("constant_pad_nd")
  static let eye = Aten("eye.m")
  static let arange = Aten("arange.start_step")
  static let arangeInt = Aten("arange.start_step")
  static let indexSelect = Aten("index_select")

  /// Parts of given sizes along an axis.
  static func split(_ x: Tensor, _ sizes: [Int], _ axis: Int) throws -> [Tensor] {
    try splitSizes.all(x, sizes, axis)
  }
  private static let splitSizes = Aten("split_with_sizes")
}
