import ParallaxTensors

/// A number that describes one representation on its own, such as its intrinsic dimension.
///
/// What several descriptions are made from, such as the distances to the nearest neighbours, is their
/// basis: made once a representation, it serves them all.
public protocol Description: Sendable {
  /// What the number is computed from.
  associatedtype Basis: Sendable

  /// The name in results and on the command line, such as `two-nn`.
  var name: String { get }
  /// What the number says, in a few words that continue "it is".
  var meaning: String { get }
  /// What it counts, such as `directions`.
  var unit: String { get }
  /// The values that it can take.
  var range: ClosedRange<Double> { get }
  /// Whether it comes with a standard error.
  var hasStandardError: Bool { get }
  /// The changes of the representation that the number ignores: exactly these.
  var invariances: Invariance { get }
  /// The fewest images that it can be computed from.
  var fewestImages: Int { get }
  /// The multiply-adds, with N images of width D.
  var cost: String { get }
  /// Where it is defined.
  var source: String { get }
  /// The independent implementations that give the same numbers, and to how many digits.
  var agreesWith: String { get }

  /// What the number is computed from.
  ///
  /// - Parameter features: `[images, width]`.
  /// - Returns: the basis, which others of the same type share.
  /// - Throws: `MeasureError` where the description has no value on such a representation.
  func basis(of features: Tensor) throws -> Basis

  /// The number, and its standard error where the method gives one.
  ///
  /// - Throws: `MeasureError` where it has no value.
  func estimate(_ basis: Basis) throws -> Estimate
}

extension Description {
  /// False.
  public var hasStandardError: Bool { false }

  /// The number for a representation `[images, width]` that is looked at only once.
  ///
  /// - Throws: `MeasureError`.
  public func callAsFunction(_ features: Tensor) throws -> Estimate {
    try estimate(basis(of: features))
  }
}

/// A number and how sure it is.
public struct Estimate: Sendable, Hashable, Codable {
  /// The number.
  public let value: Double
  /// One standard error; nil where the method gives none.
  public let standardError: Double?

  /// A number, with its standard error where there is one.
  public init(_ value: Double, standardError: Double? = nil) {
    (self.value, self.standardError) = (value, standardError)
  }
}
