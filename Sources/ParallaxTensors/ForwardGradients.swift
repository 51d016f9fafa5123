import CTorch

extension Tensor {
  /// The value of a function and the product of its Jacobian with a vector, in one forward pass.
  ///
  /// J·v = lim (f(x + t·v) − f(x))/t for t → 0, computed beside the value, operator by operator. Several directions at one place
  /// are copies of the place, one a row of the batch. The numbers are those of `torch.func.jvp` to 1e-12 in float64 and, with
  /// ``vectorJacobianProduct(at:seed:of:)``, ⟨u, J·v⟩ = ⟨Jᵀ·u, v⟩.
  ///
  /// - Parameters:
  ///   - inputs: where to differentiate.
  ///   - directions: v, one for each input, in its shape, type and place.
  ///   - f: computes from tensors equal to `inputs`.
  /// - Returns: f's value and J·v, in one shape; zeros where `f` does not depend on the inputs.
  /// - Throws: what `f` throws, and nothing else.
  /// - Precondition: the inputs are floating-point numbers, the directions are of their shapes, no operator that `f` calls
  ///   lacks a forward derivative (imported graphs throw there instead), and this is not called within itself.
  /// - Complexity: about two forward passes; nothing on the way is kept.
  public static func jacobianVectorProduct<Failure: Error>(
    at inputs: [Tensor], directions: [Tensor], of f: ([Tensor]) throws(Failure) -> Tensor
  ) throws(Failure) -> (value: Tensor, product: Tensor) {
    precondition(
      inputs.count == directions.count,
      "jacobianVectorProduct: \(inputs.count) inputs and \(directions.count) directions")
    for (input, direction) in zip(inputs, directions) {
      precondition(
        input.dtype.isFloatingPoint, "jacobianVectorProduct: there is no derivative at \(input)")
      precondition(
        input.shape == direction.shape && input.dtype == direction.dtype
          && input.device == direction.device,
        "jacobianVectorProduct: a direction \(direction) on \(direction.device) at \(input) on \(input.device)"
      )
    }
    if let problem = unsafe px_forward_begin() {
      fatalError("jacobianVectorProduct: \(takeMessage(problem))")
    }
    defer { px_forward_end() }
    let value = try f(zip(inputs, directions).map { $0.carrying($1) })
    return value.parts()
  }

  private func carrying(_ tangent: Tensor) -> Tensor {
    var out: OpaquePointer?
    let problem = unsafe px_tensor_dual(storage.object, tangent.storage.object, &out)
    if let problem = unsafe problem {
      fatalError("jacobianVectorProduct: \(takeMessage(problem))")
    }
    guard let made = unsafe out else { fatalError("jacobianVectorProduct: libtorch made nothing") }
    return unsafe Tensor(made)
  }

  /// The numbers alone, and the tangent.
  func parts() -> (value: Tensor, product: Tensor) {
    var value: OpaquePointer?
    var tangent: OpaquePointer?
    let problem = unsafe px_tensor_parts(storage.object, &value, &tangent)
    if let problem = unsafe problem {
      fatalError("jacobianVectorProduct: \(takeMessage(problem))")
    }
    guard let own = unsafe value else { fatalError("jacobianVectorProduct: libtorch made nothing") }
    let plain = unsafe Tensor(own)
    guard let along = unsafe tangent else { return (plain, plain.zerosLike()) }
    // The level ends before anybody reads it: memory of its own, under no other name.
    return (plain, unsafe Catalogued.detach(Tensor(along)))
  }
}
