import ParallaxTensors

/// The graph that joins every image with its k nearest, in either direction, and its normalised Laplacian
/// L = 1 − D^(−½) A D^(−½).
struct NeighbourGraph: Sendable {
  let images: Int
  /// Both ends of every edge, in both directions, sorted.
  let rows: [Int]
  let columns: [Int]
  /// What L holds there: −1/√(dᵢdⱼ).
  let values: [Double]

  /// - Throws: `MeasureError.constant` where no two images differ.
  init(_ features: Tensor, neighbours k: Int, measure: String) throws {
    let n = features.shape[0]
    let (distances, nearest) = Distances.nearest(features, k)
    guard distances.contains(where: { $0 > 0 }) else {
      throw MeasureError.constant(measure: measure)
    }
    var joined = [Set<Int>](repeating: [], count: n)
    for (position, other) in nearest.enumerated() {
      joined[position / k].insert(other)
      joined[other].insert(position / k)
    }
    var (rows, columns, values): ([Int], [Int], [Double]) = ([], [], [])
    for row in 0..<n {
      for column in joined[row].sorted() {
        rows.append(row)
        columns.append(column)
        values.append(-1 / (Double(joined[row].count * joined[column].count)).squareRoot())
      }
    }
    (images, self.rows, self.columns, self.values) = (n, rows, columns, values)
  }

  /// All eigenvalues of L, ascending: N³.
  ///
  /// - Throws: `TensorError.operation` where LAPACK does not converge.
  func eigenvalues() throws -> [Double] {
    var dense = [Double](repeating: 0, count: images * images)
    for row in 0..<images { dense[row * images + row] = 1 }
    for (index, value) in values.enumerated() {
      dense[rows[index] * images + columns[index]] = value
    }
    return try Decomposition.eigenvalues(Tensor(dense, shape: [images, images]))
  }
}
