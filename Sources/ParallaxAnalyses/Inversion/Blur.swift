import Foundation
import ParallaxTensors

/// The operators of this folder, each looked up once.
enum InversionOperators {
  static let reflection = Operator("aten::reflection_pad2d")
  static let choose = Operator("aten::where.self")
  static let fourier = Operator("aten::fft_fft2")
  static let magnitude = Operator("aten::abs")
}

/// A Gaussian blur of k × k pixels with reflected borders.
///
/// One side's weights are exp(−½(x/σ)²) at x = −(k−1)/2 … (k−1)/2, scaled to sum 1; the edge's own pixel is not repeated.
/// Agrees with torchvision's `gaussian_blur` to rounding.
public struct Blur: Sendable, Hashable {
  /// k, an odd number of pixels.
  public let size: Int
  /// σ in pixels, above 0.
  public let sigma: Double

  /// A blur.
  ///
  /// - Parameters:
  ///   - size: k in pixels.
  ///   - sigma: σ in pixels.
  /// - Precondition: k is odd, σ is above 0.
  public init(size: Int = 3, sigma: Double) {
    precondition(size > 0 && size % 2 == 1 && sigma > 0, "Blur: size \(size), sigma \(sigma)")
    (self.size, self.sigma) = (size, sigma)
  }

  /// The weights along one side, from one end to the other.
  public var weights: [Double] {
    let raw = (0..<size).map { place in
      let x = Double(place) - Double(size - 1) / 2
      return exp(-0.5 * (x / sigma) * (x / sigma))
    }
    let sum = raw.reduce(0, +)
    return raw.map { $0 / sum }
  }

  /// Blurred images.
  ///
  /// - Parameter images: `[batch, channels, height, width]`, sides longer than (k−1)/2.
  /// - Returns: the same shape.
  public func callAsFunction(_ images: Tensor) -> Tensor {
    let (shape, reach) = (images.shape, size / 2)
    let row = Tensor(weights, shape: [1, 1, 1, size]).to(images.dtype).to(images.device)
    let planes = images.reshaped(shape[0] * shape[1], 1, shape[2], shape[3])
    let padded =
      reach > 0 ? InversionOperators.reflection(planes, [reach, reach, reach, reach]) : planes
    return padded.convolution(row).convolution(row.transposed()).reshaped(shape)
  }
}

/// A number that goes linearly from one value towards another: start·(N−i)/N + end·i/N at step i of N.
///
/// The end is approached and never reached, for the last step is N − 1.
///
/// > Source: Badger, 2022, arXiv 2211.06496.
public struct LinearSchedule: Sendable, Hashable, Codable {
  /// The value at step 0.
  public var start: Double
  /// The value that step N would have.
  public var end: Double

  /// A schedule between two values.
  public init(_ start: Double, _ end: Double) { (self.start, self.end) = (start, end) }

  /// The value at a step.
  ///
  /// - Parameters:
  ///   - step: i, from 0.
  ///   - steps: N.
  /// - Returns: the value.
  public func callAsFunction(_ step: Int, of steps: Int) -> Double {
    guard steps > 0 else { return start }
    return start * Double(steps - step) / Double(steps) + end * Double(step) / Double(steps)
  }
}

/// How far an embedding is from the one that is wanted, one number an image.
public enum EmbeddingLoss: String, Sendable, Codable, CaseIterable {
  /// Σ|ŷ − y| over all elements: the paper's.
  case l1
  /// ‖ŷ − y‖₂.
  case l2
  /// Σ(ŷ − y)², the residual sum of squares.
  case rss
  /// 1 − ⟨ŷ, y⟩ / (‖ŷ‖·‖y‖).
  case cosine

  /// The losses of a batch.
  ///
  /// - Parameters:
  ///   - target: ŷ, `[batch, features]`.
  ///   - found: y, `[batch, features]`.
  /// - Returns: `[batch]`.
  public func callAsFunction(_ target: Tensor, _ found: Tensor) -> Tensor {
    switch self {
    case .l1: (target - found).absolute().sum(over: [1])
    case .l2: (target - found).norm(over: [1])
    case .rss: (target - found).squared().sum(over: [1])
    case .cosine:
      -((target * found).sum(over: [1]) / (target.norm(over: [1]) * found.norm(over: [1]))) + 1.0
    }
  }

  /// The loss that an embedding of zeros would have, which makes losses of layers comparable.
  func scale(_ target: Tensor) -> Tensor {
    self == .cosine ? target.norm(over: [1]) * 0.0 + 1.0 : self(target, target.zerosLike())
  }
}
