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

  /// Made once for all measures that ask for this kernel and this estimator.
  ///
  /// - Throws: `MeasureError`.
  static func make(
    _ parts: SharedParts, kernel: Kernel, estimator: Estimator, measure: String
  ) throws -> GramSummary {
    try parts.part("gram \(kernel) \(estimator)") {
      try GramSummary(parts, kernel: kernel, estimator: estimator, measure: measure)
    }
  }

  private init(
    _ parts: SharedParts, kernel: Kernel, estimator: Estimator, measure: String
  ) throws {
    let features = parts.features
    images = try Checked.images(of: features, atLeast: estimator.fewest, measure: measure)
    let precision = Gram.precision(of: features)
    self.precision = precision
    (self.kernel, self.estimator) = (kernel, estimator)
    let packing = Packing(images: images, estimator: estimator, device: features.device)
    let linear = parts.part("gram") { Gram.linear(features, in: precision) }
    // The linear kernel's matrix is centred where it lies.
    let isWrittenTo = kernel == .linear && parts.plan != nil
    gram = try PackedGram(
      isWrittenTo ? linear.cloned() : linear, kernel: kernel, packing: packing, measure: measure)
    let square = Self.product(gram, gram)
    guard square.isFinite else { throw MeasureError.notFinite(measure: measure) }
    guard square > gram.noise else { throw MeasureError.constant(measure: measure) }
    selfHSIC = scalbn(square, 2 * gram.exponent) / estimator.normalizer(images)
  }

  /// The summary of some images; nil where it has to be made of the features.
  ///
  /// The linear Gram matrix of some images is centred anew. The width of an RBF kernel follows the images, so that its
  /// matrix is reordered only. Where what is left is small against the whole, its digits are in the features only.
  ///
  /// - Throws: `MeasureError.tooFew`.
  func selected(_ images: ImageSelection, measure: String) throws -> GramSummary? {
    guard images.count >= estimator.fewest else {
      throw MeasureError.tooFew(measure: measure, images: images.count, needed: estimator.fewest)
    }
    if images.isWhole {
      let values = images.triangle(of: gram.values, diagonal: estimator == .biased)
      return GramSummary(self, PackedGram(gram, values: values, images: images.count), selfHSIC)
    }
    guard kernel == .linear else { return nil }
    let packing = Packing(
      images: images.count, estimator: estimator, device: gram.values.device)
    let part = PackedGram(
      gram, values: packing.centred(gram.values, of: images), images: images.count)
    let square = Self.product(part, part)
    let whole = scalbn(selfHSIC, -2 * gram.exponent) * estimator.normalizer(self.images)
    guard square > whole / 256 else { return nil }
    return GramSummary(
      self, part, scalbn(square, 2 * gram.exponent) / estimator.normalizer(images.count))
  }

  private init(_ whole: GramSummary, _ gram: PackedGram, _ selfHSIC: Double) {
    (images, precision, self.gram) = (gram.images, whole.precision, gram)
    (kernel, estimator, self.selfHSIC) = (whole.kernel, whole.estimator, selfHSIC)
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
