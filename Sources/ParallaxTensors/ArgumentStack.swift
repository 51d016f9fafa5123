import CTorch

/// The arguments of one call on their way to libtorch.
@safe public final class ArgumentStack {
  private let stack: OpaquePointer

  init(_ handle: Int64) { unsafe stack = px_stack_new(handle) }
  deinit { unsafe px_stack_free(stack) }

  func push(_ storage: Tensor.Storage) { unsafe px_push_object(stack, storage.object) }
  func pushNone() { unsafe px_push_none(stack) }
  func pushDefault() { unsafe px_push_default(stack) }
  func push(_ value: Int) { unsafe px_push_int(stack, Int64(value)) }
  func push(_ value: Double) { unsafe px_push_double(stack, value) }
  func push(_ value: Bool) { unsafe px_push_bool(stack, value) }
  func push(_ value: String) { unsafe px_push_string(stack, value) }
  func push(_ values: [Int]) {
    unsafe px_push_ints(stack, values.map(Int64.init), Int64(values.count))
  }
  func push(_ values: [Double]) { unsafe px_push_doubles(stack, values, Int64(values.count)) }
  func push(_ values: [Bool]) { unsafe px_push_bools(stack, values, Int64(values.count)) }
  func beginList(_ count: Int) { unsafe px_push_list(stack, Int64(count)) }

  func call(_ name: String) throws(TensorError) -> [OperatorResult] {
    if let problem = unsafe px_stack_call(stack) {
      throw .operation(name: name, message: takeMessage(problem))
    }
    var results: [OperatorResult] = []
    let count = unsafe px_result_count(stack)
    for index in 0..<count {
      switch unsafe px_result_kind(stack, index) {
      case 0: results.append(.none)
      case 1: results.append(.tensor(unsafe Tensor(px_result_object(stack, index))))
      case 2: results.append(.int(Int(unsafe px_result_int(stack, index))))
      case 3: results.append(.double(unsafe px_result_double(stack, index)))
      case 4: results.append(.bool(unsafe (px_result_int(stack, index) != 0)))
      default:
        results.append(
          .opaque(OpaqueValue(storage: unsafe Tensor.Storage(px_result_object(stack, index)))))
      }
    }
    return results
  }
}

extension Tensor: OperatorArgument {
  /// Pushes the tensor; libtorch counts one more reference, no number is copied.
  public func push(onto stack: ArgumentStack) { stack.push(storage) }
}
extension Int: OperatorArgument {
  /// Pushes a whole number, for `int`, `SymInt` or `Scalar` of the schema.
  public func push(onto stack: ArgumentStack) { stack.push(self) }
}
extension Double: OperatorArgument {
  /// Pushes a number, for `float` or `Scalar` of the schema.
  public func push(onto stack: ArgumentStack) { stack.push(self) }
}
extension Bool: OperatorArgument {
  /// Pushes a truth value, for `bool` of the schema.
  public func push(onto stack: ArgumentStack) { stack.push(self) }
}
extension String: OperatorArgument {
  /// Pushes a text, for `str` of the schema.
  public func push(onto stack: ArgumentStack) { stack.push(self) }
}
extension DType: OperatorArgument {
  /// Pushes libtorch's number of the type, for `ScalarType` of the schema.
  public func push(onto stack: ArgumentStack) { stack.push(Int(rawValue)) }
}
extension Device: OperatorArgument {
  /// Pushes the device's name, for `Device` of the schema.
  public func push(onto stack: ArgumentStack) { stack.push(description) }
}
extension Optional: OperatorArgument where Wrapped: OperatorArgument {
  /// Pushes the value, or Python's `None` where there is none.
  public func push(onto stack: ArgumentStack) {
    if let value = self { value.push(onto: stack) } else { stack.pushNone() }
  }
}
extension Array: OperatorArgument where Element: OperatorArgument {
  /// Pushes a list: of whole numbers, numbers or truth values as one, of anything else element by element.
  public func push(onto stack: ArgumentStack) {
    switch self {
    case let ints as [Int]: stack.push(ints)
    case let doubles as [Double]: stack.push(doubles)
    case let bools as [Bool]: stack.push(bools)
    default:
      stack.beginList(count)
      for element in self { element.push(onto: stack) }
    }
  }
}
