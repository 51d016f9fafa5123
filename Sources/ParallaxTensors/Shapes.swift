extension Tensor {
  /// The same numbers in another shape; one size may be −1.
  public func reshaped(_ shape: Int...) -> Tensor { Catalogued.reshape(self, shape) }
  /// The same numbers in another shape; one size may be −1.
  public func reshaped(_ shape: [Int]) -> Tensor { Catalogued.reshape(self, shape) }
  /// Dimensions in another order.
  public func permuted(_ order: Int...) -> Tensor { Catalogued.permute(self, order) }
  /// A view with steps of its own: element (i, j, …) is at `offset + i·strides[0] + j·strides[1] + …`.
  ///
  /// - Precondition: every element lies within the tensor's memory.
  public func strided(_ shape: [Int], strides: [Int], offset: Int = 0) -> Tensor {
    Catalogued.asStrided(self, shape, strides, offset)
  }
  /// Two dimensions exchanged.
  public func transposed(_ a: Int = -2, _ b: Int = -1) -> Tensor {
    Catalogued.transpose(self, a, b)
  }
  /// The same numbers, row by row in memory.
  public func contiguous() -> Tensor { Catalogued.contiguous(self) }
  /// The same numbers in memory of their own.
  public func cloned() -> Tensor { Catalogued.clone(self) }
  /// The same numbers with the channels of `[batch, channels, height, width]` side by side in memory.
  public func channelsLast() -> Tensor { Catalogued.contiguous(self, 2) }
  /// The part from `start` to before `end` of a dimension.
  public func sliced(_ dim: Int, _ start: Int, _ end: Int = .max, step: Int = 1) -> Tensor {
    Catalogued.slice(self, dim, start, end, step)
  }
  /// One index of a dimension, which goes.
  public func selected(_ dim: Int, _ index: Int) -> Tensor { Catalogued.select(self, dim, index) }
  /// Chosen indices of a dimension.
  public func gathered(_ dim: Int, _ indices: Tensor) -> Tensor {
    Catalogued.indexSelect(self, dim, indices)
  }
  /// Chosen indices of a dimension.
  public func gathered(_ dim: Int, _ indices: [Int]) -> Tensor {
    gathered(dim, Tensor(indices.map(Int64.init), shape: [indices.count]).to(device))
  }
  /// Joined along a dimension that they have.
  public static func concatenated(_ tensors: [Tensor], _ dim: Int) -> Tensor {
    Catalogued.concatenate(tensors, dim)
  }
  /// Joined along a new dimension.
  public static func stacked(_ tensors: [Tensor], _ dim: Int = 0) -> Tensor {
    Catalogued.stack(tensors, dim)
  }
  /// Repeated along dimensions of size 1, without a copy.
  public func expanded(_ shape: Int...) -> Tensor { Catalogued.expand(self, shape) }
  /// Repeated along dimensions of size 1, without a copy.
  public func expanded(_ shape: [Int]) -> Tensor { Catalogued.expand(self, shape) }
  /// A new dimension of size 1.
  public func unsqueezed(_ dim: Int) -> Tensor { Catalogued.unsqueeze(self, dim) }
  /// Without a dimension of size 1.
  public func squeezed(_ dim: Int) -> Tensor { Catalogued.squeeze(self, dim) }
  /// The slices along a dimension, each without it.
  public func unbound(_ dim: Int) -> [Tensor] { Catalogued.unbind.all([self, dim]) }
  /// Zeros (or `value`) put around: pairs (before, after), the last dimension first.
  public func padded(_ amounts: [Int], with value: Double = 0) -> Tensor {
    Catalogued.pad(self, amounts, value)
  }
  /// Shifted along dimensions; what leaves at one end comes in at the other.
  public func rolled(_ shifts: [Int], _ dims: [Int]) -> Tensor {
    Catalogued.roll(self, shifts, dims)
  }
  /// Dimensions reversed.
  public func flipped(_ dims: Int...) -> Tensor { Catalogued.flip(self, dims) }
}
