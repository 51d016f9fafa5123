import ParallaxTensors

/// The slots that a step reads, in the order in which its arguments name them.
struct Reads {
  var slots: [Int] = []

  mutating func add(_ slot: Int) -> Int {
    slots.append(slot)
    return slots.count - 1
  }
}

/// An argument of a step: what is fixed, and where the rest comes from among the values that the step reads.
enum ArgumentTemplate: Sendable {
  case byDefault
  case fixed(GraphValue)
  case read(Int)
  /// Numbers, some of them known only when the graph runs.
  case ints([Either<Int>])
  case doubles([Either<Double>])
  case list([ArgumentTemplate])

  /// A number, or its place among the values.
  enum Either<Value: Sendable>: Sendable {
    case fixed(Value)
    case read(Int)
  }

  /// The argument of a call.
  func argument(_ values: [GraphValue]) throws(GraphProblem) -> any OperatorArgument {
    if case .byDefault = self { return Absent.byDefault }
    return try value(values)
  }

  /// Its value, with what the graph made put in.
  func value(_ values: [GraphValue]) throws(GraphProblem) -> GraphValue {
    switch self {
    case .byDefault: return .none
    case .fixed(let value): return value
    case .read(let place): return values[place]
    case .list(let parts):
      var list: [GraphValue] = []
      for part in parts { list.append(try part.value(values)) }
      return .list(list)
    case .ints(let parts):
      var numbers: [Int] = []
      for part in parts {
        switch part {
        case .fixed(let value): numbers.append(value)
        case .read(let place):
          guard case .int(let value) = values[place] else {
            throw .init(text: "expected a whole number in a list, found \(values[place].kind)")
          }
          numbers.append(value)
        }
      }
      return .ints(numbers)
    case .doubles(let parts):
      var numbers: [Double] = []
      for part in parts {
        switch part {
        case .fixed(let value): numbers.append(value)
        case .read(let place): numbers.append(try SymbolicOperators.number(values[place]))
        }
      }
      return .doubles(numbers)
    }
  }
}

extension ExportCompiler {
  /// An argument made ready, its slots noted.
  func template(_ argument: ExportedArgument, _ reads: inout Reads) throws -> ArgumentTemplate {
    switch argument {
    case .none: return .fixed(.none)
    case .tensor(let name): return .read(reads.add(try slot(name)))
    case .tensors(let names):
      return .list(
        try names.map { name in
          guard let name else { return .fixed(.none) }
          return .read(reads.add(try slot(name)))
        })
    case .int(let number): return try single(number, &reads) { .int($0) }
    case .float(let number): return try single(number, &reads) { .double($0) }
    case .bool(let number): return try single(number, &reads) { .bool($0) }
    case .ints(let numbers): return .ints(try several(numbers, &reads))
    case .floats(let numbers): return .doubles(try several(numbers, &reads))
    case .bools(let numbers):
      return .fixed(
        .bools(
          try numbers.map { number throws(ModelError) in
            guard case .fixed(let value) = number else {
              throw problem("a list of truth values that is known only when the graph runs")
            }
            return value
          }))
    case .text(let text): return .fixed(.text(text))
    case .dtype(let code):
      guard let dtype = ExportedCode.dtype(code) else {
        throw problem("the graph asks for torch.export's element type \(code), which is not known")
      }
      return .fixed(.int(dtype))
    case .memoryFormat(let code):
      return ExportedCode.memoryFormat(code).map { .fixed(.int($0)) } ?? .fixed(.none)
    // Strided, the only layout that a mapped tensor has.
    case .layout: return .fixed(.int(0))
    case .device: return .fixed(.text(device.description))
    case .graph: throw problem("the graph calls a subgraph in a way that is not known here")
    case .unknown(let kind):
      throw problem("the graph has an argument of the kind '\(kind)', which is not known here")
    }
  }

  private func single<Value: Sendable>(
    _ number: ExportedArgument.Number<Value>, _ reads: inout Reads, _ make: (Value) -> GraphValue
  ) throws(ModelError) -> ArgumentTemplate {
    switch number {
    case .fixed(let value): .fixed(make(value))
    case .named(let name): .read(reads.add(try slot(name)))
    }
  }

  private func several<Value: Sendable>(
    _ numbers: [ExportedArgument.Number<Value>], _ reads: inout Reads
  ) throws(ModelError) -> [ArgumentTemplate.Either<Value>] {
    var result: [ArgumentTemplate.Either<Value>] = []
    for number in numbers {
      switch number {
      case .fixed(let value): result.append(.fixed(value))
      case .named(let name): result.append(.read(reads.add(try slot(name))))
      }
    }
    return result
  }
}
