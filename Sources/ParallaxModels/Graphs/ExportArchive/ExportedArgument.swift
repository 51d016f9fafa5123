import Foundation

/// An argument or a result of a node.
enum ExportedArgument: Decodable, Sendable {
  case none
  case tensor(String)
  case tensors([String?])
  case int(Number<Int>)
  case ints([Number<Int>])
  case float(Number<Double>)
  case floats([Number<Double>])
  case bool(Number<Bool>)
  case bools([Number<Bool>])
  case text(String)
  case dtype(Int)
  case memoryFormat(Int)
  case layout(Int)
  case device
  case graph(ExportedGraph)
  case unknown(String)

  /// A number, or the name of one that is known only when the graph runs.
  enum Number<Value: Decodable & Sendable>: Decodable, Sendable {
    case fixed(Value)
    case named(String)

    init(from decoder: any Decoder) throws {
      if let plain = try? decoder.singleValueContainer().decode(Value.self) {
        self = .fixed(plain)
        return
      }
      let keys = try decoder.container(keyedBy: AnyKey.self)
      guard let key = keys.allKeys.first else { throw keys.problem("an empty number") }
      self =
        key.stringValue == "as_name"
        ? .named(try keys.decode(String.self, forKey: key))
        : .fixed(try keys.decode(Value.self, forKey: key))
    }
  }

  private struct Named: Decodable, Sendable { var name: String }

  private struct OptionalTensor: Decodable, Sendable {
    var tensor: Named?
    enum CodingKeys: String, CodingKey { case tensor = "as_tensor" }
  }

  private struct Subgraph: Decodable, Sendable { var graph: ExportedGraph }

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: AnyKey.self)
    guard let key = keys.allKeys.first else {
      throw keys.problem("an argument without a kind")
    }
    func read<T: Decodable>(_ type: T.Type) throws -> T { try keys.decode(type, forKey: key) }
    switch key.stringValue {
    case "as_none": self = .none
    case "as_tensor": self = .tensor(try read(Named.self).name)
    case "as_tensors": self = .tensors(try read([Named].self).map(\.name))
    case "as_optional_tensors":
      self = .tensors(try read([OptionalTensor].self).map { $0.tensor?.name })
    case "as_optional_tensor": self = try Self(read(OptionalTensor.self).tensor?.name)
    case "as_int", "as_sym_int": self = .int(try read(Number<Int>.self))
    case "as_ints", "as_sym_ints": self = .ints(try read([Number<Int>].self))
    case "as_float", "as_sym_float": self = .float(try read(Number<Double>.self))
    case "as_floats", "as_sym_floats": self = .floats(try read([Number<Double>].self))
    case "as_bool", "as_sym_bool": self = .bool(try read(Number<Bool>.self))
    case "as_bools", "as_sym_bools": self = .bools(try read([Number<Bool>].self))
    case "as_string": self = .text(try read(String.self))
    case "as_scalar_type": self = .dtype(try read(Int.self))
    case "as_memory_format": self = .memoryFormat(try read(Int.self))
    case "as_layout": self = .layout(try read(Int.self))
    case "as_device": self = .device
    case "as_graph": self = .graph(try read(Subgraph.self).graph)
    default: self = .unknown(key.stringValue)
    }
  }

  private init(_ name: String?) { self = name.map { .tensor($0) } ?? .none }

  /// The names of the values that it stands for, as a result.
  var names: [String?] {
    switch self {
    case .tensor(let name): [name]
    case .tensors(let names): names
    case .int(.named(let name)), .float(.named(let name)), .bool(.named(let name)): [name]
    default: [nil]
    }
  }
}

/// torch.export's numbers for things that libtorch numbers otherwise.
enum ExportedCode {
  /// libtorch's number of an element type, where there is one.
  static func dtype(_ code: Int) -> Int? {
    // BYTE to BFLOAT16 of the schema's ScalarType.
    let codes = [
      1: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 6, 8: 7, 9: 8, 10: 9, 11: 10, 12: 11, 13: 15,
    ]
    return codes[code]
  }

  /// libtorch's number of a memory format: contiguous, channels last (2-D, 3-D), as it was.
  static func memoryFormat(_ code: Int) -> Int? { [1: 0, 2: 2, 3: 3, 4: 1][code] }
}
