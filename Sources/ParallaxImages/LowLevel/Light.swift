import ParallaxTensors

/// The operators of the statistics, each looked up once.
enum PixelOperator {
  static let maximum = Operator("aten::amax")
  static let minimum = Operator("aten::amin")
  static let equal = Operator("aten::eq.Tensor")
  static let equalNumber = Operator("aten::eq.Scalar")
  static let greaterNumber = Operator("aten::gt.Scalar")
  static let whereTrue = Operator("aten::where.self")
  static let fill = Operator("aten::masked_fill.Scalar")
  static let floor = Operator("aten::floor")
  static let remainder = Operator("aten::remainder.Scalar")
  static let binCount = Operator("aten::bincount")
  static let xLogY = Operator("aten::xlogy.Tensor")
  static let angle = Operator("aten::atan2")
  static let pad = Operator("aten::replication_pad2d")
  static let fourier = Operator("aten::fft_rfft2")
  static let real = Operator("aten::view_as_real")
  static let add = Operator("aten::index_add")
  static let smaller = Operator("aten::minimum")
}

extension Tensor {
  /// a/b, and 0 where b is 0.
  func orZero(over other: Tensor) -> Tensor {
    PixelOperator.fill(self / other, PixelOperator.equalNumber(other, 0.0), 0.0)
  }

  /// Mean and standard deviation of the population over the last two dimensions.
  ///
  /// The first number is taken off before, which is exact for what does not vary.
  func meanAndDeviation() -> (mean: Tensor, deviation: Tensor) {
    let first = sliced(-1, 0, 1).sliced(-2, 0, 1)
    let shifted = self - first
    let mean = shifted.mean(over: [-2, -1], keeping: true)
    let variance = (shifted - mean).squared().mean(over: [-2, -1])
    return ((mean + first).squeezed(-1).squeezed(-1), variance.squareRoot())
  }

  /// The sum of the elements of each class: `[n]` with indices `[n]` → `[count]`, in float64.
  func sums(by index: Tensor, _ count: Int) -> Tensor {
    PixelOperator.add(Tensor.zeros([count], .float64).to(device), 0, index, self)
  }

  /// −Σ p·log₂ p over all elements; zeros among the shares add nothing.
  func entropy() -> Tensor {
    // 0 is added because −0 is no entropy.
    PixelOperator.xLogY(self, self).sum() * (-1.442_695_040_888_963_4) + 0.0
  }
}

/// Luminance, contrast and entropy of one picture.
struct Light {
  /// Y, `[height, width]`.
  let luminance: Tensor

  /// - Parameter picture: `[3, height, width]` in float64.
  init(_ picture: Tensor) {
    luminance =
      picture.selected(0, 0) * 0.2126 + picture.selected(0, 1) * 0.7152
      + picture.selected(0, 2) * 0.0722
  }

  var statistics: [Tensor] {
    let (mean, deviation) = luminance.meanAndDeviation()
    return [mean, deviation, deviation.orZero(over: mean)]
  }

  /// Of 8-bit luminance. Bytes give multiples of 0.0001, so halves go up by 0.00005 without meeting another level,
  /// and float32's rounding, at most 0.00002, decides nothing.
  var entropy: Tensor {
    let levels = PixelOperator.floor(luminance * 255 + 0.50005).clamped(0, 255)
    let counts = PixelOperator.binCount(levels.reshaped(-1).to(.int64), Absent.none, 256)
    return (counts.to(.float64) / Double(luminance.count)).entropy()
  }
}
