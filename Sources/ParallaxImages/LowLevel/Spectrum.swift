import ParallaxTensors

/// The power spectrum of luminance for pictures of one size.
///
/// The mean is taken off, weighted by the window, so that nothing of it is left at frequency 0; then the picture is
/// multiplied by Hann's window sin²(π(i + ½)/n) along both sides, so that its borders add no edges. A coefficient at
/// k cycles a height and l cycles a width has f = √((k/height)² + (l/width)²) cycles a pixel.
///
/// Radii are ⌊f·s + ½⌋ cycles a shorter side s, from 1 to ⌊s/2⌋; the power of one is the mean over its coefficients.
/// The slope is fitted from radius 2 on, for the window dampens the first: of noise made with α = 0, 1, 2, 3 it finds
/// the mean α within 0.035, with it within 0.08. Radii with at most 10⁻¹² of the strongest's power are rounding and
/// left out.
struct Spectrum {
  private let window: Tensor
  /// How often a coefficient of the half plane counts: 0 for the mean, 1 for its own mirror image, else 2.
  private let multiplicity: Tensor
  private let radius: Tensor
  private let band: Tensor
  private let coefficients: Tensor
  private let logRadius: Tensor
  private let radii: Int

  init(height: Int, width: Int, device: Device) {
    func hann(_ count: Int) -> Tensor {
      ((Tensor.range(0, count, .float64) + 0.5) * (Double.pi / Double(count))).sine().squared()
    }
    window = (hann(height).unsqueezed(1) * hann(width).unsqueezed(0)).to(device)
    let half = width / 2 + 1
    let rows = Tensor.range(0, height, .float64)
    let k = PixelOperator.smaller(rows, -rows + Double(height)).unsqueezed(1)
    let l = Tensor.range(0, half, .float64).unsqueezed(0)
    // (f · height · width)², a whole number, so that the ends of bands are met exactly.
    let squares = (k * Double(width)).squared() + (l * Double(height)).squared()
    let plane = Double(height * width) * Double(height * width)
    radii = min(height, width) / 2
    radius = PixelOperator.floor(squares.squareRoot() / Double(max(height, width)) + 0.5)
      .clamped(0, Double(radii + 1)).reshaped(-1).to(.int64).to(device)
    // 0 up to 1/32, 1 to 4 for the octaves above it, 5 for the corners beyond 1/2.
    let ends = [1024.0, 256, 64, 16, 4].map {
      PixelOperator.greaterNumber(squares, plane / $0).to(.int64)
    }
    band = Tensor.stacked(ends).sum(over: [0]).reshaped(-1).to(device)
    let columns = (0..<half).map { $0 == 0 || 2 * $0 == width ? 1.0 : 2.0 }
    let counts = Tensor(columns, shape: [1, half]).expanded(height, half)
    let isMean = PixelOperator.equalNumber(squares, 0.0)
    multiplicity = PixelOperator.fill(counts, isMean, 0.0).reshaped(-1).to(device)
    coefficients = multiplicity.sums(by: radius, radii + 2).sliced(0, 1, radii + 1)
    logRadius = (Tensor.range(0, max(0, radii - 1), .float64) + 2).logarithm().to(device)
  }

  /// Slope, octaves and high frequencies of `[height, width]` in float64.
  func statistics(_ luminance: Tensor) -> [Tensor] {
    let shifted = luminance - luminance.sliced(0, 0, 1).sliced(1, 0, 1)
    let mean = (shifted * window).sum() / window.sum()
    let parts = PixelOperator.real(
      PixelOperator.fourier((shifted - mean) * window, Absent.none, [-2, -1], Absent.none))
    let power = parts.squared().sum(over: [-1]).reshaped(-1) * multiplicity
    let bands = power.sums(by: band, 6)
    let shares = bands.orZero(over: bands.sum())
    return [slope(power)] + (1...4).map { shares.selected(0, $0) } + [shares.sliced(0, 3).sum()]
  }

  private func slope(_ power: Tensor) -> Tensor {
    guard radii > 1 else { return Tensor(0.0).to(power.device) }
    let radial = power.sums(by: radius, radii + 2).sliced(0, 1, radii + 1) / coefficients
    let kept = PixelOperator.greaterNumber(
      radial.orZero(over: radial.maximum()), 1e-12
    ).to(.float64).sliced(0, 1)
    let y = PixelOperator.xLogY(kept, radial.sliced(0, 1))
    let count = kept.sum()
    let x = (logRadius - (logRadius * kept).sum().orZero(over: count)) * kept
    // Σ(x − x̄)y is Σ(x − x̄)(y − ȳ). Adding 0 makes −0 a 0.
    return -(x * y).sum().orZero(over: x.squared().sum()) + 0.0
  }
}
