import ParallaxTensors

/// Sizes and axes that come from outside.
enum ONNXShape {
  /// An axis counted from the front.
  static func axis(_ axis: Int, rank: Int) throws(GraphProblem) -> Int {
    let place = axis < 0 ? axis.addingReportingOverflow(rank).partialValue : axis
    guard place >= 0, place < rank else {
      throw GraphProblem(text: "a value of \(rank) dimensions has no axis \(axis)")
    }
    return place
  }

  /// Axes counted from the front, each once.
  static func axes(_ axes: [Int], rank: Int) throws(GraphProblem) -> [Int] {
    var places: [Int] = []
    for axis in axes { places.append(try self.axis(axis, rank: rank)) }
    guard Set(places).count == places.count else {
      throw GraphProblem(text: "axes \(axes) name one twice")
    }
    return places
  }

  /// Refuses a value that is too large to be meant.
  @discardableResult
  static func check(_ shape: [Int], _ dtype: DType) throws(GraphProblem) -> [Int] {
    guard let size = dtype.byteCount(of: shape), size <= GraphLimits.largest, shape.count <= 64
    else {
      throw GraphProblem(text: "its result would have the shape \(shape)")
    }
    return shape
  }

  /// The shape that two broadcast to.
  static func broadcast(_ a: [Int], _ b: [Int]) throws(GraphProblem) -> [Int] {
    var result = [Int](repeating: 1, count: max(a.count, b.count))
    for place in 1...max(1, result.count) where place <= result.count {
      let left = place <= a.count ? a[a.count - place] : 1
      let right = place <= b.count ? b[b.count - place] : 1
      guard left == right || left == 1 || right == 1 else {
        throw GraphProblem(text: "the shapes \(a) and \(b) do not go together")
      }
      result[result.count - place] = left == 1 ? right : left
    }
    return result
  }

  /// Refuses two values whose broadcast would be too large, and brings them to one device.
  static func together(_ a: Tensor, _ b: Tensor) throws -> (Tensor, Tensor) {
    let (left, right) = (a.shape, b.shape)
    if left != right, !left.isEmpty, !right.isEmpty {
      try check(broadcast(left, right), a.dtype)
    }
    let (here, there) = (a.device, b.device)
    // A single number may lie in ordinary memory beside values on a device, and not the other way round.
    if here == there || here == .cpu && left.isEmpty || there == .cpu && right.isEmpty {
      return (a, b)
    }
    return here == .cpu ? (a.to(there), b) : (a, b.to(here))
  }

  /// Whole numbers as a value of the graph: they stay in ordinary memory wherever the network is.
  static func value(_ numbers: [Int]) -> Tensor {
    Tensor(numbers.map(Int64.init), shape: [numbers.count])
  }
}
