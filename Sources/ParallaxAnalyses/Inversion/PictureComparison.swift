import Foundation
import ParallaxTensors

/// How like one picture is to another, by what one sees.
///
/// Both are clamped to [0, 1] first. PSNR and SSIM agree with scikit-image's `peak_signal_noise_ratio` and
/// `structural_similarity` with `data_range=1`, channels apart, to 1e-9 in float64.
public struct PictureComparison: Sendable {
  private let picture: Tensor
  private let original: Tensor

  /// Two pictures.
  ///
  /// - Parameters:
  ///   - picture: `[channels, height, width]`.
  ///   - original: the same shape.
  public init(_ picture: Tensor, _ original: Tensor) {
    self.picture = picture.to(.cpu).to(.float64).clamped(0, 1)
    self.original = original.to(.cpu).to(.float64).clamped(0, 1)
  }

  /// 10·log₁₀(1 / mean (a − b)²) in decibels; nil where the pictures are equal.
  public var psnr: Double? {
    let error = (picture - original).squared().mean().item(Double.self)
    return error > 0 ? -10 * log10(error) : nil
  }

  /// The structural similarity: mean over windows of 7 × 7 pixels and channels of
  /// (2μ_aμ_b + C₁)(2σ_ab + C₂) / ((μ_a² + μ_b² + C₁)(σ_a² + σ_b² + C₂)), C₁ = 0.01², C₂ = 0.03², sample covariances.
  ///
  /// nil where the pictures are smaller than a window.
  ///
  /// > Source: Wang et al., 2004, Image quality assessment.
  public var ssim: Double? {
    guard picture.shape[1] >= 7, picture.shape[2] >= 7 else { return nil }
    func mean(_ map: Tensor) -> Tensor {
      map.unsqueezed(0).averagePooled(window: 7, stride: 1)
    }
    let (a, b) = (mean(picture), mean(original))
    let correction = 49.0 / 48
    let varianceA = (mean(picture.squared()) - a.squared()) * correction
    let varianceB = (mean(original.squared()) - b.squared()) * correction
    let covariance = (mean(picture * original) - a * b) * correction
    let (c1, c2) = (0.0001, 0.0009)
    let above = ((a * b) * 2.0 + c1) * (covariance * 2.0 + c2)
    let below = (a.squared() + b.squared() + c1) * (varianceA + varianceB + c2)
    return (above / below).mean().item(Double.self)
  }

  /// The energy of the picture above a quarter of a cycle a pixel (√(f_x² + f_y²) > ¼), over the original's; 1 for a copy, below
  /// 1 where it is blurred, above 1 where it is noisy. nil where the original has none.
  public var highFrequency: Double? {
    let (height, width) = (picture.shape[1], picture.shape[2])
    func frequency(_ index: Int, _ count: Int) -> Double {
      Double(index <= count / 2 ? index : index - count) / Double(count)
    }
    var mask: [Double] = []
    mask.reserveCapacity(height * width)
    for row in 0..<height {
      let y = frequency(row, height)
      for column in 0..<width {
        let x = frequency(column, width)
        mask.append(x * x + y * y > 0.0625 ? 1 : 0)
      }
    }
    let high = Tensor(mask, shape: [height, width])
    func energy(_ image: Tensor) -> Double {
      let spectrum = InversionOperators.fourier(
        image, Absent.none, [-2, -1], Absent.none)
      return (InversionOperators.magnitude(spectrum).squared() * high).sum().item(Double.self)
    }
    let reference = energy(original)
    return reference > 1e-12 ? energy(picture) / reference : nil
  }
}
