import Foundation

// The JSON of an export archive, as `torch.export.save` writes it (torch/_export/serde/schema.py, schema version 8);
// fields that are of no use here are not read.

struct ExportedProgram: Decodable, Sendable {
  struct Version: Decodable, Sendable {
    var major: Int
    var minor: Int
  }

  struct GraphModule: Decodable, Sendable {
    var graph: ExportedGraph
    var signature: Signature
  }

  struct Signature: Decodable, Sendable {
    var inputSpecs: [InputSpec]
    var outputSpecs: [OutputSpec]

    enum CodingKeys: String, CodingKey {
      case inputSpecs = "input_specs"
      case outputSpecs = "output_specs"
    }
  }

  var graphModule: GraphModule
  var schemaVersion: Version
  var torchVersion: String?

  enum CodingKeys: String, CodingKey {
    case graphModule = "graph_module"
    case schemaVersion = "schema_version"
    case torchVersion = "torch_version"
  }
}

struct ExportedGraph: Decodable, Sendable {
  var inputs: [ExportedArgument]
  var outputs: [ExportedArgument]
  var nodes: [ExportedNode]
  var tensorValues: [String: TensorMeta]

  enum CodingKeys: String, CodingKey {
    case inputs, outputs, nodes
    case tensorValues = "tensor_values"
  }
}

struct ExportedNode: Decodable, Sendable {
  struct Input: Decodable, Sendable {
    var name: String
    var arg: ExportedArgument
    /// 1: by place, 2: by name.
    var kind: Int?
  }

  struct Metadata: Decodable, Sendable {
    var moduleStack: String?
    enum CodingKeys: String, CodingKey { case moduleStack = "nn_module_stack" }
  }

  var target: String
  var inputs: [Input]
  var outputs: [ExportedArgument]
  var metadata: Metadata
}

/// A tensor's type and shape; sizes that are not fixed are nil.
struct TensorMeta: Decodable, Sendable {
  var dtype: Int
  var sizes: [Int?]
  var strides: [Int?]
  var offset: Int?

  private struct Size: Decodable, Sendable {
    var asInt: Int?
    enum CodingKeys: String, CodingKey { case asInt = "as_int" }
  }

  enum CodingKeys: String, CodingKey {
    case dtype, sizes, strides
    case offset = "storage_offset"
  }

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    dtype = try keys.decode(Int.self, forKey: .dtype)
    sizes = try keys.decode([Size].self, forKey: .sizes).map(\.asInt)
    strides = try keys.decode([Size].self, forKey: .strides).map(\.asInt)
    offset = try keys.decode(Size.self, forKey: .offset).asInt
  }
}

/// What one of the graph's inputs is.
enum InputSpec: Decodable, Sendable {
  case parameter(value: String, name: String)
  case buffer(value: String, name: String)
  case constant(value: String, name: String)
  case user(ExportedArgument)
  case other(String)

  private struct Named: Decodable, Sendable {
    struct Value: Decodable, Sendable { var name: String }
    var arg: Value
    var parameter: String?
    var buffer: String?
    var constant: String?
    enum CodingKeys: String, CodingKey {
      case arg
      case parameter = "parameter_name"
      case buffer = "buffer_name"
      case constant = "tensor_constant_name"
    }
  }

  private struct User: Decodable, Sendable { var arg: ExportedArgument }

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: AnyKey.self)
    guard let key = keys.allKeys.first else { throw keys.problem("an input without a kind") }
    switch key.stringValue {
    case "parameter":
      let spec = try keys.decode(Named.self, forKey: key)
      self = .parameter(value: spec.arg.name, name: spec.parameter ?? "")
    case "buffer":
      let spec = try keys.decode(Named.self, forKey: key)
      self = .buffer(value: spec.arg.name, name: spec.buffer ?? "")
    case "tensor_constant":
      let spec = try keys.decode(Named.self, forKey: key)
      self = .constant(value: spec.arg.name, name: spec.constant ?? "")
    case "user_input": self = .user(try keys.decode(User.self, forKey: key).arg)
    default: self = .other(key.stringValue)
    }
  }
}

/// What one of the graph's outputs is.
struct OutputSpec: Decodable, Sendable {
  /// nil where it is no output of the model's: a buffer that training would write.
  var argument: ExportedArgument?

  private struct User: Decodable, Sendable { var arg: ExportedArgument }

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: AnyKey.self)
    let key = AnyKey("user_output")
    argument = keys.contains(key) ? try keys.decode(User.self, forKey: key).arg : nil
  }
}

/// The weights' or the constants' table: where each tensor lies.
struct PayloadTable: Decodable, Sendable {
  struct Entry: Decodable, Sendable {
    var path: String
    var isParameter: Bool
    var isPickled: Bool
    var meta: TensorMeta?
    enum CodingKeys: String, CodingKey {
      case path = "path_name"
      case isParameter = "is_param"
      case isPickled = "use_pickle"
      case meta = "tensor_meta"
    }
  }

  var config: [String: Entry]
}

/// A key that is known only when it is there.
struct AnyKey: CodingKey {
  var stringValue: String
  var intValue: Int? { nil }
  init(_ text: String) { stringValue = text }
  init?(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

extension KeyedDecodingContainer {
  func problem(_ text: String) -> DecodingError {
    .dataCorrupted(.init(codingPath: codingPath, debugDescription: text))
  }
}
