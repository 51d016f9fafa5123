import ParallaxTensors

/// How a window moves over an image: attributes of convolutions and pools.
struct ONNXWindow: Sendable {
  var kernel: [Int]
  var strides: [Int]
  var dilations: [Int]
  /// Before every axis, then after every axis.
  var pads: [Int]
  var auto: String
  var roundsUp: Bool

  /// Reads a node's attributes; a weight says how large the window is where no attribute does.
  init(_ node: ONNXNode, kernel given: [Int]? = nil) throws {
    guard let kernel = node.ints("kernel_shape") ?? given, !kernel.isEmpty, kernel.count <= 3 else {
      throw GraphProblem(text: "expected a window of one to three dimensions")
    }
    self.kernel = kernel
    strides = try node.ints("strides", count: kernel.count, 1)
    dilations = try node.ints("dilations", count: kernel.count, 1)
    pads = try node.ints("pads", count: 2 * kernel.count, 0)
    auto = node.text("auto_pad", "NOTSET")
    roundsUp = node.flag("ceil_mode")
    let sane = { (range: ClosedRange<Int>) in { (value: Int) in range.contains(value) } }
    guard kernel.allSatisfy(sane(1...1 << 16)), strides.allSatisfy(sane(1...1 << 16)),
      dilations.allSatisfy(sane(1...1 << 16)), pads.allSatisfy(sane(0...1 << 16))
    else {
      throw GraphProblem(
        text: "window \(kernel), strides \(strides), dilations \(dilations), pads \(pads)")
    }
  }

  var rank: Int { kernel.count }

  /// The zeros around an image of that size: before and after each axis.
  func padding(for sizes: [Int]) throws(GraphProblem) -> (before: [Int], after: [Int]) {
    guard sizes.count == rank else {
      throw GraphProblem(text: "expected images of \(rank) dimensions, found \(sizes.count)")
    }
    guard auto.hasPrefix("SAME") else {
      let isValid = auto == "VALID"
      return (
        isValid ? Array(repeating: 0, count: rank) : Array(pads[..<rank]),
        isValid ? Array(repeating: 0, count: rank) : Array(pads[rank...])
      )
    }
    var (before, after): ([Int], [Int]) = ([], [])
    for axis in 0..<rank {
      let reach = (kernel[axis] - 1) * dilations[axis] + 1
      let steps = (sizes[axis] + strides[axis] - 1) / strides[axis]
      let total = max(0, (steps - 1) * strides[axis] + reach - sizes[axis])
      let half = total / 2
      before.append(auto == "SAME_LOWER" ? total - half : half)
      after.append(auto == "SAME_LOWER" ? half : total - half)
    }
    return (before, after)
  }

  /// How often it is laid down along each axis.
  func steps(over sizes: [Int]) throws(GraphProblem) -> [Int] {
    let (before, after) = try padding(for: sizes)
    return sizes.indices.map { axis in
      let reach = (kernel[axis] - 1) * dilations[axis] + 1
      let rest = max(0, sizes[axis] + before[axis] + after[axis] - reach)
      let stride = strides[axis]
      guard roundsUp else { return rest / stride + 1 }
      let steps = (rest + stride - 1) / stride + 1
      // The last must begin in the image or before it.
      return (steps - 1) * stride >= sizes[axis] + before[axis] ? steps - 1 : steps
    }
  }

  /// Refuses windows whose results would fill the memory.
  func check(_ x: Tensor, channels: Int) throws(GraphProblem) {
    guard x.rank == rank + 2 else {
      throw GraphProblem(text: "expected images of \(rank) dimensions, found \(x.shape)")
    }
    let sizes = Array(x.shape.dropFirst(2))
    let (before, after) = try padding(for: sizes)
    let whole = sizes.indices.map { sizes[$0] + before[$0] + after[$0] }
    try ONNXShape.check([x.shape[0], x.shape[1]] + whole, x.dtype)
    try ONNXShape.check(
      [x.shape[0], channels] + whole.indices.map { whole[$0] / strides[$0] + 1 }, x.dtype)
  }

  /// An image with more around it after than before: what is the same on both sides is left to the operator.
  func evened(
    _ x: Tensor, with value: Double = 0
  ) throws -> (image: Tensor, pads: [Int]) {
    let (before, after) = try padding(for: Array(x.shape.dropFirst(2)))
    if before == after { return (x, before) }
    let amounts = zip(before, after).reversed().flatMap { [$0, $1] }
    return (try ONNXOperators.pad(x, amounts, value), Array(repeating: 0, count: rank))
  }
}

extension ONNXOperators {
  /// Convolutions.
  static let convolutions: [String: Make] = [
    "Conv": one { node in
      return { values in
        try convolved(node, values[0], values[1], values.optional(2))
      }
    },
    "com.microsoft.FusedConv": one { node in
      let activation = try activation(node)
      return { values in
        var y = try convolved(node, values[0], values[1], values.optional(2))
        if let z = values.optional(3) { y = try add(y, z) }
        return try activation(y)
      }
    },
    "ConvTranspose": transposedConvolution,
  ]

  /// A convolution as a node's attributes say.
  static func convolved(
    _ node: ONNXNode, _ x: Tensor, _ weight: Tensor, _ bias: Tensor?
  ) throws -> Tensor {
    let window = try ONNXWindow(node, kernel: Array(weight.shape.dropFirst(2)))
    let groups = node.int("group", 1)
    guard x.rank == window.rank + 2, weight.rank == x.rank, groups > 0,
      Array(weight.shape.dropFirst(2)) == window.kernel
    else { throw GraphProblem(text: "weight \(weight.shape) does not fit \(x.shape)") }
    try window.check(x, channels: weight.shape[0])
    let (image, pads) = try window.evened(x)
    let zeros = [Int](repeating: 0, count: window.rank)
    return try convolution(
      image, weight, bias, window.strides, pads, window.dilations, false, zeros, groups)
  }

  /// What ONNX Runtime puts behind a convolution.
  private static func activation(
    _ node: ONNXNode
  ) throws -> @Sendable (Tensor) throws -> Tensor {
    let parameters = node.floats("activation_params") ?? []
    switch node.text("activation", "") {
    case "": return { $0 }
    case "Relu":
      let relu = Aten("relu")
      return { try relu($0) }
    case "Sigmoid": return { try sigmoid($0) }
    case "Tanh": return { try tanh($0) }
    case "Clip" where parameters.count == 2:
      return { try clamp($0, parameters[0], parameters[1]) }
    case "LeakyRelu" where parameters.count == 1:
      let leaky = Aten("leaky_relu")
      return { try leaky($0, parameters[0]) }
    case "HardSigmoid" where parameters.count == 2:
      return {
        try clamp(addNumber(multiplyNumber($0, parameters[0]), parameters[1], 1.0), 0.0, 1.0)
      }
    case let name: throw GraphProblem(text: "the activation '\(name)' is not known here")
    }
  }

  static let convolution = Aten("convolution")
}
