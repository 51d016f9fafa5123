import ParallaxTensors

/// A value on its way through an imported graph.
enum GraphValue: Sendable {
  case none
  case tensor(Tensor)
  case int(Int)
  case double(Double)
  case bool(Bool)
  case text(String)
  case ints([Int])
  case doubles([Double])
  case bools([Bool])
  /// Tensors, or tensors and nones.
  case list([GraphValue])
  case opaque(OpaqueValue)

  init(_ result: OperatorResult) {
    switch result {
    case .none: self = .none
    case .tensor(let tensor): self = .tensor(tensor)
    case .int(let value): self = .int(value)
    case .double(let value): self = .double(value)
    case .bool(let value): self = .bool(value)
    case .opaque(let value): self = .opaque(value)
    }
  }

  var tensor: Tensor? {
    if case .tensor(let tensor) = self { tensor } else { nil }
  }

  /// What errors call a value of this kind.
  var kind: String {
    switch self {
    case .none: "nothing"
    case .tensor: "a tensor"
    case .int: "a whole number"
    case .double: "a number"
    case .bool: "a truth value"
    case .text: "a text"
    case .ints, .doubles, .bools, .list: "a list"
    case .opaque: "an object"
    }
  }
}

extension GraphValue: OperatorArgument {
  func push(onto stack: ArgumentStack) {
    switch self {
    case .none: Absent.none.push(onto: stack)
    case .tensor(let value): value.push(onto: stack)
    case .int(let value): value.push(onto: stack)
    case .double(let value): value.push(onto: stack)
    case .bool(let value): value.push(onto: stack)
    case .text(let value): value.push(onto: stack)
    case .ints(let values): values.push(onto: stack)
    case .doubles(let values): values.push(onto: stack)
    case .bools(let values): values.push(onto: stack)
    case .list(let values): values.push(onto: stack)
    case .opaque(let value): value.push(onto: stack)
    }
  }
}

/// What is wrong with the values that an operator was given; the graph adds the node's name.
struct GraphProblem: Error {
  var text: String
}

/// The most bytes that a value may take which an operator makes larger than what it is given.
enum GraphLimits {
  /// Of what follows from the file alone.
  static let folding = 1 << 28
  /// While a graph is tried out on a few images.
  static let trial = 1 << 31
  /// What counts now; in use, 16 GiB.
  @TaskLocal static var largest = 1 << 34
}
