import ParallaxTensors

extension ONNXOperators {
  /// Operators that pick, place and order elements.
  static let selections: [String: Make] = [
    "Slice": one { node in
      let (starts, ends, axes) = (node.ints("starts"), node.ints("ends"), node.ints("axes"))
      return { values in
        let x = try values[0]
        let from = try values.optionalInts(1) ?? starts ?? []
        let to = try values.optionalInts(2) ?? ends ?? []
        let places = try ONNXShape.axes(
          values.optionalInts(3) ?? axes ?? Array(0..<from.count), rank: x.rank)
        let steps = try values.optionalInts(4) ?? Array(repeating: 1, count: from.count)
        guard from.count == to.count, places.count == from.count, steps.count == from.count,
          !steps.contains(0), !steps.contains(.min)
        else {
          throw GraphProblem(
            text: "starts \(from), ends \(to), axes \(places) and steps \(steps) do not go together"
          )
        }
        var result = x
        for (place, axis) in places.enumerated() {
          result = try sliced(result, axis, from[place], to[place], steps[place])
        }
        return result
      }
    },
    "Gather": one { node in
      let axis = node.int("axis", 0)
      return { values in
        let (x, indices) = (try values[0], try values[1])
        let axis = try ONNXShape.axis(axis, rank: x.rank)
        if indices.rank == 0 {
          return try select(x, axis, try values.int(1))
        }
        let shape = Array(x.shape[..<axis]) + indices.shape + Array(x.shape[(axis + 1)...])
        try ONNXShape.check(shape, x.dtype)
        let places = try positive(reshape(indices, [-1]), x.shape[axis], x.device)
        return try reshape(indexSelect(x, axis, places), shape)
      }
    },
    "GatherElements": one { node in
      let axis = node.int("axis", 0)
      return { values in
        let x = try values[0]
        let axis = try ONNXShape.axis(axis, rank: x.rank)
        return try gather(x, axis, positive(values[1], x.shape[axis], x.device))
      }
    },
    "GatherND": one { node in
      let skipped = node.int("batch_dims", 0)
      return { values in
        let (x, indices) = (try values[0], try values[1])
        let width = indices.shape.last ?? 0
        guard skipped >= 0, skipped < indices.rank, width > 0, skipped + width <= x.rank,
          x.shape.prefix(skipped) == indices.shape.prefix(skipped)
        else { throw GraphProblem(text: "indices \(indices.shape) do not fit \(x.shape)") }
        let batch = x.shape[..<skipped].reduce(1, *)
        let sizes = Array(x.shape[skipped..<skipped + width])
        let rest = Array(x.shape[(skipped + width)...])
        let rows = try linear(reshape(indices, [batch, -1, width]), sizes, x.device)
        let all = sizes.reduce(1, *)
        let flat = try reshape(x, [batch * all] + rest)
        // Each of the batch looks into its own part.
        let first = try reshape(
          multiplyNumber(arangeInt(0, batch, 1, DType.int64).to(x.device), all),
          [batch] + [Int](repeating: 1, count: rows.rank - 1))
        let shape = Array(indices.shape.dropLast()) + rest
        try ONNXShape.check(shape, x.dtype)
        return try reshape(indexSelect(flat, 0, reshape(add(rows, first), [-1])), shape)
      }
    },
    "ScatterElements": one { node in
      let (axis, reduction) = (node.int("axis", 0), node.text("reduction", "none"))
      return { values in
        let (x, updates) = (try values[0], try values[2])
        let axis = try ONNXShape.axis(axis, rank: x.rank)
        let places = try positive(values[1], x.shape[axis], x.device)
        return try scattered(x, axis, places, updates, reduction)
      }
    },
    "ScatterND": one { node in
      let reduction = node.text("reduction", "none")
      return { values in
        let (x, indices, updates) = (try values[0], try values[1], try values[2])
        let width = indices.shape.last ?? 0
        guard width > 0, width <= x.rank else {
          throw GraphProblem(text: "indices \(indices.shape) do not fit \(x.shape)")
        }
        let sizes = Array(x.shape[..<width])
        let inner = x.shape[width...].reduce(1, *)
        let rows = try linear(reshape(indices, [1, -1, width]), sizes, x.device)
        let places = try expand(reshape(rows, [-1, 1]), [rows.count, inner])
        let flat = try reshape(x, [sizes.reduce(1, *), inner])
        return try reshape(
          scattered(flat, 0, places, reshape(updates, [-1, inner]), reduction), x.shape)
      }
    },
    "TopK": { node in
      let (axis, isLargest) = (node.int("axis", -1), node.flag("largest", true))
      let fixed = node.int("k")
      return { values in
        let x = try values[0]
        let axis = try ONNXShape.axis(axis, rank: x.rank)
        let count = try fixed ?? values.int(1)
        guard count >= 0, count <= x.shape[axis] else {
          throw GraphProblem(text: "asks for \(count) of \(x.shape[axis])")
        }
        // Stable: of equal ones, the first.
        let both = try sort.all(x, true, axis, isLargest)
        return both.map { .tensor($0.sliced(axis, 0, count)) }
      }
    },
    "ArgMax": extremum("argmax"), "ArgMin": extremum("argmin"),
    "Hardmax": one { node in
      let axis = node.int("axis", node.opset < 13 ? 1 : -1)
      return { values in
        try flattening(values[0], axis, node.opset < 13) { x, axis in
          let places = try argmax(x, axis, true)
          return try scatterNumber(multiplyNumber(x, 0.0), axis, places, 1.0)
        }
      }
    },
    "NonZero": plain { values in
      let x = try values[0]
      try ONNXShape.check([x.count, max(1, x.rank)], .int64)
      return try transpose(nonzero(x), 0, 1)
    },
    "OneHot": one { node in
      let axis = node.int("axis", -1)
      return { values in
        let (indices, ends) = (try values[0], try values[2])
        let depth = Int(saturating: try values.double(1))
        let place = try ONNXShape.axis(axis, rank: indices.rank + 1)
        var shape = indices.shape
        guard depth > 0, depth <= 1 << 24, ends.count == 2 else {
          throw GraphProblem(text: "depth is \(depth), values are \(ends.shape)")
        }
        shape.insert(depth, at: place)
        try ONNXShape.check(shape, ends.dtype)
        let wrapped = try remainder(indices, Double(depth))
        let inside = try logicalAnd(
          greaterEqualNumber(indices, Double(-depth)), lessNumber(indices, Double(depth)))
        var steps = [Int](repeating: 1, count: shape.count)
        steps[place] = depth
        let range = try reshape(
          ONNXShape.value(Array(0..<depth)).to(indices.device), steps)
        let hot = try logicalAnd(
          equal(unsqueeze(wrapped, place), range), unsqueeze(inside, place))
        return try whereTensor(hot, select(ends, 0, 1), select(ends, 0, 0))
      }
    },
    "Trilu": one { node in
      let call = Aten(node.flag("upper", true) ? "triu" : "tril")
      return { values in
        let offset = try values.optional(1) == nil ? 0 : values.int(1)
        return try call(values[0], offset)
      }
    },
    "CumSum": one { node in
      let (isExclusive, isReversed) = (node.flag("exclusive"), node.flag("reverse"))
      return { values in
        let x = try values[0]
        let axis = try ONNXShape.axis(values.int(1), rank: x.rank)
        let ordered = isReversed ? try flip(x, [axis]) : x
        var total = try cumulative(ordered, axis, x.dtype)
        if isExclusive { total = try subtract(total, ordered) }
        return isReversed ? try flip(total, [axis]) : total
      }
    },
  ]

