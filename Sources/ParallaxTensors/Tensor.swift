import CTorch

/// An immutable value over a libtorch tensor.
///
/// Copying shares the numbers; no operation changes them. Operations on tensors whose shapes do not fit
/// trap with the operator's name and libtorch's sentence, as an index out of range does in an array.
public struct Tensor: Sendable {
  let storage: Storage

  /// The one owner of a libtorch value, freed with its last reference.
  ///
  /// libtorch counts references atomically and Parallax never writes to a tensor once it is made, so
  /// the value may be read from any thread.
  @safe final class Storage: @unchecked Sendable {
    let object: OpaquePointer
    init(_ object: OpaquePointer) { unsafe self.object = object }
    deinit { unsafe px_object_free(object) }
  }

  init(_ object: OpaquePointer) { unsafe storage = Storage(object) }

  /// The numbers of an array, row by row.
  ///
  /// - Parameters:
  ///   - values: as many as the shape holds.
  ///   - shape: the size of each dimension; `[]` for a single number.
  /// - Precondition: `values.count` is the product of the shape.
  public init<Scalar: TensorScalar>(_ values: [Scalar], shape: [Int]) {
    precondition(
      values.count == shape.reduce(1, *),
      "Tensor: \(values.count) values do not fill the shape \(shape)")
    self = unsafe values.withUnsafeBytes { bytes in
      unsafe Tensor(copying: bytes, dtype: Scalar.dtype, shape: shape)
    }
  }

  /// One number.
  public init<Scalar: TensorScalar>(_ value: Scalar) { self.init([value], shape: []) }

  /// A copy of raw memory, row by row.
  ///
  /// - Precondition: there are at least as many bytes as shape and type need.
  @unsafe public init(copying bytes: UnsafeRawBufferPointer, dtype: DType, shape: [Int]) {
    precondition(bytes.count >= shape.reduce(dtype.byteCount, *), "Tensor: too few bytes")
    var out: OpaquePointer?
    let sizes = shape.map(Int64.init)
    let problem = unsafe px_tensor_copying(
      bytes.baseAddress, dtype.rawValue, sizes, Int64(sizes.count), &out)
    if let problem = unsafe problem { fatalError("Tensor: \(takeMessage(problem))") }
    guard let made = unsafe out else { fatalError("Tensor: libtorch made nothing") }
    unsafe self.init(made)
  }

  /// The size of each dimension.
  public var shape: [Int] {
    let rank = Int(unsafe px_tensor_rank(storage.object))
    return unsafe [Int64](unsafeUninitializedCapacity: rank) { buffer, count in
      if let base = buffer.baseAddress { unsafe px_tensor_shape(storage.object, base) }
      count = rank
    }.map(Int.init)
  }

  /// The number of dimensions.
  public var rank: Int { Int(unsafe px_tensor_rank(storage.object)) }

  /// The number of elements.
  public var count: Int { shape.elementCount }

  /// The type of the elements.
  public var dtype: DType {
    guard let found = DType(rawValue: unsafe px_tensor_dtype(storage.object)) else {
      fatalError("Tensor: an element type that Parallax does not know")
    }
    return found
  }

  /// The elements, row by row, as Swift numbers; converted if the tensor's type is another one.
  public func scalars<Scalar: TensorScalar>(_ type: Scalar.Type = Float.self) -> [Scalar] {
    let source = dtype == Scalar.dtype ? self : to(Scalar.dtype)
    let count = source.count
    return unsafe [Scalar](unsafeUninitializedCapacity: count) { buffer, initialized in
      if let base = buffer.baseAddress {
        let problem = unsafe px_tensor_read(
          source.storage.object, base, Int64(count * MemoryLayout<Scalar>.stride))
        if let problem = unsafe problem { fatalError("Tensor: \(takeMessage(problem))") }
      }
      initialized = count
    }
  }

  /// The only element.
  ///
  /// - Precondition: there is exactly one.
  public func item<Scalar: TensorScalar>(_ type: Scalar.Type = Double.self) -> Scalar {
    let all = scalars(Scalar.self)
    precondition(all.count == 1, "Tensor.item: expected one element, found shape \(shape)")
    return all[0]
  }

  /// The elements' bytes, row by row.
  public func bytes() -> [UInt8] {
    let size = count * dtype.byteCount
    return unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, initialized in
      if let base = buffer.baseAddress {
        let problem = unsafe px_tensor_read(storage.object, base, Int64(size))
        if let problem = unsafe problem { fatalError("Tensor: \(takeMessage(problem))") }
      }
      initialized = size
    }
  }
}

extension [Int] {
  /// The number of elements of a tensor of that shape: beside a size of 0 the others may be of any size.
  package var elementCount: Int { contains(0) ? 0 : reduce(1, *) }
}

extension Tensor: CustomStringConvertible {
  /// Type and shape, such as `float32[2, 3, 224, 224]`.
  public var description: String { "\(dtype)\(shape)" }
}
