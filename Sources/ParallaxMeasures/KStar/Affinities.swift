import Foundation
import ParallaxTensors

/// How likely images are to be neighbours in a space, by Gaussians as wide as a perplexity asks for.
///
/// p_{j|i} ∝ exp(−β_i ‖x_i − x_j‖²) with p_{i|i} = 0 and β_i such that −Σ_j p_{j|i} ln p_{j|i} = ln perplexity, and
/// p_ij = (p_{j|i} + p_{i|j})/2n. β_i is found by Newton's steps in ln β, by halves of an interval where these leave it, to 1e-10 nats;
/// scikit-learn halves, to 1e-5.
///
/// > Source: van der Maaten and Hinton, 2008, JMLR 9, 2579–2605, equation 1 and section 3.1.
struct Affinities {
  /// p_ij in float64, `[images, images]`; 0 on the diagonal, and 1 in all.
  let matrix: Tensor
  /// Σ p_ij ln p_ij.
  let entropy: Double
  /// Images whose nearest ones, equally far, are more than the perplexity.
  let crowded: Int

  private static let bytes = 1 << 21
  private static let precision = 1e-10
  private static let most = 200
  private static let diagonal = Operator("aten::diagonal")
  private static let least = Operator("aten::amin")
  private static let equal = Operator("aten::eq.Scalar")
  private static let xlogy = Operator("aten::xlogy.Tensor")

  /// - Parameters:
  ///   - rows: features of which Euclidean distances are taken.
  ///   - perplexity: below the number of the other images.
  ///   - progress: told the share that is done; what it throws stops it.
  /// - Throws: what `progress` throws.
  init(
    _ rows: DistanceRows, perplexity: Double, _ progress: (Double) throws -> Void = { _ in }
  ) throws {
    let count = rows.images
    matrix = Tensor.zeros([count, count], .float64)
    let size = max(1, Self.bytes / (8 * count))
    var crowded = 0
    for start in stride(from: 0, to: count, by: size) {
      try progress(Double(start) / Double(count))
      let span = start..<min(start + size, count)
      let found = Self.conditional(rows, span, perplexity)
      crowded += found.crowded
      _ = InPlace.copy(matrix.sliced(0, span.lowerBound, span.upperBound), found.rows)
    }
    self.crowded = crowded
    Self.symmetrise(matrix, step: size)
    var entropy = 0.0
    for start in stride(from: 0, to: count, by: size) {
      let block = matrix.sliced(0, start, min(start + size, count))
      entropy += Self.xlogy(block, block).sum().item(Double.self)
    }
    self.entropy = entropy
  }

  /// (P + Pᵀ)/2n in place, tile by tile.
  private static func symmetrise(_ matrix: Tensor, step: Int) {
    let count = matrix.shape[0]
    func tile(_ row: Int, _ column: Int) -> Tensor {
      matrix.sliced(0, row, min(row + step, count)).sliced(1, column, min(column + step, count))
    }
    for row in stride(from: 0, to: count, by: step) {
      for column in stride(from: row, to: count, by: step) {
        let both =
          (tile(row, column) + tile(column, row).transposed()) / (2 * Double(count))
        _ = InPlace.copy(tile(row, column), both)
        _ = InPlace.copy(tile(column, row), both.transposed())
      }
    }
  }

  /// p_{j|i} of some rows, and how many of them are crowded.
  private static func conditional(
    _ rows: DistanceRows, _ span: Range<Int>, _ perplexity: Double
  ) -> (rows: Tensor, crowded: Int) {
    let others = Double(rows.images - 1)
    var squares = Gram.widened(rows.squared(span)).to(.cpu)
    func fillOwn(_ tensor: Tensor, _ value: Double) {
      _ = InPlace.fill(
        diagonal(tensor.sliced(1, span.lowerBound, span.upperBound), 0, 0, 1), value)
    }
    // Less the least, over the mean: no p depends on the one, and β alone on the other.
    fillOwn(squares, .infinity)
    squares = squares - Self.least(squares, [1], true)
    let atLeast = equal(squares, 0.0).sum(over: [1]).scalars(Int64.self)
    fillOwn(squares, 0)
    let means = (squares.sum(over: [1], keeping: true) / others).scalars(Double.self)
    squares =
      squares / Tensor(means.map { $0 > 0 ? $0 : 1 }, shape: [span.count, 1])
    var precisions = [Double](repeating: 1, count: span.count)
    var bounds = [(low: Double, high: Double)](repeating: (0, .infinity), count: span.count)
    var open = Set(0..<span.count)
    for (row, count) in atLeast.enumerated() where Double(count) >= perplexity {
      // Whatever β, they alone are more. What is farther has no share in the limit.
      precisions[row] = 1e300
      open.remove(row)
    }
    let crowded = span.count - open.count
    let wanted = log(perplexity)
    var found = squares
    for turn in 0...most {
      found = (squares * Tensor(precisions.map { -$0 }, shape: [span.count, 1])).exponential()
      fillOwn(found, 0)
      let sums = found.sum(over: [1], keeping: true)
      found = found / sums
      guard turn < most, !open.isEmpty else { break }
      let weighed = found * squares
      let first = weighed.sum(over: [1]).scalars(Double.self)
      let second = (weighed * squares).sum(over: [1]).scalars(Double.self)
      let logs = sums.logarithm().scalars(Double.self)
      for row in open.sorted() {
        let beta = precisions[row]
        let excess = logs[row] + beta * first[row] - wanted
        if abs(excess) <= precision {
          open.remove(row)
          continue
        }
        if excess > 0 { bounds[row].low = beta } else { bounds[row].high = beta }
        let (low, high) = bounds[row]
        // The derivative of the entropy by ln β is −β² times the variance of the squares.
        let slope = beta * beta * (second[row] - first[row] * first[row])
        let next = beta * exp(max(-2, min(2, excess / slope)))
        let isWithin = slope > 0 && next > low && next < high
        precisions[row] =
          isWithin ? next : high == .infinity ? 2 * beta : low == 0 ? beta / 2 : (low + high) / 2
        if precisions[row] == beta { open.remove(row) }
      }
    }
    return (found, crowded)
  }
}
