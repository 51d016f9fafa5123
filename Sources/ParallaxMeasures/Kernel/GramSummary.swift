import Foundation
import ParallaxTensors

/// What HSIC and CKA keep of a representation: one triangle of its centred Gram matrix.
public struct GramSummary: Sendable {
  /// The number of images.
  public let images: Int
  /// The element type of the products.
  public let precision: DType
  /// The kernel.
  public let kernel: Kernel
  /// The estimator.
  public let estimator: Estimator
  /// HSIC(K, K).
  public let selfHSIC: Double
  let gram: PackedGram

  /// - Throws: `MeasureError`.
  init(_ features: Tensor, kernel: Kernel, estimator: Estimator, measure: String) throws {
    images = try Checked.images(of: features, atLeast: estimator.fewest, measure: measure)
    precision = Gram.precision(of: features)
    (self.kernel, self.estimator) = (kernel, estimator)
    let packing = Packing(images: images, estimator: estimator, device: features.device)
    gram = try PackedGram(
      features, kernel: kernel, packing: packing, precision: precision, measure: measure)
    let square = Self.product(gram, gram)
    guard square.isFinite else { throw MeasureError.notFinite(measure: measure) }
    guard square > gram.noise else { throw MeasureError.constant(measure: measure) }
    selfHSIC = scalbn(square, 2 * gram.exponent) / estimator.normalizer(images)
  }

  /// ⟨K̂, L̂⟩ in the scaled units.
  static func product(_ a: PackedGram, _ b: PackedGram) -> Double {
    let products = a.values * b.values
    return 2
      * products.to(Gram.home(of: products.device)).sum(over: [0], in: .float64)
      .item(Double.self)
  }

  /// HSIC(K, L).
  ///
  /// - Throws: `MeasureError.unequalCounts`, `MeasureError.summaries`.
  func hsic(_ other: GramSummary, measure: String) throws -> Double {
    guard images == other.images else {
      throw MeasureError.unequalCounts(measure: measure, left: images, right: other.images)
    }
    guard (precision, kernel, estimator) == (other.precision, other.kernel, other.estimator) else {
      throw MeasureError.summaries(measure: measure, left: recipe, right: other.recipe)
    }
    let product = Self.product(gram, other.gram)
    return scalbn(product, gram.exponent + other.gram.exponent) / estimator.normalizer(images)
  }

  private var recipe: String { "\(precision) \(kernel) \(estimator)" }
}
