import ParallaxTensors

/// The distance after the best renumbering of the neurons: min over permutations Π of ‖XΠ − Y‖_F.
///
/// The columns are **not** centred, and sizes count. The narrower side is padded with neurons at zero up to
/// the wider one's width. Π is the assignment with the largest ⟨XΠ, Y⟩, found by
/// shortest augmenting paths, and the difference is formed neuron by neuron.
///
/// Between representations of one width it is a metric. Across widths it is not, though ReSi says so: two
/// opposite neurons a and −a are 2‖a‖ apart, but each is only ‖a‖/√2 from the pair (a/2, −a/2).
///
/// Float64 throughout. Agrees with ReSi's PermutationProcrustes to 12 digits.
///
/// > Source: Williams et al., 2021, arXiv 2110.14739, section 2; Li et al., 2016, arXiv 1511.07543.
public struct PermutationProcrustes: MomentMeasure {
  /// The distance; there is nothing to choose.
  public init() {}

  /// `procrustes-permutation`.
  public var name: String { "procrustes-permutation" }
  /// A distance: 0 for the same neurons in another order.
  public var direction: Direction { .distance }
  /// Π may be applied to either side.
  public var isSymmetric: Bool { true }
  /// Only between representations of one width.
  public var isMetric: Bool { false }
  /// The order of the neurons alone.
  public var invariances: Invariance { [.permutation] }
  /// From 0.
  public var range: ClosedRange<Double> { 0...(.infinity) }
  /// A pair is one product and one assignment.
  public var cost: String { "ND once a representation, ND² + D³ a pair" }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// The paper and its section.
  public var source: String { "Williams et al., 2021, arXiv 2110.14739, section 2" }
  /// The implementation that gives the same number.
  public var agreesWith: String {
    "SciPy and the golden value of ReSi (PermutationProcrustes), to 12 digits in float64"
  }

  /// The neurons as they are.
  ///
  /// - Parameter features: `[images, width]`, at least two images.
  /// - Returns: the neurons, float64.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite` or `.constant`.
  public func summary(of features: Tensor) throws -> NeuronSummary {
    try summary(from: SharedParts(features))
  }

  /// The same, also of moments, which are taken about zero.
  ///
  /// - Throws: as `summary(of:)`.
  public func summary(from parts: SharedParts) throws -> NeuronSummary {
    try parts.moments.map { try NeuronSummary($0, .raw, atLeast: 2, measure: name) }
      ?? NeuronSummary(parts.features, .raw, atLeast: 2, measure: name)
  }

  /// Reordered; nil where images are left out.
  public func selected(_ summary: NeuronSummary, _ images: ImageSelection) throws -> NeuronSummary?
  {
    summary.selected(images)
  }

  /// The distance after the best renumbering.
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where the element types differ.
  public func similarity(_ a: NeuronSummary, _ b: NeuronSummary, _ cross: CrossMoment?) throws
    -> Double
  {
    let costs = try a.products(b, cross, measure: name)
    let best = Assignment(costs: (-costs).doubles, width: b.neurons)
    let squared = a.squaredDistance(b, best, cross)
    return squared.rootOfDifference(of: (a.squares + b.squares).reduce(0, +))
  }
}