  // MARK: What several are made of

  /// The part from `start` to before `end`, both counted from the end where they are negative.
  private static func sliced(
    _ x: Tensor, _ axis: Int, _ start: Int, _ end: Int, _ step: Int
  ) throws -> Tensor {
    let size = x.shape[axis]
    func place(_ value: Int, _ least: Int, _ most: Int) -> Int {
      max(least, min(most, value < 0 ? value.addingReportingOverflow(size).partialValue : value))
    }
    if step > 0 {
      let from = place(start, 0, size)
      return try slice(x, axis, from, max(from, place(end, 0, size)), step)
    }
    let from = place(start, 0, size - 1)
    // The end before the first is −1 of what is counted from the front.
    let to = end < -size ? -1 : place(end, -1, size - 1)
    let places = Array(stride(from: from, to: to, by: step))
    return try indexSelect(x, axis, ONNXShape.value(places).to(x.device))
  }

  /// Indices counted from the front, on a device.
  private static func positive(_ indices: Tensor, _ size: Int, _ device: Device) throws -> Tensor {
    guard !indices.dtype.isFloatingPoint, indices.dtype != .bool else {
      throw GraphProblem(text: "expected indices, found \(indices)")
    }
    let whole = try toDType(indices, .int64).to(device)
    return try whereTensor(lessNumber(whole, 0), addNumber(whole, size, 1), whole)
  }

