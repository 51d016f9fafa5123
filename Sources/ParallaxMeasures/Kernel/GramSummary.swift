import Foundation
import ParallaxTensors

/// What HSIC and CKA keep of a representation: one triangle of its centred Gram matrix, or, of second moments, two numbers.
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
  /// The matrix; nil where only moments are known.
  let gram: PackedGram?
  /// Σ‖x−μ‖², of moments alone.
  private let trace: Double

  /// Made once for all measures that ask for this kernel and this estimator.
  ///
  /// - Throws: `MeasureError`.
  static func make(
    _ parts: SharedParts, kernel: Kernel, estimator: Estimator, measure: String
  ) throws -> GramSummary {
    if let moments = parts.moments {
      return try GramSummary(moments, kernel: kernel, estimator: estimator, measure: measure)
    }
    return try parts.part("gram \(kernel) \(estimator)") {
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
    let gram = try PackedGram(
      isWrittenTo ? linear.cloned() : linear, kernel: kernel, packing: packing, measure: measure)
    let square = Self.product(gram, gram)
    guard square.isFinite else { throw MeasureError.notFinite(measure: measure) }
    guard square > gram.noise else { throw MeasureError.constant(measure: measure) }
    selfHSIC = scalbn(square, 2 * gram.exponent) / estimator.normalizer(images)
    (self.gram, trace) = (gram, 0)
  }

  /// From second moments, whose Gram matrix is the linear one.
  ///
  /// - Throws: `MeasureError`.
  private init(
    _ moments: Moments, kernel: Kernel, estimator: Estimator, measure: String
  ) throws {
    guard kernel == .linear else {
      throw MeasureError.undefined(
        measure: measure, problem: "second moments do not tell the distances of the RBF kernel")
    }
    let checked = try moments.checked(atLeast: estimator.fewest, measure: measure)
    (images, precision) = (checked.images, checked.precision)
    (self.kernel, self.estimator) = (kernel, estimator)
    (gram, trace) = (nil, checked.squaredNorm)
    let own = try Self.inner(
      CrossMoment(of: checked), (trace, trace), estimator, measure: measure)
    guard own.value > own.noise else { throw MeasureError.constant(measure: measure) }
    selfHSIC = own.value / estimator.normalizer(images)
  }

  /// ⟨K̂, L̂⟩ in the space of the features, and what of it may be rounding: ‖XᵀY‖², and where it is debiased
  /// ‖XᵀY‖² − n/(n−2)·Σᵢ‖xᵢ‖²‖yᵢ‖² + ‖X‖²‖Y‖²/((n−1)(n−2)).
  private static func inner(
    _ cross: CrossMoment, _ traces: (Double, Double), _ estimator: Estimator, measure: String
  ) throws -> (value: Double, noise: Double) {
    let (square, n) = (cross.centred.squaredNorm(), Double(cross.images))
    guard square.isFinite else { throw MeasureError.notFinite(measure: measure) }
    guard estimator == .debiased else { return (square, 0) }
    guard let lengths = cross.lengths else {
      throw MeasureError.undefined(
        measure: measure, problem: "the sums of squared lengths were not kept beside the moments")
    }
    let (diagonal, mean) = (n / (n - 2) * lengths, traces.0 * traces.1 / ((n - 1) * (n - 2)))
    return (square - diagonal + mean, 16 * Double.ulpOfOne * (square + diagonal + mean))
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
      guard let gram else { return self }
      let values = images.triangle(of: gram.values, diagonal: estimator == .biased)
      return GramSummary(self, PackedGram(gram, values: values, images: images.count), selfHSIC)
    }
    guard kernel == .linear, let gram else { return nil }
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
    trace = whole.trace
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
  func hsic(_ other: GramSummary, _ cross: CrossMoment?, measure: String) throws -> Double {
    guard images == other.images else {
      throw MeasureError.unequalCounts(measure: measure, left: images, right: other.images)
    }
    guard (precision, kernel, estimator) == (other.precision, other.kernel, other.estimator) else {
      throw MeasureError.summaries(measure: measure, left: recipe, right: other.recipe)
    }
    if let cross, gram == nil, other.gram == nil {
      return try Self.inner(cross, (trace, other.trace), estimator, measure: measure).value
        / estimator.normalizer(images)
    }
    guard let gram, let theirs = other.gram else {
      throw MeasureError.summaries(measure: measure, left: recipe, right: other.recipe)
    }
    let product = Self.product(gram, theirs)
    return scalbn(product, gram.exponent + theirs.exponent) / estimator.normalizer(images)
  }

  private var recipe: String {
    "\(precision) \(kernel) \(estimator)" + (gram == nil ? ", of moments" : "")
  }
}
