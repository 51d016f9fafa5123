import CTorch

/// An operator of libtorch, looked up once by name and overload.
///
/// ```swift
/// static let gelu = Operator("aten::gelu")
/// let y = gelu(x)                     // traps on a mistake, like an array index
/// let z = try gelu.attempt([x])       // throws: for graphs and files from outside
/// ```
public struct Operator: Sendable {
  /// Namespace, name and overload: `aten::add.Tensor`.
  public let name: String
  let handle: Int64

  /// The operator of that full name.
  ///
  /// - Throws: `TensorError.unknownOperator`.
  public init(checking name: String) throws {
    let (base, overload) = Self.parts(of: name)
    handle = unsafe px_operator(base, overload)
    self.name = name
    if handle < 0 { throw TensorError.unknownOperator(name: name) }
  }

  /// The operator of that full name, for names written in the source.
  ///
  /// - Precondition: this libtorch has it.
  public init(_ name: String) {
    let (base, overload) = Self.parts(of: name)
    handle = unsafe px_operator(base, overload)
    self.name = name
    if handle < 0 { fatalError("libtorch has no operator \(name)") }
  }

  private static func parts(of name: String) -> (String, String) {
    guard let dot = name.lastIndex(of: ".") else { return (name, "") }
    return (String(name[..<dot]), String(name[name.index(after: dot)...]))
  }

  /// Its arguments and results in libtorch's notation.
  public var schema: String { unsafe takeMessage(px_operator_schema(handle)) }

  /// An argument as the schema has it.
  public struct Argument: Sendable, Hashable {
    /// What becomes of the memory of a tensor that is handed over.
    public enum Use: Int32, Sendable {
      /// It is read.
      case read = 0
      /// A result may be a view of it.
      case shared = 1
      /// It is written to.
      case written = 2
    }

    /// Its name, by which exported graphs give it.
    public let name: String
    /// What becomes of its memory.
    public let use: Use
  }

  /// Its arguments in the schema's order.
  public var arguments: [Argument] {
    (0..<px_operator_argument_count(handle)).map { index in
      Argument(
        name: unsafe takeMessage(px_operator_argument_name(handle, index)),
        use: Argument.Use(rawValue: px_operator_argument_alias(handle, index)) ?? .read)
    }
  }

  /// Calls the operator and returns its first tensor.
  ///
  /// - Precondition: the arguments fit; otherwise this traps with libtorch's sentence.
  public func callAsFunction(_ arguments: any OperatorArgument...) -> Tensor {
    all(arguments)[0]
  }

  /// Calls the operator and returns all its tensors.
  ///
  /// - Precondition: the arguments fit; otherwise this traps with libtorch's sentence.
  public func all(_ arguments: [any OperatorArgument]) -> [Tensor] {
    do {
      return try attempt(arguments).compactMap(\.tensor)
    } catch {
      fatalError("\(error)")
    }
  }

  /// Calls the operator with arguments from outside.
  ///
  /// - Throws: `TensorError.operation` with libtorch's sentence.
  public func attempt(_ arguments: [any OperatorArgument]) throws(TensorError) -> [OperatorResult] {
    let stack = ArgumentStack(handle)
    for argument in arguments { argument.push(onto: stack) }
    return try stack.call(name)
  }
}

/// One result of an operator.
public enum OperatorResult: Sendable {
  /// Python's `None`, or a tensor that was left undefined.
  case none
  /// A tensor; a list of tensors comes as several results.
  case tensor(Tensor)
  /// A whole number.
  case int(Int)
  /// A floating-point number.
  case double(Double)
  /// A truth value.
  case bool(Bool)
  /// A boxed value that only other operators understand.
  case opaque(OpaqueValue)

  /// The tensor, where it is one.
  public var tensor: Tensor? {
    if case .tensor(let tensor) = self { tensor } else { nil }
  }
}

/// A boxed value that only operators understand: a packed weight, a generator.
public struct OpaqueValue: Sendable, OperatorArgument {
  let storage: Tensor.Storage
  /// Pushes the box as it is.
  public func push(onto stack: ArgumentStack) { stack.push(storage) }
}

/// Something that can be handed to an operator.
public protocol OperatorArgument: Sendable {
  /// Puts the value on the stack of a call.
  func push(onto stack: ArgumentStack)
}

/// Arguments that have no value of their own.
public enum Absent: OperatorArgument {
  /// Python's `None`.
  case none
  /// What the schema says.
  case byDefault

  /// Pushes `None`, or the default that the schema gives the argument.
  public func push(onto stack: ArgumentStack) {
    switch self {
    case .none: stack.pushNone()
    case .byDefault: stack.pushDefault()
    }
  }
}
