import ParallaxTensors

/// How alike two representations of the same images are.
///
/// A representation is a matrix `[images, width]`; row i of both sides is the same image. What can be
/// computed from one side alone is its summary, made once a representation; a pair costs only what
/// joins two summaries.
public protocol Measure: Sendable {
  /// What is kept of one representation.
  associatedtype Summary: Sendable

  /// The name in results and on the command line, such as `cka`.
  var name: String { get }
  /// Whether larger means more alike.
  var direction: Direction { get }
  /// Whether the order of the two sides does not matter.
  var isSymmetric: Bool { get }
  /// Whether the triangle inequality holds.
  var isMetric: Bool { get }
  /// The changes of one side that the value ignores: exactly these.
  var invariances: Invariance { get }
  /// The values that it can take.
  var range: ClosedRange<Double> { get }
  /// The multiply-adds, with N images and widths D.
  var cost: String { get }
  /// Whether the rows of both sides must be the same images in the same order.
  var needsPairing: Bool { get }
  /// Whether random draws take part, so that the value changes a little with the order of the images.
  /// They come from a seed: the same call gives the same value.
  var isRandom: Bool { get }
  /// The fewest images that it has a value for.
  var fewestImages: Int { get }
  /// Circumstances under which values say less than they seem to.
  var pitfalls: [Pitfall] { get }
  /// Where it is defined.
  var source: String { get }
  /// The independent implementations that give the same numbers, and to how many digits.
  var agreesWith: String { get }

  /// What is kept of one representation.
  ///
  /// - Parameter features: `[images, width]`; float64 stays float64, all else is computed in float32.
  /// - Returns: what `similarity` needs of this side.
  /// - Throws: `MeasureError` where the measure has no value on such a representation.
  func summary(of features: Tensor) throws -> Summary

  /// What summaries of this measure are made of that other measures' may be made of as well; nil where they share nothing.
  var sharedPart: SharedPart? { get }

  /// What is kept of one representation, made of parts that other measures have part in.
  ///
  /// - Throws: `MeasureError`, as `summary(of:)`.
  func summary(from parts: SharedParts) throws -> Summary

  /// What the first side of a pair is made of, where that is much less than a summary; nil where it is a whole one.
  ///
  /// Such measures are computed a second side at a time, so that no more than one whole summary is held.
  var firstSide: SharedPart? { get }

  /// What `similarity` needs of the first side only, made of parts.
  ///
  /// - Throws: `MeasureError`, as `summary(of:)`.
  func firstSide(from parts: SharedParts) throws -> Summary

  /// About how many bytes a summary takes, of float32 features.
  func summaryBytes(images: Int, width: Int) -> Int

  /// The summary of some of the images, or of all in another order, without looking at the features again.
  ///
  /// - Parameters:
  ///   - summary: of all images.
  ///   - images: the selected ones: image i of the new summary is image `indices[i]` of the old one.
  /// - Returns: what `summary(of:)` gives for those rows, but for rounding; nil where that has to be asked.
  /// - Throws: `MeasureError`, where the measure has no value on such a selection.
  func selected(_ summary: Summary, _ images: ImageSelection) throws -> Summary?

  /// The value for two representations.
  ///
  /// - Throws: `MeasureError.unequalCounts` where the sides do not have the same number of images.
  func similarity(_ a: Summary, _ b: Summary) throws -> Double

  /// The value of a representation of that many images with itself; nil where it depends on the representation.
  func selfValue(images: Int) -> Double?

  /// What has a value where images cannot be told apart, and the same value where they can; this measure itself where it
  /// has one, or where none is defined.
  var allowingTies: any Measure { get }
}

extension Measure {
  /// False.
  public var isRandom: Bool { false }

  /// Two.
  public var fewestImages: Int { 2 }

  /// Nil: nothing is shared.
  public var sharedPart: SharedPart? { nil }

  /// Made of the features.
  public func summary(from parts: SharedParts) throws -> Summary {
    try summary(of: parts.features)
  }

  /// Nil: a summary is needed.
  public var firstSide: SharedPart? { nil }

  /// The summary.
  public func firstSide(from parts: SharedParts) throws -> Summary { try summary(from: parts) }

  /// The features in float64.
  public func summaryBytes(images: Int, width: Int) -> Int { 8 * images * width }

  /// This measure.
  public var allowingTies: any Measure { self }

  /// Nil: the summary is made anew.
  public func selected(_ summary: Summary, _ images: ImageSelection) throws -> Summary? { nil }

  /// 0 for a distance, the upper end of the range for a similarity that has one.
  public func selfValue(images: Int) -> Double? {
    switch direction {
    case .distance: 0
    case .similarity: range.upperBound.isFinite ? range.upperBound : nil
    }
  }

  /// The value for two representations `[images, width]` that are looked at only once.
  ///
  /// - Throws: `MeasureError`.
  public func callAsFunction(_ a: Tensor, _ b: Tensor) throws -> Double {
    try similarity(summary(of: a), summary(of: b))
  }
}

/// Which way a measure points.
public enum Direction: String, Sendable, Hashable, Codable {
  /// Larger is more alike.
  case similarity
  /// Smaller is more alike.
  case distance
}

/// Changes of a representation `[images, width]` that a measure does not see.
public struct Invariance: OptionSet, Sendable, Hashable {
  /// One bit a change: T 1, S 2, P 4, O 8, L 16.
  public let rawValue: Int
  /// The set of that bit pattern.
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// T: one vector added to every row.
  public static let translation = Invariance(rawValue: 1)
  /// S: all numbers multiplied by one positive number.
  public static let scaling = Invariance(rawValue: 2)
  /// P: the neurons in another order.
  public static let permutation = Invariance(rawValue: 4)
  /// O: an orthogonal map of the neurons, rotations and reflections.
  public static let orthogonal = Invariance(rawValue: 8)
  /// L: any invertible linear map of the neurons.
  public static let linear = Invariance(rawValue: 16)

  /// The letters of the literature, such as `T S P O`.
  public var letters: String {
    zip("TSPOL", [Self.translation, .scaling, .permutation, .orthogonal, .linear])
      .filter { contains($0.1) }.map { String($0.0) }.joined(separator: " ")
  }
}
