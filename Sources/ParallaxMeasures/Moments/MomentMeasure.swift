import ParallaxTensors

/// A measure whose value follows from the second moments of both sides, without a look at single images.
///
/// The formula is one: ``similarity(_:_:_:)`` gets the product of two summaries from their rows, or from the pair's cross
/// moments where the summaries were made of ``Moments``. So both routes cannot drift apart.
public protocol MomentMeasure: Measure {
  /// Whether this variant needs the images after all, as CKA with the RBF kernel does.
  var needsRows: Bool { get }
  /// Whether the sums of products of squared lengths are needed beside the moments, as debiasing does.
  var needsLengths: Bool { get }

  /// The value for two representations.
  ///
  /// - Parameters:
  ///   - a: the first side.
  ///   - b: the second side.
  ///   - cross: the second moments of the sides with one another, where the summaries were made of moments; nil where they
  ///     were made of features.
  /// - Returns: the value.
  /// - Throws: `MeasureError`, as `similarity(_:_:)`.
  func similarity(_ a: Summary, _ b: Summary, _ cross: CrossMoment?) throws -> Double
}

extension MomentMeasure {
  /// False.
  public var needsRows: Bool { false }
  /// False.
  public var needsLengths: Bool { false }

  /// The value for two representations that were summarised from features.
  ///
  /// - Throws: `MeasureError`.
  public func similarity(_ a: Summary, _ b: Summary) throws -> Double {
    try similarity(a, b, nil)
  }

  /// What is kept of one representation whose moments are known.
  ///
  /// - Throws: `MeasureError`, as `summary(of:)` of features.
  public func summary(of moments: Moments) throws -> Summary {
    try summary(from: SharedParts(moments))
  }
}

extension Measure {
  /// Whether it can be computed from second moments, which one pass accumulates in memory that does not grow with the
  /// number of images.
  public var streams: Bool { (self as? any MomentMeasure)?.needsRows == false }

  /// Whether it needs sums of products of squared lengths for that.
  var streamsLengths: Bool { (self as? any MomentMeasure)?.needsLengths == true }
}

/// A description of one representation that follows from its second moments.
public protocol MomentDescription: Description {
  /// What the number is computed from.
  ///
  /// - Parameter moments: of the representation.
  /// - Returns: the basis.
  /// - Throws: `MeasureError`, as `basis(of:)` of features.
  func basis(of moments: Moments) throws -> Basis
}

extension MomentDescription where Basis == Spectrum {
  /// The spectrum.
  ///
  /// - Parameter moments: of the representation, at least as many images as the description needs.
  /// - Returns: the spectrum.
  /// - Throws: `MeasureError.tooFew`, `.notFinite` or `.constant`; `TensorError.operation` where LAPACK does not converge.
  public func basis(of moments: Moments) throws -> Spectrum {
    try Spectrum(moments.checked(atLeast: fewestImages, measure: name))
  }
}

extension Description {
  /// Whether it can be computed from second moments.
  public var streams: Bool { self is any MomentDescription }
}
