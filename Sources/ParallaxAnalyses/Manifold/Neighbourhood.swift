import ParallaxTensors

/// A point's distances from the nearest of some points, and from the flat piece that they span.
///
/// The mean distance of the k nearest; and the residual ‖x − x̂‖ to the local PCA: x̂ is x projected onto the d leading
/// principal axes of those k through their mean. Agrees with scikit-learn's `NearestNeighbors` and `PCA` to 1e-9 relative in float64.
public struct Neighbourhood: Sendable {
  private static let eigh = Operator("aten::linalg_eigh")

  /// The points, `[points, features]`.
  public let points: Tensor
  /// k.
  public let neighbours: Int
  /// d.
  public let components: Int

  /// How a point lies to the others.
  public struct Place: Sendable, Hashable {
    /// The nearest points' rows, the nearest first.
    public var rows: [Int]
    /// Their Euclidean distances.
    public var distances: [Double]
    /// The distance from the local PCA's flat piece; nil where the neighbours are equal.
    public var residual: Double?

    /// The mean distance.
    public var mean: Double { distances.reduce(0, +) / Double(max(1, distances.count)) }
  }

  /// Points to look among.
  ///
  /// - Parameters:
  ///   - points: `[points, features]`.
  ///   - neighbours: k.
  ///   - components: d, at most k − 1.
  /// - Precondition: 1 ≤ d < k.
  public init(_ points: Tensor, neighbours: Int, components: Int) {
    precondition(
      components >= 1 && neighbours > components, "Neighbourhood: k \(neighbours), d \(components)")
    (self.points, self.neighbours, self.components) = (points, neighbours, components)
  }

  /// Distances of a point from all points, in float64.
  ///
  /// - Parameter point: `[features]`.
  /// - Returns: one number each point.
  public func distances(_ point: Tensor) -> [Double] {
    let x = point.to(.cpu).to(.float64).unsqueezed(0)
    // A few rows at a time: the difference is as large as they are.
    return stride(from: 0, to: points.shape[0], by: 16).flatMap { first in
      (points.sliced(0, first, min(first + 16, points.shape[0])).to(.float64) - x).norm(over: [1])
        .scalars(Double.self)
    }
  }

  /// Where a point lies.
  ///
  /// - Parameters:
  ///   - point: `[features]`.
  ///   - row: the row of a point that does not count, for it is the point itself; nil for none.
  /// - Returns: the place; of fewer than k points all.
  public func callAsFunction(_ point: Tensor, without row: Int? = nil) -> Place {
    let all = distances(point)
    let order = all.indices.filter { $0 != row }.sorted { (all[$0], $0) < (all[$1], $1) }
    let rows = Array(order.prefix(neighbours))
    return Place(
      rows: rows, distances: rows.map { all[$0] },
      residual: residual(point.to(.cpu).to(.float64), rows))
  }

  private func residual(_ point: Tensor, _ rows: [Int]) -> Double? {
    guard rows.count > components else { return nil }
    let near = points.gathered(0, rows).to(.float64)
    let mean = near.mean(over: [0], keeping: true)
    let centred = near - mean
    // The k × k Gram matrix has the axes' lengths squared, whatever the number of features.
    let parts = Self.eigh.all([centred.times(centred.transposed()), "L"])
    let lengths = parts[0].scalars(Double.self)
    guard let longest = lengths.last, longest > 0 else { return nil }
    var rest = point.unsqueezed(0) - mean
    for place in lengths.indices.suffix(components).reversed()
    where lengths[place] > 1e-12 * longest {
      let axis =
        parts[1].sliced(1, place, place + 1).transposed().times(centred)
        / lengths[place].squareRoot()
      rest = rest - axis * (rest * axis).sum().item(Double.self)
    }
    return rest.norm(over: [1]).item(Double.self)
  }
}
