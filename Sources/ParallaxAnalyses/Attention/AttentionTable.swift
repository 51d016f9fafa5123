import ParallaxResults
import ParallaxTensors

/// The numbers of one layer over all images.
struct AttentionTable {
  /// The heads' means, deviations and intervals.
  let heads: [AttentionResult.Head]
  /// The row of the first image with a number that is not finite; nil where all are.
  let firstUndefined: Int?
  /// How many groups of images there are; 0 for none.
  let groups: Int
  /// Mean distances of the heads without one group each.
  let distancesWithout: [[Double]]
  /// Mean distances of the heads; empty where a number is not finite.
  let distances: [Double]

  /// - Parameters:
  ///   - numbers: `[images, heads]` distances, or `[images, 2 · heads]` with entropies behind them.
  ///   - count: of heads.
  ///   - groups: of images, every `groups`-th image together; 0 for none.
  init(_ numbers: Tensor, heads count: Int, groups: Int) {
    let (images, width) = (numbers.shape[0], numbers.shape[1])
    let values = numbers.to(.float64).contiguous().scalars(Double.self)
    firstUndefined = values.firstIndex { !$0.isFinite }.map { $0 / width }
    self.groups = groups
    var sums = [Double](repeating: 0, count: width)
    var parts = [[Double]](repeating: sums, count: groups)
    for row in 0..<images {
      for column in 0..<width {
        let value = values[row * width + column]
        sums[column] += value
        if groups > 0 { parts[row % groups][column] += value }
      }
    }
    let means = sums.map { $0 / Double(images) }
    var squares = [Double](repeating: 0, count: width)
    for row in 0..<images {
      for column in 0..<width {
        let gap = values[row * width + column] - means[column]
        squares[column] += gap * gap
      }
    }
    guard firstUndefined == nil else {
      let none = AttentionResult.Head(
        distance: AttentionResult.Estimate(nil), distanceDeviation: nil,
        entropy: AttentionResult.Estimate(nil), entropyDeviation: nil)
      heads = Array(repeating: none, count: count)
      (distances, distancesWithout) = ([], [])
      return
    }
    func deviation(_ column: Int) -> Double? {
      images > 1 ? (squares[column] / Double(images - 1)).squareRoot() : nil
    }
    func estimate(_ column: Int) -> AttentionResult.Estimate {
      guard let deviation = deviation(column) else {
        return AttentionResult.Estimate(means[column])
      }
      let margin =
        StudentT.quantile975(degrees: images - 1) * deviation / Double(images).squareRoot()
      return AttentionResult.Estimate(
        means[column], low: means[column] - margin, high: means[column] + margin)
    }
    heads = (0..<count).map { head in
      let other = count + head
      return AttentionResult.Head(
        distance: estimate(head), distanceDeviation: deviation(head),
        entropy: other < width ? estimate(other) : AttentionResult.Estimate(nil),
        entropyDeviation: other < width ? deviation(other) : nil)
    }
    distances = Array(means.prefix(count))
    distancesWithout = parts.enumerated().map { group, part in
      let left = images - (images - group + groups - 1) / groups
      return (0..<count).map { (sums[$0] - part[$0]) / Double(left) }
    }
  }
}
