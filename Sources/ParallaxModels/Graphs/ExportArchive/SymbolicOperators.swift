import Foundation
import ParallaxTensors

/// Arithmetic with sizes: what torch.export leaves in a graph as Python's own operators.
enum SymbolicOperators {
  typealias Body = @Sendable ([GraphValue]) throws -> GraphValue

  /// The operator of that target; nil where there is none.
  static func named(_ target: String) -> Body? {
    let name = target.hasPrefix("_operator.") ? String(target.dropFirst(10)) : target
    return table[name]
  }

  private static let table: [String: Body] = [
    "add": arithmetic({ $0.addingReportingOverflow($1) }, +),
    "sub": arithmetic({ $0.subtractingReportingOverflow($1) }, -),
    "mul": arithmetic({ $0.multipliedReportingOverflow(by: $1) }, *),
    "floordiv": { values in try divided(values, remainder: false) },
    "mod": { values in try divided(values, remainder: true) },
    "truediv": { values in
      let (a, b) = try doubles(values)
      guard b != 0 else { throw GraphProblem(text: "division by zero") }
      return .double(a / b)
    },
    "pow": { values in
      let (a, b) = try doubles(values)
      return try whole(pow(a, b), where: isInt(values))
    },
    "neg": { values in
      if case .int(let value)? = values.first, value != Int.min { return .int(-value) }
      return .double(-(try number(values.first)))
    },
    "pos": { values in values.first ?? .none },
    "eq": comparison { $0 == $1 }, "ne": comparison { $0 != $1 }, "lt": comparison { $0 < $1 },
    "le": comparison { $0 <= $1 },
    "gt": comparison { $0 > $1 }, "ge": comparison { $0 >= $1 },
    "and_": { values in .bool(try truth(values, 0) && truth(values, 1)) },
    "or_": { values in .bool(try truth(values, 0) || truth(values, 1)) },
    "not_": { values in .bool(!(try truth(values, 0))) },
    "torch.sym_not": { values in .bool(!(try truth(values, 0))) },
    "math.ceil": { values in try whole(number(values.first).rounded(.up)) },
    "math.floor": { values in try whole(number(values.first).rounded(.down)) },
    "math.trunc": { values in try whole(number(values.first).rounded(.towardZero))
    },
    "round": { values in
      try whole(number(values.first).rounded(.toNearestOrEven))
    },
    "torch.sym_int": { values in
      try whole(number(values.first).rounded(.towardZero))
    },
    "torch.sym_float": { values in .double(try number(values.first)) },
    "torch.sym_max": { values in
      let (a, b) = try doubles(values)
      return try whole(max(a, b), where: isInt(values))
    },
    "torch.sym_min": { values in
      let (a, b) = try doubles(values)
      return try whole(min(a, b), where: isInt(values))
    },
    "torch.sym_ite": { values in
      guard values.count == 3 else { throw GraphProblem(text: "expected three arguments") }
      return try truth(values, 0) ? values[1] : values[2]
    },
    "torch.sym_sqrt": { values in .double(try number(values.first).squareRoot()) },
    "torch._sym_sqrt": { values in .double(try number(values.first).squareRoot()) },
    "torch.ops.aten.sym_size.int": { values in
      guard values.count == 2, case .tensor(let tensor) = values[0], case .int(let dim) = values[1]
      else { throw GraphProblem(text: "expected a tensor and a dimension") }
      let shape = tensor.shape
      let index = dim < 0 ? dim + shape.count : dim
      guard shape.indices.contains(index) else {
        throw GraphProblem(text: "a tensor of \(shape.count) dimensions has no dimension \(dim)")
      }
      return .int(shape[index])
    },
    "torch.ops.aten.sym_numel.default": { values in
      guard case .tensor(let tensor)? = values.first else {
        throw GraphProblem(text: "expected a tensor")
      }
      return .int(tensor.count)
    },
  ]

  private static func arithmetic(
    _ ints: @escaping @Sendable (Int, Int) -> (Int, Bool),
    _ doubles: @escaping @Sendable (Double, Double) -> Double
  ) -> Body {
    { values in
      if values.count == 2, case .int(let a) = values[0], case .int(let b) = values[1] {
        let (result, overflow) = ints(a, b)
        guard !overflow else { throw GraphProblem(text: "\(a) and \(b): too large a number") }
        return .int(result)
      }
      let (a, b) = try Self.doubles(values)
      return .double(doubles(a, b))
    }
  }

  /// Python's `//` and `%`: towards −∞.
  private static func divided(_ values: [GraphValue], remainder: Bool) throws(GraphProblem)
    -> GraphValue
  {
    guard values.count == 2, case .int(let a) = values[0], case .int(let b) = values[1] else {
      let (a, b) = try doubles(values)
      guard b != 0 else { throw GraphProblem(text: "division by zero") }
      let quotient = (a / b).rounded(.down)
      return .double(remainder ? a - b * quotient : quotient)
    }
    let (quotient, overflow) = b == 0 ? (0, true) : a.dividedReportingOverflow(by: b)
    guard !overflow else { throw GraphProblem(text: "\(a) divided by \(b)") }
    let rest = a - quotient * b
    let isBelow = rest != 0 && (rest < 0) != (b < 0)
    return .int(remainder ? (isBelow ? rest + b : rest) : (isBelow ? quotient - 1 : quotient))
  }

  private static func comparison(
    _ holds: @escaping @Sendable (Double, Double) -> Bool
  ) -> Body {
    { values in
      let (a, b) = try doubles(values)
      return .bool(holds(a, b))
    }
  }

  static func number(_ value: GraphValue?) throws(GraphProblem) -> Double {
    switch value {
    case .int(let value): Double(value)
    case .double(let value): value
    case .bool(let value): value ? 1 : 0
    default: throw GraphProblem(text: "expected a number, found \(value?.kind ?? "nothing")")
    }
  }

  private static func doubles(_ values: [GraphValue]) throws(GraphProblem) -> (Double, Double) {
    guard values.count == 2 else { throw GraphProblem(text: "expected two numbers") }
    return (try number(values[0]), try number(values[1]))
  }

  private static func truth(_ values: [GraphValue], _ index: Int) throws(GraphProblem) -> Bool {
    guard values.indices.contains(index) else { throw GraphProblem(text: "an argument is missing") }
    return try number(values[index]) != 0
  }

  private static func isInt(_ values: [GraphValue]) -> Bool {
    values.allSatisfy { if case .int = $0 { true } else { false } }
  }

  /// A whole number, unless `where` is false.
  private static func whole(_ value: Double, where isWhole: Bool = true) throws(GraphProblem)
    -> GraphValue
  {
    guard isWhole else { return .double(value) }
    guard let whole = Int(exactly: value) else {
      throw GraphProblem(text: "\(value) is no whole number")
    }
    return .int(whole)
  }
}
