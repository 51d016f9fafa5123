/// The distance between the features of two images.
public enum Distance: String, Sendable, Hashable, Codable, CaseIterable, CustomStringConvertible {
  /// ‖x − y‖.
  case euclidean
  /// 1 − x·y/(‖x‖‖y‖).
  case cosine
  /// 1 − r, Pearson's correlation of the two rows: the cosine distance of rows less their means.
  case correlation

  /// The raw value.
  public var description: String { rawValue }

  /// What it ignores: a translation moves angles, and a rotation moves the means of rows.
  var invariances: Invariance {
    switch self {
    case .euclidean: [.translation, .scaling, .permutation, .orthogonal]
    case .cosine: [.scaling, .permutation, .orthogonal]
    case .correlation: [.scaling, .permutation]
    }
  }
}
