// Operations on every element by itself; shapes broadcast as in NumPy.

extension Tensor {
  /// a + b.
  public static func + (a: Tensor, b: Tensor) -> Tensor { Catalogued.add(a, b) }
  /// a − b.
  public static func - (a: Tensor, b: Tensor) -> Tensor { Catalogued.sub(a, b) }
  /// a · b, element by element; the matrix product is `times(_:)`.
  public static func * (a: Tensor, b: Tensor) -> Tensor { Catalogued.mul(a, b) }
  /// a / b; two tensors of whole numbers give float32.
  public static func / (a: Tensor, b: Tensor) -> Tensor { Catalogued.div(a, b) }
  /// a + b; the number takes the tensor's type where that is a floating-point one.
  public static func + (a: Tensor, b: Double) -> Tensor { Catalogued.add(a, b) }
  /// a − b.
  public static func - (a: Tensor, b: Double) -> Tensor { Catalogued.sub(a, b) }
  /// a · b.
  public static func * (a: Tensor, b: Double) -> Tensor { Catalogued.mul(a, b) }
  /// a / b.
  public static func / (a: Tensor, b: Double) -> Tensor { Catalogued.div(a, b) }
  /// a · b.
  public static func * (a: Double, b: Tensor) -> Tensor { Catalogued.mul(b, a) }
  /// −a.
  public static prefix func - (a: Tensor) -> Tensor { Catalogued.neg(a) }

  /// x^exponent.
  public func power(_ exponent: Double) -> Tensor { Catalogued.pow(self, exponent) }
  /// |x|.
  public func absolute() -> Tensor { Catalogued.abs(self) }
  /// e^x.
  public func exponential() -> Tensor { Catalogued.exp(self) }
  /// ln x.
  public func logarithm() -> Tensor { Catalogued.log(self) }
  /// √x.
  public func squareRoot() -> Tensor { Catalogued.sqrt(self) }
  /// x².
  public func squared() -> Tensor { self * self }
  /// sin x, in radians.
  public func sine() -> Tensor { Catalogued.sin(self) }
  /// cos x, in radians.
  public func cosine() -> Tensor { Catalogued.cos(self) }
  /// tanh x.
  public func hyperbolicTangent() -> Tensor { Catalogued.tanh(self) }
  /// 1 / (1 + e^−x).
  public func sigmoid() -> Tensor { Catalogued.sigmoid(self) }
  /// max(x, 0).
  public func relu() -> Tensor { Catalogued.relu(self) }
  /// min(max(x, 0), 6).
  public func relu6() -> Tensor { Catalogued.hardtanh(self, 0.0, 6.0) }
  /// x · sigmoid(x).
  public func silu() -> Tensor { Catalogued.silu(self) }
  /// x · min(max(x + 3, 0), 6) / 6.
  public func hardSwish() -> Tensor { Catalogued.hardSwish(self) }
  /// min(max(x + 3, 0), 6) / 6.
  public func hardSigmoid() -> Tensor { Catalogued.hardSigmoid(self) }
  /// x · Φ(x), Φ the normal distribution function (the exact form, by erf).
  public func gelu() -> Tensor { Catalogued.gelu(self) }
  /// x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))), the approximation of `gelu` by tanh.
  public func geluTanh() -> Tensor { Catalogued.gelu(self, "tanh") }
  /// min(max(x, low), high); a bound that is nil does not bound.
  public func clamped(_ low: Double?, _ high: Double?) -> Tensor {
    Catalogued.clamp(self, low, high)
  }
  /// x · sigmoid(1.702 x), CLIP's approximation of `gelu`.
  public func quickGELU() -> Tensor { self * (self * 1.702).sigmoid() }
  /// Whether no element is infinite or NaN.
  public func isFinite() -> Bool { Catalogued.all(Catalogued.isFinite(self)).item(Bool.self) }

  /// The same numbers in another element type.
  public func to(_ dtype: DType) -> Tensor {
    dtype == self.dtype ? self : Catalogued.toDType(self, dtype)
  }

  /// Zeros of the same shape, type and device.
  public func zerosLike() -> Tensor { Catalogued.zerosLike(self) }
  /// Zeros.
  public static func zeros(_ shape: [Int], _ dtype: DType = .float32) -> Tensor {
    Catalogued.full(shape, 0.0, dtype)
  }
  /// Ones.
  public static func ones(_ shape: [Int], _ dtype: DType = .float32) -> Tensor {
    Catalogued.full(shape, 1.0, dtype)
  }
  /// The identity matrix.
  public static func identity(_ size: Int, _ dtype: DType = .float32) -> Tensor {
    Catalogued.eye(size, dtype)
  }
  /// `start, start + 1, … , end − 1`.
  public static func range(_ start: Int, _ end: Int, _ dtype: DType = .int64) -> Tensor {
    Catalogued.arange(start, end, dtype)
  }
}
