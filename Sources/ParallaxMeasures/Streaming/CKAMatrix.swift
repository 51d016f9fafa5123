/// CKA of all pairs of representations, from a pass over images.
public struct CKAMatrix: Sendable {
  /// The number of representations, L.
  public let size: Int
  /// `[L × L]`, row by row; NaN where a side was refused.
  public let values: [Double]
  /// The standard error of each value, `[L × L]`; nil where the route cannot tell or there is one group.
  public let standardErrors: [Double]?
  /// The estimator of the HSIC.
  public let estimator: Estimator
  /// Minibatches or the whole set.
  public let route: CKARoute
  /// The number of images that count.
  public let images: Int
  /// The number of blocks that count.
  public let blocks: Int
  /// Groups of blocks that the standard errors come from; 0 where there are no groups.
  public let groups: Int
  /// Blocks that were too small.
  public let skipped: [SkippedBlock]
  /// Representations without a value, in the order of their indices.
  public let refusals: [CKARefusal]
  /// The same for shuffled pairs; nil where it was not asked for.
  public let shuffled: ShuffledCKA?
  /// The values with each group of blocks left out in turn, what standard errors of means and differences come from;
  /// empty where there are no groups.
  public let leftOut: [[Double]]

  /// The same pairs with other values, such as ``leftOut`` or a shuffled draw; without errors, refusals and baseline.
  public func replacing(_ values: [Double]) -> CKAMatrix {
    CKAMatrix(
      size: size, values: values, standardErrors: nil, estimator: estimator, route: route,
      images: images, blocks: blocks, groups: 0, skipped: [], refusals: [], shuffled: nil,
      leftOut: [])
  }

  /// The same where every image was seen several times, each time in other blocks.
  ///
  /// Groups of blocks share images then, and their spread tells of too little variance: to first order in the images by the
  /// number of passes. Errors, and the distance of ``leftOut`` from the values, grow by its root. That is an upper bound:
  /// what blocks differ by that hold the same images is averaged out by several passes, and is not taken off.
  ///
  /// - Parameter passes: how often each image was seen, at least once.
  /// - Returns: the matrix with the images counted once, and wider errors.
  public func seen(_ passes: Int) -> CKAMatrix {
    guard passes > 1 else { return self }
    let factor = Double(passes).squareRoot()
    return CKAMatrix(
      size: size, values: values, standardErrors: standardErrors?.map { factor * $0 },
      estimator: estimator, route: route, images: images / passes, blocks: blocks, groups: groups,
      skipped: skipped, refusals: refusals, shuffled: shuffled,
      leftOut: leftOut.map { left in zip(values, left).map { $0 + factor * ($1 - $0) } })
  }

  /// The value of a pair; nil where a side was refused.
  public subscript(a: Int, b: Int) -> Double? {
    let value = values[a * size + b]
    return value.isNaN ? nil : value
  }

  /// The standard error of a pair; nil where there is none.
  public func standardError(_ a: Int, _ b: Int) -> Double? {
    guard let error = standardErrors?[a * size + b], !error.isNaN else { return nil }
    return error
  }
}

/// A block with too few images for the estimator.
public struct SkippedBlock: Sendable, Hashable {
  /// The block's number.
  public let block: Int
  /// Its images.
  public let images: Int
}

/// A representation that has no CKA, and why.
public struct CKARefusal: Sendable, Hashable {
  /// The reason.
  public enum Reason: Int, Sendable, Hashable {
    /// NaN or infinity among the features, or sums of squares that leave the range of the element type.
    case notFinite
    /// HSIC(K, K) is not above rounding.
    case constant
  }

  /// Which representation.
  public let index: Int
  /// The first block where it happened; nil where it concerns all of them together.
  public let block: Int?
  /// Why.
  public let reason: Reason
}

extension CKARefusal: CustomStringConvertible {
  /// One sentence without a subject.
  public var description: String {
    let what =
      switch reason {
      case .notFinite: "holds NaN or infinite numbers, or overflows when squared"
      case .constant: "does not vary over the images (HSIC(K,K) is not above zero)"
      }
    return what + (block.map { " in block \($0)" } ?? "")
  }
}

/// The baseline of shuffled pairs: image i on one side, another image of its block on the other.
public struct ShuffledCKA: Sendable {
  /// The number of representations, L.
  public let size: Int
  /// One matrix `[L × L]` a permutation; NaN where a side was refused.
  public let draws: [[Double]]

  /// Mean and 95 % quantile over the cells of a part of the matrix, all draws together.
  ///
  /// - Returns: nil where every cell of the part was refused.
  public func summary(rows: Range<Int>, columns: Range<Int>) -> (mean: Double, quantile95: Double)?
  {
    var cells: [Double] = []
    for draw in draws {
      for row in rows {
        for column in columns where !draw[row * size + column].isNaN {
          cells.append(draw[row * size + column])
        }
      }
    }
    guard !cells.isEmpty else { return nil }
    cells.sort()
    // NumPy's linear interpolation.
    let place = 0.95 * Double(cells.count - 1)
    let low = Int(place)
    let high = min(low + 1, cells.count - 1)
    let quantile = cells[low] + (place - Double(low)) * (cells[high] - cells[low])
    return (cells.reduce(0, +) / Double(cells.count), quantile)
  }
}
