import CTorch

extension Tensor {
  /// The value of a function and its gradient at some tensors.
  ///
  /// `f` is called once with tensors equal to `inputs`; what it computes from them is differentiated.
  ///
  /// - Parameters:
  ///   - inputs: where to differentiate.
  ///   - f: returns one number.
  /// - Returns: the number, and for each input ∂f/∂input in the input's shape (zeros where `f` does
  ///   not depend on it).
  /// - Throws: what `f` throws, and nothing else.
  /// - Precondition: the inputs are floating-point numbers, and `f` returns a tensor with one element.
  public static func valueWithGradient<Failure: Error>(
    at inputs: [Tensor], of f: ([Tensor]) throws(Failure) -> Tensor
  ) throws(Failure) -> (value: Tensor, gradients: [Tensor]) {
    let leaves = leaves(inputs, "valueWithGradient")
    let value = try withGradientMode { () throws(Failure) in try f(leaves) }
    precondition(value.count == 1, "valueWithGradient: expected one number, found \(value)")
    return (value.detached(), value.gradients(at: leaves, seed: nil))
  }

  /// The product of a vector with a function's Jacobian: ∂⟨seed, f⟩/∂input for each input.
  ///
  /// - Precondition: the inputs are floating-point numbers, and `f` returns a tensor of the seed's shape.
  public static func vectorJacobianProduct<Failure: Error>(
    at inputs: [Tensor], seed: Tensor, of f: ([Tensor]) throws(Failure) -> Tensor
  ) throws(Failure) -> (value: Tensor, products: [Tensor]) {
    let leaves = leaves(inputs, "vectorJacobianProduct")
    let value = try withGradientMode { () throws(Failure) in try f(leaves) }
    return (value.detached(), value.gradients(at: leaves, seed: seed))
  }

  /// Values of a function of some tensors, with a way back from each of them that can be gone many times.
  ///
  /// `f` is called once; what it computes on the way is kept as long as the result is.
  ///
  /// - Throws: what `f` throws, and nothing else.
  /// - Precondition: the inputs are floating-point numbers.
  public static func pullback<Failure: Error>(
    at inputs: [Tensor], of f: ([Tensor]) throws(Failure) -> [Tensor]
  ) throws(Failure) -> Pullback {
    let leaves = leaves(inputs, "pullback")
    return Pullback(
      leaves: leaves, outputs: try withGradientMode { () throws(Failure) in try f(leaves) })
  }

  private static func leaves(_ inputs: [Tensor], _ caller: String) -> [Tensor] {
    inputs.map { input in
      precondition(
        input.dtype.isFloatingPoint, "\(caller): there is no derivative at \(input)")
      return unsafe Tensor(px_tensor_leaf(input.storage.object))
    }
  }

  private static func withGradientMode<Result, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let before = px_grad_mode()
    px_grad_mode_set(true)
    defer { px_grad_mode_set(before) }
    return try body()
  }

  private func gradients(at leaves: [Tensor], seed: Tensor?) -> [Tensor] {
    let handles = unsafe leaves.map { unsafe Optional($0.storage.object) }
    var out = unsafe [OpaquePointer?](repeating: nil, count: leaves.count)
    let problem = unsafe px_gradients(
      storage.object, seed?.storage.object, handles, Int64(leaves.count), false, &out)
    if let problem = unsafe problem { fatalError("gradient: \(takeMessage(problem))") }
    return unsafe zip(out, leaves).map { gradient, leaf in
      if let gradient = unsafe gradient { unsafe Tensor(gradient) } else { leaf.zerosLike() }
    }
  }

  /// The same numbers, cut off from what computed them.
  public func detached() -> Tensor {
    // libtorch's operator keeps tangents.
    GradientMode.isForward ? parts().value : Catalogued.detach(self)
  }
}

/// What a function gave, and the products of vectors with its Jacobians, as many as are wanted.
///
/// ```swift
/// let back = Tensor.pullback(at: [images]) { [features($0[0])] }
/// let first = try back.products(of: 0, with: seed)[0]
/// ```
public struct Pullback: Sendable {
  private let leaves: [Tensor]
  private let outputs: [Tensor]

  init(leaves: [Tensor], outputs: [Tensor]) { (self.leaves, self.outputs) = (leaves, outputs) }

  /// The values, cut off from what computed them.
  public var values: [Tensor] { outputs.map { $0.detached() } }

  /// ∂⟨seed, value⟩/∂input for each input.
  ///
  /// - Parameters:
  ///   - index: which of the values.
  ///   - seed: a vector of the value's shape and type.
  /// - Returns: the products, each in its input's shape; nil where the value does not depend on an input, or is of
  ///   whole numbers.
  /// - Throws: `TensorError.operation` where an operator on the way has no derivative.
  public func products(of index: Int, with seed: Tensor) throws(TensorError) -> [Tensor?] {
    let handles = unsafe leaves.map { unsafe Optional($0.storage.object) }
    var out = unsafe [OpaquePointer?](repeating: nil, count: leaves.count)
    let problem = unsafe px_gradients(
      outputs[index].storage.object, seed.storage.object, handles, Int64(leaves.count), true, &out)
    if let problem = unsafe problem {
      throw .operation(name: "gradient", message: takeMessage(problem))
    }
    return unsafe out.map { gradient in
      if let gradient = unsafe gradient { unsafe Tensor(gradient) } else { nil }
    }
  }
}

/// Whether what is computed now will be differentiated.
public enum GradientMode {
  /// Whether this thread is inside `valueWithGradient`, `vectorJacobianProduct`, `pullback` or `jacobianVectorProduct`.
  ///
  /// Operators without a derivative (oneDNN's fused convolutions) must then not be used.
  public static var isOn: Bool { px_grad_mode() || isForward }

  /// Whether this thread is inside `jacobianVectorProduct`.
  ///
  /// Fused attention has no forward derivative: it is then written out.
  public static var isForward: Bool { px_forward_mode() }
}
