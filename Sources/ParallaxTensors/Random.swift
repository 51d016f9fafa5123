import CTorch

/// A reproducible source of random numbers: the same seed gives the same numbers on every CPU.
///
/// The numbers are PyTorch's own for `torch.Generator().manual_seed(seed)`.
public struct RandomSource: Sendable {
  let generator: OpaqueValue

  /// A source that starts from a seed. Copies share its state.
  public init(seed: UInt64) {
    generator = OpaqueValue(storage: unsafe Tensor.Storage(px_generator(seed)))
  }

  /// Independent draws from N(0, 1).
  public func normal(_ shape: [Int]) -> Tensor {
    Catalogued.normal(shape, generator, DType.float32)
  }

  /// Independent draws from the interval [0, 1).
  public func uniform(_ shape: [Int]) -> Tensor {
    Catalogued.uniform(shape, generator, DType.float32)
  }

  /// A random order of `0..<count`.
  public func permutation(_ count: Int) -> Tensor {
    Catalogued.permutation(count, generator, DType.int64)
  }
}
