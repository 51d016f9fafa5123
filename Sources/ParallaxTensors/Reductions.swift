extension Tensor {
  /// The sum of all elements.
  public func sum() -> Tensor { Catalogued.sum(self) }
  /// Sums over dimensions, accumulated in `dtype` where one is given.
  public func sum(over dims: [Int], keeping: Bool = false, in dtype: DType? = nil) -> Tensor {
    Catalogued.sumOver(self, dims, keeping, dtype)
  }
  /// The mean of all elements.
  public func mean() -> Tensor { mean(over: Array(0..<rank)) }
  /// Means over dimensions.
  public func mean(over dims: [Int], keeping: Bool = false) -> Tensor {
    Catalogued.meanOver(self, dims, keeping)
  }
  /// The largest element.
  public func maximum() -> Tensor { Catalogued.maximum(self) }
  /// The smallest element.
  public func minimum() -> Tensor { Catalogued.minimum(self) }
  /// The index of the largest element along a dimension.
  public func argmax(_ dim: Int) -> Tensor { Catalogued.argmax(self, dim) }
  /// The `count` largest elements along the last dimension, largest first, and their indices.
  public func topK(_ count: Int) -> (values: Tensor, indices: Tensor) {
    let both = Catalogued.topk.all([self, count])
    return (both[0], both[1])
  }
  /// The Euclidean norm over dimensions.
  public func norm(over dims: [Int], keeping: Bool = false) -> Tensor {
    Catalogued.norm(self, 2.0, dims, keeping)
  }
  /// The main diagonal of the last two dimensions.
  public func diagonal() -> Tensor { Catalogued.diagonal(self, 0, -2, -1) }
  /// e^x / Σ e^x along a dimension.
  public func softmax(_ dim: Int) -> Tensor { Catalogued.softmax(self, dim) }
}
