import ParallaxTensors

/// What a pickle can describe here: plain values, containers by number, and torch's tensors.
///
/// Containers lie in the unpickler's arena and are referred to by their place, so that a pickle can
/// neither build a cycle of references nor a nest that overflows the stack when it is freed.
enum PickleValue: Sendable {
  case none
  case bool(Bool)
  case int(Int)
  /// A whole number of more than 64 bits, least significant byte first.
  case long([UInt8])
  case float(Double)
  case text(String)
  case tuple(Int)
  case list(Int)
  case dict(Int)
  case global(PickleGlobal)
  case storage(Int)
  case tensor(PickledTensor)
  /// A harmless value that no reader looks into: bytes, a device, a NumPy scalar.
  case opaque

  /// What errors call it.
  var kind: String {
    switch self {
    case .none: "None"
    case .bool: "a bool"
    case .int, .long: "an int"
    case .float: "a float"
    case .text: "a text"
    case .tuple: "a tuple"
    case .list: "a list"
    case .dict: "a dict"
    case .global(let global): "the name '\(global)'"
    case .storage: "a storage"
    case .tensor: "a tensor"
    case .opaque: "a plain object"
    }
  }
}

/// A storage that a pickle names: a run of elements outside it.
struct PickledStorage: Sendable {
  var key: String
  /// The storage's element type; nil for an untyped one, whose size is in bytes.
  var dtype: DType?
  /// The number of elements in the whole storage.
  var count: Int
  /// Where this view of the storage starts, in elements.
  var start: Int

  /// Bytes an element takes.
  var elementSize: Int { dtype?.byteCount ?? 1 }
}

/// A tensor that a pickle describes: a strided view of a storage.
struct PickledTensor: Sendable {
  var storage: Int
  var dtype: DType
  /// In elements of `dtype`.
  var offset: Int
  var shape: [Int]
  var strides: [Int]
}

/// The few names that a checkpoint may refer to; none of them runs anything.
enum PickleGlobal: Sendable, CustomStringConvertible {
  case rebuildTensor
  case rebuildTensorV2
  case rebuildTensorV3
  case rebuildParameter
  case rebuildFromType
  case dictionary
  case sequence
  case storage(DType)
  case untypedStorage
  case dtype(DType)
  /// A type or function whose result is of no interest and harmless to leave unmade.
  case inert(String)

  private static let dtypes: [String: DType] = [
    "float32": .float32, "float": .float32, "float64": .float64, "double": .float64,
    "float16": .float16, "half": .float16, "bfloat16": .bfloat16, "int64": .int64, "long": .int64,
    "int32": .int32, "int": .int32, "int16": .int16, "short": .int16, "int8": .int8,
    "uint8": .uint8, "bool": .bool,
  ]
  private static let storages: [String: DType] = [
    "FloatStorage": .float32, "DoubleStorage": .float64, "HalfStorage": .float16,
    "BFloat16Storage": .bfloat16, "LongStorage": .int64, "IntStorage": .int32,
    "ShortStorage": .int16, "CharStorage": .int8, "ByteStorage": .uint8, "BoolStorage": .bool,
  ]
  private static let inertNames: Set<String> = [
    "torch.device", "torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Parameter",
    "torch.nn.parameter.Buffer", "numpy.dtype", "numpy.ndarray",
    "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct",
    "_codecs.encode", "builtins.bytearray", "__builtin__.bytearray", "builtins.complex",
    "__builtin__.complex",
  ]

  /// The thing of that full name; nil for one that a checkpoint has no business with.
  init?(module: String, name: String) {
    switch "\(module).\(name)" {
    case "torch._utils._rebuild_tensor": self = .rebuildTensor
    case "torch._utils._rebuild_tensor_v2": self = .rebuildTensorV2
    case "torch._utils._rebuild_tensor_v3": self = .rebuildTensorV3
    case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state":
      self = .rebuildParameter
    case "torch._tensor._rebuild_from_type_v2": self = .rebuildFromType
    case "collections.OrderedDict", "builtins.dict", "__builtin__.dict": self = .dictionary
    case "torch.Size", "builtins.set", "__builtin__.set", "builtins.frozenset",
      "__builtin__.frozenset", "builtins.list", "__builtin__.list", "builtins.tuple",
      "__builtin__.tuple":
      self = .sequence
    case "torch.storage.UntypedStorage", "torch.UntypedStorage": self = .untypedStorage
    case let full:
      if module == "torch", let dtype = Self.storages[name] {
        self = .storage(dtype)
      } else if module == "torch", let dtype = Self.dtypes[name] {
        self = .dtype(dtype)
      } else if Self.inertNames.contains(full) {
        self = .inert(full)
      } else {
        return nil
      }
    }
  }

  var description: String {
    switch self {
    case .rebuildTensor: "torch._utils._rebuild_tensor"
    case .rebuildTensorV2: "torch._utils._rebuild_tensor_v2"
    case .rebuildTensorV3: "torch._utils._rebuild_tensor_v3"
    case .rebuildParameter: "torch._utils._rebuild_parameter"
    case .rebuildFromType: "torch._tensor._rebuild_from_type_v2"
    case .dictionary: "dict"
    case .sequence: "list"
    case .storage(let dtype): "torch's storage of \(dtype)"
    case .untypedStorage: "torch.UntypedStorage"
    case .dtype(let dtype): "torch.\(dtype)"
    case .inert(let name): name
    }
  }
}
