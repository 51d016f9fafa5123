/// A number with its 95 % interval, where one was estimated.
public struct IntervalEstimate: Codable, Sendable, Equatable {
  /// The number; nil where it is undefined.
  public var value: Double?
  /// The lower end; nil where none was estimated.
  public var low: Double?
  /// The upper end.
  public var high: Double?

  /// A number, with an interval or without.
  public init(_ value: Double?, low: Double? = nil, high: Double? = nil) {
    (self.value, self.low, self.high) = (value, low, high)
  }

  /// A number with its interval by the delete-group jackknife: ± Student's t with G − 1 degrees of freedom times
  /// √((G−1)/G · Σ (θ₍₋g₎ − θ̄)²). The number is not corrected for bias.
  ///
  /// - Parameters:
  ///   - value: of all images.
  ///   - left: the same without each group; where one of them is undefined there is no interval.
  ///   - isStepped: whether the number takes few values, such as places among layers: where all of `left` are equal its spread
  ///     does not show, and there is no interval.
  public init(_ value: Double?, leavingOut left: [Double?], isStepped: Bool = false) {
    let known = left.compactMap(\.self)
    self.init(value)
    guard let value, known.count == left.count, let margin = StudentT.margin(leavingOut: known),
      margin > 0 || !isStepped
    else { return }
    (low, high) = (value - margin, value + margin)
  }

  /// What it says of being above a level: beyond its interval, or not.
  public func verdict(above level: Double = 0) -> Finding.Verdict {
    guard let low, let high else { return .cannotTell }
    return low > level ? .shows : high < level ? .doesNotShow : .cannotTell
  }
}

/// A choice that changes the numbers of an analysis, and who made it.
public struct Switch: Codable, Sendable, Equatable {
  /// What was chosen: `distance`.
  public var name: String
  /// What it is set to: `euclidean`.
  public var value: String
  /// `paper` where the paper says so, `reconstruction` where it is silent and the choice is ours.
  public var origin: String

  /// A switch from its parts.
  public init(_ name: String, _ value: String, origin: String = "reconstruction") {
    (self.name, self.value, self.origin) = (name, value, origin)
  }
}

extension Finding {
  /// A finding whose number has a jackknife interval, or none.
  public init(
    _ sentence: String, _ estimate: IntervalEstimate, _ quantity: String, _ verdict: Verdict,
    analysis: String
  ) {
    self.init(
      sentence: sentence, value: estimate.value, low: estimate.low, high: estimate.high,
      quantity: quantity
        + (estimate.low == nil ? "" : "; 95 % jackknife interval over groups of images"),
      verdict: verdict, analysis: analysis)
  }
}