  /// The place in a row of all, from indices `[…, n]` into n dimensions.
  private static func linear(_ indices: Tensor, _ sizes: [Int], _ device: Device) throws -> Tensor {
    var total: Tensor?
    for (dimension, size) in sizes.enumerated() {
      let part = try positive(select(indices, -1, dimension), size, device)
      // Out of its own dimension it would land in another's.
      guard
        part.count == 0
          || part.maximum().item(Int64.self) < size && part.minimum().item(Int64.self) >= 0
      else { throw GraphProblem(text: "an index lies outside of a dimension of size \(size)") }
      total = try total.map { try add(multiplyNumber($0, size), part) } ?? part
    }
    guard let total else { throw GraphProblem(text: "there are no indices") }
    return total
  }

  private static func scattered(
    _ x: Tensor, _ axis: Int, _ places: Tensor, _ updates: Tensor, _ reduction: String
  ) throws -> Tensor {
    let reductions = ["add": "sum", "mul": "prod", "max": "amax", "min": "amin"]
    if reduction == "none" { return try scatter(x, axis, places, updates) }
    guard let name = reductions[reduction] else {
      throw GraphProblem(text: "the reduction '\(reduction)' is not known here")
    }
    return try scatterReduce(x, axis, places, updates, name, true)
  }

  private static func extremum(_ name: String) -> Make {
    one { node in
      let call = Aten(name)
      let (axis, keeps, isLast) = (
        node.int("axis", 0), node.flag("keepdims", true), node.flag("select_last_index")
      )
      return { values in
        let x = try values[0]
        let axis = try ONNXShape.axis(axis, rank: x.rank)
        guard isLast else { return try call(x, axis, keeps) }
        let found = try call(flip(x, [axis]), axis, keeps)
        return try addNumber(multiplyNumber(found, -1), x.shape[axis] - 1, 1)
      }
    }
  }

  /// Before opset 13 softmax and its kin see a matrix: all from an axis on are one row.
  static func flattening(
    _ x: Tensor, _ axis: Int, _ isOld: Bool, _ body: (Tensor, Int) throws -> Tensor
  ) throws -> Tensor {
    let place = isOld && axis == x.rank ? axis : try ONNXShape.axis(axis, rank: x.rank)
    guard isOld, place != x.rank - 1 else { return try body(x, place) }
    let rows = x.shape[..<place].reduce(1, *)
    return try reshape(body(reshape(x, [rows, -1]), 1), x.shape)
  }

  static let select = Aten("select.int")
  static let slice = Aten("slice.Tensor")
  static let stack = Aten("stack")
  static let gather = Aten("gather")
  static let flip = Aten("flip")
  static let unsqueeze = Aten("unsqueeze")
  static let transpose = Aten("transpose.int")
  static let argmax = Aten("argmax")
  static let equal = Aten("eq.Tensor")
  static let logicalAnd = Aten("logical_and")
  static let greaterEqualNumber = Aten("ge.Scalar")
  private static let nonzero = Aten("nonzero")
  private static let remainder = Aten("remainder.Scalar")
  private static let cumulative = Aten("cumsum")
  private static let sort = Aten("sort.stable")
  private static let scatter = Aten("scatter.src")
  private static let scatterNumber = Aten("scatter.value")
  private static let scatterReduce = Aten("scatter_reduce.two")
}
