import ParallaxTensors

/// How well single neurons of one side correlate with single neurons of the other.
///
/// - one to one (the default, "hard"): the mean Pearson correlation under the best assignment, over
///   min(D, D′) pairs;
/// - each to its best ("soft"): ½(mean of the row maxima + mean of the column maxima) of the correlation
///   matrix, the mean of the two means and not the pooled one.
///
/// The correlation's sign counts. A neuron that is the same for every image has no correlation and is left out
/// (``NeuronSummary/deadNeurons`` counts them); ReSi takes its correlations as 0 instead.
///
/// Float64 throughout. Agrees with ReSi to 12 digits, and the assignment with SciPy's
/// `linear_sum_assignment`.
///
/// > Source: Li et al., 2016, arXiv 1511.07543, section 3 (bipartite and semi-matching).
public struct CorrelationMatch: MomentMeasure {
  /// How neurons are matched.
  public enum Matching: String, Sendable, Hashable, CaseIterable {
    /// Every neuron of the narrower side with one of its own.
    case hard
    /// Every neuron with the one that it correlates most with.
    case soft
  }

  /// How neurons are matched.
  public let matching: Matching

  /// The match; one to one where nothing is said.
  public init(_ matching: Matching = .hard) { self.matching = matching }

  /// `correlation-match-hard`, `correlation-match-soft`.
  public var name: String { "correlation-match-\(matching.rawValue)" }
  /// A similarity: 1 for the same neurons in another order.
  public var direction: Direction { .similarity }
  /// Both sides are treated alike.
  public var isSymmetric: Bool { true }
  /// A mean of correlations is no distance.
  public var isMetric: Bool { false }
  /// Whatever each neuron's correlations ignore, and the order of the neurons.
  public var invariances: Invariance { [.translation, .scaling, .permutation] }
  /// From −1 to 1.
  public var range: ClosedRange<Double> { -1...1 }
  /// A pair is one product, and an assignment for the hard match.
  public var cost: String {
    "ND once a representation, ND²\(matching == .hard ? " + D³" : "") a pair"
  }
  /// Three: with fewer any data would agree.
  public var fewestImages: Int { 3 }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// The paper and its section.
  public var source: String { "Li et al., 2016, arXiv 1511.07543, section 3" }
  /// The implementation that gives the same number.
  public var agreesWith: String {
    "SciPy and the golden value of ReSi (\(matching == .hard ? "Hard" : "Soft")CorrelationMatch), to 12 digits in float64"
  }

  /// The neurons that vary, centred and of norm one.
  ///
  /// - Parameter features: `[images, width]`, at least three images: any two points lie on a line.
  /// - Returns: the neurons, float64.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite` or `.constant`.
  public func summary(of features: Tensor) throws -> NeuronSummary {
    try summary(from: SharedParts(features))
  }

  /// The standardised neurons.
  public var sharedPart: SharedPart? { SharedPart("neurons") }

  /// The same, for both matchings at once.
  ///
  /// - Throws: as `summary(of:)`.
  public func summary(from parts: SharedParts) throws -> NeuronSummary {
    try parts.part("neurons") {
      try parts.moments.map { try NeuronSummary($0, .standardized, atLeast: 3, measure: name) }
        ?? NeuronSummary(parts.features, .standardized, atLeast: 3, measure: name)
    }
  }

  /// Reordered; nil where images are left out.
  public func selected(_ summary: NeuronSummary, _ images: ImageSelection) throws -> NeuronSummary?
  {
    summary.selected(images)
  }

  /// The mean correlation of matched neurons.
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where the element types differ.
  public func similarity(_ a: NeuronSummary, _ b: NeuronSummary, _ cross: CrossMoment?) throws
    -> Double
  {
    let correlations = try a.products(b, cross, measure: name)
    switch matching {
    case .hard:
      let costs = (-correlations).doubles
      let best = Assignment(costs: costs, width: b.neurons)
      return -best.total(costs, width: b.neurons) / Double(best.rows.count)
    case .soft:
      let rows = correlations.topK(1).values.mean()
      let columns = correlations.transposed().topK(1).values.mean()
      return (rows.item(Double.self) + columns.item(Double.self)) / 2
    }
  }
}
