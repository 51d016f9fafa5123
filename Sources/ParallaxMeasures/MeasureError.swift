import ParallaxTensors

/// Why a measure has no value.
public enum MeasureError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Too few images for the estimator.
  case tooFew(measure: String, images: Int, needed: Int)
  /// The two sides are not about the same images.
  case unequalCounts(measure: String, left: Int, right: Int)
  /// NaN or infinity among the features, or sums of squares that leave the range of the element type.
  case notFinite(measure: String)
  /// Nothing varies by more than rounding, or only one image differs from all others.
  case constant(measure: String)
  /// A tensor that is no `[images, width]`.
  case shape(measure: String, expected: String, found: [Int])
  /// The two sides were summarised with different element types, kernels or estimators.
  case summaries(measure: String, left: String, right: String)
  /// A block is added out of order, twice, or while another is open.
  case blockOrder(measure: String, problem: String)
  /// Two partial sums do not belong together.
  case merge(measure: String, problem: String)
  /// Images with the same features, where the measure has no value for such.
  case duplicates(measure: String, rows: [Int])
  /// One image's features that the distance has no value for, such as zeros for the cosine.
  case row(measure: String, row: Int, problem: String)
  /// The formula has no value on this representation, for the reason given.
  case undefined(measure: String, problem: String)
  /// What is accumulated or kept would not fit.
  case memory(measure: String, needed: Int, limit: Int)

  /// One sentence: what, where, expected, found.
  public var description: String {
    switch self {
    case .tooFew(let measure, let images, let needed):
      "\(measure) needs at least \(needed) images, found \(images)"
    case .unequalCounts(let measure, let left, let right):
      "\(measure) compares representations of the same images, found \(left) rows against \(right)"
    case .notFinite(let measure):
      "\(measure): the features hold NaN or infinite numbers, or overflow when squared"
    case .constant(let measure):
      "\(measure): the representation does not vary over the images, or one image alone differs"
    case .shape(let measure, let expected, let found):
      "\(measure): expected features of shape \(expected), found \(found)"
    case .summaries(let measure, let left, let right):
      "\(measure): the two summaries were made differently, \(left) against \(right)"
    case .blockOrder(let measure, let problem): "\(measure): \(problem)"
    case .merge(let measure, let problem):
      "\(measure): the partial sums cannot be merged: \(problem)"
    case .duplicates(let measure, let rows):
      "\(measure): the rows \(Self.list(rows)) are equal to others; duplicates have no order among neighbours and no ratio of distances"
    case .row(let measure, let row, let problem): "\(measure): row \(row) \(problem)"
    case .undefined(let measure, let problem): "\(measure) has no value: \(problem)"
    case .memory(let measure, let needed, let limit):
      "\(measure) would need \(Self.mebibytes(needed)) MiB, the limit is \(Self.mebibytes(limit)) MiB"
    }
  }

  /// The first ten of them.
  private static func list(_ rows: [Int]) -> String {
    rows.prefix(10).map(String.init).joined(separator: ", ")
      + (rows.count > 10 ? " and \(rows.count - 10) more" : "")
  }

  private static func mebibytes(_ bytes: Int) -> Int { (bytes + (1 << 20) - 1) >> 20 }
}
